// What the process does with its descriptors, limits and time, before anything else and at its end.

internal import CProcess
internal import Glibc

enum ProcessSetup {
    /// Ignores SIGPIPE (a closed pipe ends the script quietly instead), keeps the standard descriptors' numbers from
    /// others, and raises the soft limit on open files to the hard one: every stream is a socket.
    static func prepare() {
        RunTime.begin()
        mp_note_descriptors()
        signal(SIGPIPE, SIG_IGN)
        // Where a parent ignored it, no child could be waited for.
        signal(SIGCHLD, SIG_DFL)
        mp_catch_early_signals()
        // Started with one of them closed, the process would give its number to a socket, and print into it. What
        // takes its place can be used no more than a closed one.
        for descriptor in STDIN_FILENO...STDERR_FILENO where fcntl(descriptor, F_GETFD) == -1 {
            _ = open("/dev/null", descriptor == STDIN_FILENO ? O_WRONLY : O_RDONLY)
        }
        // Where the system refuses, the engine queues what does not fit.
        mp_raise_file_limit()
    }

    /// Ends the process. Not through exit(3): no destructor of a library is needed, and none should delay the end.
    static func end(_ status: Int32) -> Never {
        mp_wait_if_leaving()
        StandardError.beginLine()
        #if SANITIZED
            // The leak sanitizer looks when exit(3) runs.
            exit(status)
        #else
            _exit(status)
        #endif
    }
}

/// The time that the run has taken, from the process's first instruction.
enum RunTime {
    private static let start = now()

    /// To be called first.
    static func begin() { _ = start }

    /// Seconds since the start.
    static var elapsed: Double { now() - start }

    private static func now() -> Double {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
    }
}

/// `--timeout`: seconds that the run may take, from the process's first instruction.
struct TimeLimit {
    var seconds: Double

    /// Seconds left; 0 when the time is up.
    var left: Double { max(0, seconds - RunTime.elapsed) }

    var failure: CommandFailure {
        CommandFailure(
            message: "out of time: the script did not end within \(seconds) s", status: ExitStatus.outOfTime)
    }
}

/// The thread that ends the process when Lua cannot: one second after the time limit or a signal.
enum Watchdog {
    /// - Throws: ``CommandFailure`` when the system has no thread left.
    static func start(_ limit: TimeLimit?) throws(CommandFailure) {
        guard mp_start_watchdog() == 0 else {
            throw CommandFailure(message: "cannot start a thread", status: ExitStatus.failure)
        }
        guard let limit else { return }
        mp_leave_in(limit.left + 1, limit.failure.status, StandardError.line(limit.failure.message))
    }
}
