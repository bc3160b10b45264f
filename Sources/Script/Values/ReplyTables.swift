// Replies, errors and events as Lua tables (types/llm.lua). Unknown fields are absent.

internal import Base
internal import Chat
internal import LuaVM

/// Pushes values of the engine as tables. [-0, +1] each.
struct ReplyTables {
    let coder: LuaCoder
    /// The metatables of `reply` and `error`, made by llm.lua.
    let replyMetatable: LuaReference
    let errorMetatable: LuaReference

    func push(_ reply: Reply, to stack: LuaStack) {
        stack.pushTable(fields: 16)
        stack.set("reasoning", reply.reasoning)
        stack.pushTable(array: reply.toolCalls.count)
        for (index, call) in reply.toolCalls.enumerated() {
            push(call, to: stack)
            stack.setElement(index + 1, of: -2)
        }
        stack.setMetatable(coder.arrayMark, of: -1)
        stack.setField("tool_calls", of: -2)
        stack.pushTable(array: reply.nativeCalls.count)
        for (index, call) in reply.nativeCalls.enumerated() {
            coder.push(call, to: stack)
            stack.setElement(index + 1, of: -2)
        }
        stack.setMetatable(coder.arrayMark, of: -1)
        stack.setField("native_calls", of: -2)
        stack.set("finish_reason", reply.finishReason?.rawValue)
        stack.set("finish_reason_raw", reply.finishReasonRaw)
        if let usage = reply.usage {
            push(usage, to: stack)
            stack.setField("usage", of: -2)
        }
        stack.set("model", reply.model)
        stack.set("id", reply.id)
        stack.set("provider", reply.provider)
        stack.set("attempts", reply.attempts)
        stack.set("refusal", reply.refusal)
        stack.set("finish_message", reply.finishMessage)
        stack.set("cached", reply.isCached)
        stack.pushTable(fields: 2)
        stack.set("first_token", reply.firstTokenTime)
        stack.set("total", reply.totalTime)
        stack.set("queue", reply.serverTimings?.queue)
        stack.set("load", reply.serverTimings?.load)
        stack.set("prompt_eval", reply.serverTimings?.promptEval)
        stack.set("eval", reply.serverTimings?.eval)
        stack.setField("timing", of: -2)
        // The message, and often its native parts, repeat the text: Lua holds one string for all.
        stack.push(reply.text)
        coder.push(reply.message, to: stack, known: LuaCoder.KnownText(text: reply.text, index: stack.top))
        stack.setField("message", of: -3)
        stack.setField("text", of: -2)
        stack.setMetatable(replyMetatable, of: -1)
    }

    func push(_ call: ToolCall, to stack: LuaStack) {
        stack.pushTable(fields: 4)
        stack.set("id", call.id)
        stack.set("name", call.name)
        stack.set("arguments_json", call.argumentsJSON)
        if let arguments = call.arguments {
            coder.push(arguments, to: stack)
            stack.setField("arguments", of: -2)
        }
    }

    func push(_ usage: Usage, to stack: LuaStack) {
        stack.pushTable(fields: 8)
        stack.set("input_tokens", usage.inputTokens)
        stack.set("output_tokens", usage.outputTokens)
        stack.set("reasoning_tokens", usage.reasoningTokens)
        stack.set("cached_tokens", usage.cachedTokens)
        stack.set("cache_write_tokens", usage.cacheWriteTokens)
        stack.set("total_tokens", usage.totalTokens)
        stack.set("cost", usage.cost)
        stack.set("estimated", usage.estimated)
    }

    func push(_ failure: RequestFailure, to stack: LuaStack) {
        stack.pushTable(fields: 16)
        stack.set("kind", failure.kind.rawValue)
        stack.set("message", failure.shownMessage)
        stack.set("status", failure.status)
        stack.set("code", failure.code)
        stack.set("phase", failure.phase?.rawValue)
        stack.set("retryable", failure.isRetryable)
        stack.set("retry_after", failure.retryAfter)
        stack.set("provider", failure.provider)
        stack.set("model", failure.model)
        stack.set("request_id", failure.requestID)
        stack.set("attempts", failure.attempts)
        if let partial = failure.partial {
            push(partial, to: stack)
            stack.setField("partial", of: -2)
        }
        push(failure.position, to: stack)
        stack.setField("position", of: -2)
        stack.set("_display", failure.display)
        stack.setMetatable(errorMetatable, of: -1)
    }

