// Where the recorded material lives that is not part of the package. Tests that need it skip when it is absent.

import Foundation

enum SharedFiles {
    /// The bytes of a shared file: under `MOONRILL_SHARED`, else in `shared` beside the package. Prints a notice and
    /// returns nil when there is none.
    static func bytes(_ name: String) -> [UInt8]? {
        let package = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        let beside = package.deletingLastPathComponent().appending(path: "shared").path
        let folder = ProcessInfo.processInfo.environment["MOONRILL_SHARED"] ?? beside
        guard let data = FileManager.default.contents(atPath: folder + "/" + name) else {
            print("notice: \(name) is not in \(folder) (set MOONRILL_SHARED); skipped")
            return nil
        }
        return Array(data)
    }
}
