// C callbacks of libcurl. Each finds its transfer behind the user pointer, which Multi keeps alive as long as curl
// has the handle. No callback may call into curl, except to set an option of its handle.

internal import CCurl
internal import Glibc

/// The transfer behind curl's user pointer.
@unsafe private func transfer(_ user: UnsafeMutableRawPointer) -> Transfer {
    unsafe Unmanaged<Transfer>.fromOpaque(user).takeUnretainedValue()
}

/// CURLOPT_WRITEFUNCTION. A result other than `count` ends the transfer; CURL_WRITEFUNC_PAUSE pauses it.
func writeCallback(
    _ data: UnsafeMutablePointer<CChar>?, _ size: Int, _ count: Int, _ user: UnsafeMutableRawPointer?
) -> Int {
    guard let data = unsafe data, let user = unsafe user, count > 0 else { return 0 }
    let bytes = unsafe UnsafeRawBufferPointer(start: data, count: count)
    return unsafe bytes.withMemoryRebound(to: UInt8.self) { unsafe transfer(user).receiveBody($0.span) }
}

/// CURLOPT_HEADERFUNCTION: one line per call.
func headerCallback(
    _ data: UnsafeMutablePointer<CChar>?, _ size: Int, _ count: Int, _ user: UnsafeMutableRawPointer?
) -> Int {
    guard let data = unsafe data, let user = unsafe user, count > 0 else { return 0 }
    let bytes = unsafe UnsafeRawBufferPointer(start: data, count: count)
    return unsafe bytes.withMemoryRebound(to: UInt8.self) { unsafe transfer(user).receiveHeaderLine($0.span) }
}

/// CURLOPT_READFUNCTION: fills `data` with the next bytes of the request body.
func readCallback(
    _ data: UnsafeMutablePointer<CChar>?, _ size: Int, _ count: Int, _ user: UnsafeMutableRawPointer?
) -> Int {
    guard let data = unsafe data, let user = unsafe user else { return ccurl_read_abort() }
    return unsafe transfer(user).supplyBody(UnsafeMutableRawBufferPointer(start: data, count: size * count))
}

/// CURLOPT_OPENSOCKETFUNCTION: as curl's default, but close-on-exec.
func openSocket(
    _ user: UnsafeMutableRawPointer?, _ purpose: curlsocktype, _ address: UnsafeMutablePointer<curl_sockaddr>?
) -> curl_socket_t {
    guard let address = unsafe address else { return -1 }
    let type = unsafe address.pointee.socktype | Int32(SOCK_CLOEXEC.rawValue)
    let made = unsafe socket(address.pointee.family, type, address.pointee.protocol)
    if made < 0, errno == EMFILE || errno == ENFILE, let user = unsafe user {
        unsafe transfer(user).ranOutOfDescriptors = true
    }
    if made >= 0, let user = unsafe user { unsafe transfer(user).openedSocket(made) }
    return made
}

/// CURLOPT_CLOSESOCKETFUNCTION, for sockets that are counted.
func closeSocket(_ user: UnsafeMutableRawPointer?, _ socket: curl_socket_t) -> Int32 {
    guard let user = unsafe user else { return close(socket) }
    return unsafe Unmanaged<OpenSockets>.fromOpaque(user).takeUnretainedValue().close(socket)
}

/// CURLOPT_PREREQFUNCTION: the transfer has a connection, and its request is about to be sent.
func requestLeaves(
    _ user: UnsafeMutableRawPointer?, _ remote: UnsafeMutablePointer<CChar>?, _ local: UnsafeMutablePointer<CChar>?,
    _ remotePort: Int32, _ localPort: Int32
) -> Int32 {
    guard let user = unsafe user, unsafe transfer(user).mayLeave() else { return ccurl_prereq_abort() }
    return ccurl_prereq_ok()
}

/// CURLOPT_DEBUGFUNCTION: passes curl's own notes on, except those that can hold a header, a URL or a user. Only here
/// does curl separate the head of a proxy's response to CONNECT from the server's.
func traceLineArrived(
    _ easy: OpaquePointer?, _ kind: curl_infotype, _ data: UnsafeMutablePointer<CChar>?, _ count: Int,
    _ user: UnsafeMutableRawPointer?
) -> Int32 {
    guard kind == CURLINFO_TEXT || kind == CURLINFO_HEADER_IN, let data = unsafe data, let user = unsafe user else {
        return 0
    }
    let bytes = unsafe UnsafeRawBufferPointer(start: data, count: count)
    if kind == CURLINFO_HEADER_IN {
        unsafe bytes.withMemoryRebound(to: UInt8.self) { unsafe transfer(user).receiveProxyHeaderLine($0.span) }
        return 0
    }
    guard unsafe transfer(user).trace != nil else { return 0 }
    let line = unsafe String(decoding: bytes, as: UTF8.self)
    // HTTP/2 repeats each header; a retry names the URL with its query; authentication names the user.
    for secret in ["h2h3 [", "[HTTP/2]", "URL", "auth using"] where line.contains(secret) { return 0 }
    unsafe transfer(user).trace?(line.last == "\n" ? String(line.dropLast()) : line)
    return 0
}

/// CURLMOPT_SOCKETFUNCTION: events to watch a socket for.
func socketChanged(
    _ easy: OpaquePointer?, _ socket: curl_socket_t, _ what: Int32, _ user: UnsafeMutableRawPointer?,
    _ assigned: UnsafeMutableRawPointer?
) -> Int32 {
    guard let user = unsafe user else { return -1 }
    let poller = unsafe Unmanaged<Poller>.fromOpaque(user).takeUnretainedValue()
    return poller.follow(socket, what) ? 0 : -1
}

/// CURLMOPT_TIMERFUNCTION: when to call curl next.
func timerChanged(_ multi: OpaquePointer?, _ milliseconds: Int, _ user: UnsafeMutableRawPointer?) -> Int32 {
    guard let user = unsafe user else { return -1 }
    unsafe Unmanaged<Poller>.fromOpaque(user).takeUnretainedValue().arm(milliseconds: milliseconds)
    return 0
}
