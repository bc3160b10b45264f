// What every reader of a request needs to say what is wrong with it: whose request it is, and how strict to be.

internal import Chat
internal import JSON

/// The provider a request goes to, and whether what it cannot take is left out.
struct RequestContext {
    var provider: String
    var dialect: String
    var isLenient: Bool

    init(_ request: ChatRequest, endpoint: Endpoint) {
        provider = endpoint.provider
        dialect = endpoint.dialect
        isLenient = request.isLenient
    }

    /// A member that is wrong whoever is asked.
    func invalid(_ field: String, _ problem: String) -> APIError {
        APIError(kind: .invalidRequest, message: "\(field) \(problem)")
    }

    /// A member that is right, and that this provider has no place for.
    /// - Throws: the error that says so; nothing for a lenient request, which then goes without it.
    func cannotExpress(_ field: String, because reason: String? = nil) throws(APIError) {
        guard !isLenient else { return }
        let why = reason.map { ": \($0)" } ?? ""
        throw APIError(
            kind: .invalidRequest,
            message: "\(field) cannot be expressed for \(provider) (dialect \"\(dialect)\")\(why); "
                + "leave it out, or set lenient = true to send the request without it")
    }

    /// A message whose text is all that this provider has a place for.
    /// - Throws: the error that names the first image in it; nothing for a lenient request, which goes without.
    func refuseImages(in message: Message, because reason: String) throws(APIError) {
        for (index, part) in message.parts.enumerated() {
            guard case .image = part else { continue }
            try cannotExpress("\(message.place).content[\(index + 1)]", because: reason)
        }
    }

    /// JSON has no NaN and no infinity; the writer would make them null without a word.
    func checkFinite(_ value: JSONValue, at path: String) throws(APIError) {
        switch value {
        case .double(let number):
            guard number.isFinite else { throw invalid(path, "is \(number), which JSON cannot say") }
        case .array(let elements):
            for index in elements.indices { try checkFinite(elements[index], at: "\(path)[\(index + 1)]") }
        case .object(let object):
            for member in object { try checkFinite(member.value, at: "\(path).\(member.key)") }
        default: break
        }
    }
}
