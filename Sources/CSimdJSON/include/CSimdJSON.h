// C interface to simdjson: parses bytes, walks the tape of its DOM parser, validates UTF-8. Throws no exceptions.
//
// The functions that walk the tape are `static inline`, so that Swift's compiler can inline them. The layout of the
// tape is documented by simdjson (doc/tape.md of its source, version 3).

#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

/// The last document of a parser. This structure is never freed (the next parser reuses that of a destroyed one), so a
/// node can always check whether its document is still current.
typedef struct csj_document {
    const uint64_t *tape;
    const uint8_t *strings;
    uint32_t generation;
} csj_document;

/// One value: an index on the tape of a document. Reads as null after its document has been replaced.
typedef struct csj_node {
    const csj_document *document;
    uint32_t index;
    uint32_t generation;
} csj_node;

/// Maximum keys of a table.
enum { CSJ_MAX_KEYS = 16 };

/// A key to find: the address of its UTF-8 bytes (which must outlive every use), its length, its first eight bytes as
/// one word (zero-padded), and its last eight bytes if it has more than eight.
typedef struct csj_key {
    uintptr_t text;
    uint64_t length;
    uint64_t head;
    uint64_t tail;
} csj_key;

/// Keys to find in one walk, numbered from 0. Zeroed memory is a table without keys.
typedef struct csj_keys {
    csj_key keys[CSJ_MAX_KEYS];
    // A hash table with linear probing: 1 + the number of a key, or 0. It is at most a quarter full, so that most
    // members cost one look.
    uint8_t slots[64];
    uint32_t count;
} csj_keys;

/// The bit in the result of `csj_pick` that reports members without a key.
enum { CSJ_OTHERS = 1 << CSJ_MAX_KEYS };

/// Maximum nesting of arrays and objects.
enum { CSJ_MAX_DEPTH = 1024 };

typedef struct csj_parser csj_parser;

/// A new parser, or NULL without memory. One thread at a time.
csj_parser *csj_parser_create(void);

/// Frees a parser; NULL is ignored. Its nodes read as null afterwards.
void csj_parser_free(csj_parser *parser);

/// Parses a copy of `length` bytes. Nodes of the previous parse read as null afterwards. Returns 0 and the root, or a
/// simdjson error code; a NULL parser gives the code for "no memory".
int csj_parse(csj_parser *parser, const uint8_t *bytes, size_t length, csj_node *root);

/// Whether the bytes are valid UTF-8 (RFC 3629).
bool csj_is_utf8(const uint8_t *bytes, size_t length);

/// simdjson's text for an error code; a static string.
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

/// The bytes of a string (type "), with their count. They may contain NUL.
static inline const uint8_t *csj_string(csj_node node, uint32_t *length) {
    const uint8_t *start = node.document->strings + (csj_word(node) & 0x00FFFFFFFFFFFFFFu);
    memcpy(length, start, sizeof *length);
    return start + sizeof *length;
}

/// Tape index after the value with tape word `word` at `index`.
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

/// Tape index after this value.
static inline uint32_t csj_after(csj_node node) { return csj_after_word(csj_word(node), node.index); }

/// Tape index of the first child of a container (the first key of an object).
static inline uint32_t csj_begin(csj_node node) { return node.index + 1; }

/// Tape index of the closing bracket of a container; for other values, the index at which a walk would begin.
static inline uint32_t csj_end(csj_node node) {
    uint64_t word = csj_word(node);
    uint64_t type = word >> 56;
    return type == '{' || type == '[' ? (uint32_t)word - 1 : csj_begin(node);
}

/// The node at another index of the same document.
static inline csj_node csj_at(csj_node node, uint32_t index) {
    node.index = index;
    return node;
}

/// Whether a string node consists of exactly these bytes.
static inline bool csj_equals(csj_node node, const uint8_t *text, size_t length) {
    uint32_t own = 0;
    if (csj_type(node) != '"') return false;
    const uint8_t *bytes = csj_string(node, &own);
    return own == length && memcmp(bytes, text, length) == 0;
}

/// Adds a key. Without effect if the table is full.
void csj_keys_add(csj_keys *keys, const uint8_t *text, uint32_t length);

/// The result of `csj_pick`: bit k of `found` is set if key k was found, and that of `nulls` if its value is null.
/// CSJ_OTHERS in `found` is set if a member without a key has a non-empty array or object as value.
typedef struct csj_picked {
    uint32_t found;
    uint32_t nulls;
} csj_picked;

/// Walks an object once and stores the tape index of the value of each key that is found. If a name is repeated, the
/// last one counts.
csj_picked csj_pick(csj_node object, const csj_keys *keys, uint32_t *out);

/// Tape index of the value of the last member of this name; 0 if there is none.
uint32_t csj_find(csj_node object, const uint8_t *text, uint32_t length);

/// Tape index of the name of the next member without a key whose value is a non-empty array or object, at or after
/// `from`; 0 if there is none.
uint32_t csj_other(csj_node object, const csj_keys *keys, uint32_t from);

#ifdef __cplusplus
}
#endif
