// The parts of a Gemini reply: text, thoughts, calls, and what the provider's own tools send. Held by GeminiDecoder; it
// also keeps the parts as they are to go back, with their signatures.

internal import Wire

/// What the parts so far amount to.
struct GeminiParts {
    private static let keys = JSONKeys("text", "thought", "thoughtSignature", "functionCall", "inlineData")
    private static let callKeys = JSONKeys("id", "name", "args", "partialArgs", "willContinue")

    private(set) var calls: [ToolCall] = []
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
        var text: GrowingText?
        var isThought = false
    }

    private struct OpenCall {
        var id: String
        var name: String
        var arguments = JSONValue.object([:])
        var signature: JSONValue?
        /// A string that goes on in the next piece, and its place: it is put there once it is whole, since each change of
        /// the arguments is a way through them.
        var unfinished: (path: String, text: String)?

        /// Puts the string that was going on into its place.
        mutating func settle() {
            guard let (path, text) = unfinished.take() else { return }
            GeminiPath.set(.string(text), at: path, in: &arguments)
        }

        /// Puts a value into its place.
        mutating func set(_ value: JSONValue, at path: String) {
            settle()
            GeminiPath.set(value, at: path, in: &arguments)
        }
    }

    mutating func take(_ part: JSONNode, into events: inout [DecodedEvent]) {
        let members = part.pick(Self.keys)
        if let text = members[0]?.string {
            take(text, isThought: members[1]?.bool == true, signature: members[2], into: &events)
        } else if let call = members[3], call.kind == .object {
            hasOutput = true
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
            events.append(isThought ? .reasoning(text) : .token(text))
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
                Kept(fields: isThought ? ["thought": true] : [:], text: GrowingText(text), isThought: isThought))
        }
    }

    /// Adds pieces that go on with the part that was taken last.
    mutating func append(_ run: TextRun) {
        if !run.isReasoning { textBytes += run.bytes.count }
        guard let last = kept.indices.last else { return }
        kept[last].text?.append(run)
    }

    // MARK: Calls

    private mutating func take(call: JSONNode, part: JSONNode, signature: JSONNode?) {
        let members = call.pick(Self.callKeys)
        let name = members[1]?.string ?? ""
        let goesOn = members[4]?.bool == true
        let isPiece = goesOn || members[3] != nil || name.isEmpty
        guard isPiece else {
            close()
            add(members, name: name, part: part)
            return
        }
        if !name.isEmpty {
            close()
            open = OpenCall(
                id: members[0]?.string ?? "", name: name, arguments: members[2]?.value ?? [:],
                signature: signature.flatMap { $0.isNull ? nil : $0.value })
        }
        members[3]?.forEachElement { takePiece($0) }
        if !goesOn { close() }
    }

    private mutating func add(_ members: JSONPicked, name: String, part: JSONNode) {
        let arguments = members[2]?.value ?? [:]
        calls.append(
            ToolCall(
                id: members[0]?.string ?? "", name: name, argumentsJSON: JSONWriter.text(arguments),
                arguments: arguments))
        if let fields = part.value.object { kept.append(Kept(fields: fields)) }
    }

    /// A piece of an argument: the place by JSON path, and a value or more of a string.
    private mutating func takePiece(_ piece: JSONNode) {
        guard let path = piece["jsonPath"]?.string, open != nil else { return }
        if let text = piece["stringValue"]?.string {
            if open?.unfinished?.path == path {
                open?.unfinished?.text += text
            } else {
                open?.settle()
                open?.unfinished = (path, text)
            }
            if piece["willContinue"]?.bool != true { open?.settle() }
        } else {
            open?.set((piece["numberValue"] ?? piece["boolValue"])?.value ?? .null, at: path)
        }
    }

    private mutating func close() {
        guard var call = open.take() else { return }
        call.settle()
        calls.append(
            ToolCall(
                id: call.id, name: call.name, argumentsJSON: JSONWriter.text(call.arguments),
                arguments: call.arguments))
        var function: JSONObject = call.id.isEmpty ? [:] : ["id": .string(call.id)]
        function["name"] = .string(call.name)
        function["args"] = call.arguments
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

/// The paths of streamed arguments: `$.a.b[0]['c d']` (RFC 9535, its normalized and dotted forms).
enum GeminiPath {
    private enum Step { case name(String), index(Int) }

    private static func steps(_ path: String) -> [Step] {
        var steps: [Step] = []
        var rest = Substring(path)
        if rest.first == "$" { rest.removeFirst() }
        while let first = rest.first {
            rest.removeFirst()
            guard first == "[" else {
                let name = first == "." ? rest.prefix { $0 != "." && $0 != "[" } : String([first])[...]
                if first == "." { rest.removeFirst(name.count) }
                if !name.isEmpty { steps.append(.name(String(name))) }
                continue
            }
            let inside = rest.prefix { $0 != "]" }
            rest.removeFirst(min(rest.count, inside.count + 1))
            if let index = Int(inside) {
                steps.append(.index(index))
            } else {
                steps.append(.name(inside.trimmingQuotes))
            }
        }
        return steps
    }

    /// Sets the value, and makes the objects and arrays on the way to it.
    static func set(_ value: JSONValue, at path: String, in root: inout JSONValue) {
        let steps = steps(path)
        guard steps.count <= mostSteps else { return }
        set(value, steps[...], in: &root)
    }

    /// How deep a path may go: as deep as JSON that is read may be (CSJ_MAX_DEPTH).
    private static let mostSteps = 1024

    /// How long an array may grow by one path: an index from outside must not cost memory.
    private static let mostElements = 10_000

    private static func set(_ value: JSONValue, _ steps: ArraySlice<Step>, in place: inout JSONValue) {
        guard let step = steps.first else { return place = value }
        switch step {
        case .name(let name):
            var object = place.object ?? [:]
            var member = object[name] ?? .null
            set(value, steps.dropFirst(), in: &member)
            object[name] = member
            place = .object(object)
        case .index(let index):
            guard (0..<mostElements).contains(index) else { return }
            var array = place.array ?? []
            while array.count <= index { array.append(.null) }
            set(value, steps.dropFirst(), in: &array[index])
            place = .array(array)
        }
    }
}

extension Substring {
    /// Without one pair of quotes around it.
    fileprivate var trimmingQuotes: String {
        guard count >= 2, let first, first == last, first == "'" || first == "\"" else { return String(self) }
        return String(dropFirst().dropLast())
    }
}
