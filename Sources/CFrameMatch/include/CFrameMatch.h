// Frames that are alike but for a few values, told by their bytes: the innermost loop of reading a stream. Wire alone may
// call it. It knows JSON's literals and nothing of what they say, allocates nothing and reads only what it is given.
#ifndef CFRAMEMATCH_H
#define CFRAMEMATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/// The most numbers that are handed on, and the most gaps. No frame is a pattern's that has more.
enum { CFM_MOST_COUNTS = 4, CFM_MOST_GAPS = 8 };

/// What fills a gap: the text, which is handed on; a natural number, handed on; a string or a number that nobody reads.
enum { CFM_TEXT, CFM_COUNT, CFM_STRING, CFM_NUMBER };

/// A literal that is left open; of a string what stands between its quotes.
typedef struct cfm_gap {
    /// How many bytes of the pattern are before it.
    uint32_t place;
    /// One of the four above.
    uint16_t filling;
    /// Of a number that is handed on: which.
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
    /// Behind the last gap nothing but a quote and brackets belong to the document; spaces and tabs may stand behind
    /// each of them.
    bool is_padded;
    /// So may line ends.
    bool spans_lines;
} cfm_pattern;

/// What a frame holds in the gaps, by places in the bytes that were read.
typedef struct cfm_match {
    /// The text between its quotes.
    size_t text, text_end;
    /// Whether escapes stand in it.
    bool has_escapes;
    /// The numbers; -1 where the pattern has none.
    int64_t counts[CFM_MOST_COUNTS];
    /// Where the frame ends.
    size_t end;
} cfm_match;

/// Pieces of text, one behind the other, and where each ends.
typedef struct cfm_run {
    uint8_t *bytes;
    size_t room, length;
    uint32_t *ends;
    size_t most, count;
    /// The numbers of the frame before the first one; afterwards those of the last.
    int64_t counts[CFM_MOST_COUNTS];
    /// The number that must be higher by one from frame to frame; -1 for none.
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

/// Whether a frame of the pattern, with a text that is not empty, stands at `at`.
bool cfm_match_at(
    const cfm_pattern *pattern, const uint8_t *bytes, size_t length, size_t at, cfm_match *match);

/// Reads the frames that stand at `at`, one behind the other, for as long as they are of the pattern, are no longer than
/// `longest` bytes, and have a text whose escapes stand for whole characters. Behind the pattern's document stands what
/// ends a frame. Whether the texts are UTF-8 is not asked; none of them begins with a byte that goes on with a character.
/// Returns where the last one ends.
size_t cfm_read(
    const cfm_pattern *pattern, const uint8_t *bytes, size_t length, size_t at, size_t longest, cfm_run *run);

#ifdef __cplusplus
}
#endif
#endif
