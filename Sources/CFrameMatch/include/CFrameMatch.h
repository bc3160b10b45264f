// Recognizes frames by their bytes that differ only in a few JSON literals: the innermost loop of reading a stream.
// Allocates nothing.
#ifndef CFRAMEMATCH_H
#define CFRAMEMATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/// Maximum counters and gaps per pattern. A pattern with more matches nothing.
enum { CFM_MOST_COUNTS = 4, CFM_MOST_GAPS = 8 };

/// What fills a gap: the text; a counter (a natural number); a string or a number whose value is ignored.
enum { CFM_TEXT, CFM_COUNT, CFM_STRING, CFM_NUMBER };

/// A literal that is left open; of a string, what stands between its quotes.
typedef struct cfm_gap {
    /// How many bytes of the pattern are before it.
    uint32_t place;
    /// One of the four above.
    uint16_t filling;
    /// Of a counter: which.
    uint16_t count;
} cfm_gap;

/// A frame without what fills its gaps.
typedef struct cfm_pattern {
    const uint8_t *bytes;
    size_t length;
    /// The gaps in their order. All places count from `shift` on.
    const cfm_gap *gaps;
    size_t gap_count;
    size_t shift;
    /// Where, in `bytes`, the document ends and what follows it begins.
    size_t document_end;
    /// Behind the last gap the document has only a quote and brackets; spaces and tabs may stand behind each of them.
    bool is_padded;
    /// Line ends may stand there, too.
    bool spans_lines;
} cfm_pattern;

/// Pieces of text, one behind the other, and where each ends.
typedef struct cfm_run {
    uint8_t *bytes;
    size_t room, length;
    uint32_t *ends;
    size_t most, count;
    /// The counters of the frame before the first one; afterwards those of the last. -1 where the pattern has none.
    int64_t counts[CFM_MOST_COUNTS];
    /// The counter that must go up by one from frame to frame; -1 for none.
    int counting;
} cfm_run;

/// Where the string whose literal begins before `at` ends, its closing quote; -1 where it has no end, or a control
/// character stands in it. `has_escapes` is set where it has some.
ptrdiff_t cfm_string_end(const uint8_t *bytes, size_t length, size_t at, bool *has_escapes);
/// Where the natural number at `at` ends; -1 where none begins. Of more than 18 digits, the most that cannot overflow,
/// the rest is left over.
ptrdiff_t cfm_natural_end(const uint8_t *bytes, size_t length, size_t at, int64_t *value);
/// Where the number at `at` ends; -1 where none begins.
ptrdiff_t cfm_number_end(const uint8_t *bytes, size_t length, size_t at);

/// Reads the frames at `at`, one behind the other, as long as they match the pattern, are no longer than `longest` bytes, and
/// have a text that is not empty and whose escapes stand for whole characters. Behind the pattern's document stands what
/// ends a frame. The texts are not checked to be UTF-8; none begins with a continuation byte.
/// Returns where the last one ends.
size_t cfm_read(
    const cfm_pattern *pattern, const uint8_t *bytes, size_t length, size_t at, size_t longest, cfm_run *run);

#ifdef __cplusplus
}
#endif
#endif
