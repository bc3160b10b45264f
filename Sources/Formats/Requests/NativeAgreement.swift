// Compares the native parts of a reply with its message. A script may have changed either of them.

internal import Chat
internal import JSON

extension Message {
    /// The call ids as the script wrote them. CallPairing may have changed those in `toolCalls`.
    var writtenCallIDs: [String] { (raw["tool_calls"]?.array ?? []).map { $0["id"]?.string ?? "" } }
}

extension ToolCall {
    /// Whether a native part calls the same function with the same arguments. All malformed arguments are equal,
    /// because they are sent back as `{}`.
    func agrees(name: JSONValue?, arguments: JSONValue?) -> Bool {
        guard name?.string ?? "" == self.name else { return false }
        let own = arguments?.isNull == false ? arguments ?? [:] : [:]
        if let own = own["INVALID_JSON"]?.string, own == argumentsJSON { return true }
        if self.arguments?.isNull == true { return own == [:] }
        guard let arguments = self.arguments, arguments.object != nil else { return own.object == nil }
        return arguments.isEquivalent(to: own)
    }
}

extension JSONValue {
    /// Equality after a conversion to a Lua table or a file: `1` equals `1.0`, members have no order, and an empty
    /// table is an array or an object.
    fileprivate func isEquivalent(to other: JSONValue) -> Bool {
        switch (self, other) {
        case (.int(let a), .double(let b)), (.double(let b), .int(let a)): return Double(a) == b
        case (.array(let a), .array(let b)):
            return a.count == b.count && zip(a, b).allSatisfy { $0.isEquivalent(to: $1) }
        case (.object(let a), .object(let b)):
            guard a.count == b.count else { return false }
            return a.allSatisfy { member in b[member.key].map { member.value.isEquivalent(to: $0) } ?? false }
        case (.array(let a), .object(let b)), (.object(let b), .array(let a)): return a.isEmpty && b.isEmpty
        default: return self == other
        }
    }
}
