// The server's side of replies: parts of a reply in, frames or a whole body of one format out.

package import Chat
package import JSON

/// Encodes replies and errors of one format. Holds nothing of a single reply.
package protocol ReplyEncoder: Sendable {
    /// The media type of a stream.
    var streamType: String { get }

    /// A frame without content that keeps an idle connection open.
    var keepAlive: [UInt8] { get }

    /// Whether clients of this format fail at `keepAlive`, so that a frame with an empty text must be sent in its place.
    var keepsAliveByText: Bool { get }

    /// Whether the format has a place for `ReplyEnding.refusal`. Otherwise a refusal is sent as text.
    var hasRefusals: Bool { get }

    /// Whether the reasoning of a reply whose head shows none is encoded as a plan for tool calls. Clients expect a plan only
    /// before all content.
    var hasPlans: Bool { get }

    /// An encoder for the frames of one reply.
    func stream(_ head: ReplyHead) -> any StreamEncoder

    /// A reply in one body.
    func body(_ reply: WholeReply) -> [UInt8]

    /// The body of an error response.
    func errorBody(_ error: ReplyError) -> [UInt8]
}

extension ReplyEncoder {
    package var keepsAliveByText: Bool { false }
    package var hasRefusals: Bool { false }
    package var hasPlans: Bool { false }
}

/// Encodes the frames of one reply. Call `begin` first and `finish` or `fail` last; use on one thread.
package protocol StreamEncoder: AnyObject {
    /// Encodes the frames that precede all content.
    func begin(into frames: inout EncodedFrames)

    /// Encodes a part. It may be held until the next call: formats that send whole tool calls wait for their end.
    /// - Parameter choice: the index of the choice, below `ReplyHead.choices`.
    func encode(_ part: ReplyPart, choice: Int, into frames: inout EncodedFrames)

    /// Encodes what was held, and the format's end.
    func finish(_ ending: ReplyEnding, into frames: inout EncodedFrames)

    /// Encodes an error inside the stream, which ends it.
    func fail(_ error: ReplyError, into frames: inout EncodedFrames)
}

/// What is known of a reply before its first part.
package struct ReplyHead: Equatable, Sendable {
    /// Hexadecimal digits, at least 16; the format adds its prefix.
    package var id: String
    /// Seconds since 1970.
    package var created: Int
    package var model: String
    package var inputTokens: Int
    package var choices: Int
    /// Whether the model reasons: some formats then have members for reasoning in every frame.
    package var showsReasoning: Bool
    package var includesUsage: Bool
    /// Members of the request that the reply repeats.
    package var echoed: JSONObject
    /// Whether the reply never finishes. Its encoder then keeps none of its text.
    package var isEndless: Bool

    package init(
        id: String, created: Int, model: String, inputTokens: Int = 0, choices: Int = 1, showsReasoning: Bool = false,
        includesUsage: Bool = true, echoed: JSONObject = [:], isEndless: Bool = false
    ) {
        self.id = id
        self.created = created
        self.model = model
        self.inputTokens = inputTokens
        self.choices = choices
        self.showsReasoning = showsReasoning
        self.includesUsage = includesUsage
        self.echoed = echoed
        self.isEndless = isEndless
    }
}

/// One delta of a reply.
package enum ReplyPart: Equatable, Sendable {
    case reasoning(String)
    case text(String)
    /// The begin of a tool call. Calls are numbered from 0.
    case toolCall(index: Int, id: String, name: String)
    /// A piece of the arguments' JSON text.
    case arguments(index: Int, String)
}

/// How a reply ends.
package struct ReplyEnding: Equatable, Sendable {
    /// The finish reason of each choice. Empty leaves the reason out of the frames.
    package var reasons: [FinishReason]
    /// The token counts of the whole reply. `outputTokens` includes the reasoning.
    package var usage: Usage
    /// False leaves out the format's end marker, as a server does that breaks off.
    package var hasEndMarker: Bool
    /// The text of a refusal, apart from the content.
    package var refusal: String?
    /// Whether the output tokens include the token that ends the text. TGI counts it.
    package var countsEndToken = false
    /// How long the reply took; nil lets formats with durations compute them from the token counts.
    package var timing: ReplyTiming?

    package init(reasons: [FinishReason], usage: Usage, hasEndMarker: Bool = true) {
        self.reasons = reasons
        self.usage = usage
        self.hasEndMarker = hasEndMarker
    }

    package init(_ reason: FinishReason, usage: Usage) { self.init(reasons: [reason], usage: usage) }

    /// The reason of the first choice.
    var reason: FinishReason? { reasons.first }
}

/// Measured durations of a reply.
package struct ReplyTiming: Equatable, Sendable {
    /// Seconds to the first output; nil if none came.
    package var firstOutput: Double?
    /// Seconds to the end.
    package var total: Double

    package init(firstOutput: Double?, total: Double) {
        self.firstOutput = firstOutput
        self.total = total
    }
}

/// A reply of which all is known.
package struct WholeReply: Equatable, Sendable {
    package var head: ReplyHead
    /// The content of each choice.
    package var choices: [[ReplyBlock]]
    package var ending: ReplyEnding

    package init(head: ReplyHead, choices: [[ReplyBlock]], ending: ReplyEnding) {
        self.head = head
        self.choices = choices
        self.ending = ending
    }

    /// The content of the first choice.
    var blocks: [ReplyBlock] { choices.first ?? [] }
}

/// Consecutive parts of one kind, joined.
package enum ReplyBlock: Equatable, Sendable {
    case reasoning(String)
    case text(String)
    /// A tool call. Its `arguments` are nil if their text is not whole JSON.
    case toolCall(ToolCall)

    /// Joins the parts of one choice.
    /// - Parameter isCut: whether the reply was cut by its token limit.
    package static func blocks(of parts: some Sequence<ReplyPart>, isCut: Bool) -> [ReplyBlock] {
        var joiner = ToolCallJoiner()
        var blocks: [ReplyBlock] = []
        for part in parts {
            if let joined = joiner.take(part) { blocks.append(.toolCall(joined.call)) }
            switch (part, blocks.last) {
            case (.text(let piece), .text(let text)): blocks[blocks.count - 1] = .text(text + piece)
            case (.text(let piece), _): blocks.append(.text(piece))
            case (.reasoning(let piece), .reasoning(let text)): blocks[blocks.count - 1] = .reasoning(text + piece)
            case (.reasoning(let piece), _): blocks.append(.reasoning(piece))
            case (.toolCall, _), (.arguments, _): break
            }
        }
        if let joined = joiner.end(isCut: isCut) { blocks.append(.toolCall(joined.call)) }
        return blocks
    }
}
