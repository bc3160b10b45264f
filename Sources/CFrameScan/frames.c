// The loops behind CFrameScan.h. JSON's grammar is RFC 8259's: section 6 for numbers, section 7 for strings.

#include "CFrameScan.h"

#include <string.h>

static const size_t none = SIZE_MAX;

static inline uint64_t word_at(const uint8_t *bytes) {
    uint64_t word;
    memcpy(&word, bytes, sizeof word);
    return word;
}

// How many of the eight bytes at `bytes` come before the first that cannot stand for itself in a string: a quote, a
// backslash, a control character. A byte's top bit is set where the byte is less than the one that is taken from it. The
// borrow out of such a byte spoils only those above it, and the lowest counts. Bytes of 0x80 and more are none of these.
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
    return special == 0 ? 8 : (size_t)__builtin_ctzll(special) / 8;
}

// The closing quote of the string that begins before `at`; none where it has none, or a control character.
static inline size_t string_end(const uint8_t *bytes, size_t length, size_t at, bool *has_escapes) {
    while (at < length) {
        if (length - at >= 8) {
            size_t run = plain(bytes + at);
            at += run;
            if (run == 8) continue;
        }
        uint8_t byte = bytes[at];
        if (byte == '"') return at;
        if (byte < 0x20) return none;
        if (byte == '\\') *has_escapes = true, at++;
        at++;
    }
    return none;
}

static inline bool is_digit(uint8_t byte) { return byte >= '0' && byte <= '9'; }

static size_t digits_end(const uint8_t *bytes, size_t length, size_t at) {
    while (at < length && is_digit(bytes[at])) at++;
    return at;
}

// A natural number of at most 18 digits, the most that cannot overflow; what more there is does not belong to it.
static inline size_t natural_end(const uint8_t *bytes, size_t length, size_t at, int64_t *value) {
    size_t end = at, limit = length - at > 18 ? at + 18 : length;
    int64_t sum = 0;
    while (end < limit && is_digit(bytes[end])) sum = sum * 10 + (bytes[end++] - '0');
    if (end == at || (end > at + 1 && bytes[at] == '0')) return none;
    *value = sum;
    return end;
}

static size_t number_end(const uint8_t *bytes, size_t length, size_t at) {
    size_t whole = at < length && bytes[at] == '-' ? at + 1 : at;
    size_t end = digits_end(bytes, length, whole);
    if (end == whole || (end > whole + 1 && bytes[whole] == '0')) return none;
    if (end < length && bytes[end] == '.') {
        size_t fraction = end + 1;
        end = digits_end(bytes, length, fraction);
        if (end == fraction) return none;
    }
    if (end == length || (bytes[end] | 0x20) != 'e') return end;
    size_t exponent = end + 1;
    if (exponent < length && (bytes[exponent] == '+' || bytes[exponent] == '-')) exponent++;
    end = digits_end(bytes, length, exponent);
    return end == exponent ? none : end;
}

static int hex_value(uint8_t digit) {
    if (is_digit(digit)) return digit - '0';
    uint8_t letter = digit | 0x20;
    return letter >= 'a' && letter <= 'f' ? letter - 'a' + 10 : -1;
}

// The character that the escape at `*at`, behind its backslash, stands for, in UTF-8. Returns how many bytes that is; 0
// where the escape is none, or stands for half of a character.
static size_t unescape(const uint8_t *bytes, size_t end, size_t *at, uint8_t *out) {
    if (*at == end) return 0;
    switch (bytes[(*at)++]) {
    case 'n': return *out = '\n', 1;
    case '"': return *out = '"', 1;
    case '\\': return *out = '\\', 1;
    case '/': return *out = '/', 1;
    case 't': return *out = '\t', 1;
    case 'r': return *out = '\r', 1;
    case 'b': return *out = '\b', 1;
    case 'f': return *out = '\f', 1;
    case 'u': break;
    default: return 0;
    }
    if (end - *at < 4) return 0;
    unsigned code = 0;
    for (int i = 0; i < 4; i++) {
        int digit = hex_value(bytes[(*at)++]);
        if (digit < 0) return 0;
        code = code << 4 | (unsigned)digit;
    }
    if (code < 0x80) return *out = (uint8_t)code, 1;
    if (code < 0x800) return out[0] = (uint8_t)(0xC0 | code >> 6), out[1] = (uint8_t)(0x80 | (code & 0x3F)), 2;
    if (code >= 0xD800 && code < 0xE000) return 0;
    out[0] = (uint8_t)(0xE0 | code >> 12);
    out[1] = (uint8_t)(0x80 | (code >> 6 & 0x3F));
    out[2] = (uint8_t)(0x80 | (code & 0x3F));
    return 3;
}

// The end of a string of which only this is asked: whether it is one.
static size_t sound_string_end(const uint8_t *bytes, size_t length, size_t at) {
    bool has_escapes = false;
    size_t end = string_end(bytes, length, at, &has_escapes);
    if (end == none || !has_escapes) return end;
    uint8_t ignored[3];
    const uint8_t *escape;
    while (at < end && (escape = memchr(bytes + at, '\\', end - at)) != NULL) {
        at = (size_t)(escape - bytes) + 1;
        if (unescape(bytes, end, &at, ignored) == 0) return none;
    }
    return end;
}

ptrdiff_t cfs_string_end(const uint8_t *bytes, size_t length, size_t at, bool *has_escapes) {
    return (ptrdiff_t)string_end(bytes, length, at, has_escapes);
}

