// Host primitives for servers: what serve.lua is written over.

internal import Base
internal import Chat
internal import HTTP
internal import JSON
internal import LuaVM

extension ScriptRuntime {
    func setServerFunctions(_ stack: LuaStack, _ handles: HostHandles) {
        // serve_start(options, dispatch) -> url, port; or nil, message, code
        stack.set("serve_start") { [unowned self] call throws(LuaError) in
            try startServer(call, handles)
        }
        // serve_wait(): waits until the server has stopped.
        stack.set("serve_wait") { [unowned self] call throws(LuaError) in
            guard let server else { return .returned(0) }
            return try server.wait(call)
        }
        // serve_stop(): ends the server as SIGTERM does.
        stack.set("serve_stop") { [unowned self] _ throws(LuaError) in
            server?.broker.stop()
            return .returned(0)
        }
        setResponseFunctions(stack, handles)
        setStreamFunctions(stack, handles)
    }

    private func startServer(_ call: HostCall, _ handles: HostHandles) throws(LuaError) -> HostOutcome {
        guard configuration.tape == nil else {
            throw .misuse("llm.serve: a server cannot be recorded; run the script without --record and --replay")
        }
        guard let make = configuration.makeServer else {
            throw .misuse("llm.serve: this program does not serve")
        }
        guard server.map(\.isStopped) ?? true else {
            throw .misuse("llm.serve: the script serves already; one server has all routes and models")
        }
        guard let dispatcher else { throw .misuse("llm.serve runs in scripts, not while the host starts") }
        let table = try coder.value(at: 1, of: call.stack, place: "llm.serve")
        let spec = try ServerSpec(table: table, configuration.serverOverrides)
        spec.tokenVariable.map(hideVariable)
        let broker = make()
        let address: ServerAddress
        do throws(ServerFailure) {
            address = try broker.start(spec)
        } catch {
            configuration.serverFailureNotice?(error)
            call.stack.pushNil()
            call.stack.push(error.message)
            call.stack.push(error.isAddressInUse ? "address_in_use" : "cannot_listen")
            return .returned(3)
        }
        server = RunningServer(
            broker, scheduler: scheduler, registry: dispatcher.registry, handles: handles,
            table: ServedRequestTable(coder: coder), dispatch: call.stack.reference(to: 2))
        dispatcher.onResult = { [unowned broker] event in
            if let report = UpstreamReport(event) { broker.submit(.report(report)) }
        }
        vm.setGraceful(spec.drain + RunningServer.endingSeconds)
        catchReload(hasCertificate: spec.certificate != nil)
        configuration.serverNotice?(address)
        call.stack.push(address.url)
        if let port = address.port { call.stack.push(port) } else { call.stack.pushNil() }
        return .returned(2)
    }

    private func setResponseFunctions(_ stack: LuaStack, _ handles: HostHandles) {
        // serve_respond(exchange, status, headers, body)
        stack.set("serve_respond") { call throws(LuaError) in
            let exchange = try handles.exchange(of: call)
            var response = ServedResponse(status: call.stack.int(at: 2) ?? 200, body: call.stack.bytes(at: 4) ?? [])
            if call.stack.type(at: 3) == .table {
                var fields: [(String, String)] = []
                call.stack.reserve(4)
                call.stack.forEachMember(of: 3) {
                    fields.append((call.stack.string(at: -2) ?? "", call.stack.string(at: -1) ?? ""))
                }
                for (name, value) in fields.sorted(by: { $0.0 < $1.0 }) { response.headers.add(name, value) }
            }
            exchange.submit(.respond(exchange.id, response))
            return .returned(0)
        }
        // json_body(value) -> its JSON
        stack.set("json_body") { [coder] call throws(LuaError) in
            let value = try coder.value(at: 1, of: call.stack, place: "json")
            call.stack.push(bytes: JSONWriter.bytes(value))
            return .returned(1)
        }
        // serve_end(exchange): the handler has returned nothing.
        stack.set("serve_end") { call throws(LuaError) in
            let exchange = try handles.exchange(of: call)
            exchange.submit(.end(exchange.id))
            return .returned(0)
        }
        // serve_raised(exchange): the handler has raised.
        stack.set("serve_raised") { call throws(LuaError) in
            let exchange = try handles.exchange(of: call)
            exchange.submit(.raised(exchange.id))
            return .returned(0)
        }
        // serve_over(exchange): the handler's task ends.
        stack.set("serve_over") { [unowned self] call throws(LuaError) in
            if let exchange = call.stack.object(at: 1, as: handles.exchange) { server?.ended(exchange) }
            return .returned(0)
        }
    }

