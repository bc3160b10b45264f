// The header fields every dialect's request begins with, and the checks on what users put into them. A key passes
// through here on its way into a header and is named nowhere: messages speak of its variable.

internal import Base
internal import Chat
internal import HTTP

/// Builds and checks request headers.
enum RequestHeaders {
    /// JSON out, an event stream in, and the endpoint's own fields, which replace ours of the same name.
    /// - Parameters:
    ///   - accept: the media type asked for.
    ///   - keyField: the field that the dialect's own provider expects the key in; the endpoint's quirk outranks it.
    /// - Throws: an `APIError` of kind `config` that names the variable or the field.
    static func make(
        for endpoint: Endpoint, key: String?, accept: String = "text/event-stream",
        keyField: Quirks.KeyField = .bearer
    ) throws(APIError) -> HTTPHeaders {
        var headers: HTTPHeaders = [
            "Content-Type": "application/json", "Accept": accept, "User-Agent": Product.userAgent,
        ]
        if let key {
            try check(key: key, endpoint: endpoint)
            switch endpoint.quirks.keyField ?? keyField {
            case .bearer: headers["Authorization"] = "Bearer \(key)"
            case .header(let name): headers[name] = key
            }
        }
        for field in endpoint.headers {
            if let problem = HTTPHeaders.validate(name: field.name, value: field.value) {
                throw APIError(kind: .config, message: problem)
            }
            headers[field.name] = nil
        }
        for field in endpoint.headers { headers.add(field.name, field.value) }
        return headers
    }

    /// A key is printable ASCII without spaces. What is pasted wrongly mostly ends in a line break.
    private static func check(key: String, endpoint: Endpoint) throws(APIError) {
        let name = endpoint.keyVariable.map { "the environment variable \($0)" } ?? "the API key"
        guard !key.isEmpty else { throw APIError(kind: .config, message: "\(name) is empty") }
        guard let wrong = key.utf8.first(where: { $0 <= 0x20 || $0 >= 0x7F }) else { return }
        let what =
            switch wrong {
            case 0x0A, 0x0D: "a line break"
            case 0x20: "a space"
            case 0x80...: "a character outside ASCII"
            default: "a control character"
            }
        throw APIError(kind: .config, message: "\(name) holds \(what), which no API key does")
    }
}
