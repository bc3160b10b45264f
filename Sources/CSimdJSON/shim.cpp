// Holds a simdjson parser, its document and its padded input buffer. Throws no exceptions.

#include "CSimdJSON.h"

#include <memory>
#include <mutex>
#include <new>
#include <simdjson.h>

static_assert(simdjson::SIMDJSON_VERSION_MAJOR == 3, "the walk in CSimdJSON.h reads the tape of simdjson 3");

namespace {

/// Buffers up to this size are kept between parses; larger ones are freed.
constexpr size_t kept = size_t(1) << 20;
/// Size of the first allocation: most stream frames are smaller.
constexpr size_t smallest = 4096;
/// Tape indexes and string lengths have 32 bits.
constexpr size_t largest = size_t(0xFFFFFFFFu) - 4096;

/// A document with a link to the next unused one. Slots are reused and never freed: see csj_document.
struct slot {
    csj_document face{nullptr, nullptr, 1};
    slot *next = nullptr;
};

std::mutex slots_lock;
slot *unused_slots = nullptr;

slot *take_slot() noexcept {
    {
        std::lock_guard<std::mutex> guard(slots_lock);
        if (slot *first = unused_slots) {
            unused_slots = first->next;
            return first;
        }
    }
    return new (std::nothrow) slot();
}

void invalidate(slot &owned) noexcept {
    owned.face.generation += 1;
    owned.face.tape = nullptr;
    owned.face.strings = nullptr;
}

void give_slot(slot *owned) noexcept {
    invalidate(*owned);
    std::lock_guard<std::mutex> guard(slots_lock);
    owned->next = unused_slots;
    unused_slots = owned;
}

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "head_of masks the bytes behind a short string");

/// The first eight bytes of a string as one word, zero-padded. Reads beyond the end of the string, never beyond its
/// buffer: simdjson leaves SIMDJSON_PADDING bytes there.
uint64_t head_of(const uint8_t *text, uint32_t length) noexcept {
    uint64_t head;
    std::memcpy(&head, text, sizeof head);
    return length >= sizeof head ? head : head & ((uint64_t(1) << (8 * length)) - 1);
}

/// Whether a string with this head and length, at `text`, is the key.
bool matches(const csj_key &key, uint64_t head, const uint8_t *text, uint32_t length) noexcept {
    if (key.head != head || key.length != length) return false;
    if (length <= sizeof head) return true;
    return std::memcmp(reinterpret_cast<const uint8_t *>(key.text) + sizeof head, text + sizeof head,
                       length - sizeof head) == 0;
}

size_t room_for(size_t length) noexcept {
    if (length > kept) return length;
    size_t room = smallest;
    while (room < length) room *= 2;
    return room;
}

}  // namespace

struct csj_parser {
    simdjson::dom::parser parser;
    simdjson::dom::document document;
    std::unique_ptr<uint8_t[]> input;
    size_t capacity = 0;
    slot *owned = nullptr;

    /// Allocates for a document of `length` bytes, and frees buffers that only a larger document needed.
    simdjson::error_code reserve(size_t length) noexcept {
        size_t room = room_for(length);
        bool shrinks = capacity > kept && room <= kept;
        if (input && capacity >= room && !shrinks) return simdjson::SUCCESS;
        release();
        input.reset(new (std::nothrow) uint8_t[room + simdjson::SIMDJSON_PADDING]);
        if (!input) return simdjson::MEMALLOC;
        if (auto error = parser.allocate(room, CSJ_MAX_DEPTH + 1)) return error;
        if (auto error = document.allocate(room)) return error;
        capacity = room;
        return simdjson::SUCCESS;
    }

    void release() noexcept {
        input.reset();
        parser = simdjson::dom::parser();
        document = simdjson::dom::document();
        capacity = 0;
    }
};

extern "C" csj_parser *csj_parser_create(void) {
    std::unique_ptr<csj_parser> made(new (std::nothrow) csj_parser());
    if (!made) return nullptr;
    made->owned = take_slot();
    return made->owned ? made.release() : nullptr;
}

extern "C" void csj_parser_free(csj_parser *parser) {
    if (!parser) return;
    give_slot(parser->owned);
    delete parser;
}

