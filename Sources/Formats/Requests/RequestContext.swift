// Creates errors of requests. They name the provider; lenient requests leave out what cannot be expressed.

internal import Chat
internal import JSON

/// The provider of a request, and whether options that its format lacks are left out.
struct RequestContext {
    var provider: String
    var dialect: String
    var isLenient: Bool

    init(_ request: ChatRequest, endpoint: Endpoint) {
        provider = endpoint.provider
        dialect = endpoint.dialect
        isLenient = request.isLenient
    }

    /// The error of a member that is invalid in every format.
    func invalid(_ field: String, _ problem: String) -> APIError {
        APIError(kind: .invalidRequest, message: "\(field) \(problem)")
    }

    /// Handles a valid member that the format cannot express.
    /// - Throws: an error, unless the request is lenient and is sent without it.
    func cannotExpress(_ field: String, because reason: String? = nil) throws(APIError) {
        guard !isLenient else { return }
        let why = reason.map { ": \($0)" } ?? ""
        throw APIError(
            kind: .invalidRequest,
            message: "\(field) cannot be expressed for \(provider) (dialect \"\(dialect)\")\(why); "
                + "leave it out, or set lenient = true to send the request without it")
    }

    /// Rejects images in a message that may have only text.
    /// - Throws: an error that names the first image, unless the request is lenient and is sent without it.
    func refuseImages(in message: Message, because reason: String) throws(APIError) {
        for (index, part) in message.parts.enumerated() {
            guard case .image = part else { continue }
            try cannotExpress("\(message.place).content[\(index + 1)]", because: reason)
        }
    }

    /// Rejects NaN and infinities, which JSON lacks and JSONWriter writes as null.
    func checkFinite(_ value: JSONValue, at path: @autoclosure () -> String) throws(APIError) {
        switch value {
        case .double(let number):
            guard number.isFinite else { throw invalid(path(), "is \(number), which JSON cannot say") }
        case .array(let elements):
            for index in elements.indices { try checkFinite(elements[index], at: "\(path())[\(index + 1)]") }
        case .object(let object):
            for member in object { try checkFinite(member.value, at: "\(path()).\(member.key)") }
        default: break
        }
    }
}
