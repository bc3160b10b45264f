// Owns a curl easy handle, its error buffer and the body of its request. Multi pools handles; each serves one transfer at
// a time. Between transfers with the same setup it keeps its options.

internal import CCurl

/// One easy handle, freed once.
@safe final class EasyHandle {
    let raw: OpaquePointer
    let errorText: UnsafeMutablePointer<CChar>
    /// What its options say beyond the single transfer; nil after a reset. Holds what they point to.
    private(set) var setup: Setup?
    /// Whether the next transfer with an equal setup may keep the options.
    var isReusable = false
    /// A small body of the request, of which curl makes no copy.
    private var body: UnsafeMutableRawPointer?
    /// Outlives `raw`.
    private let share: ShareHandle

    /// Throws `.other` without memory.
    init(sharing share: ShareHandle) throws(TransportError) {
        self.share = share
        guard let raw = unsafe curl_easy_init() else { throw TransportError(.other, "curl_easy_init: out of memory") }
        unsafe self.raw = raw
        unsafe errorText = .allocate(capacity: Int(CURL_ERROR_SIZE))
        unsafe errorText.initialize(repeating: 0, count: Int(CURL_ERROR_SIZE))
        // A reset keeps it.
        try unsafe share.join(raw)
    }

    deinit {
        unsafe curl_easy_cleanup(raw)
        unsafe body?.deallocate()
        unsafe errorText.deallocate()
    }

    /// Resets the options; connections, names and TLS sessions belong to the multi handle. Returns false if the
    /// handle is unusable: after a failed name lookup curl 7.88 keeps the receive buffer and rejects any other size.
    func reset() -> Bool {
        unsafe curl_easy_reset(raw)
        setup = nil
        isReusable = false
        endTransfer()
        return unsafe ccurl_set_long(raw, CURLOPT_BUFFERSIZE, Int(CURL_MAX_WRITE_SIZE)) == CURLE_OK
    }

    /// The options are those of this setup until the reset. An equal one does not replace it: curl has pointers into it.
    func keep(_ setup: Setup) { self.setup = setup }

    /// Forgets what belongs to the transfer that has ended: its body and its error text.
    func endTransfer() {
        unsafe body?.deallocate()
        unsafe body = nil
        unsafe errorText[0] = 0
    }

    /// Whether a body is handed to curl as a whole. For a callback curl allocates a buffer of 16 KiB, which it keeps until the
    /// end of the response; a larger body would be kept as long, and comes from a callback.
    static func keeps(_ body: [UInt8]) -> Bool { !body.isEmpty && body.count <= 8 * 1024 }

    /// A copy of the body, which lives until the end of the transfer.
    @unsafe func keep(_ bytes: [UInt8]) -> UnsafeMutableRawPointer {
        let copy = UnsafeMutableRawPointer.allocate(byteCount: bytes.count, alignment: 1)
        unsafe bytes.withUnsafeBytes {
            unsafe copy.copyMemory(from: $0.baseAddress ?? UnsafeRawPointer(copy), byteCount: $0.count)
        }
        unsafe body?.deallocate()
        unsafe body = copy
        return unsafe copy
    }

    /// curl's last error line; empty without one.
    var failure: String { unsafe String(cString: errorText) }

    /// A number of CURLINFO; 0 without one.
    func long(_ info: CURLINFO) -> Int {
        var value = 0
        return unsafe ccurl_get_long(raw, info, &value) == CURLE_OK ? value : 0
    }

    /// A 64-bit number of CURLINFO, times in microseconds; 0 without one.
    func offset(_ info: CURLINFO) -> Int {
        var value: curl_off_t = 0
        return unsafe ccurl_get_offset(raw, info, &value) == CURLE_OK ? Int(value) : 0
    }

    /// Address and port of the connection; nil without one.
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
