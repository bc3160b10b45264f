// What curl's result codes mean to a retry policy: one table. Pure; only Multi reads it, when a transfer is over.

internal import CCurl

extension TransportError {
    /// What is known beside curl's code when a transfer failed.
    struct Circumstances {
        var origin: String
        /// curl's own line about the failure; may be empty.
        var detail: String
        var requestWasSent: Bool
        var outOfDescriptors: Bool
        /// The proxy on the way; nil for none.
        var proxy: Proxy?
        /// The status of a proxy's answer to CONNECT; 0 if there was none.
        var proxyStatus: Int
        /// CURLINFO_PROXY_ERROR: the reply of a SOCKS proxy.
        var proxyError: Int
    }

    /// The error for a result that is not CURLE_OK.
    init(_ result: CURLcode, _ known: Circumstances) {
        let reason =
            switch result {
            // Curl speaks of a rewind: of what it wanted to do next, and not of what happened.
            case CURLE_SEND_FAIL_REWIND, CURLE_READ_ERROR, CURLE_ABORTED_BY_CALLBACK:
                "the connection was lost before the answer began"
            default:
                unsafe known.detail.isEmpty ? String(cString: curl_easy_strerror(result)) : Self.marked(known.detail)
            }
        let proxy = known.proxy.map { " through the proxy \($0.address)" } ?? ""
        let text = "\(known.origin)\(proxy): \(reason) (curl \(result.rawValue))"
        self.init(Self.code(of: result, known), text, curlCode: Int(result.rawValue))
    }

    /// curl's error line, cut at the end of its buffer: a secret in it may be cut too.
    private static func marked(_ detail: String) -> String {
        detail.utf8.count >= Int(CURL_ERROR_SIZE) - 1 ? detail + "..." : detail
    }

    /// A proxy whose address curl would read otherwise than it is meant, or not at all: curl would repeat it, with its
    /// password.
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
        // The only clock given to curl is the connect timeout.
        case CURLE_OPERATION_TIMEDOUT: .connectTimeout
        case CURLE_SSL_CONNECT_ERROR: .tlsHandshake
        case CURLE_PEER_FAILED_VERIFICATION, CURLE_SSL_CERTPROBLEM, CURLE_SSL_CIPHER, CURLE_SSL_CACERT_BADFILE,
            CURLE_SSL_CRL_BADFILE, CURLE_SSL_ISSUER_ERROR, CURLE_SSL_PINNEDPUBKEYNOTMATCH,
            CURLE_SSL_INVALIDCERTSTATUS, CURLE_SSL_CLIENTCERT, CURLE_SSL_ENGINE_NOTFOUND, CURLE_SSL_ENGINE_SETFAILED,
            CURLE_SSL_ENGINE_INITFAILED:
            .tls
        case CURLE_GOT_NOTHING: .emptyReply
        // 65 is how curl says "I would have sent the body again"; 42 is our read callback refusing the same.
        case CURLE_SEND_ERROR, CURLE_SEND_FAIL_REWIND, CURLE_ABORTED_BY_CALLBACK, CURLE_READ_ERROR: .sendFailed
        case CURLE_RECV_ERROR: .receive
        case CURLE_PARTIAL_FILE: .partialBody
        case CURLE_HTTP2, CURLE_HTTP2_STREAM: .http2Stream
        // 1 is both a scheme curl lacks and an HTTP/0.9 answer.
        case CURLE_UNSUPPORTED_PROTOCOL: known.requestWasSent ? .badResponse : .unsupportedURL
        case CURLE_URL_MALFORMAT: .unsupportedURL
        case CURLE_WEIRD_SERVER_REPLY, CURLE_BAD_CONTENT_ENCODING, CURLE_FILESIZE_EXCEEDED, CURLE_WRITE_ERROR:
            .badResponse
        default: .other
        }
    }

    /// What a SOCKS proxy's refusal means (RFC 1928 section 6): "not allowed" and a missing password stay, the rest is
    /// what a server of one's own would be tried again for.
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
