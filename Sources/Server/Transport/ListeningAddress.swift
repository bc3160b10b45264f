// The socket address of a specification, the files of Unix sockets, and why a server cannot listen.

internal import Chat
internal import Glibc
internal import NIOCore

enum ListeningAddress {
    case tcp(SocketAddress)
    case unix(SocketAddress, path: String)

    /// - Throws: `ServerFailure` for an unknown host, a port out of range, a path that is too long.
    init(_ spec: ServerSpec) throws(ServerFailure) {
        if let path = spec.unixPath {
            do {
                self = .unix(try SocketAddress(unixDomainSocketPath: path), path: path)
            } catch {
                throw ServerFailure(
                    message: "cannot listen on \"\(path)\": the path of a Unix socket has at most 103 bytes")
            }
            return
        }
        guard (0...65_535).contains(spec.port) else {
            throw ServerFailure(message: "cannot listen on port \(spec.port): a port is between 0 and 65535")
        }
        do {
            self = .tcp(try SocketAddress.makeAddressResolvingHost(spec.host, port: spec.port))
        } catch {
            throw ServerFailure(
                message: "cannot listen on \"\(spec.host)\": no such host; use an address of this machine, such as "
                    + "127.0.0.1 or 0.0.0.0")
        }
    }

    /// Why `bind` failed.
    static func failure(_ error: any Error, _ spec: ServerSpec) -> ServerFailure {
        let place = spec.unixPath.map { "\"\($0)\"" } ?? "\(spec.host):\(spec.port)"
        guard let error = error as? IOError else {
            return ServerFailure(message: "cannot listen on \(place): \(error)")
        }
        return failure(errno: error.errnoCode, place: place, port: spec.unixPath == nil ? spec.port : nil)
    }

    private static func failure(errno code: CInt, place: String, port: Int?) -> ServerFailure {
        let isTaken = code == EADDRINUSE
        let reason: String
        switch code {
        case EADDRINUSE: reason = "the address is in use; stop the other server, or choose another"
        case EACCES where port.map { $0 < 1_024 } ?? false:
            reason = "ports below 1024 need a privilege (CAP_NET_BIND_SERVICE); choose a port from 1024 on"
        case EACCES, EPERM: reason = "permission denied; check the permissions of the folder"
        case EADDRNOTAVAIL: reason = "the address is not one of this machine; use 127.0.0.1 or 0.0.0.0"
        case ENOENT: reason = "the folder does not exist; create it"
        default: reason = String(cString: strerror(code))
        }
        return ServerFailure(message: "cannot listen on \(place): \(reason)", isAddressInUse: isTaken)
    }

    /// Creates and binds a Unix socket, which only its user and group may use. The mode is set before the socket listens,
    /// so that nobody else can connect meanwhile.
    static func bindUnixSocket(_ address: SocketAddress, path: String) throws(ServerFailure) -> CInt {
        try removeStaleSocket(address, path: path)
        let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { throw failure(errno: errno, place: "\"\(path)\"", port: nil) }
        let result = address.withSockAddr { bind(descriptor, $0, socklen_t($1)) }
        guard result == 0, chmod(path, 0o660) == 0 else {
            let code = errno
            Glibc.close(descriptor)
            throw failure(errno: code, place: "\"\(path)\"", port: nil)
        }
        return descriptor
    }

    /// Removes the file of a server that has ended without removing it.
    private static func removeStaleSocket(_ address: SocketAddress, path: String) throws(ServerFailure) {
        var status = stat()
        guard lstat(path, &status) == 0 else { return }
        guard status.st_mode & S_IFMT == S_IFSOCK else {
            throw ServerFailure(
                message: "cannot listen on \"\(path)\": there is a file that is no socket; choose another path")
        }
        let probe = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue) | O_NONBLOCK, 0)
        guard probe >= 0 else { throw failure(errno: errno, place: "\"\(path)\"", port: nil) }
        defer { Glibc.close(probe) }
        let result = address.withSockAddr { connect(probe, $0, socklen_t($1)) }
        guard result != 0, errno == ECONNREFUSED else {
            throw failure(errno: EADDRINUSE, place: "\"\(path)\"", port: nil)
        }
        unlink(path)
    }
}

/// The file of a bound Unix socket.
struct UnixSocketFile: Sendable {
    private let path: String
    private let device: dev_t
    private let inode: ino_t

    /// - Returns: nil if there is no file at the path.
    init?(_ path: String) {
        var status = stat()
        guard lstat(path, &status) == 0 else { return nil }
        self.path = path
        device = status.st_dev
        inode = status.st_ino
    }

    /// Removes the file unless another one has its path by now.
    func remove() {
        guard let found = UnixSocketFile(path), found.device == device, found.inode == inode else { return }
        unlink(path)
    }
}
