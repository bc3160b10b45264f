// Requests to a script's server, and whole responses.

package import HTTP

/// A request for a handler.
package struct ServedRequest: Sendable {
    package var id: ExchangeID
    /// The number of the handler in ``ServerSpec``: routes first, models after them.
    package var handler: Int
    package var method: String
    /// The path, percent-decoded.
    package var path: String
    /// The query's names and values, percent-decoded, in order.
    package var query: [(name: String, value: String)]
    package var headers: HTTPHeaders
    package var body: [UInt8]
    /// The values of the route's parameters; that of a final `*` is called "*".
    package var parameters: [String: String]
    /// Who asks: the client's address, or that in `X-Forwarded-For` behind a trusted proxy.
    package var client: String
    /// The id of the request in logs and in the header `X-Request-ID`.
    package var requestID: String
    /// The conversation, for a model.
    package var chat: ChatRequest?

    package init(
        id: ExchangeID, handler: Int, method: String, path: String, query: [(name: String, value: String)] = [],
        headers: HTTPHeaders = [:], body: [UInt8] = [], parameters: [String: String] = [:], client: String,
        requestID: String, chat: ChatRequest? = nil
    ) {
        self.id = id
        self.handler = handler
        self.method = method
        self.path = path
        self.query = query
        self.headers = headers
        self.body = body
        self.parameters = parameters
        self.client = client
        self.requestID = requestID
        self.chat = chat
    }
}

/// A whole response.
package struct ServedResponse: Equatable, Sendable {
    package var status: Int
    /// Header fields, lower case. The server adds the content length and its own fields.
    package var headers: HTTPHeaders
    package var body: [UInt8]

    package init(status: Int = 200, headers: HTTPHeaders = [:], body: [UInt8] = []) {
        self.status = status
        self.headers = headers
        self.body = body
    }

    /// A response with a body of that media type.
    package init(status: Int = 200, type: String, _ body: [UInt8]) {
        self.init(status: status, headers: ["content-type": type], body: body)
    }
}
