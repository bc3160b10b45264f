// Calls cut anywhere and sent as misbehaving servers do are decoded unchanged.

import Chat
import JSON
import Support
import Testing

@testable import Formats

@Suite struct ToolCallFuzzTests {
    /// Ways in which servers send calls.
    enum Kind: CaseIterable {
        /// Right indexes; the head has id and name. Calls may be mixed.
        case byIndex, byIndexWithoutIDs, byIndexAsText
        /// No index; each piece has its id. Calls may be mixed.
        case byID
        /// No index, and ids in heads alone.
        case headsAlone
        /// Each piece under an index of its own, with the call's id; with the name too, or only in the head.
        case newIndexEach, newIndexEachWithName
        /// Each piece under an index of its own; tails have neither id nor name.
        case tailsUnderNewIndexes
        /// A head without arguments, then the whole call under another index.
        case headThenWhole
        /// A new id in each piece, with the name, or without it.
        case newIDEach, newIDEachWithoutName
        /// One index for all calls, with ids, or without them.
        case oneIndex, oneIndexWithoutIDs
        /// One id for all calls.
        case oneID
        /// Each piece repeats all before it, with the head in each piece, or not; the last one comes twice.
        case snapshots, snapshotsWithHeads
        /// An empty object stands for arguments that follow.
        case placeholder
    }

    private struct Call: Equatable, CustomStringConvertible {
        var name: String
        var arguments: JSONValue
        var text: String
        var description: String { "\(name)(\(text))" }
    }

    // MARK: Calls

    private static func value(_ depth: Int, _ random: inout SeededGenerator) -> JSONValue {
        switch Int.random(in: 0..<(depth > 2 ? 4 : 6), using: &random) {
        case 0: return .int(Int64.random(in: -9...99, using: &random))
        case 1: return .null
        case 2, 3: return .string(word(&random))
        case 4: return .array((0..<Int.random(in: 0...2, using: &random)).map { _ in value(depth + 1, &random) })
        default: return .object(object(depth + 1, &random))
        }
    }

    private static func word(_ random: inout SeededGenerator) -> String {
        let letters = ["a", "{", "}", "\"", "\\", "[", "]", ":", ",", " ", "é", "🌙", "\n", "1"]
        return (0..<Int.random(in: 0...5, using: &random)).map { _ in
            letters.randomElement(using: &random) ?? ""
        }.joined()
    }

    private static func object(_ depth: Int, _ random: inout SeededGenerator) -> JSONObject {
        var object: JSONObject = [:]
        for _ in 0..<Int.random(in: 0...3, using: &random) { object[word(&random)] = value(depth, &random) }
        return object
    }

    /// - Parameter mayBeBlank: a call may have no arguments. It then has a unique name: otherwise it is
    /// indistinguishable from the head of the next call.
    private static func calls(mayBeBlank: Bool, _ random: inout SeededGenerator) -> [Call] {
        var seen: Set<String> = []
        return (0..<Int.random(in: 1...4, using: &random)).map { number in
            if mayBeBlank, Int.random(in: 0..<4, using: &random) == 0 {
                return Call(name: "now\(number)", arguments: [:], text: "")
            }
            var call: Call
            repeat {
                let object = JSONValue.object(object(0, &random))
                let text = JSONWriter.text(object)
                call = Call(name: ["get", "put"].randomElement(using: &random) ?? "", arguments: object, text: text)
            } while !seen.insert(call.text).inserted || call.text == "{}"
            return call
        }
    }

    /// The text in pieces, cut between characters as a tokenizer may.
    private static func pieces(_ text: String, _ random: inout SeededGenerator) -> [String] {
        var pieces: [String] = []
        var rest = text.unicodeScalars[...]
        while !rest.isEmpty {
            let piece = rest.prefix(Int.random(in: 1...8, using: &random))
            pieces.append(String(String.UnicodeScalarView(piece)))
            rest = rest.dropFirst(piece.count)
        }
        return pieces
    }

    // MARK: Sending

    private struct Sender {
        let kind: Kind
        var random: SeededGenerator
        var index: Int64 = 0
        var ids = 0

        mutating func newID() -> String {
            ids += 1
            return "id\(ids)"
        }

        static func piece(_ index: JSONValue?, _ id: String?, _ name: String?, _ arguments: String?) -> JSONValue {
            var function: JSONObject = [:]
            if let name { function["name"] = .string(name) }
            if let arguments { function["arguments"] = .string(arguments) }
            var piece: JSONObject = ["function": .object(function)]
            if let index { piece["index"] = index }
            if let id { piece["id"] = .string(id) }
            return .object(piece)
        }

