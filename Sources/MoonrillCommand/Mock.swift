// `moonrill mock`: the offline provider as a server of its own.

internal import ArgumentParser
internal import Glibc
internal import ProviderSimulator

struct Mock: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "mock",
        abstract: "Run the offline provider: a real HTTP server on 127.0.0.1.",
        discussion: """
            It prints its base URL and serves until it is stopped. It speaks OpenAI's
            Chat Completions and Responses, Anthropic's Messages, Google's
            generateContent, Ollama's chat, text-generation-inference and Cohere's chat.
            Point any client at it:

              moonrill mock --port 8808 &
              moonrill ask --base-url http://127.0.0.1:8808/v1 --model moonrill-reasoner "Hello"

            \(FaultPlan.help)
            """)

    @Option(help: "The port; 0 lets the system choose.")
    var port = 0

    @Option(help: ArgumentHelp("What goes wrong; see above.", valueName: "spec"))
    var fault: String?

    @Option(help: ArgumentHelp("Tokens a second, each stream; 0 for as fast as they are read.", valueName: "n"))
    var rate: Double?

    @Option(
        help: ArgumentHelp(
            "Requests a second that are answered; the rest gets 429. No limit without it.", valueName: "n"))
    var limit: Double?

    func validate() throws {
        if let limit, !(limit > 0) { throw ValidationError("--limit takes a number above 0.") }
        guard (0...65535).contains(port) else { throw ValidationError("--port takes a number from 0 to 65535.") }
        if let rate, !(rate >= 0) { throw ValidationError("--rate takes a number of 0 or more.") }
    }

    func run() throws {
        // Blocked before the server's thread begins, so that only sigwait below takes them.
        var signals = sigset_t()
        sigemptyset(&signals)
        sigaddset(&signals, SIGINT)
        sigaddset(&signals, SIGTERM)
        pthread_sigmask(SIG_BLOCK, &signals, nil)
        let server = try startMock(fault: fault, rate: rate, limit: limit, port: port)
        try StandardOutput.write("\(server.baseURL)\n")
        var signal: Int32 = 0
        sigwait(&signals, &signal)
        server.stop()
        ProcessSetup.end(0)
    }
}
