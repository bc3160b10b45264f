// The differences between two requests, field by field, for messages.

internal import Base
package import JSON

/// Two JSON values, and where they differ.
package enum RequestDifference {
    /// Maximum differences in a message, and bytes of each value.
    private static let limit = 8
    private static let valueLimit = 100
    /// Characters before the first difference of two texts that are shown.
    private static let lead = 24

    /// One line for each path at which the values differ: "messages[1].content: recorded X, now Y".
    package static func lines(recorded: JSONValue, new: JSONValue) -> [String] {
        var lines: [String] = []
        compare(recorded, new, path: "", &lines)
        guard lines.count > limit else { return lines }
        return lines.prefix(limit) + ["and \(lines.count - limit) more"]
    }

    private static func compare(_ old: JSONValue, _ new: JSONValue, path: String, _ lines: inout [String]) {
        guard old != new else { return }
        switch (old, new) {
        case (.object(let a), .object(let b)):
            let names = Set(a.map(\.key)).union(b.map(\.key))
            for name in names.sorted() {
                let place = path.isEmpty ? name : "\(path).\(name)"
                member(a[name], b[name], path: place, &lines)
            }
        case (.array(let a), .array(let b)):
            for index in 0..<max(a.count, b.count) {
                member(
                    a.dropFirst(index).first, b.dropFirst(index).first, path: "\(path)[\(index)]", &lines)
            }
        case (.string(let a), .string(let b)):
            let start = commonLength(a, b)
            lines.append("\(path): recorded \(quote(a, from: start)), now \(quote(b, from: start))")
        default: lines.append("\(path): recorded \(short(old)), now \(short(new))")
        }
    }

    private static func member(_ old: JSONValue?, _ new: JSONValue?, path: String, _ lines: inout [String]) {
        switch (old, new) {
        case (let old?, let new?): compare(old, new, path: path, &lines)
        case (let old?, nil): lines.append("\(path): recorded \(short(old)), now missing")
        case (nil, let new?): lines.append("\(path): not recorded, now \(short(new))")
        case (nil, nil): break
        }
    }

    /// Characters before the first one that differs.
    private static func commonLength(_ a: String, _ b: String) -> Int {
        zip(a, b).prefix { $0 == $1 }.count
    }

    /// The text around its first difference.
    private static func quote(_ text: String, from difference: Int) -> String {
        let skipped = max(0, difference - lead)
        let part = String(text.dropFirst(skipped > 0 ? skipped : 0))
        return (skipped > 0 ? "..." : "") + short(.string(part))
    }

    private static func short(_ value: JSONValue) -> String { Snippet.of(JSONWriter.text(value), limit: valueLimit) }
}
