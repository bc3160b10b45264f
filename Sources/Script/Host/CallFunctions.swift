// Host primitives for requests.

internal import Chat
internal import LuaVM

extension ScriptRuntime {
    func setCallFunctions(_ stack: LuaStack, _ handles: HostHandles) {
        stack.set("endpoint") { [unowned self] call throws(LuaError) in
            let resolved = try EndpointTable.resolve(
                at: 1, of: call.stack, defaults: configuration.defaults, providers: providers)
            // Also with the offline provider, which needs no key, the variable may hold one.
            let named = call.stack.field("key_env", of: 1) { $0.string(at: -1) }
            (named ?? resolved.keyVariable).map(hideVariable)
            try EndpointTable.push(resolved, to: call.stack, as: handles.endpoint, providers: providers)
            return .returned(1)
        }
        // endpoint_refresh(endpoint): a provider has been defined
        stack.set("endpoint_refresh") { [unowned self] call throws(LuaError) in
            guard call.stack.type(at: 1) == .table else { return .returned(0) }
            call.stack.field("handle", of: 1) { $0.object(at: -1, as: handles.endpoint) }?.refresh(providers)
            return .returned(0)
        }
        stack.set("call_start") { [unowned self] call throws(LuaError) in
            let mode: CallStateMachine.Mode =
                switch call.stack.string(at: 2) {
                case "ask": .ask
                case "stream": .stream
                default: .start
                }
            let parsed = try reader(handles).request(at: 1, of: call.stack, mode: mode)
            let request = try calls().registry.start(
                parsed.spec, fault: parsed.fault, mode: mode, callbacks: callbacks(at: 1, of: call.stack),
                coalesce: parsed.coalesce, price: price(at: 1, of: call.stack))
            call.stack.push(request, as: handles.call)
            return .returned(1)
        }
        // template(request) -> what other requests of the client have in common with it
        stack.set("template") { [unowned self] call throws(LuaError) in
            let parsed = try reader(handles).template(at: 1, of: call.stack)
            call.stack.push(RequestTemplate(parsed), as: handles.template)
            return .returned(1)
        }
        stack.set("call_wait") { [unowned self] call throws(LuaError) in
            try calls().registry.wait(try handles.request(of: call), owned: call.stack.bool(at: 2) ?? false, call)
        }
        stack.set("call_next") { [unowned self] call throws(LuaError) in
            try calls().pull(try handles.request(of: call), call)
        }
        stack.set("call_status") { call throws(LuaError) in
            call.stack.push(call.stack.object(at: 1, as: handles.call)?.machine.status ?? "finished")
            return .returned(1)
        }
        setCallActions(stack, handles)
        setHistoryFunctions(stack, handles)
    }

    /// The functions by which a conversation keeps its messages in the form in which they are sent.
    private func setHistoryFunctions(_ stack: LuaStack, _ handles: HostHandles) {
        // history() -> history
        stack.set("history") { call throws(LuaError) in
            call.stack.push(MessageHistory(), as: handles.history)
            return .returned(1)
        }
        // history_count(history) -> how many messages it has
        stack.set("history_count") { call throws(LuaError) in
            call.stack.push(call.stack.object(at: 1, as: handles.history)?.messages.count ?? 0)
            return .returned(1)
        }
        // history_add(history, message) -> whether it could be converted; if not, each request reports why
        stack.set("history_add") { [coder] call throws(LuaError) in
            do throws(LuaCoder.Problem) {
                let message = try coder.encoded(at: 2, of: call.stack, place: "message")
                call.stack.object(at: 1, as: handles.history)?.append(message)
                call.stack.push(true)
            } catch {
                call.stack.push(false)
            }
            return .returned(1)
        }
    }

    private func setCallActions(_ stack: LuaStack, _ handles: HostHandles) {
        let actions: [(StaticString, (CallRegistry) -> (Call) -> Void)] = [
            ("call_cancel", CallRegistry.cancel), ("call_leave", CallRegistry.leave),
            ("call_pause", CallRegistry.pause), ("call_resume", CallRegistry.resume),
        ]
        for (name, action) in actions {
            stack.set(name) { [unowned self] call throws(LuaError) in
                if let request = call.stack.object(at: 1, as: handles.call) { action(try calls().registry)(request) }
                return .returned(0)
            }
        }
    }

    private func reader(_ handles: HostHandles) -> RequestReader {
        RequestReader(
            coder: coder, defaults: configuration.defaults, endpoints: handles.endpoint, history: handles.history,
            templates: handles.template)
    }

    private func calls() throws(LuaError) -> CallDispatcher {
        guard let dispatcher else { throw .misuse("requests are made by scripts, not while the host starts") }
        return dispatcher
    }

    private func callbacks(at table: Int, of stack: LuaStack) -> CallCallbacks {
        var callbacks = CallCallbacks()
        guard stack.field("has_callbacks", of: table, { $0.bool(at: -1) }) == true else { return callbacks }
        for name in CallbackName.allCases {
            stack.getField(name.option, of: table)
            defer { stack.pop(1) }
            guard stack.type(at: -1) == .function else { continue }
            // A function written in C does not declare its parameters.
            let wantsEvent = name.isText && stack.parameterCount(at: -1).map { $0 > 1 } ?? true
            callbacks[name] = CallCallbacks.Function(reference: stack.reference(to: -1), wantsEvent: wantsEvent)
        }
        return callbacks
    }
}

extension CallbackName {
    /// The option that sets the callback.
    fileprivate var option: StaticString {
        switch self {
        case .token: "on_token"
        case .reasoning: "on_reasoning"
        case .toolCall: "on_tool_call"
        case .usage: "on_usage"
        case .retry: "on_retry"
        case .wait: "on_wait"
        case .reset: "on_reset"
        case .event: "on_event"
        case .chunk: "on_chunk"
        case .finish: "on_finish"
        case .error: "on_error"
        }
    }

    /// The callback gets text, and the event's table if it declares a second parameter.
    fileprivate var isText: Bool { self == .token || self == .reasoning }
}

extension HostHandles {
    /// The request at index 1.
    fileprivate func request(of host: HostCall) throws(LuaError) -> Call {
        guard let request = host.stack.object(at: 1, as: call) else { throw .misuse("the request is gone") }
        return request
    }
}
