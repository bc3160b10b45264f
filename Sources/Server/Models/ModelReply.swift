// The reply to a request in a provider's format: chat events in, a response or the bytes of a stream out.

internal import Base
internal import Chat
internal import Formats
internal import HTTP
internal import JSON

/// One reply. Used on the server's event loop.
///
/// A stream begins with the first output, so that a failure before it is a plain HTTP error, and so that it is known whether
/// the model reasons. Nothing is held back.
final class ModelReply {
    /// What is to be sent.
    enum Output: Equatable {
        case nothing
        /// A whole response, which ends the exchange.
        case whole(ServedResponse)
        case piece(Piece)
    }

    /// A piece of a stream.
    struct Piece: Equatable {
        /// The header fields of the response, status 200, if this is its first piece.
        var head: HTTPHeaders?
        var bytes: [UInt8]
        /// Whether the stream ends with it.
        var isLast: Bool
    }

    private enum Phase {
        /// Nothing is sent: an error can still be a plain response.
        case unsent
        /// The head of a stream is sent.
        case streaming
        case over
    }

    private let format: ServedFormat
    private let request: DecodedRequest
    private var head: ReplyHead
    private var phase = Phase.unsent
    private var content = ReplyContent()
    /// Encodes the stream, from its first part on.
    private var encoder: (any StreamEncoder)?
    private var frames = EncodedFrames()
    private var usage: Usage?
    /// The response that ends the exchange.
    private var response: ServedResponse?

    /// - Parameters:
    ///   - id: hexadecimal digits, at least 16; the format adds its prefix.
    ///   - created: seconds since 1970.
    ///   - model: the model's name in the reply.
    ///   - inputTokens: an estimate, for formats that report them before the reply. The end has the right number.
    init(
        _ format: ServedFormat, _ request: DecodedRequest, id: String, created: Int, model: String, inputTokens: Int = 0
    ) {
        self.format = format
        self.request = request
        head = ReplyHead(
            id: id, created: created, model: model, inputTokens: inputTokens,
            showsReasoning: request.thinks == true || format.replies.hasPlans, includesUsage: request.includesUsage,
            echoed: request.echoed)
        content.keepsText = !request.streams
    }

    /// Whether the reply has ended. Events after that are ignored; the request to the provider is to be cancelled if it runs.
    var isOver: Bool { phase == .over }

    // MARK: Input

    /// Takes events.
    func take(_ events: [ChatEvent]) -> Output {
        for event in events where !isEnding { take(event) }
        return output()
    }

    /// The bytes that keep an idle connection open. They begin the response of a stream. A whole reply has none.
    func keepAlive() -> Output {
        guard request.streams, !isOver else { return .nothing }
        if format.replies.keepsAliveByText {
            begun().encode(.text(""), choice: 0, into: &frames)
            return output()
        }
        return send(format.replies.keepAlive)
    }

    /// Ends the reply with what has come, after a handler that returned without the end of a request.
    func end() -> Output {
        if !isEnding { finish(content.callCount > 0 ? .toolCalls : .stop) }
        return output()
    }

    /// Ends the reply with an error.
    func fail(_ error: HTTPError) -> Output {
        if !isEnding { end(error) }
        return output()
    }

    private func take(_ event: ChatEvent) {
        switch event {
        case .start, .heartbeat, .native, .phase, .chunk, .retry, .wait: return
        case .usage(let counts): usage = counts
        case .text(let batch): add(batch)
        case .toolCall(let call): add(call)
        case .reset(let info): reset(info)
        case .finish(let reply): finish(reply)
        case .failed(let failure): end(ErrorMapping.error(failure, format: format.name))
        }
    }

    // MARK: Parts

    private func add(_ batch: TextBatch) {
        let isReasoning = batch.kind == .reasoning
        // A model may reason although the caller has turned it off.
        if isReasoning, request.thinks == false { return }
        content.add(batch)
        guard request.streams else { return }
        let encoder = begun(isReasoning: isReasoning)
        batch.forEachPiece { piece in
            let text = String(decoding: piece)
            encoder.encode(isReasoning ? .reasoning(text) : .text(text), choice: 0, into: &frames)
        }
    }

    private func add(_ call: ToolCall) {
        var call = call
        // The clients of OpenAI parse the arguments.
        if call.argumentsJSON.isEmpty { (call.argumentsJSON, call.arguments) = ("{}", call.arguments ?? [:]) }
        let index = content.callCount
        content.add(call)
        guard request.streams else { return }
        let encoder = begun()
        encoder.encode(.toolCall(index: index, id: call.id, name: call.name), choice: 0, into: &frames)
        encoder.encode(.arguments(index: index, call.argumentsJSON), choice: 0, into: &frames)
    }

    /// The encoder, which begins the stream if it has not begun.
    private func begun(isReasoning: Bool = false) -> any StreamEncoder {
        if let encoder { return encoder }
        prepareHead(hasReasoning: isReasoning)
        let encoder = format.replies.stream(head)
        encoder.begin(into: &frames)
        self.encoder = encoder
        return encoder
    }

