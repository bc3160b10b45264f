// Standard output and standard input: complete reads and writes of their descriptors.

internal import Base
internal import Glibc

/// Standard output, unbuffered. Keeps the first write error.
final class StandardOutput {
    private var problem: Int32 = 0
    /// Escapes control characters; nil to write all bytes unchanged.
    private var escaper: ControlCharacters?

    /// - Parameter escapesControls: true for text of a model on a terminal.
    init(escapesControls: Bool = false) { escaper = escapesControls ? ControlCharacters() : nil }

    static var isTerminal: Bool { isatty(STDOUT_FILENO) == 1 }

    /// Writes all bytes. Returns false if the output is closed or a write failed.
    func write(_ bytes: [UInt8]) -> Bool {
        let shown = escaper?.escape(bytes) ?? bytes
        if problem == 0 { problem = Descriptor.write(shown, to: STDOUT_FILENO) }
        return problem == 0
    }

    /// The message if output was lost; nil if the reader closed the pipe.
    var loss: String? {
        guard problem != 0, problem != EPIPE else { return nil }
        return "cannot write to standard output: " + Descriptor.reason(problem)
    }

    /// Writes the output of a command.
    /// - Throws: ``CommandFailure`` if it cannot be written.
    static func write(_ text: String) throws(CommandFailure) {
        let output = StandardOutput()
        _ = output.write(Array(text.utf8))
        if let loss = output.loss { throw CommandFailure(message: loss, status: ExitStatus.failure) }
    }
}

/// Complete writes to a descriptor.
enum Descriptor {
    /// Writes all bytes. Returns 0 or the errno: EPIPE if the reader has closed.
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

    /// The text of an errno.
    static func reason(_ number: Int32) -> String { strerror(number).map { String(cString: $0) } ?? "error \(number)" }
}

/// Standard input: a script, or context of a prompt.
enum StandardInput {
    /// Seconds of waiting before a message is shown.
    private static let patience = 3.0

    /// Reads to the end.
    /// - Parameter purpose: the use of the bytes, for messages.
    /// - Throws: ``CommandFailure`` if it cannot be read, or not within the time limit.
    static func readAll(purpose: String, limit: TimeLimit?) throws(CommandFailure) -> [UInt8] {
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        let start = RunTime.elapsed
        var isQuiet = true
        while true {
            if let limit, limit.left == 0 { throw limit.failure }
            let untilSaid = isQuiet ? start + patience - RunTime.elapsed : .infinity
            if untilSaid <= 0 {
                isQuiet = false
                StandardError.say("waiting for the end of standard input (\(purpose))", level: "warning")
                continue
            }
            // At most an hour, so that the milliseconds fit into Int32.
            let wait = min(untilSaid, limit?.left ?? .infinity, 3600)
            var state = pollfd(fd: STDIN_FILENO, events: Int16(POLLIN), revents: 0)
            guard poll(&state, 1, Int32((wait * 1000).rounded(.up))) != 0 else { continue }
            let count = read(STDIN_FILENO, &buffer, buffer.count)
            if count > 0 {
                bytes += buffer[..<count]
            } else if count == 0 {
                return bytes
            } else if errno != EINTR, errno != EAGAIN {
                throw CommandFailure(
                    message: "cannot read standard input (\(purpose)): \(Descriptor.reason(errno))",
                    status: ExitStatus.noInput)
            }
        }
    }
}
