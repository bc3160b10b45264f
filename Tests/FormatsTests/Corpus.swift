// The recorded responses: outside of the package, found through MOONRILL_SHARED, else in `shared` beside the package.

import Foundation
import HTTP
import JSON
import Testing

/// One recorded response with what is expected of it.
struct Recording: Sendable, CustomTestStringConvertible {
    var name: String
    var body: [UInt8]
    var status: Int
    var headers: HTTPHeaders
    var expected: JSONValue

    var testDescription: String { name }
}

enum Corpus {
    private static let folder: String = {
        let package = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        let beside = package.deletingLastPathComponent().appending(path: "shared").path
        return (ProcessInfo.processInfo.environment["MOONRILL_SHARED"] ?? beside) + "/corpus"
    }()

    /// The recordings of the folders that `matches` picks, by name. Empty, with a notice, where there is no corpus.
    static func recordings(where matches: (String) -> Bool) -> [Recording] {
        let groups = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
        if groups.isEmpty { print("notice: no corpus in \(folder) (set MOONRILL_SHARED); skipped") }
        return groups.filter(matches).sorted().flatMap { group in
            let names = (try? FileManager.default.contentsOfDirectory(atPath: "\(folder)/\(group)")) ?? []
            return names.sorted().compactMap { recording("\(group)/\($0)") }
        }
    }

    private static func recording(_ name: String) -> Recording? {
        func file(_ leaf: String) -> [UInt8]? {
            FileManager.default.contents(atPath: "\(folder)/\(name)/\(leaf)").map { Array($0) }
        }
        guard let body = file("response.body"), let head = file("response.json"), let expected = file("expected.json"),
            let head = try? JSONReader.value(head), let expected = try? JSONReader.value(expected)
        else {
            print("notice: \(name) cannot be read")
            return nil
        }
        var headers = HTTPHeaders()
        for member in head["headers"]?.object ?? [:] { headers.add(member.key, member.value.string ?? "") }
        return Recording(
            name: name, body: body, status: Int(head["status"]?.int ?? 0), headers: headers, expected: expected)
    }
}
