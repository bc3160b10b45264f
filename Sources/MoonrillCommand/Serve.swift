// `moonrill serve`: a script, or the default provider, behind HTTP.

internal import ArgumentParser
internal import Glibc
internal import Moonrill
internal import ProviderSimulator

struct Serve: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "serve",
        abstract: "Serve a script, or the default provider: a chat page, streams and chat endpoints.",
        discussion: """
            Try it without a key, then open the URL that it prints:

              moonrill serve --mock

            Without a script it serves the default provider: a chat page at /, Server-Sent Events at /stream?prompt=..., \
            a WebSocket at /ws, and the endpoints of OpenAI, Anthropic and others at /v1/chat/completions, \
            /v1/responses, /v1/messages. A script calls llm.serve; the options here win over those of the script. The \
            provider's key stays in this process. docs/serve.md describes all of it.

            SIGTERM and SIGINT end it: running responses get the seconds of --drain. SIGHUP reads the certificate again.
            """)

    @OptionGroup var options: SharedOptions

    @Option(help: "The address to listen on (127.0.0.1). Another one needs --token-env or --open.")
    var host: String?

    @Option(help: "The TCP port; 0 chooses a free one (8080).")
    var port: Int?

    @Option(help: ArgumentHelp("Listen on a Unix socket instead.", valueName: "path"))
    var unix: String?

    @Option(help: ArgumentHelp("The environment variable that holds the token of clients.", valueName: "name"))
    var tokenEnv: String?

    @Flag(help: "Serve other machines without a token.")
    var open = false

    @Option(help: ArgumentHelp("The certificate chain for TLS (PEM).", valueName: "file"))
    var tlsCert: String?

    @Option(help: ArgumentHelp("The private key for TLS (PEM).", valueName: "file"))
    var tlsKey: String?

    @Option(help: ArgumentHelp("A further name of this server, as in the header Host (repeatable).", valueName: "name"))
    var allowHost: [String] = []

    @Option(
        help: ArgumentHelp(
            "A web site whose pages may use this server (CORS), as https://example.org (repeatable).",
            valueName: "origin"))
    var allowOrigin: [String] = []

    @Flag(help: "Take the client's address from X-Forwarded-For: a proxy of yours sets it.")
    var trustProxy = false

    @Option(help: ArgumentHelp("Maximum number of open connections.", valueName: "n"))
    var maxClients: Int?

    @Option(help: ArgumentHelp("Seconds that running responses get at the end (10).", valueName: "seconds"))
    var drain: Double?

    @Argument(help: "The script's file. Without one, the default provider is served.")
    var script: String?

    @Argument(parsing: .postTerminator, help: "The script's arguments, after --.")
    var arguments: [String] = []

    func validate() throws {
        if let port, !(0...65_535).contains(port) { throw ValidationError("--port takes a number from 0 to 65535.") }
        if let maxClients, maxClients < 1 { throw ValidationError("--max-clients takes a number above 0.") }
        if let drain, !(drain >= 0) { throw ValidationError("--drain takes a number of seconds of 0 or more.") }
        if (tlsCert == nil) != (tlsKey == nil) {
            throw ValidationError("--tls-cert and --tls-key belong together: give both.")
        }
        if unix != nil, host != nil || port != nil {
            throw ValidationError("--unix takes the place of --host and --port: give one of them.")
        }
    }

    func run() throws {
        let keys = try options.settings.begin()
        let output = StandardOutput()
        var (host, mock) = try options.settings.host(output, keys, logLevel: .info)
        host.waitingIndicator = nil
        host.waitNotice = nil
        host.isLineBuffered = true
        let start = ServerStart()
        host.server = settings(output, start)
        let result: ScriptResult
        do throws(ScriptHostError) {
            if let script {
                result = try host.run(file: script, arguments: arguments)
            } else {
                result = try host.run(source: PackageResources.serve_app_lua, name: "moonrill serve")
            }
        } catch {
            throw CommandFailure(
                message: error.message, status: error.isMissingScript ? ExitStatus.noInput : ExitStatus.failure)
        }
        mock?.stop()
        if result.isSuccess, let failure = start.failure { throw failure }
        finish(result, output, options.settings.limit)
    }

    private func settings(_ output: StandardOutput, _ start: ServerStart) -> ServerSettings {
        var settings = ServerSettings()
        settings.host = host
        settings.port = port
        settings.unixPath = unix
        settings.certificateFile = tlsCert
        settings.privateKeyFile = tlsKey
        settings.tokenVariable = tokenEnv
        settings.isOpen = open
        settings.origins = allowOrigin
        settings.hosts = allowHost
        settings.trustsProxy = trustProxy
        settings.maxClients = maxClients
        settings.drain = drain
        settings.onStart = { url in
            start.failure = nil
            _ = output.write(Array("\(url)\n".utf8))
        }
        settings.onFailure = { message, isAddressInUse in
            start.failure = CommandFailure(
                message: message, status: isAddressInUse ? ExitStatus.unavailable : ExitStatus.failure)
        }
        return settings
    }
}

/// Whether the script has served. One that ends without has failed, whatever it made of the error.
private final class ServerStart {
    var failure: CommandFailure? = CommandFailure(
        message: "the script ended without llm.serve", status: ExitStatus.failure)
}
