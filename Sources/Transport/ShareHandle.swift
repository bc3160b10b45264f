// What the transfers of one multi handle share beside its connections.

internal import CCurl

/// curl's share handle with the TLS sessions: a later connection to an origin resumes the session of an earlier one
/// (RFC 8446, section 2.2), which spares both sides a signature. Without locks: all its handles belong to one thread.
@safe final class ShareHandle {
    private let raw: OpaquePointer

    /// Throws `.other` without memory.
    init() throws(TransportError) {
        guard let raw = unsafe curl_share_init(), unsafe ccurl_share_tls_sessions(raw) == CURLSHE_OK else {
            throw TransportError(.other, "curl_share_init: out of memory")
        }
        unsafe self.raw = raw
    }

    deinit { unsafe curl_share_cleanup(raw) }

    /// Lets an easy handle, which must be freed first, take part.
    func join(_ easy: OpaquePointer) throws(TransportError) {
        let result = unsafe ccurl_set_share(easy, raw)
        guard result == CURLE_OK else {
            throw TransportError(.other, "curl refused to share TLS sessions", curlCode: Int(result.rawValue))
        }
    }
}