    private func push(_ position: Position, to stack: LuaStack) {
        stack.pushTable(fields: 3)
        stack.set("bytes", position.bytes)
        stack.set("events", position.events)
        stack.set("chars", position.chars)
    }

    /// Pushes the table of an event: `{type = ..., ...}`. Chunks have no table; `on_chunk` gets the string.
    /// - Parameter phase: that of the text, of a token.
    func push(_ event: ChatEvent, phase: String? = nil, to stack: LuaStack) {
        stack.pushTable(fields: 4)
        switch event {
        case .text(let batch):
            stack.set(type: batch.kind == .reasoning ? "reasoning" : "token")
            stack.set("text", batch.text)
            if batch.kind == .text { stack.set("phase", phase) }
        case .start(let info):
            stack.set(type: "start")
            stack.set("id", info.id)
            stack.set("model", info.model)
            stack.set("attempt", info.attempt)
            stack.set("cached", info.isCached)
        case .toolCall(let call):
            stack.set(type: "tool_call")
            push(call, to: stack)
            stack.setField("call", of: -2)
        case .usage(let usage):
            stack.set(type: "usage")
            push(usage, to: stack)
            stack.setField("usage", of: -2)
        case .heartbeat: stack.set(type: "heartbeat")
        case .native(let name, let value):
            stack.set(type: "native")
            stack.set("name", name)
            coder.push(value, to: stack)
            stack.setField("value", of: -2)
        // No event of its own: a token's table has it.
        case .phase: break
        case .chunk(let raw):
            stack.set(type: "chunk")
            stack.set("raw", raw)
        case .retry(let info):
            stack.set(type: "retry")
            setMembers(of: info, on: stack)
        case .wait(let info):
            stack.set(type: "wait")
            setMembers(of: info, on: stack)
        case .reset(let info):
            stack.set(type: "reset")
            setMembers(of: info, on: stack)
        case .finish(let reply):
            stack.set(type: "finish")
            push(reply, to: stack)
            stack.setField("reply", of: -2)
        case .failed(let failure):
            stack.set(type: "error")
            push(failure, to: stack)
            stack.setField("err", of: -2)
        }
    }

    /// The argument of `on_retry`.
    func push(_ info: RetryInfo, to stack: LuaStack) {
        stack.pushTable(fields: 4)
        setMembers(of: info, on: stack)
    }

    /// The argument of `on_wait`.
    func push(_ info: WaitInfo, to stack: LuaStack) {
        stack.pushTable(fields: 2)
        setMembers(of: info, on: stack)
    }

    private func setMembers(of info: WaitInfo, on stack: LuaStack) {
        stack.set("seconds", info.seconds)
        stack.set("reason", info.reason)
    }

    /// The argument of `on_reset`.
    func push(_ info: ResetInfo, to stack: LuaStack) {
        stack.pushTable(fields: 2)
        setMembers(of: info, on: stack)
    }

    private func setMembers(of info: RetryInfo, on stack: LuaStack) {
        stack.set("attempt", info.attempt)
        stack.set("delay", info.delay)
        push(info.error, to: stack)
        stack.setField("err", of: -2)
        push(info.received, to: stack)
        stack.setField("received", of: -2)
    }

    private func setMembers(of info: ResetInfo, on stack: LuaStack) {
        stack.set("attempt", info.attempt)
        push(info.error, to: stack)
        stack.setField("err", of: -2)
    }
}

extension RequestFailure {
    /// `tostring(err)`: "deepseek: rate_limit (429): Too many requests".
    var display: String {
        let status = status.map { " (\($0))" } ?? phase.map { " (\($0.rawValue))" } ?? ""
        return "\(provider): \(kind.rawValue)\(status): \(shownMessage)"
    }

    /// The message without control characters, because a script may print it to a terminal.
    var shownMessage: String { ControlCharacters.escaped(message, lines: .kept) }
}

extension LuaStack {
    /// Sets a field of the table on top; nil sets nothing. [-0, +0]
    func set(_ key: StaticString, _ value: String?) {
        guard let value else { return }
        push(value)
        setField(key, of: -2)
    }

    func set(_ key: StaticString, _ value: Int?) {
        guard let value else { return }
        push(value)
        setField(key, of: -2)
    }

    func set(_ key: StaticString, _ value: Double?) {
        guard let value else { return }
        push(value)
        setField(key, of: -2)
    }

    func set(_ key: StaticString, _ value: Bool) {
        push(value)
        setField(key, of: -2)
    }

    fileprivate func set(type: StaticString) {
        push(constant: type)
        setField("type", of: -2)
    }
}
