// Repairs tool calls in the history of a request. A model may call a function by an invalid name, or with arguments
// that are incomplete or not an object; such a call would make every later request fail. Only requests are repaired;
// replies keep what the model sent.

internal import Chat
internal import JSON

/// Valid function names of a format.
struct FunctionNameRule {
    /// Characters other than ASCII letters, digits and `_`.
    let marks: [UInt8]
    /// Whether the first character must be a letter or `_`.
    let beginsWithLetter: Bool
    /// Maximum length in bytes; longer names are truncated.
    static let limit = 64

    /// Letters, digits, `_` and `-` (OpenAI API reference, `tools[].function.name`: at most 64; Anthropic API
    /// reference, `tools[].name`: `^[a-zA-Z0-9_-]{1,128}$`, formerly 64). Ollama's reference has no rule.
    static let common = FunctionNameRule(marks: [UInt8(ascii: "-")], beginsWithLetter: false)
    /// "Must start with a letter or an underscore. Must be a-z, A-Z, 0-9, or contain underscores, dots and dashes, with
    /// a maximum length of 64" (Vertex AI reference, FunctionDeclaration).
    static let gemini = FunctionNameRule(marks: [UInt8(ascii: "-"), UInt8(ascii: ".")], beginsWithLetter: true)
    /// "Valid names contain only the characters a-z, A-Z, 0-9, _ and must not begin with a digit" (Cohere API
    /// reference, Tool).
    static let cohere = FunctionNameRule(marks: [], beginsWithLetter: true)

    func allows(_ name: String) -> Bool {
        guard let first = name.utf8.first, name.utf8.count <= Self.limit else { return false }
        return name.utf8.allSatisfy(allows) && !(beginsWithLetter && !Self.isLetter(first))
    }

    private func allows(_ byte: UInt8) -> Bool {
        Self.isLetter(byte) || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) || marks.contains(byte)
    }

    private static func isLetter(_ byte: UInt8) -> Bool {
        let small = byte | 0x20
        return (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(small) || byte == UInt8(ascii: "_")
    }

    /// A valid name similar to the given one: `_` for each invalid character.
    func mended(_ name: String) -> String {
        var text = ""
        for character in name {
            guard text.utf8.count < Self.limit else { break }
            let byte = character.utf8.count == 1 ? character.utf8.first : nil
            text.append(byte.map(allows) == true ? character : "_")
        }
        if text.isEmpty { text = "unnamed" }
        if let first = text.utf8.first, beginsWithLetter, !Self.isLetter(first) { text = "_" + text }
        return String(text.prefix(Self.limit))
    }
}

/// The calls of one request in valid form.
struct CallRepair {
    private let rule: FunctionNameRule
    /// Replacements of invalid names.
    private var names: [String: String] = [:]

    /// - Parameter tools: the request's `tools`. Names that they declare are not changed.
    init(_ rule: FunctionNameRule, messages: [Message], tools: JSONValue?) {
        self.rule = rule
        let used = messages.flatMap { message in
            message.toolCalls.map(\.name) + [message.isResult ? message.name : nil].compactMap(\.self)
        }
        var taken = Self.declared(in: tools)
        let illegal = used.filter { !taken.contains($0) && !rule.allows($0) }
        for name in taken { names[name] = name }
        taken.formUnion(used.filter(rule.allows))
        // The last number appended to each repaired name: a history may have very many calls.
        var numbers: [String: Int] = [:]
        for name in illegal where names[name] == nil {
            let mended = rule.mended(name)
            var unique = mended
            while taken.contains(unique) {
                let number = numbers[mended, default: 1] + 1
                numbers[mended] = number
                let suffix = "_\(number)"
                unique = mended.prefix(FunctionNameRule.limit - suffix.count) + suffix
            }
            taken.insert(unique)
            names[name] = unique
        }
    }

    private static func declared(in tools: JSONValue?) -> Set<String> {
        let tools = tools?.array ?? []
        let functions = tools + tools.flatMap { $0["functionDeclarations"]?.array ?? [] }
        return Set(functions.compactMap { ($0["function"]?["name"] ?? $0["name"])?.string })
    }

    /// The name of a function in calls and results.
    func name(_ name: String) -> String {
        if let known = names[name] { return known }
        return rule.allows(name) ? name : rule.mended(name)
    }

    /// The call with a valid name and an object as arguments.
    func call(_ call: ToolCall) -> ToolCall {
        let arguments = Self.object(call.arguments ?? .null)
        return ToolCall(
            id: call.id, name: name(call.name), argumentsJSON: Self.text(call.argumentsJSON, arguments),
            arguments: .object(arguments))
    }

    /// An object with a name and arguments, both repaired. A valid object is returned unchanged, byte for byte.
    /// - Parameter arguments: the name of the member with the arguments, which are JSON text or an object. Nil for a
    ///   call without arguments.
    func mended(_ object: JSONObject, arguments member: String?, isText: Bool = false) -> JSONObject {
        var mended = object
        let name = object["name"]?.string
        if let legal = name.map(self.name), legal != name { mended["name"] = .string(legal) }
        guard let member else { return mended }
        guard let value = object[member], !value.isNull else {
            mended[member] = isText ? "{}" : [:]
            return mended
        }
        guard let text = value.string else {
            if isText {
                mended[member] = .string(JSONWriter.text(.object(Self.object(value))))
            } else if value.object == nil {
                mended[member] = .object(Self.object(value))
            }
            return mended
        }
        let inner = Self.object(value)
        mended[member] = isText ? .string(Self.text(text, inner)) : .object(inner)
        return mended
    }

    // MARK: Arguments

    /// The arguments as an object: the object itself, one that is encoded in a JSON text, or an empty one. For invalid
    /// arguments the result of the call holds the error.
    private static func object(_ value: JSONValue) -> JSONObject {
        if let object = value.object { return object }
        // Some models encode their arguments twice.
        guard let text = value.string, let inner = decoded(text) else { return [:] }
        if let object = inner.object { return object }
        return inner.string.flatMap(decoded)?.object ?? [:]
    }

    private static func decoded(_ text: String) -> JSONValue? {
        do throws(JSONError) {
            return try JSONReader.value(text)
        } catch {
            // Not JSON.
            return nil
        }
    }

    /// The arguments as JSON text: unchanged if every strict parser accepts them as an object.
    private static func text(_ text: String, _ arguments: JSONObject) -> String {
        let written = JSONWriter.text(.object(arguments))
        let bytes = [UInt8](text.utf8)
        // JSONReader skips a byte order mark, which strict parsers reject (RFC 8259 section 8.1).
        let blank: Set<UInt8> = [0x20, 0x09, 0x0A, 0x0D]
        guard bytes.first(where: { !blank.contains($0) }) == UInt8(ascii: "{") else { return written }
        // JSONReader decodes the escape of a lone surrogate as U+FFFD; strict parsers reject it.
        guard !written.contains("\u{FFFD}") || text.contains("\u{FFFD}") else { return written }
        do throws(JSONError) {
            _ = try JSONReader.strictValue(bytes)
            return text
        } catch {
            return written
        }
    }
}
