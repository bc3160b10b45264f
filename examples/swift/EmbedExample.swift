// Embeds Moonrill in a Swift program: a Lua script calls Swift and streams a reply, then Swift streams one itself.
//
//   swift run EmbedExample http://127.0.0.1:8808/v1       with `moonrill mock --port 8808` running

import Moonrill

@main
struct EmbedExample {
    static func main() async throws {
        guard CommandLine.arguments.count == 2 else {
            print("usage: EmbedExample BASE_URL (moonrill mock prints one)")
            return
        }
        let baseURL = CommandLine.arguments[1]
        try runScript(baseURL)
        try await stream(baseURL)
    }

    /// A script with captured output and a Swift function.
    static func runScript(_ baseURL: String) throws {
        var host = ScriptHost()
        host.offlineBaseURL = baseURL
        host.register("shout") { arguments in [.string((arguments.first?.string ?? "").uppercased())] }
        let result = try host.run(
            source: """
                local llm, host = require "llm", require "host"
                local reply = assert(llm.client {}:ask("Say hello."))
                print(host.shout(reply.finish_reason), #reply.text > 0)
                """, name: "embedded")
        print("script:", result.output, terminator: "")
        if !result.isSuccess { print("failed:", result.ending) }
    }

    /// Streams a reply from async Swift.
    static func stream(_ baseURL: String) async throws {
        let client = try ChatClient(model: "moonrill-chat", baseURL: baseURL)
        var tokens = 0
        for try await event in client.stream("Say hello.") {
            switch event {
            case .text(let batch): tokens += batch.count
            case .finish(let reply): print("stream:", tokens > 0, reply.finishReason?.rawValue ?? "none")
            default: break
            }
        }
    }
}
