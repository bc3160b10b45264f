// A C face for simdjson: parse bytes, walk the tape of its DOM parser, ask whether bytes are UTF-8. Wire alone may call
// it. It holds no policy (what to repair, what a number means) and lets no exception out.
//
// The walk is `static inline` on purpose: Swift's compiler sees through it, so that reading a value costs
// no call. The layout of the tape is simdjson's documented one (doc/tape.md of its source, version 3).

#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

/// What a parser has parsed last. The structure itself is never given back to the allocator (a parser that dies
/// leaves it to the next one), so a node may always ask it whether it is still the document it came from.
typedef struct csj_document {
    const uint64_t *tape;
    const uint8_t *strings;
    uint32_t generation;
} csj_document;

/// One value: a place on the tape of a document. One whose document has been replaced reads as null.
typedef struct csj_node {
    const csj_document *document;
    uint32_t index;
    uint32_t generation;
} csj_node;

/// A key to look for: the address of its UTF-8 bytes (which must outlive every use), the first eight of them as one
/// word (zeros behind a shorter key), and their count.
typedef struct csj_key {
    uintptr_t text;
    uint64_t head;
    // One bit of 64, chosen by `head`: most members that are no key are told apart by it alone.
    uint64_t mark;
    uint32_t length;
} csj_key;

/// The mark of a string that begins with these eight bytes.
static inline uint64_t csj_mark(uint64_t head) { return (uint64_t)1 << ((head * 0x9E3779B97F4A7C15u) >> 58); }

/// A key of `length` bytes at `text`.
static inline csj_key csj_key_make(const uint8_t *text, uint32_t length) {
    csj_key key = {(uintptr_t)text, 0, 0, length};
    memcpy(&key.head, text, length < sizeof key.head ? length : sizeof key.head);
    key.mark = csj_mark(key.head);
    return key;
}

/// The most keys that `csj_pick` looks for at once.
enum { CSJ_MAX_KEYS = 16 };

/// The bit of `csj_pick`'s mask for members that no key names.
enum { CSJ_OTHERS = 1 << CSJ_MAX_KEYS };

/// The deepest nesting of arrays and objects that is parsed.
enum { CSJ_MAX_DEPTH = 1024 };

typedef struct csj_parser csj_parser;

/// A new parser, or NULL when there is no memory. One thread at a time.
csj_parser *csj_parser_create(void);

/// Frees a parser (NULL is let be). Its nodes read as null from here on.
void csj_parser_free(csj_parser *parser);

/// Parses `length` bytes, which are copied first. Nodes of the parse before read as null from here on.
/// Returns 0 and the root, or a simdjson error code. A NULL parser gives the code for "no memory".
int csj_parse(csj_parser *parser, const uint8_t *bytes, size_t length, csj_node *root);

/// Whether the bytes are UTF-8 (RFC 3629).
bool csj_is_utf8(const uint8_t *bytes, size_t length);

/// simdjson's words for an error code; a static string.
const char *csj_message(int code);

/// The tape word of a node: its type letter in the top byte, its payload below.
static inline uint64_t csj_word(csj_node node) {
    return node.document->generation == node.generation ? node.document->tape[node.index] : (uint64_t)'n' << 56;
}

/// The type letter: `{ [ " l u d t f n`.
static inline uint8_t csj_type(csj_node node) { return (uint8_t)(csj_word(node) >> 56); }

/// The 64 bits of a number (types l, u, d).
static inline uint64_t csj_bits(csj_node node) {
    return node.document->generation == node.generation ? node.document->tape[node.index + 1] : 0;
}

/// The bytes of a string (type "), with their count. They may hold NUL.
static inline const uint8_t *csj_string(csj_node node, uint32_t *length) {
    const uint8_t *start = node.document->strings + (csj_word(node) & 0x00FFFFFFFFFFFFFFu);
    memcpy(length, start, sizeof *length);
    return start + sizeof *length;
}

/// Where the value after the one of tape word `word`, at `index`, stands.
static inline uint32_t csj_after_word(uint64_t word, uint32_t index) {
    switch (word >> 56) {
    case '{':
    case '[':
        return (uint32_t)word;
    case 'l':
    case 'u':
    case 'd':
        return index + 2;
    default:
        return index + 1;
    }
}

/// Where the value after this one stands on the tape.
static inline uint32_t csj_after(csj_node node) { return csj_after_word(csj_word(node), node.index); }

/// Where the first child of a container stands (the first key, for an object).
static inline uint32_t csj_begin(csj_node node) { return node.index + 1; }

/// Where the closing bracket of a container stands; for any other value, where a walk would begin.
static inline uint32_t csj_end(csj_node node) {
    uint64_t word = csj_word(node);
    uint64_t type = word >> 56;
    return type == '{' || type == '[' ? (uint32_t)word - 1 : csj_begin(node);
}

/// The node at another place of the same document.
static inline csj_node csj_at(csj_node node, uint32_t index) {
    node.index = index;
    return node;
}

/// True when a string node holds exactly these bytes.
static inline bool csj_equals(csj_node node, const uint8_t *text, size_t length) {
    uint32_t own = 0;
    if (csj_type(node) != '"') return false;
    const uint8_t *bytes = csj_string(node, &own);
    return own == length && memcmp(bytes, text, length) == 0;
}

/// Walks an object once and notes, for each key, where its value stands. Of equal members the last one wins.
/// Returns a mask with bit k set where key k was found; `out[k]` is written for those alone. CSJ_OTHERS is set where
/// a member that no key names holds an array or object with something in it.
uint32_t csj_pick(csj_node object, const csj_key *keys, uint32_t count, uint32_t *out);

/// Where the next such member stands, at or after place `from` of the object's walk: the place of its name. 0 if there
/// is none.
uint32_t csj_other(csj_node object, const csj_key *keys, uint32_t count, uint32_t from);

#ifdef __cplusplus
}
#endif