    private func setStreamFunctions(_ stack: LuaStack, _ handles: HostHandles) {
        // serve_relay(exchange, call, price | nil): the stream is the response. Waits for its end: a reply; or nil, error.
        stack.set("serve_relay") { [unowned self] call throws(LuaError) in
            let exchange = try handles.exchange(of: call)
            guard let request = call.stack.object(at: 2, as: handles.call), let dispatcher else {
                throw .misuse("the request is gone")
            }
            guard request.sink == nil else {
                throw .misuse("this stream is the answer of another handler already")
            }
            exchange.submit(.open(exchange.id, model: nil))
            let price = call.argumentCount > 2 ? TokenPrice(at: 3, of: call.stack) : nil
            return try exchange.relay(request, price: price, by: dispatcher, call)
        }
        // serve_emit(exchange, name | nil, value): an event of the script's own
        stack.set("serve_emit") { [coder] call throws(LuaError) in
            let exchange = try handles.exchange(of: call)
            let value = try coder.value(at: 3, of: call.stack, place: "response:event")
            let command = ServerCommand.emit(exchange.id, name: call.stack.string(at: 2), value)
            return try exchange.write(
                command, bytes: JSONWriter.bytes(value).count, call, action: "response:event")
        }
        // serve_text(exchange, text, is_reasoning): a piece of a reply
        stack.set("serve_text") { call throws(LuaError) in
            let exchange = try handles.exchange(of: call)
            let text = UTF8Repair(call.stack.bytes(at: 2) ?? []).text
            guard !text.isEmpty else { return .returned(0) }
            let kind: TextBatch.Kind = call.stack.bool(at: 3) ?? false ? .reasoning : .text
            return try exchange.write(
                .events(exchange.id, [.text(TextBatch(text, kind))]), bytes: text.utf8.count + 64, call,
                action: "response:token")
        }
        // serve_progress(exchange, event): an event of a stream that is neither text nor the end
        stack.set("serve_progress") { [coder] call throws(LuaError) in
            let exchange = try handles.exchange(of: call)
            let table = try coder.value(at: 2, of: call.stack, place: "the handler's event")
            guard let event = ChatEvent(progress: table) else { return .returned(0) }
            return try exchange.write(.events(exchange.id, [event]), bytes: 64, call, action: "a handler")
        }
        // serve_reply(exchange, reply | text, only_end, price | nil): a whole reply, or the end of one whose text was sent
        stack.set("serve_reply") { [coder] call throws(LuaError) in
            let exchange = try handles.exchange(of: call)
            var reply: Reply
            if let bytes = call.stack.bytes(at: 2), call.stack.type(at: 2) == .string {
                reply = Reply(text: UTF8Repair(bytes).text)
            } else {
                reply = Reply(table: try coder.value(at: 2, of: call.stack, place: "the handler's reply"))
            }
            if reply.model.isEmpty, let model = exchange.model { reply.model = model }
            if call.argumentCount > 3 { reply.addCost(TokenPrice(at: 4, of: call.stack)) }
            let isEnd = call.stack.bool(at: 3) ?? false
            exchange.submit(.events(exchange.id, isEnd ? reply.ending : reply.events))
            return .returned(0)
        }
        // serve_fail(exchange, error): the error of a request
        stack.set("serve_fail") { [coder] call throws(LuaError) in
            let exchange = try handles.exchange(of: call)
            let failure = RequestFailure(table: try coder.value(at: 2, of: call.stack, place: "the handler's error"))
            exchange.submit(.events(exchange.id, [.failed(failure)]))
            return .returned(0)
        }
    }
}

extension HostHandles {
    /// The exchange at index 1.
    fileprivate func exchange(of call: HostCall) throws(LuaError) -> ServedExchange {
        guard let exchange = call.stack.object(at: 1, as: exchange) else { throw .misuse("the request is over") }
        return exchange
    }
}

extension UpstreamReport {
    /// The report of a request's last event.
    fileprivate init?(_ event: ChatEvent) {
        switch event {
        case .finish(let reply):
            // A cache has answered: the provider was not asked.
            if reply.isCached { return nil }
            self.init(
                provider: reply.provider, model: reply.model, outcome: "ok", retries: max(0, reply.attempts - 1),
                inputTokens: reply.usage?.inputTokens ?? 0, outputTokens: reply.usage?.outputTokens ?? 0,
                firstToken: reply.firstTokenTime, total: reply.totalTime)
        case .failed(let failure):
            self.init(
                provider: failure.provider, model: failure.model, outcome: failure.kind.rawValue,
                retries: max(0, failure.attempts - 1), inputTokens: failure.usage?.inputTokens ?? 0,
                outputTokens: failure.usage?.outputTokens ?? 0, firstToken: nil, total: nil)
        default: return nil
        }
    }
}
