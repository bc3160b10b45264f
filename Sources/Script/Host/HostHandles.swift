// The userdata types through which Lua modules hold tasks, requests, scopes, budgets, JSON readers, conversations and
// endpoints.

internal import LuaVM

/// One userdata type for each kind of object that the Lua modules hold.
struct HostHandles {
    let task: LuaUserdataType<ScriptTask>
    let call: LuaUserdataType<Call>
    let scope: LuaUserdataType<TaskScope>
    let budget: LuaUserdataType<Budget>
    let jsonReader: LuaUserdataType<JSONReaderHandle>
    let exchange: LuaUserdataType<ServedExchange>
    let history: LuaUserdataType<MessageHistory>
    let endpoint: LuaUserdataType<ClientEndpoint>
    let template: LuaUserdataType<RequestTemplate>

    /// - Parameter onCallRelease: called when the script can no longer name a request.
    init(_ vm: LuaVM, onCallRelease: @escaping (Call) -> Void) {
        task = LuaUserdataType(vm, name: "llm.task.handle")
        call = LuaUserdataType(vm, name: "llm.call.handle", onRelease: onCallRelease)
        scope = LuaUserdataType(vm, name: "llm.scope")
        budget = LuaUserdataType(vm, name: "llm.budget.handle")
        jsonReader = LuaUserdataType(vm, name: "llm.json.reader")
        exchange = LuaUserdataType(vm, name: "llm.serve.exchange")
        history = LuaUserdataType(vm, name: "llm.chat.history")
        endpoint = LuaUserdataType(vm, name: "llm.client.endpoint")
        template = LuaUserdataType(vm, name: "llm.client.template")
    }
}
