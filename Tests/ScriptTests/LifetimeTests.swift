// A stopped run leaves nothing allocated in the program that started it.

import Engine
import Formats
import LuaVM
import ProviderSimulator
import Testing

@testable import Script

@Suite struct LifetimeTests {
    /// Each script is stopped while tasks, requests and callbacks wait for each other.
    @Test(arguments: [
        "client:ask('x', { on_error = print })", "client:start('x'):wait()", "for e in client:stream('x') do end",
        "local t = llm.spawn(function() client:ask('x') end) llm.spawn(function() t:wait() end) t:wait()",
        "local a = client:start('x') client:ask('y', { headers = { ['X-Moonrill-Fault'] = 'no-done' }, "
            + "on_token = function() a:wait() end })",
    ])
    func aStoppedRunFreesItsState(script: String) throws {
        var options = SimulatorOptions()
        options.faults = try FaultPlan.parse("slow-head:60")
        let server = try SimulatorServer.start(options)
        defer { server.stop() }
        weak var vm: LuaVM?
        do {
            let source = "local llm = require 'llm' local client = llm.client {} " + script
            var configuration = ScriptConfiguration(source: Array(source.utf8), name: "test.lua")
            configuration.defaults.provider = "mock"
            configuration.defaults.offlineBaseURL = server.baseURL
            configuration.timeLimit = 0.1
            let engine = try Engine(EngineConfiguration(credentials: { _ in nil }, format: FormatCatalog.named))
            let runtime = try ScriptRuntime(
                configuration, broker: engine.attach(), wakeDescriptor: engine.wakeDescriptor)
            vm = runtime.vm
            guard case .timedOut = runtime.run(turning: engine) else {
                Issue.record("the run was not stopped")
                return
            }
        }
        #expect(vm == nil)
    }
}
