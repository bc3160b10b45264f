// A port that neither accepts nor refuses connections, as if packets were dropped.

internal import Foundation

/// A loopback listener with a full queue: the kernel drops each further SYN.
public final class FullListener {
    /// The port.
    public let port: Int
    private var sockets: [Int32] = []

    /// Listens on 127.0.0.1, on a port that the kernel chooses.
    public init() throws {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let kind = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
        let listener = socket(AF_INET, kind, 0)
        var opened = [listener]
        let isFull = withUnsafeMutableBytes(of: &address) { raw in
            guard listener >= 0, let start = raw.baseAddress?.assumingMemoryBound(to: sockaddr.self),
                bind(listener, start, size) == 0, getsockname(listener, start, &size) == 0, listen(listener, 0) == 0
            else { return false }
            for _ in 0..<4 {
                opened.append(socket(AF_INET, kind | Int32(SOCK_NONBLOCK.rawValue), 0))
                _ = connect(opened[opened.count - 1], start, size)
            }
            return true
        }
        let error = POSIXError(POSIXErrorCode(rawValue: errno) ?? .EIO)
        port = Int(UInt16(bigEndian: address.sin_port))
        sockets = opened
        if !isFull { throw error }
    }

    deinit { for socket in sockets where socket >= 0 { close(socket) } }
}
