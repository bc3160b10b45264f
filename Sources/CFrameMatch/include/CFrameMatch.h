// Matches frames by their bytes that differ only in a few JSON literals. This is the innermost loop of reading a
// stream. Allocates no memory.
#ifndef CFRAMEMATCH_H
#define CFRAMEMATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/// Maximum counters and gaps per pattern. A pattern with more matches nothing.
enum { CFM_MAX_COUNTERS = 4, CFM_MAX_GAPS = 8 };

/// The content of a gap: the text; a counter (a natural number); a string or a number whose value is ignored.
enum { CFM_TEXT, CFM_COUNT, CFM_STRING, CFM_NUMBER };

/// A literal that is left open; of a string, the content between its quotes.
typedef struct cfm_gap {
    /// Offset of the gap in the pattern's bytes, relative to `shift`.
    uint32_t place;
    /// One of the four above.
    uint16_t filling;
    /// Index of the counter, for CFM_COUNT.
    uint16_t count;
} cfm_gap;

/// The bytes of a frame without the content of its gaps.
typedef struct cfm_pattern {
    const uint8_t *bytes;
    size_t length;
    /// The gaps in order. Their offsets are relative to `shift`.
    const cfm_gap *gaps;
    size_t gap_count;
    size_t shift;
    /// Offset in `bytes` of the end of the document; the rest ends the frame.
    size_t document_end;
    /// After the last gap the document has only a quote and brackets; spaces and tabs may follow each of them.
    bool is_padded;
    /// Line ends may follow them, too.
    bool spans_lines;
} cfm_pattern;

/// Texts in order, and the end of each text in `bytes`. `room` is the size of `bytes`, `most` the size of `ends`.
typedef struct cfm_run {
    uint8_t *bytes;
    size_t room, length;
    uint32_t *ends;
    size_t most, count;
    /// The counters of the frame before the first one; after the call, those of the last one. -1 for a missing counter.
    int64_t counts[CFM_MAX_COUNTERS];
    /// Index of the counter that must increase by one from frame to frame; -1 for none.
    int counting;
} cfm_run;

/// Index of the closing quote of the string whose content begins at `at`; -1 if it has no end or contains a control
/// character. Sets `has_escapes` if the string has escapes.
ptrdiff_t cfm_string_end(const uint8_t *bytes, size_t length, size_t at, bool *has_escapes);
/// End of the natural number at `at`; -1 if there is none. Reads at most 18 digits, which cannot overflow.
ptrdiff_t cfm_natural_end(const uint8_t *bytes, size_t length, size_t at, int64_t *value);
/// End of the JSON number at `at`; -1 if there is none.
ptrdiff_t cfm_number_end(const uint8_t *bytes, size_t length, size_t at);

/// Reads consecutive frames from `at` on, as long as they match the pattern, are at most `longest` bytes long, and have
/// a text that is not empty and whose escapes are whole characters. The texts are not checked to be UTF-8, but none
/// begins with a continuation byte. Returns the end of the last frame, or `at` if there is none.
size_t cfm_read(
    const cfm_pattern *pattern, const uint8_t *bytes, size_t length, size_t at, size_t longest, cfm_run *run);

#ifdef __cplusplus
}
#endif
#endif
