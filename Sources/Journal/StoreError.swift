// Why a store cannot be used.

internal import Base
internal import SQLite

/// An error of a store. The message names the file and what to do.
package struct StoreError: Error, Hashable, Sendable, CustomStringConvertible {
    /// What a caller can decide by.
    package enum Kind: Hashable, Sendable {
        /// The file was written by a later version, or is no store.
        case unusable
        /// The file is damaged.
        case damaged
        /// The disk is full, or reading or writing fails.
        case disk
        /// Another process holds it for too long.
        case busy
        /// The job is finished.
        case jobFinished
        /// The job is finished, with other arguments.
        case jobDiffers
        /// Another process runs the job.
        case jobRunning
    }

    /// What a caller can decide by.
    package var kind: Kind
    /// What failed, where, and what to do.
    package var message: String
    package var description: String { message }

    package init(_ kind: Kind, _ message: String) {
        self.kind = kind
        self.message = message
    }

    static func later(path: String, found: Int) -> StoreError {
        StoreError(
            .unusable,
            "the store \(path) has schema version \(found), and moonrill \(Product.version) knows versions up to "
                + "\(StoreSchema.version): use a later moonrill, or another file with --store")
    }

    static func foreign(path: String) -> StoreError {
        StoreError(.unusable, "\(path) is not a store of moonrill: name another file with --store")
    }

    static func damaged(path: String, _ what: String) -> StoreError {
        StoreError(
            .damaged,
            "the store \(path) is damaged (\(what)): move it away, or save what is readable with "
                + "sqlite3 \(path) .recover")
    }

    init(_ error: SQLiteError, path: String) {
        if error.isCorrupt {
            self = .damaged(path: path, error.message)
        } else if error.isFull {
            self.init(.disk, "the store \(path) cannot be written: the disk is full; free some space and run it again")
        } else if error.isBusy {
            self.init(.busy, "the store \(path) is in use by another process for too long; try again")
        } else if error.isReadOnly || error.isCannotOpen {
            self.init(
                .disk,
                "the store \(path) cannot be opened for writing: \(error.message); check the rights of the file "
                    + "and its folder, or name another file with --store")
        } else {
            self.init(.disk, "the store \(path): \(error.message) (SQLite \(error.code)); check the disk")
        }
    }

    /// The error in terms of the store.
    static func wrap(_ error: any Error, path: String) -> StoreError {
        switch error {
        case let error as StoreError: error
        case let error as SQLiteError: StoreError(error, path: path)
        default: StoreError(.disk, "the store \(path): \(error)")
        }
    }
}
