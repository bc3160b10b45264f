// Reads the table that llm.lua makes of a request into a RequestSpec. llm.lua has checked names and types. What needs the
// whole value (JSON, endpoints) is checked here.

internal import Chat
internal import HTTP
internal import JSON
internal import LuaVM
internal import Providers

/// What the requests of a client have in common that set no options of their own. Read once.
final class RequestTemplate {
    let parsed: RequestReader.Parsed

    init(_ parsed: RequestReader.Parsed) { self.parsed = parsed }
}

/// Reads requests from tables.
struct RequestReader {
    let coder: LuaCoder
    let defaults: ClientDefaults
    let endpoints: LuaUserdataType<ClientEndpoint>
    let history: LuaUserdataType<MessageHistory>
    let templates: LuaUserdataType<RequestTemplate>

    /// A request as it was read.
    struct Parsed {
        var spec: RequestSpec
        /// The part of the data that cannot be sent (text that is not UTF-8, an unreadable image). The request fails with
        /// it, unsent.
        var fault: String?
        /// Seconds of text that are gathered into one callback.
        var coalesce: Double
    }

    /// The request in the table at `index`.
    /// - Throws: ``LuaError`` that names the option at fault.
    func request(at index: Int, of stack: LuaStack, mode: CallStateMachine.Mode) throws(LuaError) -> Parsed {
        let table = stack.absolute(index)
        var parsed: Parsed
        if let template = stack.field("template", of: table, { $0.object(at: -1, as: templates) }) {
            parsed = template.parsed
        } else {
            parsed = try self.template(at: table, of: stack)
        }
        parsed.fault = stack.field("fault", of: table) { $0.string(at: -1) } ?? parsed.fault
        parsed.spec.chat.messages = try messages(of: table, stack, &parsed.fault)
        let hasCallbacks = stack.field("has_callbacks", of: table) { $0.bool(at: -1) } ?? false
        let sees = { (name: StaticString) in hasCallbacks && stack.field(name, of: table) { !$0.isNil(at: -1) } }
        let seesEvents = sees("on_event") || mode == .stream
        parsed.spec.wantsChunks = sees("on_chunk")
        parsed.spec.isObserved = seesEvents || parsed.spec.wantsChunks || sees("on_token") || sees("on_reasoning")
        parsed.spec.wantsHeartbeats = seesEvents
        parsed.spec.wantsUsage = seesEvents || sees("on_usage")
        return parsed
    }

    /// The request in the table at `index` without its messages and callbacks.
    /// - Throws: ``LuaError`` that names the option at fault.
    func template(at index: Int, of stack: LuaStack) throws(LuaError) -> Parsed {
        let table = stack.absolute(index)
        var endpoint = try self.endpoint(of: table, stack)
        for (name, value) in pairs("headers", of: table, stack) { endpoint.headers[name] = value }
        var fault: String?
        var chat = ChatRequest(
            model: stack.field("model", of: table) { $0.string(at: -1) } ?? "",
            system: try json("system", of: table, stack, &fault)?.string, messages: [])
        chat.parameters = try json("params", of: table, stack, &fault)?.object ?? [:]
        chat.isLenient = stack.field("lenient", of: table) { $0.bool(at: -1) } ?? false
        var spec = RequestSpec(chat: chat, endpoint: endpoint)
        spec.limit = limit(of: table, stack)
        spec.cache = cache(of: table, stack)
        spec.isLimited = stack.field("limit", of: table) { $0.bool(at: -1) } ?? true
        read(&spec.timeouts, of: table, stack)
        if spec.timeouts.total == nil { spec.timeouts.total = defaults.totalTimeout }
        read(&spec.retry, of: table, stack)
        stack.field("think_tags", of: table) { stack in
            let value = stack.bool(at: -1).map(JSONValue.bool) ?? stack.string(at: -1).map(JSONValue.string)
            if let mode = value.flatMap({ Quirks.ThinkTags($0) }) { spec.thinkTags = mode }
        }
        return Parsed(
            spec: spec, fault: fault, coalesce: stack.field("coalesce", of: table) { $0.double(at: -1) } ?? 0)
    }

    private func limit(of table: Int, _ stack: LuaStack) -> LimitRule? {
        stack.getField("limit", of: table)
        defer { stack.pop(1) }
        guard stack.type(at: -1) == .table else { return nil }
        let limit = stack.top
        guard let name = stack.field("name", of: limit, { $0.string(at: -1) }) else { return nil }
        return LimitRule(
            name: name, concurrent: stack.field("concurrent", of: limit) { $0.int(at: -1) },
            requestsPerMinute: stack.field("rpm", of: limit) { $0.double(at: -1) },
            tokensPerMinute: stack.field("tpm", of: limit) { $0.double(at: -1) })
    }

