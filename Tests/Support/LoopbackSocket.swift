// Connected sockets for tests. Separate from its users: in a module that imports NIO, the compiler takes C socket
// structures for NIO's.

internal import Glibc

/// Sockets to 127.0.0.1.
public enum LoopbackSocket {
    /// Connects to a port; reads time out after a minute.
    /// - Parameter receiveBuffer: SO_RCVBUF, in bytes.
    /// - Returns: the descriptor, owned by the caller; nil with `errno` set if nobody listens.
    public static func connect(port: Int, receiveBuffer: Int32? = nil) -> Int32? {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { return nil }
        var wait = timeval(tv_sec: 60, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &wait, socklen_t(MemoryLayout<timeval>.size))
        if var size = receiveBuffer {
            setsockopt(descriptor, SOL_SOCKET, SO_RCVBUF, &size, socklen_t(MemoryLayout<Int32>.size))
        }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(port).bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        let size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let result = withUnsafeBytes(of: &address) { raw in
            raw.assumingMemoryBound(to: sockaddr.self).baseAddress.map { Glibc.connect(descriptor, $0, size) } ?? -1
        }
        guard result == 0 else {
            let reason = errno
            close(descriptor)
            errno = reason
            return nil
        }
        return descriptor
    }

    /// Connects to a Unix socket; reads time out after a minute.
    /// - Returns: the descriptor, owned by the caller; nil with `errno` set if nobody listens.
    public static func connect(unix path: String) -> Int32? {
        let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { return nil }
        var wait = timeval(tv_sec: 60, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &wait, socklen_t(MemoryLayout<timeval>.size))
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let bytes = Array(path.utf8)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes.prefix($0.count - 1)) }
        let size = socklen_t(MemoryLayout<sockaddr_un>.size)
        let result = withUnsafeBytes(of: &address) { raw in
            raw.assumingMemoryBound(to: sockaddr.self).baseAddress.map { Glibc.connect(descriptor, $0, size) } ?? -1
        }
        guard result == 0 else {
            let reason = errno
            close(descriptor)
            errno = reason
            return nil
        }
        return descriptor
    }
}
