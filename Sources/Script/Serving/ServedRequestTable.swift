// A request to the server as a Lua table (types/llm.lua, llm.serve.request).

internal import Base
internal import Chat
internal import Formats
internal import HTTP
internal import JSON
internal import LuaVM

/// Pushes requests as tables. [-0, +1]
struct ServedRequestTable {
    let coder: LuaCoder

    func push(_ request: ServedRequest, to stack: LuaStack) {
        stack.pushTable(fields: 16)
        stack.set("id", request.requestID)
        stack.set("method", request.method)
        stack.set("path", request.path)
        stack.set("client", request.client)
        stack.push(bytes: request.body)
        stack.setField("body", of: -2)
        push(request.query.map { ($0.name, $0.value) }, named: "query", to: stack)
        push(request.headers.map { ($0.name.lowercased(), $0.value) }, named: "headers", to: stack)
        push(request.parameters.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }, named: "params", to: stack)
        if let chat = request.chat { push(chat, to: stack) }
    }

    /// The first value of each name counts.
    private func push(_ pairs: [(String, String)], named name: StaticString, to stack: LuaStack) {
        stack.pushTable(fields: pairs.count)
        for (name, value) in pairs.reversed() { stack.set(named: name, value) }
        stack.setField(name, of: -2)
    }

    /// The members of a request for a model: `messages` and `options` are arguments for `client:stream`.
    private func push(_ chat: ChatRequest, to stack: LuaStack) {
        stack.set("model", chat.model)
        stack.set("system", chat.system)
        coder.push(.array(chat.messages), to: stack)
        stack.setField("messages", of: -2)
        var options: JSONObject = ["lenient": true]
        if let system = chat.system { options["system"] = .string(system) }
        var others = JSONObject()
        for member in chat.parameters {
            switch CommonOption(rawValue: member.key) {
            // One reply is asked for, and its stream is the server's own affair.
            case .n, .streamOptions: break
            case .some: if !member.value.isNull { options[member.key] = member.value }
            case nil: others[member.key] = member.value
            }
        }
        coder.push(.object(options), to: stack)
        stack.setField("options", of: -2)
        coder.push(.object(others), to: stack)
        stack.setField("other_options", of: -2)
    }
}

extension LuaStack {
    /// Sets a field of the table on top. [-0, +0]
    fileprivate func set(named name: String, _ value: String) {
        push(value)
        setField(named: name, of: -2)
    }
}
