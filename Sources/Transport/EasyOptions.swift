// All options of an easy handle but the share, each with its reason.

internal import CCurl
internal import HTTP

/// What the options of a handle say beyond the single transfer: equal for the requests to one endpoint.
@safe struct Setup: Equatable {
    let url: ParsedURL
    let method: String
    let headers: HeaderList
    let hasBody: Bool
    /// Whether the whole body is handed over, and not read by a callback.
    let keepsBody: Bool
    /// Whether the connection's socket is counted, by the gate of its origin.
    let isCounted: Bool
    let proxy: String?
    let caFile: String?
    let caFolder: String?
    let connectTimeout: Double
    let receiveBuffer: Int

    init(
        _ request: HTTPRequest, _ headers: HeaderList, to url: ParsedURL, isCounted: Bool, options: TransferOptions,
        receiveBuffer: Int
    ) {
        self.url = url
        method = request.method
        self.headers = headers
        hasBody = !request.body.isEmpty
        keepsBody = EasyHandle.keeps(request.body)
        self.isCounted = isCounted
        proxy = options.proxy
        caFile = options.caFile
        caFolder = options.caFolder
        connectTimeout = options.connectTimeout
        self.receiveBuffer = receiveBuffer
    }

    static func == (a: Setup, b: Setup) -> Bool {
        a.headers === b.headers && a.receiveBuffer == b.receiveBuffer && a.hasBody == b.hasBody
            && a.keepsBody == b.keepsBody
            && a.url.text.hasSameBytes(as: b.url.text) && a.method == b.method && a.isCounted == b.isCounted
            && a.proxy == b.proxy
            && a.caFile == b.caFile && a.caFolder == b.caFolder && a.connectTimeout == b.connectTimeout
    }

    /// Whether a handle may keep its options for the next transfer with this setup. Others are rare, and are reset.
    var isReusable: Bool { keepsBody && method == "POST" }
}

extension EasyHandle {
    /// Configures the handle for `transfer`. A handle that is not new or reset must have the same setup. Throws if curl
    /// rejects an option, or without memory.
    func configure(
        for transfer: Transfer, _ request: HTTPRequest, _ setup: Setup, isFresh: Bool, sockets: OpenSockets
    ) throws(TransportError) {
        var set = unsafe OptionWriter(raw)
        if self.setup == nil {
            keep(setup)
            setShared(setup, sockets, &set)
        }
        isReusable = setup.isReusable && transfer.trace == nil && !transfer.isTunnelled
        let user = unsafe Unmanaged.passUnretained(transfer).toOpaque()

        // Callbacks.
        unsafe set.pointer(CURLOPT_PREREQDATA, user)
        unsafe set.pointer(CURLOPT_HEADERDATA, user)
        unsafe set.pointer(CURLOPT_WRITEDATA, user)
        unsafe set.pointer(CURLOPT_OPENSOCKETDATA, user)
        unsafe set.pointer(CURLOPT_PRIVATE, user)
        if transfer.trace != nil || transfer.isTunnelled {
            set.long(CURLOPT_VERBOSE, 1)
            unsafe set.check(ccurl_set_debug(raw, traceLineArrived))
            unsafe set.pointer(CURLOPT_DEBUGDATA, user)
        }

        // Body.
        unsafe set.check(ccurl_set_offset(raw, CURLOPT_POSTFIELDSIZE_LARGE, curl_off_t(request.body.count)))
        if setup.keepsBody {
            unsafe set.pointer(CURLOPT_POSTFIELDS, keep(request.body))
        } else {
            unsafe set.check(ccurl_set_read(raw, readCallback))
            unsafe set.pointer(CURLOPT_READDATA, user)
        }

        // Connection. Set for each transfer: a running one may change them.
        // Without a body curl has nothing to rewind: a fresh connection prevents a second send.
        let couldBeResent = request.body.isEmpty && !["GET", "HEAD"].contains(request.method)
        set.long(CURLOPT_FRESH_CONNECT, isFresh || couldBeResent ? 1 : 0)
        set.long(CURLOPT_FORBID_REUSE, 0)
        set.long(CURLOPT_PIPEWAIT, setup.url.origin.isTLS ? 1 : 0)  // share an HTTP/2 connection rather than open many
        set.long(CURLOPT_CONNECTTIMEOUT_MS, Self.milliseconds(setup.connectTimeout))
        if let failure = set.failure { throw failure }
    }

