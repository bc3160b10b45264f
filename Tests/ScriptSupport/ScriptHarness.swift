// Runs a script in this process against the provider simulator.

package import Foundation
package import JSON
package import Moonrill
package import ProviderSimulator
internal import Support

/// What came of a run.
package struct ScriptHarness {
    package var result: ScriptResult
    package var requests: [ReceivedRequest]
    package var statistics: SimulatorStatistics

    /// The lines printed, with a space where print puts a tab.
    package var lines: [String] {
        result.output.replacing("\t", with: " ").split(separator: "\n").map(String.init)
    }

    /// The message of a script that failed; "" for one that did not.
    package var failure: String {
        if case .failed(let message, _) = result.ending { message } else { "" }
    }

    /// The bodies of the requests, in order.
    package var bodies: [JSONValue] { requests.map(\.json) }

    /// The first line of every script, so that the script proper begins in line 2. The client's replies are
    /// "tok1 tok2 tok3 ", unless a request has other headers.
    package static let prelude =
        "local llm = require 'llm' local client = llm.client { headers = { ['X-Moonrill-Deltas'] = '3' } } "
        + "local function count(n) return { ['X-Moonrill-Deltas'] = tostring(n) } end "
        + "local function fault(f, n) return { ['X-Moonrill-Fault'] = f, ['X-Moonrill-Deltas'] = tostring(n or 3) } end\n"

    /// Runs `lua` with the simulator as the default provider.
    package static func run(
        _ lua: String, faults: String = "", rate: Double = 0, limit: Double? = nil, announcesLimit: Bool = true,
        prelude: String = ScriptHarness.prelude,
        directory: URL? = nil, settleAborts: Int = 0, _ configure: (inout ScriptHost) -> Void = { _ in }
    ) throws -> ScriptHarness {
        let simulated = try SimulatedHost(faults: faults, rate: rate, limit: limit, announcesLimit: announcesLimit)
        defer { simulated.stop() }
        // What the simulator has seen so far, for scripts that wait for it.
        let (server, received) = (simulated.server, simulated.received)
        simulated.host.register("requests") { _ in [.int(Int64(received.all.count))] }
        simulated.host.register("aborted") { _ in [.int(Int64(server.statistics().aborted))] }
        configure(&simulated.host)
        let result: ScriptResult
        if let directory {
            let file = directory.appendingPathComponent("main.lua")
            try Data((prelude + lua).utf8).write(to: file)
            result = try simulated.host.run(file: file.path)
        } else {
            result = try simulated.host.run(source: prelude + lua, name: "test.lua")
        }
        simulated.waitForAborts(settleAborts)
        return ScriptHarness(
            result: result, requests: received.all, statistics: server.statistics())
    }
}
