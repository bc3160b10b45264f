// Recognizes JSON documents by their bytes that differ only in a text, counters and padding. Calls CFrameMatch: the
// pattern and the bytes are passed as pointers that do not outlive the call.

internal import Base
internal import CFrameMatch
internal import HTTP

/// A JSON document with some of its literals left open. A document with the same bytes around other literals of the
/// same kinds has the same tokens except for these, so a parser would find them in the same places.
/// A class, so that no frame copies it; used on one thread.
final class TextTemplate {
    /// Maximum length of a template's document, in bytes: thousands of streams hold one each.
    static let maxDocumentBytes = 2048
    /// Maximum bytes of text, and maximum texts, in one run.
    private static let maxTextBytes = 32 << 10
    private static let maxTexts = 4096

    /// The content of consecutive frames.
    struct Run {
        /// The texts; nil for several texts that are not valid UTF-8. A single text is repaired.
        let batch: TextBatch?
        /// The counters of the last frame.
        let counters: TemplateCounters
        /// The end of the last frame.
        let end: Int
    }

    /// The document without the content of its gaps.
    private let frame: [UInt8]
    private let gaps: [cfm_gap]
    /// Whether only the closing quote and brackets follow the last gap. White space among those is ignored: some
    /// servers pad each document with it.
    private let endsInBrackets: Bool
    /// Whether the document contains line ends: it was sent as several data lines of one event.
    private let spansLines: Bool
    /// Whether the first counter must increase by one from frame to frame.
    private let hasSequence: Bool
    private let kind: TextBatch.Kind
    /// The last shape, and the document in that shape.
    private var framePattern: (shape: FrameShape, bytes: [UInt8])?

    private init(
        frame: [UInt8], gaps: [cfm_gap], endsInBrackets: Bool, spansLines: Bool, hasSequence: Bool, kind: TextBatch.Kind
    ) {
        self.frame = frame
        self.gaps = gaps
        self.endsInBrackets = endsInBrackets
        self.spansLines = spansLines
        self.hasSequence = hasSequence
        self.kind = kind
    }

    /// The content of the gaps, if the document matches the template and its text is not empty.
    /// - Parameter counters: those of the previous document.
    func read(_ document: Span<UInt8>, _ counters: TemplateCounters) -> Run? {
        let bytes = frame
        let run = read(
            document, from: 0, frame: bytes.span, head: 0, tail: 0, isDocument: true, limit: document.count,
            counters)
        return run?.end == document.count ? run : nil
    }

    /// Reads the frames from `start` on that are the template's document in that shape, equal in all bytes except for
    /// the gaps.
    /// - Parameters:
    ///   - chunk: bytes in which a payload ends in LF, or in CR LF where frames are lines.
    ///   - counters: those of the previous frame.
    /// - Returns: the content of the frames; nil if there is none.
    func read(
        _ chunk: Span<UInt8>, from start: Int, _ shape: FrameShape, _ counters: TemplateCounters
    ) -> Run? {
        guard chunk.count - start >= frame.count, !spansLines else { return nil }
        if framePattern?.shape !== shape { framePattern = (shape, shape.before + frame + shape.after) }
        guard let framePattern else { return nil }
        return read(
            chunk, from: start, frame: framePattern.bytes.span, head: shape.before.count, tail: shape.after.count,
            isDocument: false, limit: shape.limit, counters)
    }

    private func read(
        _ bytes: Span<UInt8>, from start: Int, frame: Span<UInt8>, head: Int, tail: Int, isDocument: Bool, limit: Int,
        _ counters: TemplateCounters
    ) -> Run? {
        let left = bytes.count - start
        let most = isDocument ? 1 : min(Self.maxTexts, left / frame.count + 1)
        // The buffer has 16 extra bytes, because texts are copied in steps of 16 bytes.
        return withUnsafeTemporaryAllocation(of: UInt8.self, capacity: min(left, Self.maxTextBytes) + 16) { texts in
            withUnsafeTemporaryAllocation(of: UInt32.self, capacity: most) { ends in
                var run = cfm_run()
                (run.bytes, run.room) = (texts.baseAddress, texts.count)
                (run.ends, run.most) = (ends.baseAddress, most)
                run.counting = hasSequence ? 0 : -1
                let values = counters.values
                run.counts = (values[0], values[1], values[2], values[3])
                let end = frame.withUnsafeBufferPointer { frame in
                    gaps.withUnsafeBufferPointer { gaps in
                        bytes.withUnsafeBufferPointer { bytes in
                            var pattern = cfm_pattern(
                                bytes: frame.baseAddress, length: frame.count, gaps: gaps.baseAddress,
                                gap_count: gaps.count, shift: head, document_end: frame.count - tail,
                                is_padded: endsInBrackets, spans_lines: isDocument)
                            return cfm_read(&pattern, bytes.baseAddress, bytes.count, start, limit, &run)
                        }
                    }
                }
                guard run.count > 0 else { return nil }
                let last = run.counts
                return Run(
                    batch: batch(
                        UnsafeBufferPointer(rebasing: texts[..<run.length]),
                        UnsafeBufferPointer(rebasing: ends[..<run.count])),
                    counters: TemplateCounters(values: [last.0, last.1, last.2, last.3]), end: end)
            }
        }
    }

    private func batch(_ texts: UnsafeBufferPointer<UInt8>, _ ends: UnsafeBufferPointer<UInt32>) -> TextBatch? {
        guard ends.count > 1 else { return TextBatch(String(decoding: texts.span), kind) }
        return texts.span.isUTF8 ? TextBatch(bytes: [UInt8](texts), ends: [UInt32](ends), kind) : nil
    }
}

