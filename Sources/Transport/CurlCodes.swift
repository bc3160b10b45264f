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
        /// The status of a proxy's answer to CONNECT; 0 if there was none.
        var proxyStatus: Int
        /// Address and port of whoever was connected to: the proxy, where there is one.
        var remoteAddress: String?
    }

    /// The error for a result that is not CURLE_OK.
    init(_ result: CURLcode, _ known: Circumstances) {
        let reason =
            switch result {
            // Curl speaks of a rewind: of what it wanted to do next, and not of what happened.
            case CURLE_SEND_FAIL_REWIND, CURLE_READ_ERROR, CURLE_ABORTED_BY_CALLBACK:
                "the connection was lost before the answer began"
            default: unsafe known.detail.isEmpty ? String(cString: curl_easy_strerror(result)) : known.detail
            }
        let proxy = known.proxyStatus >= 300 ? known.remoteAddress.map { " by the proxy \($0)" } ?? "" : ""
        let text = "\(known.origin): \(reason)\(proxy) (curl \(result.rawValue))"
        self.init(Self.code(of: result, known), text, curlCode: Int(result.rawValue))
    }

    private static func code(of result: CURLcode, _ known: Circumstances) -> Code {
        if known.outOfDescriptors { return .tooManyDescriptors }
        if known.proxyStatus >= 300 { return .proxy }
        return switch result {
        case CURLE_COULDNT_RESOLVE_HOST: .resolve
        case CURLE_COULDNT_RESOLVE_PROXY, CURLE_PROXY: .proxy
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
}
