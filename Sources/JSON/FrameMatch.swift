// The bridge to CFrameMatch: a template and the bytes it is held against go down as pointers, each inside one expression,
// and places and pieces of text come up. Called by JSONTemplate alone.

package import Base
internal import CFrameMatch

/// Room for what one run of frames comes to. A reader has one: thousands of streams share it.
final class MatchBuffers {
    /// How many bytes of text one run holds at most, and how many pieces.
    private static let bytes = 32 << 10
    private static let pieces = 4096

    private var bytes = [UInt8](repeating: 0, count: MatchBuffers.bytes)
    private var ends = [UInt32](repeating: 0, count: MatchBuffers.pieces)
    private var frame: [UInt8] = []

    /// Makes a frame's bytes of those around its payload and those of its document, and shows them.
    fileprivate func withFrame(
        _ head: Span<UInt8>, _ document: [UInt8], _ tail: Span<UInt8>, _ body: (UnsafeBufferPointer<UInt8>) -> Void
    ) {
        frame.removeAll(keepingCapacity: true)
        frame.append(head)
        frame += document
        frame.append(tail)
        frame.withUnsafeBufferPointer(body)
    }

    /// Lets `body` fill a run.
    fileprivate func fill(_ body: (inout cfm_run) -> Void) -> TextBatch {
        bytes.withUnsafeMutableBufferPointer { bytes in
            ends.withUnsafeMutableBufferPointer { ends in
                var run = cfm_run()
                (run.bytes, run.room) = (bytes.baseAddress, bytes.count)
                (run.ends, run.most) = (ends.baseAddress, ends.count)
                body(&run)
                return TextBatch(bytes: [UInt8](bytes[..<run.length]), ends: [UInt32](ends[..<run.count]))
            }
        }
    }
}

extension JSONTemplate {
    /// What `document` has in the gaps, if it is this template's and its text is not empty.
    func scan(_ document: Span<UInt8>) -> cfm_match? {
        var match = cfm_match()
        let isSame = document.withUnsafeBufferPointer { bytes in
            frame.withUnsafeBufferPointer { frame in
                gaps.withUnsafeBufferPointer { gaps in
                    var pattern = pattern(frame, gaps, head: 0, tail: 0)
                    pattern.spans_lines = true
                    return cfm_match_at(&pattern, bytes.baseAddress, bytes.count, 0, &match)
                }
            }
        }
        return isSame && match.end == document.count ? match : nil
    }

    /// Reads the frames behind one that this template has matched: those that are the same, byte for byte, in all but
    /// what its gaps leave open.
    /// - Parameters:
    ///   - chunk: bytes in which a payload ends in LF, or in CR LF where frames are lines.
    ///   - place: where the frame lies that was matched.
    ///   - reader: lends room.
    ///   - counting: which of the counts must go up by one from frame to frame, and what it was before them, if it was
    ///     anything. Documents without it need not count.
    /// - Returns: their texts, the counts of the last one, and where it ends. The texts may be none, and may be no UTF-8.
    package func read(
        _ chunk: Span<UInt8>, behind place: FramePlace, _ reader: JSONReader,
        counting: (index: Int, last: Int64?)? = nil
    ) -> (run: TextBatch, last: Match, end: Int) {
        let (whole, payload) = (place.frame, place.payload)
        let head = chunk.extracting(whole.lowerBound..<payload.lowerBound)
        let tail = chunk.extracting(payload.upperBound..<whole.upperBound)
        var last = cfm_match()
        var end = whole.upperBound
        let run = reader.room.fill { run in
            run.counts = Match.none
            run.counting = -1
            if let (index, last) = counting {
                run.counting = Int32(index)
                Match.set(&run.counts, index, last ?? -1)
            }
            reader.room.withFrame(head, frame, tail) { frame in
                gaps.withUnsafeBufferPointer { gaps in
                    var pattern = pattern(frame, gaps, head: head.count, tail: tail.count)
                    end = chunk.withUnsafeBufferPointer {
                        cfm_read(&pattern, $0.baseAddress, $0.count, end, place.limit, &run)
                    }
                }
            }
            last.counts = run.counts
        }
        return (run, Match(last), end)
    }

    private func pattern(
        _ frame: UnsafeBufferPointer<UInt8>, _ gaps: UnsafeBufferPointer<cfm_gap>, head: Int, tail: Int
    ) -> cfm_pattern {
        cfm_pattern(
            bytes: frame.baseAddress, length: frame.count, gaps: gaps.baseAddress, gap_count: gaps.count, shift: head,
            document_end: frame.count - tail, is_padded: endsInBrackets, spans_lines: false)
    }
}
