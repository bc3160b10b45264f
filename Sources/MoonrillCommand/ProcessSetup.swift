// Start and end of the process: signals, descriptors, limits, time limit, watchdog.

internal import Base
internal import CProcess
internal import Glibc

enum ProcessSetup {
    /// Ignores SIGPIPE (a closed pipe stops the script instead), opens closed standard descriptors, and raises the soft limit
    /// on open files to the hard limit, because each stream is a socket.
    static func prepare() {
        RunTime.begin()
        mp_note_descriptors()
        signal(SIGPIPE, SIG_IGN)
        // With SIGCHLD ignored by the parent process, children could not be waited for.
        signal(SIGCHLD, SIG_DFL)
        mp_catch_early_signals()
        // A closed standard descriptor would be reused for a socket, and output would go into it. The replacement fails like
        // a closed one.
        for descriptor in STDIN_FILENO...STDERR_FILENO where fcntl(descriptor, F_GETFD) == -1 {
            _ = open("/dev/null", descriptor == STDIN_FILENO ? O_WRONLY : O_RDONLY)
        }
        // If the system refuses, the engine queues requests above the limit.
        mp_raise_file_limit()
    }

    /// Ends the process without exit(3), because destructors of libraries are not needed and would delay the end.
    static func end(_ status: Int32) -> Never {
        mp_wait_if_leaving()
        StandardError.beginLine()
        #if SANITIZED
            // The leak sanitizer runs in exit(3).
            exit(status)
        #else
            _exit(status)
        #endif
    }
}

/// The run time of the process.
enum RunTime {
    private static let start = SystemClock.now()

    /// Call it first.
    static func begin() { _ = start }

    /// Seconds since the start.
    static var elapsed: Double { SystemClock.now() - start }
}

/// `--timeout`: the time limit in seconds from the start of the process.
struct TimeLimit {
    var seconds: Double

    /// Seconds left; 0 once the time is up.
    var left: Double { max(0, seconds - RunTime.elapsed) }

    var failure: CommandFailure {
        CommandFailure(
            message: "out of time: the script did not end within \(seconds) s", status: ExitStatus.outOfTime)
    }
}

/// The thread that ends the process when Lua cannot: one second after the time limit or a signal.
enum Watchdog {
    /// - Throws: ``CommandFailure`` if no thread can be made.
    static func start(_ limit: TimeLimit?) throws(CommandFailure) {
        guard mp_start_watchdog() == 0 else {
            throw CommandFailure(message: "cannot start a thread", status: ExitStatus.failure)
        }
        guard let limit else { return }
        mp_leave_in(limit.left + 1, limit.failure.status, StandardError.line(limit.failure.message))
    }
}
