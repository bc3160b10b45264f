// The message for an error value that is a table.

internal import JSON
internal import LuaVM

enum ErrorTable {
    /// Maximum bytes of JSON that is shown.
    private static let limit = 2000

    /// The field `message` of the table at `index`, and its members as JSON, or else their names.
    static func description(at index: Int, of stack: LuaStack, _ coder: LuaCoder) -> String {
        stack.getField("message", of: index)
        let message = stack.type(at: -1) == .string ? stack.string(at: -1) : nil
        stack.pop(1)
        return (message.map { "\($0) " } ?? "")
            + "(error object is a table value\(members(at: index, of: stack, coder)))"
    }

    private static func members(at index: Int, of stack: LuaStack, _ coder: LuaCoder) -> String {
        // Tables that are not JSON are listed by names below.
        if let value = try? coder.value(at: index, of: stack, place: "error") {
            let json = JSONWriter.bytes(value)
            if json.count <= limit { return ": " + String(decoding: json, as: UTF8.self) }
        }
        var names: [String] = []
        stack.reserve(4)
        stack.forEachMember(of: index) {
            names.append(stack.type(at: -2) == .string ? stack.string(at: -2) ?? "?" : "[\(stack.display(at: -2))]")
        }
        let shown = names.sorted().prefix(20).joined(separator: ", ")
        return " with " + (names.count > 20 ? "\(names.count) fields, among them \(shown)" : "the fields \(shown)")
    }
}
