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

uint64_t word_at(const uint8_t *bytes) noexcept {
    uint64_t word;
    std::memcpy(&word, bytes, sizeof word);
    return word;
}

/// The first eight bytes of a string as one word, zero-padded. Reads beyond the end of the string, never beyond its
/// buffer: simdjson leaves SIMDJSON_PADDING bytes there.
uint64_t head_of(const uint8_t *text, uint32_t length) noexcept {
    constexpr uint64_t all = ~uint64_t(0);
    static const uint64_t masks[] = {0, all >> 56, all >> 48, all >> 40, all >> 32, all >> 24, all >> 16, all >> 8, all};
    return word_at(text) & masks[length < 8 ? length : 8];
}

/// Whether a string with this head and length, at `text`, is the key. Without memcmp: a call would make the walk keep
/// its state in memory.
bool matches(const csj_key &key, uint64_t head, const uint8_t *text, uint32_t length) noexcept {
    if (key.head != head || key.length != length) return false;
    if (length <= 8) return true;
    if (key.tail != word_at(text + length - 8)) return false;
    const uint8_t *wanted = reinterpret_cast<const uint8_t *>(key.text);
    for (uint32_t start = 8; start + 8 < length; start += 8) {
        if (word_at(wanted + start) != word_at(text + start)) return false;
    }
    return true;
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

/// The slot at which the search for a string with this head and length begins.
uint32_t slot_of(uint64_t head, uint32_t length) noexcept {
    return uint32_t(((head + length) * 0x9E3779B97F4A7C15u) >> 58);
}

/// The bytes of the string whose tape word this is, and their count.
const uint8_t *text_of(const uint8_t *strings, uint64_t word, uint32_t &length) noexcept {
    const uint8_t *text = strings + (word & 0x00FFFFFFFFFFFFFFu);
    std::memcpy(&length, text, sizeof length);
    return text + sizeof length;
}

/// Number of the key that equals a member's name; CSJ_MAX_KEYS if there is none.
uint32_t key_of(const csj_keys &keys, const uint8_t *strings, uint64_t word) noexcept {
    uint32_t length;
    const uint8_t *text = text_of(strings, word, length);
    uint64_t head = head_of(text, length);
    for (uint32_t slot = slot_of(head, length); keys.slots[slot] != 0; slot = (slot + 1) % sizeof keys.slots) {
        uint32_t k = keys.slots[slot] - 1u;
        if (matches(keys.keys[k], head, text, length)) return k;
    }
    return CSJ_MAX_KEYS;
}

} // namespace

extern "C" void csj_keys_add(csj_keys *keys, const uint8_t *text, uint32_t length) {
    if (keys->count == CSJ_MAX_KEYS) return;
    csj_key &key = keys->keys[keys->count++];
    key = csj_key{reinterpret_cast<uintptr_t>(text), length, 0, length > 8 ? word_at(text + length - 8) : 0};
    std::memcpy(&key.head, text, length < sizeof key.head ? length : sizeof key.head);
    uint32_t slot = slot_of(key.head, length);
    while (keys->slots[slot] != 0) slot = (slot + 1) % sizeof keys->slots;
    keys->slots[slot] = uint8_t(keys->count);
}

extern "C" csj_picked csj_pick(csj_node object, const csj_keys *keys, uint32_t *out) {
    csj_picked picked = {0, 0};
    if (csj_type(object) != '{') return picked;
    // The generation was checked; the document cannot change during the walk.
    const uint64_t *tape = object.document->tape;
    const uint64_t *word = tape + csj_begin(object), *end = tape + csj_end(object);
    const uint8_t *strings = object.document->strings;
    while (word < end) {
        uint32_t k = key_of(*keys, strings, word[0]);
        uint64_t value = word[1];
        uint64_t type = value >> 56;
        if (k < CSJ_MAX_KEYS) {
            uint32_t bit = uint32_t(1) << k;
            out[k] = uint32_t(word + 1 - tape);
            if (type == 'n') picked.nulls |= bit;
            else if (picked.found & bit) picked.nulls &= ~bit;
            picked.found |= bit;
        }
        word += 2;
        if (type == '"' || type == 'n') continue;
        if (type == '{' || type == '[') {
            const uint64_t *next = tape + uint32_t(value);
            if (k == CSJ_MAX_KEYS && next != word + 1) picked.found |= CSJ_OTHERS;
            word = next;
        } else if (type == 'l' || type == 'u' || type == 'd') {
            word += 1;
        }
    }
    return picked;
}

extern "C" uint32_t csj_find(csj_node object, const uint8_t *name, uint32_t length) {
    if (csj_type(object) != '{') return 0;
    const uint64_t *tape = object.document->tape;
    const uint8_t *strings = object.document->strings;
    uint32_t found = 0;
    uint32_t end = csj_end(object);
    for (uint32_t index = csj_begin(object); index < end; index = csj_after_word(tape[index + 1], index + 1)) {
        uint32_t own;
        const uint8_t *text = text_of(strings, tape[index], own);
        if (own == length && std::memcmp(text, name, length) == 0) found = index + 1;
    }
    return found;
}

extern "C" uint32_t csj_other(csj_node object, const csj_keys *keys, uint32_t from) {
    if (csj_type(object) != '{') return 0;
    const uint64_t *tape = object.document->tape;
    const uint8_t *strings = object.document->strings;
    uint32_t end = csj_end(object);
    for (uint32_t index = from; index < end; index = csj_after_word(tape[index + 1], index + 1)) {
        if (is_filled(tape, index + 1) && key_of(*keys, strings, tape[index]) == CSJ_MAX_KEYS) return index;
    }
    return 0;
}
