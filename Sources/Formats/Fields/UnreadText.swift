// Text in frames that the decoder does not read: some servers put it at unknown paths. Used by the engine if a reply would
// end as an empty success, and by `moonrill probe`.

internal import Base
internal import JSON

/// A path with text that a format does not read.
package struct UnreadText: Sendable, Equatable {
    /// The path where it was first seen.
    package var path: FieldPath
    /// The number of its first frame.
    package var frame: Int
    /// Another format that the frames match.
    package var otherDialect: String?

    /// The path that most probably has text, in frames of which the decoder made no output.
    /// - Parameters:
    ///   - frames: payloads, with the names of their events.
    ///   - dialect: the format that decoded them.
    /// - Returns: nil if the frames have only metadata.
    package static func find(
        in frames: [(eventName: String, payload: [UInt8])], of dialect: WireFormat
    ) -> UnreadText? {
        let fields = dialect.fields
        guard !fields.isEmpty else { return nil }
        var documents: [(eventName: String, document: JSONValue)] = []
        var search = Search()
        for (index, frame) in frames.enumerated() {
            guard let document = parsed(frame.payload) else { continue }
            documents.append((frame.eventName, document))
            search.add(document, eventName: frame.eventName, frame: index, fields)
        }
        guard let found = search.best else { return nil }
        let guess = FormatGuess.format(of: documents)
        return UnreadText(
            path: found.path, frame: found.frame, otherDialect: guess == dialect.name ? nil : guess)
    }

    /// Whether a frame by itself has a value that may be text.
    static func isIn(_ payload: [UInt8], eventName: String, of dialect: WireFormat) -> Bool {
        guard let document = parsed(payload) else { return false }
        var search = Search()
        search.add(document, eventName: eventName, frame: 0, dialect.fields)
        return search.best != nil
    }

    /// Frames that are not JSON have no such path.
    private static func parsed(_ bytes: [UInt8]) -> JSONValue? {
        do throws(JSONError) { return try JSONReader.value(bytes) } catch { return nil }
    }

    /// Names of members with text.
    private static let textNames: Set<String> = [
        "answer", "text", "content", "contents", "message", "messages", "delta", "response", "output", "outputs",
        "result",
        "results", "reply", "replies", "completion", "completions", "generatedtext", "generation", "generations",
        "data",
        "body", "value", "choices", "candidates", "parts", "chunk", "token", "tokens", "summary", "transcript", "msg",
        "thinking", "thought", "reasoning", "outputtext", "responsetext", "predictions",
    ]

    /// The paths of one reply that may have text.
    private struct Search {
        struct Candidate {
            var path: FieldPath
            var frame: Int
            var first: String
            var changes = false
            /// The number of its documents.
            var count = 0
            /// The format reads text at such a path, and has not read this one.
            var isKnown: Bool
        }

        private var candidates: [Candidate] = []
        private var places: [String: Int] = [:]
        private var documents = 0

        mutating func add(_ document: JSONValue, eventName: String, frame: Int, _ fields: FrameFields) {
            documents += 1
            FieldPlace.forEach(in: document, eventName: eventName) { place in
                guard let text = place.value.string, UnreadText.mayBeText(text) else { return }
                let role = fields.role(of: place)
                guard FrameFields.isUnread(role) || role == .text || role == .reasoning else { return }
                let key = "\(place.documentType ?? "") \(place.path.general)"
                guard let known = places[key] else {
                    places[key] = candidates.count
                    candidates.append(
                        Candidate(
                            path: place.path, frame: frame, first: text, count: 1, isKnown: !FrameFields.isUnread(role))
                    )
                    return
                }
                candidates[known].count += 1
                if candidates[known].first != text { candidates[known].changes = true }
            }
        }

        /// Of several, one with changing text, then one with a name of text, then the first.
        var best: Candidate? {
            let likely = candidates.filter(isLikely)
            return likely.first { $0.changes && hasTextName($0) } ?? likely.first { $0.changes }
                ?? likely.first(where: hasTextName) ?? likely.first
        }

        private func isLikely(_ candidate: Candidate) -> Bool {
            if candidate.isKnown || candidate.changes { return true }
            // Equal in every frame: a label.
            if documents > 1, candidate.count >= documents { return false }
            return hasTextName(candidate) || candidate.path.steps.isEmpty
                || candidate.first.contains(where: \.isWhitespace)
        }

        private func hasTextName(_ candidate: Candidate) -> Bool {
            candidate.path.steps.contains { step in
                guard case .member(let name) = step else { return false }
                return UnreadText.textNames.contains(KnownMetadata.words(of: name).joined())
            }
        }
    }

    /// False for blank text, ids, dates, URLs, control tokens (`</s>`) and encoded data.
    static func mayBeText(_ text: String) -> Bool {
        let text = Snippet.trimmed(text)
        guard !text.isEmpty else { return false }
        let bytes = Array(text.utf8)
        if bytes.contains(where: { $0 <= 0x20 || $0 >= 0x80 }) { return true }
        if bytes.first == UInt8(ascii: "<"), bytes.last == UInt8(ascii: ">") { return false }
        if text.contains("://") || text.hasPrefix("data:") { return false }
        let digits = bytes.count { (0x30...0x39).contains($0) }
        let isEncoded = bytes.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "+"),
                UInt8(ascii: "/"), UInt8(ascii: "="), UInt8(ascii: ":"), UInt8(ascii: "."):
                true
            default: false
            }
        }
        return !(isEncoded && digits > 1 && bytes.count >= 16)
    }
}