extern "C" int csj_parse(csj_parser *parser, const uint8_t *bytes, size_t length, csj_node *root) {
    if (!parser) return simdjson::MEMALLOC;
    slot &owned = *parser->owned;
    invalidate(owned);
    if (length == 0) return simdjson::EMPTY;
    if (length > largest) return simdjson::CAPACITY;
    if (auto error = parser->reserve(length)) {
        parser->release();
        return error;
    }
    std::memcpy(parser->input.get(), bytes, length);
    std::memset(parser->input.get() + length, ' ', simdjson::SIMDJSON_PADDING);
    auto error = parser->parser.parse_into_document(parser->document, parser->input.get(), length, false).error();
    // The tape holds copies of the strings: a large input can be freed.
    if (length > kept) parser->input.reset();
    if (error) return error;
    owned.face.tape = parser->document.tape.get();
    owned.face.strings = parser->document.string_buf.get();
    // Tape word 0 is the document; its root value is at index 1.
    *root = csj_node{&owned.face, 1, owned.face.generation};
    return simdjson::SUCCESS;
}

extern "C" bool csj_is_utf8(const uint8_t *bytes, size_t length) {
    return simdjson::validate_utf8(reinterpret_cast<const char *>(bytes), length);
}

extern "C" const char *csj_message(int code) {
    return simdjson::error_message(static_cast<simdjson::error_code>(code));
}

namespace {

/// Whether the value at this index is a non-empty array or object.
bool is_filled(const uint64_t *tape, uint32_t index) noexcept {
    uint64_t type = tape[index] >> 56;
    return (type == '{' || type == '[') && (uint32_t)tape[index] != index + 2;
}

/// Index of the key that equals a member's name; `count` if there is none.
uint32_t key_of(const csj_key *keys, uint32_t count, uint64_t marks, const uint8_t *text) noexcept {
    uint32_t length;
    std::memcpy(&length, text, sizeof length);
    text += sizeof length;
    uint64_t head = head_of(text, length);
    if ((marks & csj_mark(head)) == 0) return count;
    uint32_t k = 0;
    while (k < count && !matches(keys[k], head, text, length)) k++;
    return k;
}

uint64_t marks_of(const csj_key *keys, uint32_t count) noexcept {
    uint64_t marks = 0;
    for (uint32_t k = 0; k < count; k++) marks |= keys[k].mark;
    return marks;
}

} // namespace

extern "C" uint32_t csj_pick(csj_node object, const csj_key *keys, uint32_t count, uint32_t *out) {
    if (csj_type(object) != '{') return 0;
    if (count > CSJ_MAX_KEYS) count = CSJ_MAX_KEYS;
    // The generation was checked; the document cannot change during the walk.
    const uint64_t *tape = object.document->tape;
    const uint8_t *strings = object.document->strings;
    uint32_t found = 0;
    uint64_t marks = marks_of(keys, count);
    uint32_t end = csj_end(object);
    for (uint32_t index = csj_begin(object); index < end; index = csj_after_word(tape[index + 1], index + 1)) {
        uint32_t k = key_of(keys, count, marks, strings + (tape[index] & 0x00FFFFFFFFFFFFFFu));
        if (k < count) {
            out[k] = index + 1;
            found |= uint32_t(1) << k;
        } else if (is_filled(tape, index + 1)) {
            found |= CSJ_OTHERS;
        }
    }
    return found;
}

extern "C" uint32_t csj_other(csj_node object, const csj_key *keys, uint32_t count, uint32_t from) {
    if (csj_type(object) != '{') return 0;
    if (count > CSJ_MAX_KEYS) count = CSJ_MAX_KEYS;
    const uint64_t *tape = object.document->tape;
    const uint8_t *strings = object.document->strings;
    uint64_t marks = marks_of(keys, count);
    uint32_t end = csj_end(object);
    for (uint32_t index = from; index < end; index = csj_after_word(tape[index + 1], index + 1)) {
        if (!is_filled(tape, index + 1)) continue;
        if (key_of(keys, count, marks, strings + (tape[index] & 0x00FFFFFFFFFFFFFFu)) == count) return index;
    }
    return 0;
}