extension TextTemplate {
    /// A template of a document, and a second document that matches it, for a trial.
    struct Trial {
        let template: TextTemplate
        /// The counters of the document.
        private(set) var counters = TemplateCounters()
        /// The document with a longer text, counters one higher and other padding.
        private(set) var document: [UInt8] = []
        /// The text and the counters of that longer document.
        let batch: TextBatch
        private(set) var nextCounters = TemplateCounters()

        /// Nil if the document is too long, a counter is not a natural number, or there are too many gaps.
        /// - Parameters:
        ///   - piece: the document's text.
        ///   - literal: the range of the text, without its quotes.
        init?(_ original: Span<UInt8>, _ piece: TextBatch, at literal: Range<Int>, open paths: TemplatePaths) {
            guard original.count <= TextTemplate.maxDocumentBytes,
                let gaps = Gap.all(in: original, text: literal, open: paths),
                gaps.count <= CFM_MAX_GAPS
            else { return nil }
            batch = TextBatch(piece.text + "x", piece.kind)
            var frame: [UInt8] = []
            var places: [cfm_gap] = []
            var start = 0
            for gap in gaps {
                guard gap.range.lowerBound >= start else { return nil }
                let before = original.extracting(start..<gap.range.lowerBound)
                frame.append(before)
                document.append(before)
                places.append(
                    cfm_gap(
                        place: UInt32(clamping: frame.count), filling: UInt16(clamping: gap.filling),
                        count: UInt16(clamping: gap.counter)))
                let own = original.extracting(gap.range)
                switch gap.filling {
                case CFM_COUNT:
                    counters.values[gap.counter] = gap.value
                    nextCounters.values[gap.counter] = gap.value + 1
                    document += String(gap.value + 1).utf8
                case CFM_NUMBER: document += (own.equals("7") ? "8" : "7").utf8
                default:
                    document.append(own)
                    document.append(UInt8(ascii: "x"))
                }
                start = gap.range.upperBound
            }
            let rest = original.extracting(start..<original.count)
            document.append(rest)
            let endsInBrackets = rest.indices.allSatisfy { index in
                let byte = rest[index]
                return index == 0 ? byte == UInt8(ascii: "\"") : byte.isBlank || byte == 0x7D || byte == 0x5D
            }
            for index in rest.indices where !endsInBrackets || !rest[index].isBlank { frame.append(rest[index]) }
            template = TextTemplate(
                frame: frame, gaps: places, endsInBrackets: endsInBrackets, spansLines: frame.contains(0x0A),
                hasSequence: paths.sequence != nil,
                kind: piece.kind)
        }
    }

    /// A literal that is left open.
    private struct Gap {
        let filling: Int
        /// The range of the literal; of a string, without its quotes.
        let range: Range<Int>
        var counter = 0
        var value: Int64 = 0

        /// All gaps in order. A path to a missing value, or to padding that is not a string or number, makes no gap.
        /// Nil if a counter is not a natural number, or there are too many counters.
        static func all(in document: Span<UInt8>, text: Range<Int>, open paths: TemplatePaths) -> [Gap]? {
            guard paths.counters.count <= TemplateCounters.limit else { return nil }
            var gaps = [Gap(filling: Int(CFM_TEXT), range: text)]
            for (index, path) in paths.counters.enumerated() {
                guard let range = path.place(in: document) else { continue }
                guard let number = document.natural(from: range.lowerBound), number.end == range.upperBound else {
                    return nil
                }
                gaps.append(Gap(filling: Int(CFM_COUNT), range: range, counter: index, value: number.value))
            }
            for path in paths.padding {
                guard let range = path.place(in: document) else { continue }
                if document[range.lowerBound] == UInt8(ascii: "\"") {
                    gaps.append(Gap(filling: Int(CFM_STRING), range: range.lowerBound + 1..<range.upperBound - 1))
                } else if document.endOfNumber(from: range.lowerBound) == range.upperBound {
                    gaps.append(Gap(filling: Int(CFM_NUMBER), range: range))
                }
            }
            return gaps.sorted { $0.range.lowerBound < $1.range.lowerBound }
        }
    }
}

extension Span<UInt8> {
    /// The closing quote of the JSON string whose content begins at `start`, and whether the string has escapes. Nil if
    /// it has no end, or contains a control character (RFC 8259 section 7).
    func endOfString(from start: Int) -> (quote: Int, hasEscapes: Bool)? {
        var hasEscapes = false
        let end = withUnsafeBufferPointer { cfm_string_end($0.baseAddress, $0.count, start, &hasEscapes) }
        return end < 0 ? nil : (end, hasEscapes)
    }

    /// The natural number in JSON notation that begins at `start`, and its end. Reads at most 18 digits, which cannot
    /// overflow.
    func natural(from start: Int) -> (value: Int64, end: Int)? {
        var value: Int64 = 0
        let end = withUnsafeBufferPointer { cfm_natural_end($0.baseAddress, $0.count, start, &value) }
        return end < 0 ? nil : (value, end)
    }

    /// The end of the JSON number that begins at `start` (RFC 8259 section 6).
    func endOfNumber(from start: Int) -> Int? {
        let end = withUnsafeBufferPointer { cfm_number_end($0.baseAddress, $0.count, start) }
        return end < 0 ? nil : end
    }
}
