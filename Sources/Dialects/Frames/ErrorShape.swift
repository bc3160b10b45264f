// Whether a document is an error, for streams in which errors come among the replies. What it says is ErrorReport's.

internal import Wire

/// Tells errors by their shape.
enum ErrorShape {
    private static let keys = JSONKeys("error", "object", "type", "detail", "errors", "message", "code")

    /// Whether an object that is no reply is an error: it says so, or has the members of one.
    static func isError(_ node: JSONNode) -> Bool {
        guard node.kind == .object else { return false }
        let shape = node.pick(keys)
        if let error = shape[0], !error.isNull, error.bool != false { return true }
        if shape[1]?.isString("error") == true || shape[2]?.isString("error") == true { return true }
        if shape[3]?.isNull == false || shape[4]?.isNull == false { return true }
        return shape[5]?.string != nil && (shape[6]?.isNull == false || shape[2] != nil)
    }

    /// Whether an `error` member beside a reply says anything; an empty one does not.
    static func says(_ error: JSONNode) -> Bool {
        switch error.kind {
        case .string: error.string?.isEmpty == false
        case .object, .array: error.count > 0
        case .bool: error.bool == true
        case .null: false
        default: true
        }
    }
}
