// Whether commands record requests without being told to: a file beside the default store.

internal import Glibc

/// Whether the user has turned the log off. The setting is persistent.
package struct LogSwitch: Sendable {
    private let path: String

    /// The switch beside a store.
    package init(store: String) {
        let folder = store.lastIndex(of: "/").map { store[...$0] } ?? ""
        path = folder + "logs-off"
    }

    /// Whether the log is off.
    package var isOff: Bool { access(path, F_OK) == 0 }

    /// Turns the log off or on.
    /// - Throws: ``StoreError`` if the file cannot be made or removed.
    package func set(isOff: Bool) throws(StoreError) {
        guard isOff else {
            guard unlink(path) == 0 || errno == ENOENT else { throw failed("removed") }
            return
        }
        try StoreConnection.makeFolder(of: path)
        let descriptor = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw failed("made") }
        close(descriptor)
    }

    private func failed(_ what: String) -> StoreError {
        StoreError(.disk, "the file \(path) cannot be \(what): \(String(cString: strerror(errno)))")
    }
}
