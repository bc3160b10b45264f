// Whether the process of a run still exists.

internal import Glibc

/// The processes of runs that have no end in the store.
enum RunProcess {
    /// Whether a process has that number. It may be another one by now: then the run is taken for a running one.
    static func exists(_ pid: Int64) -> Bool {
        guard let pid = Int32(exactly: pid), pid > 0 else { return false }
        return kill(pid, 0) == 0 || errno == EPERM
    }
}