    private func setShared(_ setup: Setup, _ sockets: OpenSockets, _ set: inout OptionWriter) {
        // Target and protocols.
        set.text(CURLOPT_URL, setup.url.text)
        unsafe set.check(ccurl_set_url(raw, setup.url.raw))  // parsed already
        set.text(CURLOPT_PROTOCOLS_STR, "http,https")
        set.long(CURLOPT_FOLLOWLOCATION, 0)  // a key is bound to scheme, host and port
        set.long(CURLOPT_HTTP09_ALLOWED, 0)
        set.long(CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_2TLS)
        set.long(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1)  // a proxy's head is not the answer's
        if let proxy = setup.proxy { set.text(CURLOPT_PROXY, proxy) }

        // Request. Before it leaves, `requestLeaves` is asked, which refuses a second time: curl never sends it twice.
        setMethod(setup, &set)
        unsafe set.check(ccurl_set_list(raw, CURLOPT_HTTPHEADER, setup.headers.raw))
        set.text(CURLOPT_ACCEPT_ENCODING, "identity")  // asks for none, and undoes what comes all the same
        unsafe set.check(ccurl_set_prereq(raw, requestLeaves))

        // Response.
        unsafe set.check(ccurl_set_header(raw, headerCallback))
        unsafe set.check(ccurl_set_write(raw, writeCallback))
        unsafe set.pointer(CURLOPT_ERRORBUFFER, errorText)

        // TLS: always verified.
        set.long(CURLOPT_SSL_VERIFYPEER, 1)
        set.long(CURLOPT_SSL_VERIFYHOST, 2)
        if setup.caFile != nil || setup.caFolder != nil {
            // Instead of the system's, not beside them.
            set.text(CURLOPT_CAINFO, setup.caFile)
            set.text(CURLOPT_CAPATH, setup.caFolder)
        } else if setup.url.origin.isTLS, let folder = SystemCertificates.folder {
            set.text(CURLOPT_CAINFO, nil)
            set.text(CURLOPT_CAPATH, folder)
        }

        // Sockets, timeouts and memory.
        unsafe set.check(ccurl_set_opensocket(raw, openSocket))
        if setup.isCounted {
            unsafe set.check(ccurl_set_closesocket(raw, closeSocket))
            // The connection keeps it beyond the transfer.
            unsafe set.pointer(CURLOPT_CLOSESOCKETDATA, Unmanaged.passUnretained(sockets).toOpaque())
        }
        set.long(CURLOPT_NOSIGNAL, 1)
        set.long(CURLOPT_QUICK_EXIT, 1)  // a cancel never waits for a slow resolver's thread
        set.long(CURLOPT_NOPROGRESS, 1)
        set.long(CURLOPT_TCP_NODELAY, 1)
        set.long(CURLOPT_TCP_KEEPALIVE, 1)
        set.long(CURLOPT_TCP_KEEPIDLE, 60)
        set.long(CURLOPT_TCP_KEEPINTVL, 15)
        set.long(CURLOPT_MAXAGE_CONN, 60)
        set.long(CURLOPT_BUFFERSIZE, setup.receiveBuffer)
        set.long(CURLOPT_UPLOAD_BUFFERSIZE, 16 * 1024)
    }

    /// Changes whether the connection of a running transfer is kept for reuse when it ends.
    func setReuse(_ isAllowed: Bool) {
        // Every number is accepted.
        _ = unsafe ccurl_set_long(raw, CURLOPT_FORBID_REUSE, isAllowed ? 0 : 1)
    }

    /// Lets the transfer open a connection although another one is being opened, whose protocol is not known.
    func doNotWaitForConnections() {
        // As above.
        _ = unsafe ccurl_set_long(raw, CURLOPT_PIPEWAIT, 0)
    }

    /// Changes the connect timeout of a running transfer.
    func setConnectTimeout(_ seconds: Double) {
        // The option was accepted before.
        _ = unsafe ccurl_set_long(raw, CURLOPT_CONNECTTIMEOUT_MS, Self.milliseconds(seconds))
    }

    private static func milliseconds(_ seconds: Double) -> Int { Int(min(max(seconds * 1000, 1), 2_000_000_000)) }

    private func setMethod(_ setup: Setup, _ set: inout OptionWriter) {
        if setup.method == "GET", !setup.hasBody { return set.long(CURLOPT_HTTPGET, 1) }
        if setup.method == "HEAD" { return set.long(CURLOPT_NOBODY, 1) }
        set.long(CURLOPT_POST, 1)
        if setup.method != "POST" { set.text(CURLOPT_CUSTOMREQUEST, setup.method) }
    }
}

/// Sets options and keeps the first rejection.
@safe private struct OptionWriter {
    private let easy: OpaquePointer
    private(set) var failure: TransportError?

    @unsafe init(_ easy: OpaquePointer) { unsafe self.easy = easy }

    mutating func check(_ result: CURLcode) {
        guard result != CURLE_OK, failure == nil else { return }
        let reason = unsafe String(cString: curl_easy_strerror(result))
        failure = TransportError(.other, "curl refused an option: \(reason)", curlCode: Int(result.rawValue))
    }

    mutating func long(_ option: CURLoption, _ value: Int) { unsafe check(ccurl_set_long(easy, option, value)) }
    mutating func text(_ option: CURLoption, _ value: String) { unsafe check(ccurl_set_text(easy, option, value)) }
    /// nil clears the option.
    mutating func text(_ option: CURLoption, _ value: String?) {
        if let value { text(option, value) } else { unsafe check(ccurl_set_text(easy, option, nil)) }
    }
    @unsafe mutating func pointer(_ option: CURLoption, _ value: UnsafeMutableRawPointer) {
        unsafe check(ccurl_set_pointer(easy, option, value))
    }
}
