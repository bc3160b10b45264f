// The lock of a running job: a file beside the store that is locked as long as the process lives (flock(2)).

internal import Glibc

/// Keeps a second process off a running job. The system releases the lock however the process ends.
package final class JobLock: Sendable {
    private let path: String
    private let descriptor: Int32

    private init(path: String, descriptor: Int32) {
        self.path = path
        self.descriptor = descriptor
    }

    /// Takes the lock of a job.
    /// - Returns: nil if another process has it.
    /// - Throws: ``StoreError`` if the file cannot be made.
    static func take(store: String, job: Int64) throws(StoreError) -> JobLock? {
        let path = path(store: store, job: job)
        while true {
            let descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
            guard descriptor >= 0 else {
                throw StoreError(
                    .disk, "the lock file \(path) of the job cannot be made: \(String(cString: strerror(errno)))")
            }
            guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
                let isHeld = errno == EWOULDBLOCK
                Glibc.close(descriptor)
                if isHeld { return nil }
                throw StoreError(
                    .disk, "the lock file \(path) of the job cannot be locked: \(String(cString: strerror(errno)))")
            }
            // The previous owner may have unlinked the file between open and flock.
            if isSame(descriptor, path) { return JobLock(path: path, descriptor: descriptor) }
            Glibc.close(descriptor)
        }
    }

    /// Whether a process runs the job.
    package static func isHeld(store: String, job: Int64) -> Bool {
        let descriptor = open(path(store: store, job: job), O_RDWR | O_CLOEXEC)
        guard descriptor >= 0 else { return false }
        defer { Glibc.close(descriptor) }
        return flock(descriptor, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK
    }

    deinit {
        // Unlinked while the lock is held: a process that has opened the file compares the inode.
        unlink(path)
        Glibc.close(descriptor)
    }

    /// Beside the store itself, whatever name or link a process knows it by.
    private static func path(store: String, job: Int64) -> String {
        let real = realpath(store, nil)
        defer { free(real) }
        return "\(real.map { String(cString: $0) } ?? store)-job-\(job).lock"
    }

    private static func isSame(_ descriptor: Int32, _ path: String) -> Bool {
        var (own, named) = (stat(), stat())
        return fstat(descriptor, &own) == 0 && stat(path, &named) == 0 && own.st_ino == named.st_ino
            && own.st_dev == named.st_dev
    }
}
