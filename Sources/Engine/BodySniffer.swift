// Detects what a body is from its first bytes, whatever the headers say. A provider asked for a stream may send a web
// page, one JSON document, bare JSON lines or gzip with status 200.

internal import Base
internal import Formats

/// Reads the beginning of a body, and keeps it while undecided.
struct BodySniffer: Sendable {
    /// Kind of a body.
    enum Detection: Sendable, Equatable {
        /// More bytes are needed.
        case undecided
        /// A stream in the format's framing, or in bare JSON lines. `held` has the bytes read so far.
        case stream(Framing)
        /// A web page.
        case html
        /// Compressed.
        case compressed
    }

    private enum Look: Sendable { case first, line, afterLine }

    private let framing: Framing
    private let streamsArrays: Bool
    private var look = Look.first
    private var scanned = 0
    /// The bytes so far. JSON that is not a stream is collected here to its end.
    private(set) var held: [UInt8] = []

    /// - Parameter streamsArrays: a body that begins with `[` is a stream.
    init(framing: Framing, streamsArrays: Bool = false) {
        self.framing = framing
        self.streamsArrays = streamsArrays
    }

    /// True if the bytes begin like JSON: at the end of the body they are one document.
    var isDocument: Bool { look != .first }

    /// Adds bytes.
    /// - Parameter isWholeJSON: whether a line is a complete JSON value.
    mutating func feed(_ bytes: Span<UInt8>, isWholeJSON: (Span<UInt8>) -> Bool) -> Detection {
        held.append(bytes)
        while scanned < held.count {
            let byte = held[scanned]
            scanned += 1
            switch look {
            case .first:
                if let detection = first(byte) { return detection }
            case .line:
                guard byte == 0x0A else { continue }
                // The first line of a multi-line document is not a value. Search no further.
                guard isWholeJSON(held.span.extracting(first: scanned - 1)) else {
                    scanned = .max
                    return .undecided
                }
                look = .afterLine
            case .afterLine:
                guard !Self.isBlank(byte) else { continue }
                return .stream(byte == UInt8(ascii: "{") ? .newlineDelimitedJSON : framing)
            }
        }
        return .undecided
    }

    private mutating func first(_ byte: UInt8) -> Detection? {
        if Self.isBlank(byte) { return nil }
        switch byte {
        case UInt8(ascii: "<"): return .html
        case 0x1F: return .compressed
        case UInt8(ascii: "[") where streamsArrays: return .stream(.jsonArray)
        case UInt8(ascii: "{"), UInt8(ascii: "["):
            guard framing == .serverSentEvents else { return .stream(framing) }
            look = .line
            return nil
        default: return .stream(framing)
        }
    }

    private static func isBlank(_ byte: UInt8) -> Bool {
        byte == 0x20 || byte == 0x09 || byte == 0x0A || byte == 0x0D
    }
}
