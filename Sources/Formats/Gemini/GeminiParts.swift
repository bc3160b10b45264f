// The parts of a Gemini reply: text, thoughts, calls, and what the provider's own tools send. Held by GeminiDecoder; it
// also keeps the parts as they are to go back, with their signatures.

internal import Base
internal import Chat
internal import JSON

/// What the parts so far amount to.
struct GeminiParts {
    private static let keys = JSONKeys("text", "thought", "thoughtSignature", "functionCall", "inlineData")
    private static let callKeys = JSONKeys("id", "name", "args", "partialArgs", "willContinue")

    private(set) var calls: [ToolCall] = []
    private var callIDs = WholeCallIDs()
    /// The calls that came with an id.
    private var callPlaces: [String: Int] = [:]
    private(set) var hasOutput = false { didSet { outputCount &+= 1 } }
    private(set) var outputCount = 0
    /// The parts to send back; pieces of one text are joined beside them.
    private var kept: [Kept] = []
    private var textBytes = 0
    /// A call whose arguments come in pieces.
    private var open: OpenCall?
    /// The name of a call that has not ended; it is no call yet.
    var unfinishedCall: String? { open?.name }

    private struct Kept {
        var fields: JSONObject
        /// The text as it grows, for parts that are text alone.
        var text: TextBuilder?
        var isThought = false
    }

    private struct OpenCall {
        var id: String
        var name: String
        let arguments: GeminiArguments
        var signature: JSONValue?
        /// A string that goes on in the next piece, and its place: it is put there once it is whole, since each change of
        /// the arguments is a way through them.
        var unfinished: (path: String, text: String)?

        /// Puts the string that was going on into its place.
        mutating func settle() {
            guard let (path, text) = unfinished.take() else { return }
            arguments.set(.string(text), at: path)
        }

        /// Puts a value into its place.
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
            // Code and its results, files, images: passed on, and kept to go back.
            let value = part.value
            guard let object = value.object, let name = object.first(where: { $0.key != "thoughtSignature" })?.key
            else { return }
            kept.append(Kept(fields: object))
            events.append(.native(name: name, value))
        }
    }

    mutating func take(_ text: String, isThought: Bool, signature: JSONNode?, into events: inout [DecodedEvent]) {
        if !text.isEmpty {
            hasOutput = true
            if !isThought { textBytes += text.utf8.count }
            events.append(.text(TextBatch(text, isThought ? .reasoning : .text)))
        }
        // A signed part goes back as it came: it is joined with nothing.
        if let signature, !signature.isNull {
            var fields: JSONObject = ["text": .string(text)]
            if isThought { fields["thought"] = true }
            fields["thoughtSignature"] = signature.value
            kept.append(Kept(fields: fields))
        } else if let last = kept.indices.last, kept[last].text != nil, kept[last].isThought == isThought {
            kept[last].text?.append(text)
        } else if !text.isEmpty {
            kept.append(
                Kept(fields: isThought ? ["thought": true] : [:], text: TextBuilder(text), isThought: isThought))
        }
    }

    /// Adds pieces that go on with the part that was taken last.
    mutating func append(_ run: TextBatch) {
        if run.kind == .text { textBytes += run.utf8Count }
        guard let last = kept.indices.last else { return }
        kept[last].text?.append(run)
    }

    // MARK: Calls

    private mutating func take(call: JSONNode, part: JSONNode, signature: JSONNode?) {
        let members = call.pick(Self.callKeys)
        let name = members[1]?.string ?? ""
        let continues = members[4]?.bool == true
        let isPiece = continues || members[3] != nil || name.isEmpty
        if !name.isEmpty { hasOutput = true }
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

    /// Whether a piece with a name goes on with the open call: the name of a call that goes on is repeated by some
    /// servers, with its id or without.
    private func isRepeated(id: String, name: String, hasPieces: Bool) -> Bool {
        guard hasPieces, let open, open.name == name else { return false }
        return id.isEmpty || id == open.id
    }

    private mutating func add(_ members: JSONPicked, name: String, part: JSONNode) {
        let arguments = members[2]?.value ?? [:]
        let id = members[0]?.string ?? ""
        let text = JSONWriter.text(arguments)
        // Servers that repeat what they have sent repeat the id.
        if !id.isEmpty, let place = callPlaces.updateValue(calls.count, forKey: id) {
            if calls[place].name == name, calls[place].argumentsJSON == text {
                callPlaces[id] = place
                return
            }
        }
        calls.append(ToolCall(id: callIDs.next(id), name: name, argumentsJSON: text, arguments: arguments))
        if let fields = part.value.object { kept.append(Kept(fields: fields)) }
    }

    /// A piece of an argument: the place by JSON path, and a value or more of a string.
    private mutating func takePiece(_ piece: JSONNode) {
        guard let path = piece["jsonPath"]?.string, open != nil else { return }
        if let text = piece["stringValue"]?.string {
            if !text.isEmpty { hasOutput = true }
            if open?.unfinished?.path == path {
                open?.unfinished?.text += text
            } else {
                open?.settle()
                open?.unfinished = (path, text)
            }
            if piece["willContinue"]?.bool != true { open?.settle() }
        } else {
            let value = piece["numberValue"] ?? piece["boolValue"]
            if value != nil || piece["nullValue"] != nil { hasOutput = true }
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

    // MARK: Back

    /// The parts to send back; nil where there are none, or where they would say other than `text`.
    func native(text: String) -> JSONValue? {
        guard !kept.isEmpty, text.utf8.count == textBytes else { return nil }
        return .array(
            kept.map { part in
                guard let own = part.text else { return .object(part.fields) }
                // A part that is all of the text holds that string, and no other of its own.
                let isAll = !part.isThought && own.count == textBytes
                var fields: JSONObject = ["text": .string(isAll ? text : own.text)]
                fields.merge(part.fields)
                return .object(fields)
            })
    }
}
