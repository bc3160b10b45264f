// Tests of several bytes at once: sixteen with SSE2 (on every x86-64), otherwise eight. Used in the loops of frames.c.
#ifndef CFRAMEMATCH_STEPS_H
#define CFRAMEMATCH_STEPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#if defined(__SSE2__)
#include <emmintrin.h>
#endif

static inline uint64_t word_at(const uint8_t *bytes) {
    uint64_t word;
    memcpy(&word, bytes, sizeof word);
    return word;
}

static inline uint32_t half_at(const uint8_t *bytes) {
    uint32_t half;
    memcpy(&half, bytes, sizeof half);
    return half;
}

// Number of bytes that are tested at once.
#if defined(__SSE2__)
enum { step = 16 };

// Number of bytes of a step before the first one that ends plain text in a JSON string: a quote, a backslash or a
// control character.
static inline size_t plain(const uint8_t *bytes) {
    __m128i word = _mm_loadu_si128((const __m128i *)bytes);
    __m128i quote = _mm_cmpeq_epi8(word, _mm_set1_epi8('"')), backslash = _mm_cmpeq_epi8(word, _mm_set1_epi8('\\'));
    __m128i control = _mm_cmpeq_epi8(_mm_min_epu8(word, _mm_set1_epi8(0x1F)), word);
    int special = _mm_movemask_epi8(_mm_or_si128(_mm_or_si128(quote, backslash), control));
    return special == 0 ? step : (size_t)__builtin_ctz((unsigned)special);
}

// Bit mask of the bytes of a step that are not digits; bit 0 is the first byte. Bits above the step are set.
static inline unsigned others(const uint8_t *bytes) {
    __m128i value = _mm_sub_epi8(_mm_loadu_si128((const __m128i *)bytes), _mm_set1_epi8('0'));
    return ~(unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(_mm_min_epu8(value, _mm_set1_epi8(9)), value));
}

// Number of spaces at the beginning of a step.
static inline size_t blanks(const uint8_t *bytes) {
    int mask = _mm_movemask_epi8(_mm_cmpeq_epi8(_mm_loadu_si128((const __m128i *)bytes), _mm_set1_epi8(' ')));
    return (size_t)__builtin_ctz(~(unsigned)mask);
}

// Number of bytes at the beginning of a step that are equal to those of `other`.
static inline size_t same(const uint8_t *bytes, const uint8_t *other) {
    __m128i same = _mm_cmpeq_epi8(_mm_loadu_si128((const __m128i *)bytes), _mm_loadu_si128((const __m128i *)other));
    return (size_t)__builtin_ctz(~(unsigned)_mm_movemask_epi8(same));
}

static inline bool is_same_step(const uint8_t *bytes, const uint8_t *other) { return same(bytes, other) == step; }
#else
enum { step = 8 };

// As above. The top bit of a byte is set where a subtraction borrows. A borrow can set wrong bits only in higher bytes,
// and only the lowest set bit is used. Bytes of 0x80 and above are never special.
static inline size_t plain(const uint8_t *bytes) {
    const uint64_t ones = 0x0101010101010101u;
    uint64_t word = word_at(bytes);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    word = __builtin_bswap64(word);
#endif
    uint64_t quote = word ^ (ones * '"'), backslash = word ^ (ones * '\\');
    uint64_t special =
        ((word - ones * 0x20) & ~word) | ((quote - ones) & ~quote) | ((backslash - ones) & ~backslash);
    special &= ones * 0x80;
    return special == 0 ? step : (size_t)__builtin_ctzll(special) / 8;
}

static inline unsigned others(const uint8_t *bytes) {
    unsigned mask = ~0u << step;
    for (int i = 0; i < step; i++) mask |= (unsigned)(bytes[i] < '0' || bytes[i] > '9') << i;
    return mask;
}

static inline size_t blanks(const uint8_t *bytes) {
    size_t count = 0;
    while (count < step && bytes[count] == ' ') count++;
    return count;
}

static inline size_t same(const uint8_t *bytes, const uint8_t *other) {
    size_t count = 0;
    while (count < step && bytes[count] == other[count]) count++;
    return count;
}

static inline bool is_same_step(const uint8_t *bytes, const uint8_t *other) { return word_at(bytes) == word_at(other); }
#endif

#endif
