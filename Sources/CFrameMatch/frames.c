// The loops of CFrameMatch.h. The JSON grammar is that of RFC 8259: section 6 for numbers, section 7 for strings.

#include "CFrameMatch.h"

#include <string.h>

#include "steps.h"

static const size_t none = SIZE_MAX;

// Index of the closing quote of the string whose content begins at `at`; `none` if it has none or contains a control
// character.
static inline size_t string_end(const uint8_t *bytes, size_t length, size_t at, bool *has_escapes) {
    while (at < length) {
        if (length - at >= step) {
            size_t run = plain(bytes + at);
            at += run;
            if (run == step) continue;
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

static inline size_t digits_end(const uint8_t *bytes, size_t length, size_t at) {
    while (at < length && is_digit(bytes[at])) at++;
    return at;
}

// End of a natural number. Reads at most 18 digits, which cannot overflow; further digits do not belong to it.
static inline size_t natural_end(const uint8_t *bytes, size_t length, size_t at, int64_t *value) {
    size_t end = at, limit = length - at > 18 ? at + 18 : length;
    int64_t sum = 0;
    while (end < limit && is_digit(bytes[end])) sum = sum * 10 + (bytes[end++] - '0');
    if (end == at || (end > at + 1 && bytes[at] == '0')) return none;
    *value = sum;
    return end;
}

static __attribute__((noinline)) size_t any_number_end(const uint8_t *bytes, size_t length, size_t at) {
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

// As above, in one step. A text that is not a number, fills the whole step or has an exponent is read again by
// `any_number_end`.
static inline size_t number_end(const uint8_t *bytes, size_t length, size_t at) {
    if (length - at > step) {
        const uint8_t *number = bytes + at;
        size_t whole = *number == '-';
        unsigned rest = others(number) & ~(unsigned)whole;
        size_t end = (size_t)__builtin_ctz(rest);
        bool is_whole = end > whole && (number[whole] != '0' || end == whole + 1);
        if (number[end] == '.') {
            rest &= rest - 1;
            size_t fraction = end + 1;
            end = (size_t)__builtin_ctz(rest);
            is_whole &= end > fraction;
        }
        if (is_whole && end < step && (number[end] | 0x20) != 'e') return at + end;
    }
    return any_number_end(bytes, length, at);
}

static int hex_value(uint8_t digit) {
    if (is_digit(digit)) return digit - '0';
    uint8_t letter = digit | 0x20;
    return letter >= 'a' && letter <= 'f' ? letter - 'a' + 10 : -1;
}

// Maximum bytes that `unescape` writes.
enum { MOST_UNESCAPED = 3 };

// Decodes the escape whose backslash is before `*at` to UTF-8. Returns the number of bytes; 0 if the escape is invalid
// or half of a surrogate pair.
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

// End of a string whose value is not needed; `none` if it is invalid.
static __attribute__((noinline)) size_t any_sound_string_end(const uint8_t *bytes, size_t length, size_t at) {
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

// As above. Handles strings without escapes, except near the end of the input, without a call.
static inline size_t sound_string_end(const uint8_t *bytes, size_t length, size_t at) {
    for (size_t place = at; length - place >= step;) {
        size_t run = plain(bytes + place);
        place += run;
        if (run == step) continue;
        if (bytes[place] == '"') return place;
        break;
    }
    return any_sound_string_end(bytes, length, at);
}

ptrdiff_t cfm_string_end(const uint8_t *bytes, size_t length, size_t at, bool *has_escapes) {
    return (ptrdiff_t)string_end(bytes, length, at, has_escapes);
}

ptrdiff_t cfm_natural_end(const uint8_t *bytes, size_t length, size_t at, int64_t *value) {
    return at > length ? -1 : (ptrdiff_t)natural_end(bytes, length, at, value);
}

ptrdiff_t cfm_number_end(const uint8_t *bytes, size_t length, size_t at) {
    return at > length ? -1 : (ptrdiff_t)number_end(bytes, length, at);
}

// Usually there are about a dozen bytes between two gaps: too few for a call of memcmp. Steps may overlap.
static inline bool is_same(const uint8_t *bytes, size_t length, size_t at, const uint8_t *other, size_t count) {
    if (count > length - at) return false;
    bytes += at;
    if (count > 4 * step) return memcmp(bytes, other, count) == 0;
    if (count >= step) {
        for (size_t i = 0; i + step < count; i += step)
            if (!is_same_step(bytes + i, other + i)) return false;
        return is_same_step(bytes + count - step, other + count - step);
    }
    if (count >= 8) return word_at(bytes) == word_at(other) && word_at(bytes + count - 8) == word_at(other + count - 8);
    if (count >= 4) return half_at(bytes) == half_at(other) && half_at(bytes + count - 4) == half_at(other + count - 4);
    for (size_t i = 0; i < count; i++)
        if (bytes[i] != other[i]) return false;
    return true;
}

static inline size_t skip_padding(const uint8_t *bytes, size_t length, size_t at, bool spans_lines) {
    while (at < length) {
        uint8_t byte = bytes[at];
        if (byte == ' ' && length - at >= step) at += blanks(bytes + at);
        else if (byte == ' ' || byte == '\t' || (spans_lines && (byte == '\n' || byte == '\r'))) at++;
        else break;
    }
    return at;
}

// A pattern divided at its gaps. A local copy, so that the compiler knows that writes during the loop do not change it.
struct cut {
    struct {
        // The bytes between the previous gap and this one.
        const uint8_t *bytes;
        size_t count;
        unsigned filling, index;
    } gaps[CFM_MAX_GAPS];
    size_t gap_count;
    // The bytes after the last gap.
    const uint8_t *rest;
    size_t rest_count;
    // The same bytes followed by zeros, if they fit into one step; otherwise the count is 0. Padding may follow each of
    // the first `ending_padded` bytes.
    uint8_t ending[2 * step];
    size_t ending_count, ending_padded;
};

static inline struct cut cut(const cfm_pattern *pattern) {
    struct cut cut = {0};
    size_t start = 0;
    for (size_t i = 0; i < pattern->gap_count; i++) {
        size_t end = pattern->shift + pattern->gaps[i].place;
        cut.gaps[i].bytes = pattern->bytes + start;
        cut.gaps[i].count = end - start;
        cut.gaps[i].filling = pattern->gaps[i].filling;
        cut.gaps[i].index = pattern->gaps[i].count;
        start = end;
    }
    cut.gap_count = pattern->gap_count;
    cut.rest = pattern->bytes + start;
    cut.rest_count = pattern->length - start;
    if (cut.rest_count <= step) {
        cut.ending_count = cut.rest_count;
        memcpy(cut.ending, cut.rest, cut.rest_count);
        if (pattern->is_padded) cut.ending_padded = pattern->document_end - start;
    }
    return cut;
}

// End of a frame from the last gap on, if its ending is short. `none` if it does not match, or if whole steps cannot
// decide it.
static inline size_t short_end(const struct cut *cut, const uint8_t *bytes, size_t length, size_t at) {
    size_t compared = 0;
    while (length - at >= step) {
        size_t count = same(bytes + at, cut->ending + compared);
        at += count;
        compared += count;
        if (compared >= cut->ending_count) return at - (compared - cut->ending_count);
        if (compared == 0 || compared > cut->ending_padded || length - at < step) return none;
        count = blanks(bytes + at);
        if (count == 0) return none;
        at += count;
    }
    return none;
}

// The same for every ending, with padding.
static __attribute__((noinline)) size_t padded_end(
    const cfm_pattern *pattern, const uint8_t *bytes, size_t length, size_t at, size_t compared
) {
    if (!pattern->is_padded) return none;
    for (; compared < pattern->document_end; compared++) {
        if (at == length || bytes[at] != pattern->bytes[compared]) return none;
        at = skip_padding(bytes, length, at + 1, pattern->spans_lines);
    }
    size_t rest = pattern->length - compared;
    return is_same(bytes, length, at, pattern->bytes + compared, rest) ? at + rest : none;
}

__attribute__((always_inline)) static inline size_t frame_end(
    const cfm_pattern *pattern, const struct cut *cut, const uint8_t *bytes, size_t length, size_t at
) {
    if (cut->ending_count > 0) {
        size_t end = short_end(cut, bytes, length, at);
        if (end != none) return end;
    }
    if (is_same(bytes, length, at, cut->rest, cut->rest_count)) return at + cut->rest_count;
    return padded_end(pattern, bytes, length, at, pattern->length - cut->rest_count);
}

// Buffer for the text of a frame: `length` bytes of it are used, of at most `room`.
struct text {
    uint8_t *bytes;
    size_t room, length;
};

// Like string_end, and copies the decoded string. Also returns `none` if there is no room, or if an escape is invalid
// or half of a surrogate pair.
static inline size_t copy_string(const uint8_t *bytes, size_t length, size_t at, struct text *text) {
    uint8_t *out = text->bytes, *const most = out + text->room;
    while (at < length) {
        if (length - at >= step && most - out >= step) {
            // Bytes copied beyond the run are overwritten later, or are beyond the final length.
            memcpy(out, bytes + at, step);
            size_t run = plain(bytes + at);
            at += run;
            out += run;
            if (run == step) continue;
        }
        uint8_t byte = bytes[at++];
        if (byte == '"') {
            text->length = (size_t)(out - text->bytes);
            return at - 1;
        }
        if (byte < 0x20 || most - out < MOST_UNESCAPED) return none;
        if (byte != '\\') {
            *out++ = byte;
            continue;
        }
        size_t count = unescape(bytes, length, &at, out);
        if (count == 0) return none;
        out += count;
    }
    return none;
}

// The content of a frame: start of its text, counters (-1 for a missing one), end of the frame.
struct match {
    size_t text;
    int64_t counts[CFM_MAX_COUNTERS];
    size_t end;
};

// Copies the text to `text`. Inlined, so that the loop over the frames keeps the pattern in registers.
__attribute__((always_inline)) static inline bool match_at(
    const cfm_pattern *pattern, const struct cut *cut, const uint8_t *bytes, size_t length, size_t at,
    struct text *text, struct match *match
) {
    for (size_t i = 0; i < cut->gap_count; i++) {
        size_t count = cut->gaps[i].count;
        if (!is_same(bytes, length, at, cut->gaps[i].bytes, count)) return false;
        at += count;
        size_t end;
        switch (cut->gaps[i].filling) {
        case CFM_TEXT:
            end = copy_string(bytes, length, at, text);
            if (end == at) return false;
            match->text = at;
            break;
        case CFM_COUNT: end = natural_end(bytes, length, at, &match->counts[cut->gaps[i].index]); break;
        case CFM_STRING: end = sound_string_end(bytes, length, at); break;
        default: end = number_end(bytes, length, at);
        }
        if (end == none) return false;
        at = end;
    }
    match->end = frame_end(pattern, cut, bytes, length, at);
    return match->end != none;
}

size_t cfm_read(
    const cfm_pattern *pattern, const uint8_t *bytes, size_t length, size_t at, size_t longest, cfm_run *run
) {
    struct match match;
    for (int i = 0; i < CFM_MAX_COUNTERS; i++) match.counts[i] = -1;
    if (pattern->gap_count > CFM_MAX_GAPS) return at;
    const struct cut pieces = cut(pattern);
    while (at < length && run->count < run->most) {
        struct text text = {run->bytes + run->length, run->room - run->length, 0};
        if (!match_at(pattern, &pieces, bytes, length, at, &text, &match) || match.end - at > longest) break;
        if ((bytes[match.text] & 0xC0) == 0x80) break;
        if (run->counting >= 0) {
            int64_t number = match.counts[run->counting];
            if (number >= 0 && (run->counts[run->counting] < 0 || number != run->counts[run->counting] + 1)) break;
        }
        run->length += text.length;
        run->ends[run->count++] = (uint32_t)run->length;
        memcpy(run->counts, match.counts, sizeof match.counts);
        at = match.end;
    }
    return at;
}