        /// Pieces of one call.
        mutating func sent(_ call: Call, number: Int) -> [JSONValue] {
            var texts = ToolCallFuzzTests.pieces(call.text, &random)
            // The head comes with or without a piece of the arguments.
            if texts.isEmpty || Bool.random(using: &random) { texts.insert("", at: 0) }
            let place = JSONValue.int(Int64(number))
            let id = newID()
            switch kind {
            case .headThenWhole:
                index += 2
                return [Self.piece(.int(index), id, call.name, "")]
                    + (call.text.isEmpty ? [] : [Self.piece(.int(index + 1), id, call.name, call.text)])
            case .snapshots, .snapshotsWithHeads:
                var snapshots = texts.indices.map { texts[...$0].joined() }
                snapshots.append(call.text)
                let isWhole = kind == .snapshotsWithHeads
                return snapshots.enumerated().map {
                    let isHead = isWhole || $0.offset == 0
                    return Self.piece(place, isHead ? id : nil, isHead ? call.name : nil, $0.element)
                }
            case .placeholder: texts.insert("{}", at: 0)
            default: break
            }
            return texts.enumerated().map { number, text in
                let isHead = number == 0
                let name = isHead ? call.name : nil
                switch kind {
                case .byIndex, .placeholder: return Self.piece(place, isHead ? id : nil, name, text)
                case .byIndexWithoutIDs: return Self.piece(place, nil, name, text)
                case .byIndexAsText: return Self.piece(.string("\(place.int ?? 0)"), isHead ? id : "", name ?? "", text)
                case .byID: return Self.piece(nil, id, name, text)
                case .headsAlone: return Self.piece(.null, isHead ? id : nil, name, text)
                case .newIndexEach, .newIndexEachWithName, .tailsUnderNewIndexes:
                    index += 1
                    let isBare = kind == .tailsUnderNewIndexes && !isHead
                    return Self.piece(
                        .int(index), isBare ? nil : id, kind == .newIndexEachWithName ? call.name : name, text)
                case .newIDEach: return Self.piece(place, newID(), call.name, text)
                case .newIDEachWithoutName: return Self.piece(place, newID(), name, text)
                case .oneIndex: return Self.piece(0, isHead ? id : nil, name, text)
                case .oneIndexWithoutIDs: return Self.piece(0, nil, name, text)
                case .oneID: return Self.piece(place, isHead ? "0" : nil, name, text)
                case .headThenWhole, .snapshots, .snapshotsWithHeads: return .null
                }
            }
        }

        private static let mixed: Set<Kind> = [
            .byIndex, .byIndexWithoutIDs, .byIndexAsText, .byID, .newIDEach, .newIDEachWithoutName, .snapshots,
            .snapshotsWithHeads, .placeholder,
        ]

        /// Pieces of all calls in sending order: those of a call in its own order, heads before the next.
        mutating func sent(_ calls: [Call]) -> [JSONValue] {
            var queues = calls.enumerated().map { sent($0.element, number: $0.offset)[...] }
            guard Self.mixed.contains(kind), Bool.random(using: &random) else { return Array(queues.joined()) }
            var begun = 0
            var order: [JSONValue] = []
            while queues.contains(where: { !$0.isEmpty }) {
                let open = (0..<begun).filter { !queues[$0].isEmpty }
                if begun < queues.count, open.isEmpty || Bool.random(using: &random) {
                    begun += 1
                    order.append(queues[begun - 1].removeFirst())
                } else if let next = open.randomElement(using: &random) {
                    order.append(queues[next].removeFirst())
                }
            }
            return order
        }
    }

    private static func received(_ pieces: [JSONValue]) -> [ToolCall] {
        let frames = pieces.map { piece -> (FrameKind, String, String) in
            let chunk: JSONValue = ["choices": [["index": 0, "delta": ["tool_calls": [piece]]]]]
            return (.data, "", JSONWriter.text(chunk))
        }
        let outcome = StreamHarness.run(frames: frames + [(.data, "", "[DONE]")])
        if !outcome.summary.toolCalls.isEmpty { #expect(outcome.summary.finishReason == .toolCalls) }
        return outcome.summary.toolCalls
    }

    @Test(arguments: Kind.allCases) func callsComeOutAsTheyWere(kind: Kind) {
        for seed in 0..<150 {
            var random = SeededGenerator(seed: UInt64(seed) &* 7919 &+ 1)
            let hasBlank: Set<Kind> = [.oneIndexWithoutIDs, .placeholder]
            let calls = Self.calls(mayBeBlank: !hasBlank.contains(kind), &random)
            var sender = Sender(kind: kind, random: random)
            let pieces = sender.sent(calls)
            let received = Self.received(pieces)
            let same =
                received.count == calls.count
                && zip(received, calls).allSatisfy { $0.name == $1.name && $0.arguments == $1.arguments }
            #expect(same, "seed \(seed): \(calls) sent as \(JSONWriter.text(.array(pieces))) came as \(received)")
            #expect(Set(received.map(\.id)).count == received.count)
            if !same { break }
        }
    }
}