    /// The cache policy; nil if the request uses no cache.
    private func cache(of table: Int, _ stack: LuaStack) -> CachePolicy? {
        guard !defaults.ignoresCache else { return nil }
        stack.getField("cache", of: table)
        defer { stack.pop(1) }
        let option = stack.top
        var policy = defaults.cache
        if stack.type(at: option) == .table {
            var given = policy ?? CachePolicy()
            given.ttl = stack.field("ttl", of: option) { $0.double(at: -1) } ?? given.ttl
            let scope = stack.field("scope", of: option) { $0.string(at: -1) }
            given.scope = scope.flatMap(CachePolicy.Scope.init(rawValue:)) ?? given.scope
            given.pace = stack.field("pace", of: option) { $0.double(at: -1) } ?? given.pace
            given.isShared = stack.field("shared", of: option) { $0.bool(at: -1) } ?? given.isShared
            policy = given
        } else if let isUsed = stack.bool(at: option) {
            policy = isUsed ? policy ?? CachePolicy() : nil
        }
        if defaults.refreshesCache { policy?.isRefreshed = true }
        return policy
    }

    private func json(
        _ name: StaticString, of table: Int, _ stack: LuaStack, _ fault: inout String?
    ) throws(LuaError) -> JSONValue? {
        stack.getField(name, of: table)
        defer { stack.pop(1) }
        guard !stack.isNil(at: -1) else { return nil }
        do throws(LuaCoder.Problem) {
            return try coder.encoded(at: -1, of: stack, place: "\(name)")
        } catch {
            guard error.isData else { throw .misuse(error.description) }
            fault = fault ?? error.description
            return nil
        }
    }

    /// The messages. The first ones may be known from earlier requests of their conversation.
    private func messages(
        of table: Int, _ stack: LuaStack, _ fault: inout String?
    ) throws(LuaError) -> [JSONValue] {
        let known = stack.field("history", of: table) { $0.object(at: -1, as: history)?.messages } ?? []
        guard !known.isEmpty else { return try json("messages", of: table, stack, &fault)?.array ?? [] }
        stack.getField("messages", of: table)
        defer { stack.pop(1) }
        let list = stack.top
        var messages = known
        for number in known.count..<max(known.count, stack.length(of: list)) {
            stack.getElement(number + 1, of: list)
            defer { stack.pop(1) }
            do throws(LuaCoder.Problem) {
                messages.append(try coder.encoded(at: -1, of: stack, place: "messages[\(number + 1)]"))
            } catch {
                guard error.isData else { throw .misuse(error.description) }
                fault = fault ?? error.description
                return []
            }
        }
        return messages
    }

    private func endpoint(of table: Int, _ stack: LuaStack) throws(LuaError) -> Endpoint {
        stack.getField("endpoint", of: table)
        defer { stack.pop(1) }
        guard stack.type(at: -1) == .table,
            let client = stack.field("handle", of: -1, { $0.object(at: -1, as: endpoints) })
        else { throw .misuse("the client has lost its endpoint") }
        return client.endpoint
    }

    private func pairs(_ name: StaticString, of table: Int, _ stack: LuaStack) -> [(String, String)] {
        var result: [(String, String)] = []
        stack.getField(name, of: table)
        defer { stack.pop(1) }
        guard stack.type(at: -1) == .table else { return [] }
        stack.forEachMember(of: -1) {
            if let name = stack.string(at: -2), let value = stack.string(at: -1) { result.append((name, value)) }
        }
        return result.sorted { $0.0 < $1.0 }
    }

    private func read(_ timeouts: inout Timeouts, of table: Int, _ stack: LuaStack) {
        stack.field("timeout", of: table) { stack in
            guard stack.type(at: -1) == .table else { return }
            timeouts.connect = stack.seconds("connect") ?? timeouts.connect
            timeouts.first = stack.seconds("first") ?? timeouts.first
            timeouts.idle = stack.seconds("idle") ?? timeouts.idle
            timeouts.stall = stack.seconds("stall") ?? max(timeouts.stall, Timeouts.stall(forIdle: timeouts.idle))
            timeouts.total = stack.seconds("total") ?? timeouts.total
        }
    }

    private func read(_ retry: inout RetryPolicy, of table: Int, _ stack: LuaStack) {
        stack.field("retry", of: table) { stack in
            guard stack.type(at: -1) == .table else { return }
            retry.max = stack.field("max", of: -1) { $0.int(at: -1) } ?? retry.max
            retry.base = stack.seconds("base") ?? retry.base
            retry.cap = stack.seconds("cap") ?? retry.cap
            retry.maxWait = stack.seconds("max_wait") ?? retry.maxWait
            let policy = stack.field("after_output", of: -1) { $0.string(at: -1) }
            retry.afterOutput = policy.flatMap(AfterOutput.init(rawValue:)) ?? retry.afterOutput
        }
    }
}

extension LuaStack {
    /// Reads a field with `read`, which gets it on top of the stack. [-0, +0]
    func field<R>(_ name: StaticString, of table: Int, _ read: (LuaStack) -> R) -> R {
        getField(name, of: table)
        defer { pop(1) }
        return read(self)
    }

    fileprivate func seconds(_ name: StaticString) -> Double? { field(name, of: -1) { $0.double(at: -1) } }
}
