// How a host lets scripts serve: what the program decides before the script's own options.

internal import Chat
internal import Script

/// Settings of the server that a script starts with `llm.serve`. Those that are set win over the script's options.
public struct ServerSettings {
    /// The address to listen on.
    public var host: String?
    /// The TCP port; 0 lets the kernel choose.
    public var port: Int?
    /// The path of a Unix socket, in place of host and port.
    public var unixPath: String?
    /// The file of the TLS certificate chain (PEM). It needs ``privateKeyFile``.
    public var certificateFile: String?
    /// The file of the private key (PEM).
    public var privateKeyFile: String?
    /// The name of the variable that holds the token which clients must send. ``ScriptHost/credentials`` has its value.
    public var tokenVariable: String?
    /// Whether an address that other machines can reach may be served without a token.
    public var isOpen = false
    /// Origins of web pages on other sites that may use the server (CORS), besides the script's.
    public var origins: [String] = []
    /// Names under which the server may be asked, besides the script's.
    public var hosts: [String] = []
    /// Whether `X-Forwarded-For` names the client: a proxy of yours sets it.
    public var trustsProxy = false
    /// Maximum number of open connections.
    public var maxClients: Int?
    /// Seconds that running responses get when the server stops.
    public var drain: Double?
    /// Called on the script's thread with the server's URL once it listens.
    public var onStart: ((String) -> Void)?
    /// Called on the script's thread when the server cannot listen: with the problem, and whether the address is in use. The
    /// script gets the error from `llm.serve`, too, and may ignore it.
    public var onFailure: ((_ message: String, _ isAddressInUse: Bool) -> Void)?

    /// Settings that leave everything to the script.
    public init() {}

    var overrides: ServerOverrides {
        var overrides = ServerOverrides()
        overrides.host = host
        overrides.port = port
        overrides.unixPath = unixPath
        if let certificateFile, let privateKeyFile {
            overrides.certificate = CertificateFiles(chain: certificateFile, key: privateKeyFile)
        }
        overrides.tokenVariable = tokenVariable
        overrides.isOpen = isOpen
        overrides.origins = origins
        overrides.hosts = hosts
        overrides.trustsProxy = trustsProxy
        overrides.maxClients = maxClients
        overrides.drain = drain
        return overrides
    }
}
