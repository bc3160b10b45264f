// Owns curl's multi handle and its poller, and frees both in order.

internal import CCurl
internal import Glibc

/// curl's multi handle, freed once.
@safe struct MultiHandle: ~Copyable {
    private let raw: OpaquePointer
    let poller: Poller
    let sockets = OpenSockets()

    /// Initializes libcurl once a process (a Swift global). OpenSSL writes to sockets that the peer may have closed;
    /// the default action of SIGPIPE would end the program, so it is ignored unless the program has a handler.
    private static let globalStart: CURLcode = {
        // Restores a handler of the program; the default is nil.
        if let former = signal(SIGPIPE, SIG_IGN) { signal(SIGPIPE, former) }
        return ccurl_global_init()
    }()

    init(poller: Poller) throws(TransportError) {
        guard Self.globalStart == CURLE_OK else {
            throw TransportError(.other, "curl_global_init failed", curlCode: Int(Self.globalStart.rawValue))
        }
        guard let raw = unsafe curl_multi_init() else {
            let none = poller.isOutOfDescriptors
            throw TransportError(none ? .tooManyDescriptors : .other, "curl_multi_init failed")
        }
        unsafe self.raw = raw
        self.poller = poller
        let user = unsafe Unmanaged.passUnretained(poller).toOpaque()
        unsafe ccurl_multi_set_socket(raw, socketChanged)
        unsafe ccurl_multi_set_pointer(raw, CURLMOPT_SOCKETDATA, user)
        unsafe ccurl_multi_set_timer(raw, timerChanged)
        unsafe ccurl_multi_set_pointer(raw, CURLMOPT_TIMERDATA, user)
    }

    // Poller and sockets are stored properties, so they still exist for the callbacks of the cleanup.
    deinit { unsafe curl_multi_cleanup(raw) }

    /// Limits the connections, busy and idle ones together.
    func limitConnections(to count: Int) { unsafe ccurl_multi_set_long(raw, CURLMOPT_MAXCONNECTS, count) }

    func add(_ easy: EasyHandle) throws(TransportError) {
        let result = unsafe curl_multi_add_handle(raw, easy.raw)
        guard result == CURLM_OK else {
            throw TransportError(
                .other, "curl_multi_add_handle: \(unsafe String(cString: curl_multi_strerror(result)))")
        }
    }

    /// Removes the handle. If it is running, its HTTP/1 connection closes and its HTTP/2 stream is reset.
    func remove(_ easy: EasyHandle) {
        let result = unsafe curl_multi_remove_handle(raw, easy.raw)
        assert(result == CURLM_OK, "removed inside a callback, or twice")
    }

    /// Handles a ready socket.
    func act(on event: Poller.Event) {
        var running: Int32 = 0
        unsafe curl_multi_socket_action(raw, event.socket, event.flags, &running)
    }

    /// Handles curl's timer.
    func actOnTimer() {
        var running: Int32 = 0
        unsafe curl_multi_socket_action(raw, -1, 0, &running)
    }

    /// The next ended transfer and its result.
    func nextEnded() -> (Transfer, CURLcode)? {
        var left: Int32 = 0
        while let message = unsafe curl_multi_info_read(raw, &left) {
            guard unsafe message.pointee.msg == CURLMSG_DONE, let easy = unsafe message.pointee.easy_handle else {
                continue
            }
            let result = unsafe ccurl_message_result(message)
            var user: UnsafeMutableRawPointer?
            unsafe ccurl_get_pointer(easy, CURLINFO_PRIVATE, &user)
            guard let user = unsafe user else { continue }
            return unsafe (Unmanaged<Transfer>.fromOpaque(user).takeUnretainedValue(), result)
        }
        return nil
    }
}
