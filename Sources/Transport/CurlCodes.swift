// Maps curl's result codes to transport errors.

internal import CCurl

extension TransportError {
    /// Facts about a failed transfer beside curl's code.
    struct Circumstances {
        var origin: String
        /// curl's error line; may be empty.
        var detail: String
        var requestWasSent: Bool
        var outOfDescriptors: Bool
        /// The proxy, or nil.
        var proxy: Proxy?
        /// Status of a proxy's response to CONNECT; 0 without one.
        var proxyStatus: Int
        /// CURLINFO_PROXY_ERROR: reply of a SOCKS proxy.
        var proxyError: Int
    }

    /// The error for a result other than CURLE_OK.
    init(_ result: CURLcode, _ known: Circumstances) {
        let reason =
            switch result {
            // curl names the rewind it wanted to do next, not the cause.
            case CURLE_SEND_FAIL_REWIND, CURLE_READ_ERROR, CURLE_ABORTED_BY_CALLBACK:
                "the connection was lost before the answer began"
            default:
                unsafe known.detail.isEmpty ? String(cString: curl_easy_strerror(result)) : Self.marked(known.detail)
            }
        let proxy = known.proxy.map { " through the proxy \($0.address)" } ?? ""
        let text = "\(known.origin)\(proxy): \(reason) (curl \(result.rawValue))"
        self.init(Self.code(of: result, known), text, curlCode: Int(result.rawValue))
    }

    /// curl's error line, cut at the end of its buffer; a secret in it may be cut too.
    private static func marked(_ detail: String) -> String {
        detail.utf8.count >= Int(CURL_ERROR_SIZE) - 1 ? detail + "..." : detail
    }

    /// A proxy address that curl would misread: curl would repeat it in messages, password included.
    static func unreadable(_ proxy: Proxy) -> TransportError {
        let place = proxy.variable.map { "the environment variable \($0)" } ?? "the proxy option"
        return TransportError(
            .proxyAddress,
            "\(place) names a proxy whose address cannot be read: write http://user:password@host:port, with every "
                + "character of user and password that is no letter, digit, - . _ or ~ percent-encoded")
    }

    private static func code(of result: CURLcode, _ known: Circumstances) -> Code {
        if known.outOfDescriptors { return .tooManyDescriptors }
        if known.proxyStatus >= 300 { return .proxy }
        return switch result {
        case CURLE_COULDNT_RESOLVE_HOST: .resolve
        case CURLE_COULDNT_RESOLVE_PROXY: .proxy
        case CURLE_PROXY: code(ofProxy: known.proxyError)
        case CURLE_COULDNT_CONNECT: .connect
        // The connect timeout is the only timeout that curl has.
        case CURLE_OPERATION_TIMEDOUT: .connectTimeout
        case CURLE_SSL_CONNECT_ERROR: .tlsHandshake
        case CURLE_PEER_FAILED_VERIFICATION, CURLE_SSL_CERTPROBLEM, CURLE_SSL_CIPHER, CURLE_SSL_CACERT_BADFILE,
            CURLE_SSL_CRL_BADFILE, CURLE_SSL_ISSUER_ERROR, CURLE_SSL_PINNEDPUBKEYNOTMATCH,
            CURLE_SSL_INVALIDCERTSTATUS, CURLE_SSL_CLIENTCERT, CURLE_SSL_ENGINE_NOTFOUND, CURLE_SSL_ENGINE_SETFAILED,
            CURLE_SSL_ENGINE_INITFAILED:
            .tls
        case CURLE_GOT_NOTHING: .emptyReply
        // 65: curl would have sent the body again. 42: our read callback refused that.
        case CURLE_SEND_ERROR, CURLE_SEND_FAIL_REWIND, CURLE_ABORTED_BY_CALLBACK, CURLE_READ_ERROR: .sendFailed
        case CURLE_RECV_ERROR: .receive
        case CURLE_PARTIAL_FILE: .partialBody
        case CURLE_HTTP2, CURLE_HTTP2_STREAM: .http2Stream
        // 1: an unknown scheme, or an HTTP/0.9 response.
        case CURLE_UNSUPPORTED_PROTOCOL: known.requestWasSent ? .badResponse : .unsupportedURL
        case CURLE_URL_MALFORMAT: .unsupportedURL
        case CURLE_WEIRD_SERVER_REPLY, CURLE_BAD_CONTENT_ENCODING, CURLE_FILESIZE_EXCEEDED, CURLE_WRITE_ERROR:
            .badResponse
        default: .other
        }
    }

    /// Meaning of a SOCKS refusal (RFC 1928 section 6): "not allowed" and a missing password are permanent, the rest
    /// is retried as for a server.
    private static func code(ofProxy error: Int) -> Code {
        switch CURLproxycode(UInt32(clamping: error)) {
        case CURLPX_REPLY_CONNECTION_REFUSED, CURLPX_REPLY_GENERAL_SERVER_FAILURE, CURLPX_REPLY_HOST_UNREACHABLE,
            CURLPX_REPLY_NETWORK_UNREACHABLE, CURLPX_REPLY_TTL_EXPIRED, CURLPX_REQUEST_FAILED, CURLPX_CLOSED,
            CURLPX_RECV_ADDRESS, CURLPX_RECV_AUTH, CURLPX_RECV_CONNECT, CURLPX_RECV_REQACK, CURLPX_SEND_AUTH,
            CURLPX_SEND_CONNECT, CURLPX_SEND_REQUEST:
            .connect
        case CURLPX_RESOLVE_HOST: .resolver
        default: .proxy
        }
    }
}
