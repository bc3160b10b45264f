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
    /// The responses to `fetch`; nil for those that have not come.
    private let fetches = Locked([[JSONValue]?]())
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
        registerFetch(in: &host)
        host.register("echo") { $0 }
        host.register("fail") { _ in throw OddError() }
    }

    /// Requests to a server of the script itself, on threads: the script's own has to serve meanwhile.
    private func registerFetch(in host: inout ScriptHost) {
        host.register("fetch") { arguments in
            let number = self.fetches.withLock { fetches in
                fetches.append(nil)
                return fetches.count
            }
            let texts = arguments.map { $0.string ?? "" }
            let fields = (arguments.count > 3 ? arguments[3].object : nil) ?? [:]
            let headers = fields.reduce(into: [String: String]()) { $0[$1.key] = $1.value.string }
            let body = texts.count > 4 ? texts[4] : ""
            let port = Int(arguments.first?.int ?? 0)
            let fetches = self.fetches
            Thread {
                let result: [JSONValue]
                do {
                    let answer = try WebClient.fetch(port: port, texts[1], texts[2], headers: headers, body: body)
                    let fields = answer.headers.reduce(into: JSONObject()) { $0[$1.key] = .string($1.value) }
                    result = [.int(Int64(answer.status)), .string(answer.body), .object(fields)]
                } catch {
                    result = [.int(0), .string("\(error)"), .object([:])]
                }
                fetches.withLock { $0[number - 1] = result }
            }.start()
            return [.int(Int64(number))]
        }
        host.register("fetched") { arguments in
            let number = Int(arguments.first?.int ?? 0)
            return self.fetches.withLock { $0[number - 1] } ?? []
        }
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
