// Removes secrets from messages, chunks and log lines that leave the engine. Text of replies is not changed.

internal import Chat
internal import HTTP
internal import JSON

/// The secrets that one engine has used, shared by its requests on its thread.
final class Secrets {
    private(set) var scrubber = KeyScrubber()
    /// Whether there is none. Asked first: a call of the scrubber retains its tables.
    private var isEmpty = true

    func add(_ key: String) {
        scrubber.add(key)
        isEmpty = scrubber.isEmpty
    }

    func scrub(_ text: String) -> String { isEmpty ? text : scrubber.scrub(text) }
    func scrub(_ bytes: [UInt8]) -> [UInt8] { scrubber.scrub(bytes) }

    /// The beginning of a server's text for a message: scrubbed first, then truncated.
    func excerpt(_ text: some Sequence<UInt8>, limit: Int = 200) -> String {
        let clean = scrubber.scrub([UInt8](text))
        guard clean.count > limit else { return String(decoding: clean, as: UTF8.self) }
        var end = limit
        // Drops a character that the limit divides.
        while end > 0, clean[end] & 0xC0 == 0x80 { end -= 1 }
        return String(decoding: clean[..<end], as: UTF8.self) + "..."
    }

    /// The head with names and values of all headers scrubbed.
    func scrub(_ head: HTTPResponseHead) -> HTTPResponseHead {
        var clean = HTTPResponseHead(status: head.status, version: head.version)
        for field in head.headers { clean.headers.add(scrub(field.name), scrub(field.value)) }
        return clean
    }

    /// The value with all its strings scrubbed.
    func scrub(_ value: JSONValue) -> JSONValue { isEmpty ? value : scrubber.scrub(value) }
}

extension Secrets {
    /// The message of a reply without secrets, except in its text. Provider-specific members (`native`, OpenRouter's
    /// `reasoning_details`, Google's `extra_content`) may quote the request.
    /// - Parameter words: text and reasoning of the reply. Members `text` and `thinking` that are part of them are not
    ///   changed.
    func scrub(message: JSONValue, words: [String]) -> JSONValue {
        guard case .object(let object) = message, object.contains(where: { Self.mayQuote($0.key) }) else {
            return message
        }
        var result = JSONObject()
        for member in object {
            var value = member.value
            if member.key == Self.callsKey {
                value = .array((value.array ?? []).map { scrub(message: $0, words: words) })
            } else if Self.mayQuote(member.key) {
                value = scrub(value, of: member.key, keeping: words)
            }
            result.append(uncheckedKey: member.key, value)
        }
        return .object(result)
    }

    private static let callsKey = "tool_calls"

    /// Whether a member of a message or of a call may quote the request, or has parts that may.
    private static func mayQuote(_ key: String) -> Bool {
        switch key {
        case "native", "reasoning_details", "extra_content", callsKey: true
        default: false
        }
    }

    /// - Parameter name: the name of the member that has the value.
    private func scrub(_ value: JSONValue, of name: String, keeping words: [String]) -> JSONValue {
        switch value {
        case .string(let text):
            // Usually equal to the whole text, which needs no search.
            if name == "text" || name == "thinking", words.contains(where: { $0 == text || $0.contains(text) }) {
                return value
            }
            return .string(scrub(text))
        case .array(let elements): return .array(elements.map { scrub($0, of: name, keeping: words) })
        case .object(let object):
            var result = JSONObject()
            for member in object {
                result.append(uncheckedKey: scrub(member.key), scrub(member.value, of: member.key, keeping: words))
            }
            return .object(result)
        default: return value
        }
    }
}
