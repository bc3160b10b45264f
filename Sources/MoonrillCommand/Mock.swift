// `moonrill mock`: the offline provider as a server.

internal import ArgumentParser
internal import Formats
internal import Glibc
internal import ProviderSimulator

struct Mock: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "mock",
        abstract: "Run the offline provider: a real HTTP server on 127.0.0.1.",
        usage: "moonrill mock [<options>]",
        discussion: """
            It prints its base URL and serves until it is stopped. It supports every dialect: \
            \(FormatCatalog.names.joined(separator: ", ")). For any client:

              moonrill mock --port 8808 &
              moonrill ask --base-url http://127.0.0.1:8808/v1 -m moonrill-reasoner "Hello"
            """)

    @Option(help: "The port; 0: the system chooses one.")
    var port = 0

    @Option(
        help: ArgumentHelp(
            "Faults of the replies, with commas between them.", discussion: FaultPlan.overview, valueName: "spec"))
    var fault: FaultOption?

    @Option(help: ArgumentHelp("Tokens per second of each stream; 0: as fast as they are read.", valueName: "n"))
    var rate: Double?

    @Option(
        help: ArgumentHelp(
            "Requests per second that are answered; others get 429. Default: no limit.", valueName: "n"))
    var limit: Double?

    @Option(
        help: ArgumentHelp(
            "Give the replies of this recording (moonrill run --record), in whatever format is asked for.",
            valueName: "file"))
    var replay: String?

    func validate() throws {
        if let limit, !(limit > 0) { throw ValidationError("--limit takes a number above 0.") }
        guard (0...65535).contains(port) else { throw ValidationError("--port takes a number from 0 to 65535.") }
        if let rate, !(rate >= 0) { throw ValidationError("--rate takes a number of 0 or more.") }
    }

    func run() throws {
        // Blocked before the server's thread starts, so that only sigwait below receives them.
        var signals = sigset_t()
        sigemptyset(&signals)
        sigaddset(&signals, SIGINT)
        sigaddset(&signals, SIGTERM)
        pthread_sigmask(SIG_BLOCK, &signals, nil)
        let server = try startMock(fault: fault?.spec, rate: rate, limit: limit, port: port, recording: replay)
        try StandardOutput.write("\(server.baseURL)\n")
        var signal: Int32 = 0
        sigwait(&signals, &signal)
        server.stop()
        ProcessSetup.end(0)
    }
}

/// `moonrill mock --fault`: a plan of faults as text. Its help lists each kind of fault.
struct FaultOption: ExpressibleByArgument {
    let spec: String

    init(argument: String) { spec = argument }

    static var allValueStrings: [String] { FaultPlan.forms.map(\.syntax) }
    static var allValueDescriptions: [String: String] {
        Dictionary(FaultPlan.forms.map { ($0.syntax, $0.meaning) }) { first, _ in first }
    }
    static var defaultCompletionKind: CompletionKind { .default }
}
