// The items of a response's output: reasoning, a message, a call. Made by OpenAIResponses and its frames.

internal import JSON

struct OpenAIResponsesItem {
    enum Kind: Equatable {
        case reasoning, message
        case call(slot: Int)

        init(of piece: ReplyPiece) {
            self =
                switch piece {
                case .reasoning: .reasoning
                case .text: .message
                case .call(let slot, _, _), .arguments(let slot, _): .call(slot: slot)
                }
        }
    }

    let kind: Kind
    let id: String
    private let callID: String
    private let name: String
    /// The text so far, or the call's arguments.
    var text = ""

    /// The item that begins with a piece.
    init(_ piece: ReplyPiece, index: Int, _ reply: SimulatedReply) {
        kind = Kind(of: piece)
        let prefix =
            switch kind {
            case .reasoning: "rs"
            case .message: "msg"
            case .call: "fc"
            }
        id = "\(prefix)_\(reply.id)\(index)"
        if case .call(_, let callID, let name) = piece {
            (self.callID, self.name) = (callID, name)
        } else {
            (callID, name) = ("", "")
        }
    }

    /// What a piece adds to the item's text.
    static func text(of piece: ReplyPiece) -> String {
        switch piece {
        case .reasoning(let text), .text(let text), .arguments(_, let text): text
        case .call: ""
        }
    }

    /// What stands for reasoning that only the provider can read. It is known again when it comes back.
    static func encrypted(_ id: String) -> String {
        let content = seal(id)
        return "gAAAA\(content)-\(seal(content))=="
    }

    /// Whether it is one of those, for items that come back without their ids.
    static func isEncrypted(_ text: String) -> Bool {
        guard text.hasPrefix("gAAAA"), text.hasSuffix("==") else { return false }
        let parts = text.dropFirst("gAAAA".count).dropLast("==".count).split(separator: "-").map(String.init)
        return parts.count == 2 && parts[1] == seal(parts[0])
    }

    private static func seal(_ text: String) -> String {
        var seal = Fingerprint(seed: 0)
        seal.add(text.utf8)
        return String(seal.value, radix: 36)
    }

    /// The item before it has said anything.
    var begun: JSONValue {
        switch kind {
        case .reasoning: ["id": .string(id), "type": "reasoning", "summary": []]
        case .message: message(status: "in_progress", content: [])
        case .call: call(status: "in_progress", arguments: "")
        }
    }

    /// The whole item.
    /// - Parameter isCut: whether the token limit cut it.
    func done(isCut: Bool) -> JSONValue {
        let status = isCut ? "incomplete" : "completed"
        switch kind {
        case .reasoning:
            return [
                "id": .string(id), "type": "reasoning", "summary": [part(text)],
                "encrypted_content": .string(Self.encrypted(id)),
            ]
        case .message: return message(status: status, content: [part(text)])
        case .call: return call(status: status, arguments: text)
        }
    }

    /// A part of the item that holds `text`.
    func part(_ text: String) -> JSONValue {
        kind == .reasoning
            ? ["type": "summary_text", "text": .string(text)]
            : ["type": "output_text", "annotations": [], "logprobs": [], "text": .string(text)]
    }

    private func message(status: String, content: JSONValue) -> JSONValue {
        [
            "id": .string(id), "type": "message", "status": .string(status), "content": content, "role": "assistant",
        ]
    }

    private func call(status: String, arguments: String) -> JSONValue {
        [
            "id": .string(id), "type": "function_call", "status": .string(status), "arguments": .string(arguments),
            "call_id": .string(callID), "name": .string(name),
        ]
    }
}
