// The properties of a reply as a whole.

package import Chat
package import JSON

/// A reply without its text and reasoning, as far as a decoder knows it.
package struct ReplySummary: Sendable, Equatable {
    /// The provider's id of the reply.
    package var id: String?
    /// The model that answered.
    package var model: String?
    /// The finish reason as sent.
    package var finishReasonRaw: String?
    /// The finish reason in the common vocabulary; nil while unknown.
    package var finishReason: FinishReason?
    /// The last usage reported.
    package var usage: Usage?
    /// The tool calls, assembled.
    package var toolCalls: [ToolCall] = []
    /// Calls in the provider's own form that wait for the client, unchanged.
    package var nativeCalls: [JSONValue] = []
    /// The text of a refusal that the provider sends apart from the content.
    package var refusal: String?
    /// The provider's message about the end of the reply, beside the finish reason.
    package var finishMessage: String?
    /// The durations that the server reports for its own work.
    package var timings: ServerTimings?

    /// Nothing known.
    package init() {}

    /// True while it holds no finish reason that a server sent, no counts and no refusal.
    var isEmpty: Bool {
        guard usage == nil, refusal == nil, finishReasonRaw?.isEmpty ?? true else { return false }
        return switch finishReason {
        case nil, .stop, .other: true
        default: false
        }
    }

    /// Takes the names that a document bears. Those beside the first output count; heartbeats may bear any
    /// (oMLX: "keepalive").
    /// - Parameter isOutput: whether the first output has come with this document.
    mutating func take(id: JSONNode?, model: JSONNode?, isOutput: Bool) {
        if id != nil, self.id == nil || isOutput, let id = id?.string, !id.isEmpty { self.id = id }
        if model != nil, self.model == nil || isOutput, let model = model?.string, !model.isEmpty { self.model = model }
    }
}