ptrdiff_t cfs_natural_end(const uint8_t *bytes, size_t length, size_t at, int64_t *value) {
    return at > length ? -1 : (ptrdiff_t)natural_end(bytes, length, at, value);
}

ptrdiff_t cfs_number_end(const uint8_t *bytes, size_t length, size_t at) {
    return (ptrdiff_t)number_end(bytes, length, at);
}

// Between two gaps stand a dozen bytes, as a rule: too few for a call.
static inline bool is_same(const uint8_t *bytes, size_t length, size_t at, const uint8_t *other, size_t count) {
    if (count > length - at) return false;
    bytes += at;
    if (count < 8 || count > 16) return memcmp(bytes, other, count) == 0;
    return word_at(bytes) == word_at(other) && word_at(bytes + count - 8) == word_at(other + count - 8);
}

static inline size_t skip_padding(const uint8_t *bytes, size_t length, size_t at, bool spans_lines) {
    while (at < length
           && (bytes[at] == ' ' || bytes[at] == '\t' || (spans_lines && (bytes[at] == '\n' || bytes[at] == '\r')))) at++;
    return at;
}

// The end of a frame from the last gap on. None where it is not the pattern's.
static size_t frame_end(const cfs_pattern *pattern, const uint8_t *bytes, size_t length, size_t at, size_t compared) {
    size_t rest = pattern->length - compared;
    if (is_same(bytes, length, at, pattern->bytes + compared, rest)) return at + rest;
    if (!pattern->is_padded) return none;
    for (; compared < pattern->document_end; compared++) {
        if (at == length || bytes[at] != pattern->bytes[compared]) return none;
        at = skip_padding(bytes, length, at + 1, pattern->spans_lines);
    }
    rest = pattern->length - compared;
    return is_same(bytes, length, at, pattern->bytes + compared, rest) ? at + rest : none;
}

static inline bool match_at(
    const cfs_pattern *pattern, const uint8_t *bytes, size_t length, size_t at, cfs_match *match
) {
    size_t compared = 0;
    for (size_t i = 0; i < pattern->gap_count; i++) {
        const cfs_gap *gap = &pattern->gaps[i];
        size_t count = pattern->shift + gap->place - compared;
        if (!is_same(bytes, length, at, pattern->bytes + compared, count)) return false;
        at += count;
        compared += count;
        size_t end;
        switch (gap->filling) {
        case CFS_TEXT:
            end = string_end(bytes, length, at, &match->has_escapes);
            if (end == at) return false;
            match->text = at;
            match->text_end = end;
            break;
        case CFS_COUNT: end = natural_end(bytes, length, at, &match->counts[gap->count]); break;
        case CFS_STRING: end = sound_string_end(bytes, length, at); break;
        default: end = number_end(bytes, length, at);
        }
        if (end == none) return false;
        at = end;
    }
    match->end = frame_end(pattern, bytes, length, at, compared);
    return match->end != none;
}

static inline void begin(cfs_match *match) {
    match->has_escapes = false;
    for (int i = 0; i < CFS_MOST_COUNTS; i++) match->counts[i] = -1;
}

bool cfs_match_at(const cfs_pattern *pattern, const uint8_t *bytes, size_t length, size_t at, cfs_match *match) {
    begin(match);
    return at <= length && match_at(pattern, bytes, length, at, match);
}

// ---------------------------------------------------------------------------------------------- texts

// Adds the text of a match. An escape takes more bytes than what it stands for.
static bool add(cfs_run *run, const uint8_t *bytes, size_t length, const cfs_match *match) {
    size_t at = match->text, end = match->text_end;
    if (run->count == run->most || end - at > run->room - run->length || (bytes[at] & 0xC0) == 0x80) return false;
    uint8_t *out = run->bytes + run->length;
    if (!match->has_escapes) {
        size_t count = end - at;
        // Most texts are shorter than a word: the bytes behind them are read and written, and written over by the next.
        if (count <= 8 && run->room - run->length >= 8 && length - at >= 8) memcpy(out, bytes + at, 8);
        else memcpy(out, bytes + at, count);
        out += count;
    } else {
        while (at < end) {
            const uint8_t *escape = memchr(bytes + at, '\\', end - at);
            size_t count = escape ? (size_t)(escape - (bytes + at)) : end - at;
            memcpy(out, bytes + at, count);
            out += count;
            at += count + 1;
            if (!escape) break;
            count = unescape(bytes, end, &at, out);
            if (count == 0) return false;
            out += count;
        }
    }
    run->length = (size_t)(out - run->bytes);
    run->ends[run->count++] = (uint32_t)run->length;
    return true;
}

size_t cfs_read(
    const cfs_pattern *pattern, const uint8_t *bytes, size_t length, size_t at, size_t longest, cfs_run *run
) {
    cfs_match match;
    begin(&match);
    while (at < length && match_at(pattern, bytes, length, at, &match) && match.end - at <= longest) {
        if (run->counting >= 0) {
            int64_t number = match.counts[run->counting];
            if (number >= 0 && (run->counts[run->counting] < 0 || number != run->counts[run->counting] + 1)) break;
        }
        if (!add(run, bytes, length, &match)) break;
        memcpy(run->counts, match.counts, sizeof match.counts);
        at = match.end;
        match.has_escapes = false;
    }
    return at;
}