/// The frames of a reply until its first output, kept to explain an empty reply.
package final class FirstFrames {
    /// Maximum number of frames, and of their bytes.
    private static let mostFrames = 32
    private static let mostBytes = 64 << 10
    /// A larger frame is checked for text at once, up to this size and number, and kept if it has text.
    private static let mostBytesOfLarge = 1 << 20
    private static let mostLooks = 32

    /// The frames with the names of their events.
    package private(set) var frames: [(eventName: String, payload: [UInt8])] = []
    /// Bytes of the frames that are not large.
    private var bytes = 0
    private var looks = 0
    private var hasLarge = false
    private let dialect: WireFormat

    /// - Parameter dialect: the format that decodes them.
    package init(of dialect: WireFormat) { self.dialect = dialect }

    /// Keeps a frame unless it repeats the one before. Others are removed for it: first those without text, then the oldest
    /// but the first.
    package func keep(_ payload: borrowing Span<UInt8>, eventName: String) {
        if payload.count > Self.mostBytes {
            keepLarge(payload, eventName: eventName)
            return
        }
        if let last = frames.last?.payload, last.count == payload.count,
            last.indices.allSatisfy({ last[$0] == payload[$0] })
        {
            return
        }
        if frames.count >= Self.mostFrames || payload.count > Self.mostBytes - bytes { makeRoom(for: payload.count) }
        frames.append((eventName, Self.copy(payload)))
        bytes += payload.count
    }

    private func keepLarge(_ payload: borrowing Span<UInt8>, eventName: String) {
        guard !hasLarge, looks < Self.mostLooks, payload.count <= Self.mostBytesOfLarge else { return }
        looks += 1
        let copy = Self.copy(payload)
        guard UnreadText.isIn(copy, eventName: eventName, of: dialect) else { return }
        hasLarge = true
        frames.append((eventName, copy))
    }

    /// Keeps half of the frames at most, so that this is not done for each frame.
    private func makeRoom(for count: Int) {
        var kept: [(eventName: String, payload: [UInt8])] = []
        for (index, frame) in frames.enumerated() {
            let isText = UnreadText.isIn(frame.payload, eventName: frame.eventName, of: dialect)
            if index == 0 || isText { kept.append(frame) }
        }
        bytes = kept.reduce(0) { $0 + Self.cost($1.payload) }
        while kept.count > Self.mostFrames / 2 || count > Self.mostBytes - bytes {
            // The first frame is removed last. Large frames do not count and stay.
            let small = kept.indices.filter { Self.cost(kept[$0].payload) > 0 }
            guard let oldest = small.first(where: { $0 > 0 }) ?? small.first else { break }
            bytes -= Self.cost(kept.remove(at: oldest).payload)
        }
        frames = kept
    }

    /// Bytes counted for a frame.
    private static func cost(_ payload: [UInt8]) -> Int { payload.count > mostBytes ? 0 : payload.count }

    private static func copy(_ payload: borrowing Span<UInt8>) -> [UInt8] {
        var copy: [UInt8] = []
        copy.reserveCapacity(payload.count)
        for index in payload.indices { copy.append(payload[index]) }
        return copy
    }
}
