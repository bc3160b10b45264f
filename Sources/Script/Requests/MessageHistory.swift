// The messages of a conversation that do not change any more.

internal import JSON

/// The first messages of a conversation as JSON. A turn sends all messages again: only the new ones are converted.
final class MessageHistory {
    private(set) var messages: [JSONValue] = []

    func append(_ message: JSONValue) { messages.append(message) }
}
