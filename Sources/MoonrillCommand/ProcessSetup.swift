// What a well-behaved process does with its descriptors, before anything else and at its end.

internal import Glibc

enum ProcessSetup {
    /// Ignores SIGPIPE (a closed pipe ends the script quietly instead), keeps the standard descriptors' numbers from
    /// others, and raises the soft limit on open files to the hard one: every stream is a socket.
    static func prepare() {
        signal(SIGPIPE, SIG_IGN)
        // Started with one of them closed, the process would give its number to a socket, and print into it. What
        // takes its place can be used no more than a closed one.
        for descriptor in STDIN_FILENO...STDERR_FILENO where fcntl(descriptor, F_GETFD) == -1 {
            _ = open("/dev/null", descriptor == STDIN_FILENO ? O_WRONLY : O_RDONLY)
        }
        var limit = rlimit()
        let files = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
        guard getrlimit(files, &limit) == 0, limit.rlim_cur < limit.rlim_max else { return }
        limit.rlim_cur = limit.rlim_max
        // Where the system refuses, the limit stays as it was, and the engine queues what does not fit.
        setrlimit(files, &limit)
    }

    /// Ends the process. Not through exit(3): no destructor of a library is needed, and none should delay the end.
    static func end(_ status: Int32) -> Never {
        #if SANITIZED
            // The leak sanitizer looks when exit(3) runs.
            exit(status)
        #else
            _exit(status)
        #endif
    }
}

/// Standard error, unbuffered.
enum StandardError {
    static var isTerminal: Bool { isatty(STDERR_FILENO) == 1 }

    /// Where even this fails there is nobody left to tell.
    static func write(_ text: String) { _ = Descriptor.write(Array(text.utf8), to: STDERR_FILENO) }
}

/// Standard output, unbuffered. Remembers why it could not be written.
final class StandardOutput {
    private var problem: Int32 = 0

    /// Writes all bytes; false once nobody reads them any more, or they cannot be written at all.
    func write(_ bytes: [UInt8]) -> Bool {
        if problem == 0 { problem = Descriptor.write(bytes, to: STDOUT_FILENO) }
        return problem == 0
    }

    /// Why output was lost, for a person; nil where none was, or where a closed pipe said that no more is wanted.
    var loss: String? {
        guard problem != 0, problem != EPIPE else { return nil }
        return "cannot write to standard output: " + (strerror(problem).map { String(cString: $0) } ?? "\(problem)")
    }

    /// Writes a command's answer.
    /// - Throws: ``CommandFailure`` where it could not be written.
    static func write(_ text: String) throws(CommandFailure) {
        let output = StandardOutput()
        _ = output.write(Array(text.utf8))
        if let loss = output.loss { throw CommandFailure(message: loss, status: ExitStatus.failure) }
    }
}

/// Whole writes to a descriptor.
enum Descriptor {
    /// Writes all bytes. 0, or the number of the error that stopped it: EPIPE once nobody reads them any more.
    static func write(_ bytes: [UInt8], to descriptor: Int32) -> Int32 {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count =
                rest.withContiguousStorageIfAvailable { Glibc.write(descriptor, $0.baseAddress, $0.count) } ?? -1
            if count > 0 {
                rest = rest.dropFirst(count)
            } else if errno == EAGAIN {
                var state = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
                poll(&state, 1, -1)
            } else if errno != EINTR {
                return errno
            }
        }
        return 0
    }

    /// All bytes that standard input still has.
    static func readAll(_ descriptor: Int32) -> [UInt8] {
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = read(descriptor, &buffer, buffer.count)
            if count > 0 { bytes += buffer[..<count] } else if count == 0 || errno != EINTR { return bytes }
        }
    }
}
