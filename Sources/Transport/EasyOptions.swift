// All options of an easy handle, each with its reason.

internal import CCurl
internal import HTTP

extension EasyHandle {
    /// Configures the handle for `transfer`. Throws if curl rejects an option, or without memory.
    func configure(
        for transfer: Transfer, _ request: HTTPRequest, to origin: Origin, options: TransferOptions,
        receiveBuffer: Int, sockets: OpenSockets
    ) throws(TransportError) {
        try setHeaders(request)
        var set = unsafe OptionWriter(raw)
        let user = unsafe Unmanaged.passUnretained(transfer).toOpaque()

        // Target and protocols.
        set.text(CURLOPT_URL, request.url)
        set.text(CURLOPT_PROTOCOLS_STR, "http,https")
        set.long(CURLOPT_FOLLOWLOCATION, 0)  // a key is bound to scheme, host and port
        set.long(CURLOPT_HTTP09_ALLOWED, 0)
        set.long(CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_2TLS)
        set.long(CURLOPT_PIPEWAIT, origin.isTLS ? 1 : 0)  // share an HTTP/2 connection rather than open many
        set.long(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1)  // a proxy's head is not the answer's
        if let proxy = options.proxy { set.text(CURLOPT_PROXY, proxy) }
        // Without a body curl has nothing to rewind: a fresh connection prevents a second send.
        let couldBeResent = request.body.isEmpty && !["GET", "HEAD"].contains(request.method)
        if options.freshConnection || couldBeResent { set.long(CURLOPT_FRESH_CONNECT, 1) }

        // Request. Before it leaves, `requestLeaves` is asked, which refuses a second time: curl never sends it twice.
        setMethod(request, &set)
        unsafe set.check(ccurl_set_list(raw, CURLOPT_HTTPHEADER, headerList))
        set.text(CURLOPT_ACCEPT_ENCODING, "identity")  // asks for none, and undoes what comes all the same
        unsafe set.check(ccurl_set_prereq(raw, requestLeaves))
        unsafe set.pointer(CURLOPT_PREREQDATA, user)
        if Self.keeps(request.body) {
            unsafe set.pointer(CURLOPT_POSTFIELDS, keep(request.body))
        } else {
            unsafe set.check(ccurl_set_read(raw, readCallback))
            unsafe set.pointer(CURLOPT_READDATA, user)
        }

        // Response.
        unsafe set.check(ccurl_set_header(raw, headerCallback))
        unsafe set.pointer(CURLOPT_HEADERDATA, user)
        unsafe set.check(ccurl_set_write(raw, writeCallback))
        unsafe set.pointer(CURLOPT_WRITEDATA, user)
        unsafe set.pointer(CURLOPT_PRIVATE, user)
        unsafe set.pointer(CURLOPT_ERRORBUFFER, errorText)
        if transfer.trace != nil || transfer.isTunnelled {
            set.long(CURLOPT_VERBOSE, 1)
            unsafe set.check(ccurl_set_debug(raw, traceLineArrived))
            unsafe set.pointer(CURLOPT_DEBUGDATA, user)
        }

        // TLS: always verified.
        set.long(CURLOPT_SSL_VERIFYPEER, 1)
        set.long(CURLOPT_SSL_VERIFYHOST, 2)
        if options.caFile != nil || options.caFolder != nil {
            // Instead of the system's, not beside them.
            set.text(CURLOPT_CAINFO, options.caFile)
            set.text(CURLOPT_CAPATH, options.caFolder)
        } else if origin.isTLS, let folder = SystemCertificates.folder {
            set.text(CURLOPT_CAINFO, nil)
            set.text(CURLOPT_CAPATH, folder)
        }

        // Sockets, timeouts and memory.
        unsafe set.check(ccurl_set_opensocket(raw, openSocket))
        unsafe set.pointer(CURLOPT_OPENSOCKETDATA, user)
        if transfer.gate != nil {
            unsafe set.check(ccurl_set_closesocket(raw, closeSocket))
            // The connection keeps it beyond the transfer.
            unsafe set.pointer(CURLOPT_CLOSESOCKETDATA, Unmanaged.passUnretained(sockets).toOpaque())
        }
        set.long(CURLOPT_NOSIGNAL, 1)
        set.long(CURLOPT_QUICK_EXIT, 1)  // a cancel never waits for a slow resolver's thread
        set.long(CURLOPT_NOPROGRESS, 1)
        set.long(CURLOPT_CONNECTTIMEOUT_MS, Self.milliseconds(options.connectTimeout))
        set.long(CURLOPT_TCP_NODELAY, 1)
        set.long(CURLOPT_TCP_KEEPALIVE, 1)
        set.long(CURLOPT_TCP_KEEPIDLE, 60)
        set.long(CURLOPT_TCP_KEEPINTVL, 15)
        set.long(CURLOPT_MAXAGE_CONN, 60)
        set.long(CURLOPT_BUFFERSIZE, receiveBuffer)
        set.long(CURLOPT_UPLOAD_BUFFERSIZE, 16 * 1024)
        if let failure = set.failure { throw failure }
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

    private func setMethod(_ request: HTTPRequest, _ set: inout OptionWriter) {
        if request.method == "GET", request.body.isEmpty { return set.long(CURLOPT_HTTPGET, 1) }
        if request.method == "HEAD" { return set.long(CURLOPT_NOBODY, 1) }
        set.long(CURLOPT_POST, 1)
        unsafe set.check(ccurl_set_offset(raw, CURLOPT_POSTFIELDSIZE_LARGE, curl_off_t(request.body.count)))
        if request.method != "POST" { set.text(CURLOPT_CUSTOMREQUEST, request.method) }
    }

    private func setHeaders(_ request: HTTPRequest) throws(TransportError) {
        for field in request.headers {
            // "Name:" would remove the field; "Name;" sends it empty.
            let isEmpty = field.value.utf8.allSatisfy { $0 == 0x20 || $0 == 0x09 }
            try addHeader(isEmpty ? "\(field.name);" : "\(field.name): \(field.value)")
        }
        // Fields that curl would add.
        for name in ["Accept", "Content-Type"] where request.headers[name] == nil { try addHeader("\(name):") }
        try addHeader("Expect:")
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
