// Owns one curl easy handle, its error buffer and its header list. Multi keeps a pool of them; a handle serves one
// transfer at a time and is reset in between. Options are set in EasyOptions.swift, and nowhere else.

internal import CCurl

/// One easy handle, freed once.
@safe final class EasyHandle {
    let raw: OpaquePointer
    let errorText: UnsafeMutablePointer<CChar>
    private var headers: UnsafeMutablePointer<curl_slist>?

    init() throws(TransportError) {
        guard let raw = unsafe curl_easy_init() else { throw TransportError(.other, "curl_easy_init: out of memory") }
        unsafe self.raw = raw
        unsafe errorText = .allocate(capacity: Int(CURL_ERROR_SIZE))
        unsafe errorText.initialize(repeating: 0, count: Int(CURL_ERROR_SIZE))
    }

    deinit {
        unsafe curl_easy_cleanup(raw)
        unsafe curl_slist_free_all(headers)
        unsafe errorText.deallocate()
    }

    /// Back to a fresh handle's options; connections, names and TLS sessions are the multi handle's, and stay.
    /// False if the handle is of no more use: after a failed name lookup curl (7.88) keeps the receive buffer in it, of
    /// the size it was asked for then, and refuses every other size.
    func reset() -> Bool {
        unsafe curl_easy_reset(raw)
        unsafe curl_slist_free_all(headers)
        unsafe headers = nil
        unsafe errorText[0] = 0
        return unsafe ccurl_set_long(raw, CURLOPT_BUFFERSIZE, Int(CURL_MAX_WRITE_SIZE)) == CURLE_OK
    }

    /// Adds a line to the request's header list.
    func addHeader(_ line: String) throws(TransportError) {
        guard let longer = unsafe curl_slist_append(headers, line) else {
            throw TransportError(.other, "curl_slist_append: out of memory")
        }
        unsafe headers = longer
    }

    /// The request's header list.
    @unsafe var headerList: UnsafeMutablePointer<curl_slist>? { unsafe headers }

    /// curl's line about the last failure; empty if it left none.
    var failure: String { unsafe String(cString: errorText) }

    /// A number that curl keeps about the transfer; 0 if it keeps none.
    func long(_ info: CURLINFO) -> Int {
        var value = 0
        return unsafe ccurl_get_long(raw, info, &value) == CURLE_OK ? value : 0
    }

    /// A 64-bit count that curl keeps about the transfer, times in microseconds; 0 if it keeps none.
    func offset(_ info: CURLINFO) -> Int {
        var value: curl_off_t = 0
        return unsafe ccurl_get_offset(raw, info, &value) == CURLE_OK ? Int(value) : 0
    }

    /// The address and port of the connection in use; nil before there is one.
    var remoteAddress: String? {
        var text: UnsafePointer<CChar>?
        guard unsafe ccurl_get_text(raw, CURLINFO_PRIMARY_IP, &text) == CURLE_OK, let text = unsafe text else {
            return nil
        }
        let address = unsafe String(cString: text)
        guard !address.isEmpty else { return nil }
        let port = long(CURLINFO_PRIMARY_PORT)
        return address.contains(":") ? "[\(address)]:\(port)" : "\(address):\(port)"
    }
}

@available(*, unavailable, message: "lives on the thread of its Multi")
extension EasyHandle: @unchecked Sendable {}  // unavailable: this says that it is not Sendable, and why
