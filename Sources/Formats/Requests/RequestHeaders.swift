// Header fields of requests, with checks of user-defined values. Error messages name the variable of a key, never the
// key.

internal import Base
internal import Chat
internal import HTTP

enum RequestHeaders {
    /// The fields of a JSON request. Fields of the endpoint replace those of the same name.
    /// - Parameters:
    ///   - accept: the requested media type.
    ///   - keyField: the field that carries the key, unless a quirk of the endpoint overrides it.
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
            case .bearer: headers.add("Authorization", "Bearer \(key)")
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

    /// Checks that a key is printable ASCII without spaces. A common mistake is a line break at the end.
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