    private func prepareHead(hasReasoning: Bool) {
        head.showsReasoning = head.showsReasoning || hasReasoning
        if let count = usage?.readTokens { head.inputTokens = count }
    }

    private func reset(_ info: ResetInfo) {
        guard phase == .streaming, !content.isEmpty else {
            content.removeAll()
            if phase == .unsent {
                encoder = nil
                frames.removeAll()
            }
            return
        }
        end(
            HTTPError(
                ReplyError(
                    status: 502,
                    message: "The provider's reply broke off and began anew, which this format cannot express. "
                        + "Send the request again. The cause: \(info.error.message)",
                    type: "server_error", code: "upstream_error"),
                isRetryable: true))
    }

    // MARK: Ends

    private var isEnding: Bool { isOver || response != nil || isStreamEnded }
    /// Whether the encoder has written the end.
    private var isStreamEnded = false

    private func finish(_ reply: Reply) {
        // A reply may be made without a stream.
        if content.isEmpty {
            if !reply.reasoning.isEmpty { add(.reasoning(reply.reasoning)) }
            if !reply.text.isEmpty { add(TextBatch(reply.text)) }
        }
        if content.callCount == 0 { for call in reply.toolCalls { add(call) } }
        usage = reply.usage ?? usage
        var refusal = reply.refusal?.isEmpty == false ? reply.refusal : nil
        if let text = refusal, !format.replies.hasRefusals {
            if reply.text.isEmpty { add(TextBatch(text)) }
            refusal = nil
        }
        var reason = reply.finishReason ?? .stop
        if reason == .stop, content.callCount > 0 { reason = .toolCalls }
        finish(
            reason, refusal: refusal, timing: ReplyTiming(firstOutput: reply.firstTokenTime, total: reply.totalTime))
    }

    private func finish(_ reason: FinishReason, refusal: String? = nil, timing: ReplyTiming? = nil) {
        var ending = ReplyEnding(reason, usage: Self.common(usage ?? Usage()))
        ending.refusal = refusal
        ending.timing = timing
        ending.countsEndToken = true
        if request.streams {
            begun().finish(ending, into: &frames)
            isStreamEnded = true
            return
        }
        prepareHead(hasReasoning: content.hasReasoning)
        let whole = WholeReply(head: head, choices: [content.blocks], ending: ending)
        response = ServedResponse(type: "application/json", format.replies.body(whole))
    }

    /// Ends the reply with a plain error, or inside the stream if that has begun.
    private func end(_ error: HTTPError) {
        guard phase == .streaming else {
            frames.removeAll()
            response = format.response(error)
            return
        }
        begun().fail(error.error, into: &frames)
        isStreamEnded = true
    }

    /// Token counts as the encoders take them: the input with the tokens of the cache, the output with the reasoning.
    private static func common(_ usage: Usage) -> Usage {
        var counts = usage
        counts.inputTokens = usage.readTokens
        counts.outputTokens = usage.writtenTokens
        counts.countsCacheApart = false
        return counts
    }

    // MARK: Output

    /// What the input so far gives.
    private func output() -> Output {
        if isOver { return .nothing }
        if let response {
            phase = .over
            return .whole(response)
        }
        guard !frames.frames.isEmpty || isStreamEnded else { return .nothing }
        let bytes = frames.bytes
        frames.removeAll()
        return send(bytes)
    }

    private func send(_ bytes: [UInt8]) -> Output {
        let head: HTTPHeaders? =
            phase == .unsent
            ? [
                "content-type": format.replies.streamType, "cache-control": "no-cache, no-transform",
                "x-accel-buffering": "no",
            ] : nil
        phase = isStreamEnded ? .over : .streaming
        return .piece(Piece(head: head, bytes: bytes, isLast: isStreamEnded))
    }
}

/// The content of a reply so far.
private struct ReplyContent {
    /// Whether the text is kept, for a whole reply.
    var keepsText = true
    private(set) var isEmpty = true
    private(set) var hasReasoning = false
    private(set) var callCount = 0
    private var finished: [ReplyBlock] = []
    /// The text that grows, and its kind.
    private var text = TextBuilder()
    private var kind = TextBatch.Kind.text

    mutating func removeAll() {
        let keepsText = keepsText
        self = ReplyContent()
        self.keepsText = keepsText
    }

    mutating func add(_ batch: TextBatch) {
        isEmpty = false
        if batch.kind == .reasoning { hasReasoning = true }
        guard keepsText else { return }
        if batch.kind != kind { endText() }
        kind = batch.kind
        text.append(batch)
    }

    mutating func add(_ call: ToolCall) {
        isEmpty = false
        callCount += 1
        guard keepsText else { return }
        endText()
        finished.append(.toolCall(call))
    }

    private mutating func endText() {
        guard !text.isEmpty else { return }
        finished.append(kind == .text ? .text(text.text) : .reasoning(text.text))
        text = TextBuilder()
    }

    /// Consecutive parts of one kind, joined.
    var blocks: [ReplyBlock] {
        var whole = self
        whole.endText()
        return whole.finished
    }
}
