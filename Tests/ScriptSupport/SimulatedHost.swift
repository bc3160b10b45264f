// A script host whose default provider is a provider simulator on a port that the kernel chooses.

internal import Foundation
package import HTTP
package import JSON
package import Moonrill
package import ProviderSimulator
package import Support

/// A script host, the simulator that its clients reach, and the requests that arrived there.
package final class SimulatedHost {
    package let server: SimulatorServer
    package let received: RequestLog
    package var host: ScriptHost

    /// - Parameters:
    ///   - faults: as in `moonrill mock --fault`.
    ///   - rate: deltas a second; 0 for no limit.
    ///   - limit: requests a second that are answered.
    ///   - announcesLimit: whether replies have rate limit headers.
    package init(
        faults: String = "", rate: Double = 0, limit: Double? = nil, announcesLimit: Bool = true,
        host: ScriptHost = ScriptHost()
    ) throws {
        let received = RequestLog()
        var options = SimulatorOptions()
        options.rate = rate
        options.limit = limit
        options.tellsLimit = announcesLimit
        options.faults = try FaultPlan.parse(faults)
        options.onRequest = { received.add($0) }
        server = try SimulatorServer.start(options)
        self.received = received
        self.host = host
        self.host.offlineBaseURL = server.baseURL
        self.host.timeLimit = 30
    }

    package func stop() { server.stop() }

    /// Waits until the simulator has seen `count` connections close early, five seconds at most. It sees them in its own
    /// loop, some time after the script has ended.
    package func waitForAborts(_ count: Int) {
        let deadline = Date().addingTimeInterval(5)
        while server.statistics().aborted < count, Date() < deadline { usleep(2_000) }
    }
}

/// A request that a test server received.
package struct ReceivedRequest: Sendable {
    package var path: String
    package var headers: HTTPHeaders
    package var body: [UInt8]

    package init(_ request: ObservedRequest) {
        (path, headers, body) = (request.path, request.headers, request.body)
    }

    package init(_ request: RawRequest) {
        let parts = request.line.split(separator: " ")
        path = parts.count > 1 ? String(parts[1]) : ""
        headers = HTTPHeaders()
        for (name, value) in request.headers { headers.add(name, value) }
        body = request.body
    }

    /// The body, decoded; null if it is no JSON.
    package var json: JSONValue { (try? JSONReader.value(body)) ?? .null }
}

/// The requests that test servers received, in order.
package final class RequestLog: Sendable {
    private let requests = Locked([ReceivedRequest]())

    package init() {}

    package func add(_ request: ObservedRequest) { add(ReceivedRequest(request)) }

    package func add(_ request: ReceivedRequest) { requests.withLock { $0.append(request) } }

    package var all: [ReceivedRequest] { requests.withLock { $0 } }
}
