// Decodes the parts of a Gemini reply: text, thoughts, tool calls, and output of the provider's own tools. Also keeps
// the parts to send back with their signatures.

internal import Base
internal import Chat
internal import JSON

/// The state of the parts received so far.
struct GeminiParts: Equatable {
    private static let keys = JSONKeys("text", "thought", "thoughtSignature", "functionCall", "inlineData")
    private static let callKeys = JSONKeys("id", "name", "args", "partialArgs", "willContinue")

    private(set) var calls: [ToolCall] = []
    private var callIDs = WholeCallIDs()
    /// Indexes of the calls that have an id.
    private var callPlaces: [String: Int] = [:]
    private(set) var output = OutputProgress()
    /// The parts to send back, without their text.
    private var kept: [Kept] = []
    /// Index in `kept` of the part of the last text.
    private var textPart = 0
    /// A call whose arguments arrive in pieces.
    private var open: OpenCall?
    /// The name of a call whose arguments are incomplete. It is not in `calls` yet.
    var unfinishedCall: String? { open?.name }

    private struct Kept: Equatable {
        var fields: JSONObject
        /// The kind of its text; nil for a part without text.
        var text: TextBatch.Kind?
        /// A signed part is sent back unchanged: no text is joined with it.
        var isSigned = false
    }

    /// A string value that continues in the next piece.
    private struct Unfinished: Equatable {
        var path: String
        var text: String
    }

    private struct OpenCall: Equatable {
        var id: String
        var name: String
        var arguments: GeminiArguments
        var signature: JSONValue?
        /// A string that continues in the next piece, with its path. It is set once it is complete, because each change
        /// of the arguments walks the whole path.
        var unfinished: Unfinished?

        /// Sets the string that was continued, at its path.
        mutating func settle() {
            guard let string = unfinished.take() else { return }
            arguments.set(.string(string.text), at: string.path)
        }

        /// Sets a value at a path.
        mutating func set(_ value: JSONValue, at path: String) {
            settle()
            arguments.set(value, at: path)
        }
    }

    mutating func take(_ part: JSONNode, into events: inout [DecodedEvent]) {
        let members = part.pick(Self.keys)
        if let text = members[0]?.string {
            take(text, isThought: members[1]?.bool == true, signature: members[2], into: &events)
        } else if let call = members[3], call.kind == .object {
            take(call: call, part: part, signature: members[2])
        } else {
            // Code and its results, files, images: emitted as native events, and kept to be sent back.
            let value = part.value
            guard let object = value.object, let name = object.first(where: { $0.key != "thoughtSignature" })?.key
            else { return }
            kept.append(Kept(fields: object))
            events.append(.native(name: name, value))
        }
    }

    mutating func take(_ text: String, isThought: Bool, signature: JSONNode?, into events: inout [DecodedEvent]) {
        let kind: TextBatch.Kind = isThought ? .reasoning : .text
        let signature = signature.flatMap { $0.isNull ? nil : $0.value }
        let continues = signature == nil && kept.last.map { $0.text == kind && !$0.isSigned } ?? false
        if !continues, signature != nil || !text.isEmpty {
            var fields: JSONObject = isThought ? ["thought": true] : [:]
            fields["thoughtSignature"] = signature
            kept.append(Kept(fields: fields, text: kind, isSigned: signature != nil))
        }
        guard !text.isEmpty else { return }
        output.noteText()
        if textPart != kept.count - 1 {
            textPart = kept.count - 1
            events.append(.block(textPart))
        }
        events.append(.text(TextBatch(text, kind)))
    }

    // MARK: Calls

    private mutating func take(call: JSONNode, part: JSONNode, signature: JSONNode?) {
        let members = call.pick(Self.callKeys)
        let name = members[1]?.string ?? ""
        let continues = members[4]?.bool == true
        let isPiece = continues || members[3] != nil || name.isEmpty
        if !name.isEmpty { output.note() }
        guard isPiece else {
            close()
            add(members, name: name, part: part)
            return
        }
        if !name.isEmpty, !isRepeated(id: members[0]?.string ?? "", name: name, hasPieces: members[3] != nil) {
            close()
            open = OpenCall(
                id: members[0]?.string ?? "", name: name, arguments: GeminiArguments(members[2]?.value ?? [:]),
                signature: signature.flatMap { $0.isNull ? nil : $0.value })
        }
        members[3]?.forEachElement { takePiece($0) }
        if !continues { close() }
    }

    /// Whether a piece with a name continues the open call. Some servers repeat the name of an open call, with or
    /// without its id.
    private func isRepeated(id: String, name: String, hasPieces: Bool) -> Bool {
        guard hasPieces, let open, open.name == name else { return false }
        return id.isEmpty || id == open.id
    }

    private mutating func add(_ members: JSONPicked, name: String, part: JSONNode) {
        let arguments = members[2]?.value ?? [:]
        let id = members[0]?.string ?? ""
        let text = JSONWriter.text(arguments)
        // Servers that repeat calls repeat their ids.
        if !id.isEmpty, let place = callPlaces.updateValue(calls.count, forKey: id) {
            if calls[place].name == name, calls[place].argumentsJSON == text {
                callPlaces[id] = place
                return
            }
        }
        calls.append(ToolCall(id: callIDs.next(id), name: name, argumentsJSON: text, arguments: arguments))
        if let fields = part.value.object { kept.append(Kept(fields: fields)) }
    }

    /// Adds a piece of the arguments: a JSON path, and a value or the next part of a string.
    private mutating func takePiece(_ piece: JSONNode) {
        guard let path = piece["jsonPath"]?.string, open != nil else { return }
        if let text = piece["stringValue"]?.string {
            if !text.isEmpty { output.note() }
            if open?.unfinished?.path == path {
                open?.unfinished?.text += text
            } else {
                open?.settle()
                open?.unfinished = Unfinished(path: path, text: text)
            }
            if piece["willContinue"]?.bool != true { open?.settle() }
        } else {
            let value = piece["numberValue"] ?? piece["boolValue"]
            if value != nil || piece["nullValue"] != nil { output.note() }
            open?.set(value?.value ?? .null, at: path)
        }
    }

    private mutating func close() {
        guard var call = open.take() else { return }
        call.settle()
        let arguments = call.arguments.value
        if !call.id.isEmpty { callPlaces[call.id] = calls.count }
        calls.append(
            ToolCall(
                id: callIDs.next(call.id), name: call.name, argumentsJSON: JSONWriter.text(arguments),
                arguments: arguments))
        var function: JSONObject = call.id.isEmpty ? [:] : ["id": .string(call.id)]
        function["name"] = .string(call.name)
        function["args"] = arguments
        var fields: JSONObject = ["functionCall": .object(function)]
        if let signature = call.signature { fields["thoughtSignature"] = signature }
        kept.append(Kept(fields: fields))
    }

    // MARK: Parts to send back

    /// The parts to send back; nil if there are none, or if their text is not the text delivered.
    func native(_ reply: ReplyText) -> JSONValue? {
        guard !kept.isEmpty, reply.isWhole(.text), reply.isWhole(.reasoning) else { return nil }
        return .array(
            kept.enumerated().map { place, part in
                guard part.text != nil else { return .object(part.fields) }
                var fields: JSONObject = ["text": .string(reply.block(place)?.text ?? "")]
                fields.merge(part.fields)
                return .object(fields)
            })
    }
}
