// The source line of a syntax error with a caret at the token that Lua's message names ("script.lua:3: ... near 'x'").

/// Snippets for messages of Lua's compiler.
enum SyntaxErrorSnippet {
    /// The message with the source line that it names and a caret; unchanged if it names no line.
    static func add(to message: String, source: [UInt8]) -> String {
        guard let number = lineNumber(in: message) else { return message }
        let lines = String(decoding: source, as: UTF8.self).split(separator: "\n", omittingEmptySubsequences: false)
        guard number >= 1, number <= lines.count else { return message }
        let line = lines[number - 1]
        let prefix = "\(number) | "
        var text = "\(message)\n\(prefix)\(line)"
        if let column = column(in: line, message: message) {
            let lead = line.prefix(column).map { $0 == "\t" ? "\t" : " " }.joined()
            text += "\n" + String(repeating: " ", count: prefix.count) + lead + "^"
        }
        return text
    }

    /// The number in the first ":<digits>:" of the message.
    private static func lineNumber(in message: String) -> Int? {
        for part in message.split(separator: ":").dropFirst() {
            if let number = Int(part) { return number }
        }
        return nil
    }

    /// The position of the token that the message names: its last occurrence in the line.
    private static func column(in line: Substring, message: String) -> Int? {
        if message.hasSuffix("near <eof>") { return line.count }
        guard let near = message.split(separator: "near '").last, message.contains("near '"), near.hasSuffix("'") else {
            return nil
        }
        let token = Array(near.dropLast())
        let characters = Array(line)
        guard !token.isEmpty, token.count <= characters.count else { return nil }
        return (0...(characters.count - token.count)).last { Array(characters[$0..<($0 + token.count)]) == token }
    }
}
