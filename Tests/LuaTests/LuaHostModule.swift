// What test scripts get from `require "host"`: counts of the simulator, canned replies, and a temporary folder.

import Foundation
import JSON
import Moonrill
import ProviderSimulator
import ScriptSupport
import Support

/// The functions of the module `host`. Tests/Lua/README.md lists them.
final class LuaHostModule {
    private let simulator: SimulatorServer
    private let received: RequestLog
    private let log: LogLines
    private let answers = Locked([(body: String, headers: [String])]())
    private var server: RawServer?
    private var listeners: [FullListener] = []
    private var folder: TemporaryFolder?

    init(_ simulator: SimulatorServer, _ received: RequestLog, _ log: LogLines) {
        (self.simulator, self.received, self.log) = (simulator, received, log)
    }

    func stop() { server?.stop() }

    func register(in host: inout ScriptHost) {
        host.register("requests") { _ in [.int(Int64(self.received.all.count))] }
        host.register("aborted") { _ in [.int(Int64(self.simulator.statistics().aborted))] }
        host.register("events") { _ in [.int(Int64(self.simulator.statistics().events))] }
        host.register("request") { arguments in
            let received = self.received.all
            guard let number = arguments.first?.int.map(Int.init), received.indices.contains(number - 1) else {
                return [.null]
            }
            return [received[number - 1].value]
        }
        host.register("answer") { arguments in
            let headers = (arguments.dropFirst().first?.array ?? []).compactMap(\.string)
            self.answers.withLock { $0.append((arguments.first?.string ?? "", headers)) }
            return []
        }
        host.register("url") { _ in [.string(try self.cannedServer().url)] }
        host.register("refused") { _ in
            let server = try RawServer { _ in }
            server.stop()
            return [.string(server.url)]
        }
        host.register("silent") { _ in
            let listener = try FullListener()
            self.listeners.append(listener)
            return [.string("http://127.0.0.1:\(listener.port)")]
        }
        registerOthers(in: &host)
    }

    private func registerOthers(in host: inout ScriptHost) {
        host.register("folder") { _ in [.string(try self.temporaryFolder().url.path)] }
        host.register("files") { _ in
            let names = try FileManager.default.contentsOfDirectory(atPath: self.temporaryFolder().url.path)
            return [.array(names.sorted().map { .string($0) })]
        }
        host.register("logged") { arguments in
            let text = arguments.first?.string ?? ""
            return [.bool(self.log.all.contains { $0.contains(text) })]
        }
        host.register("echo") { $0 }
        host.register("fail") { _ in throw OddError() }
    }

    /// The server of canned replies: the nth request gets the nth reply, every further one the last.
    private func cannedServer() throws -> RawServer {
        if let server { return server }
        let received = self.received
        let answers = self.answers
        let count = Locked(0)
        let made = try RawServer { connection in
            while let request = connection.readRequest() {
                received.add(ReceivedRequest(request))
                let number = count.withLock { count in
                    count += 1
                    return count
                }
                let answer = answers.withLock { $0.isEmpty ? nil : $0[min(number, $0.count) - 1] }
                guard let answer, connection.answer(answer.body, headers: answer.headers) else { return }
            }
        }
        server = made
        return made
    }

    private func temporaryFolder() throws -> TemporaryFolder {
        if let folder { return folder }
        let made = try TemporaryFolder()
        folder = made
        return made
    }
}

/// What `host.fail` throws.
private struct OddError: Error, CustomStringConvertible {
    var description: String { "odd thing" }
}

extension ReceivedRequest {
    /// The request as scripts see it. Names of headers are in lower case.
    fileprivate var value: JSONValue {
        var fields = JSONObject()
        for field in headers { fields[field.name.lowercased()] = .string(field.value) }
        return ["path": .string(path), "headers": .object(fields), "body": json]
    }
}
