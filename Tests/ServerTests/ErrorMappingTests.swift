// Failures of providers as HTTP errors.

import Chat
import Formats
import HTTP
import JSON
import Testing

@testable import Server

@Suite struct ErrorMappingTests {
    @Test(
        arguments: [
            (RequestFailure.sample(.rateLimit, status: 429), 429, "rate_limit_exceeded"),
            (.sample(.quota, status: 429), 429, "insufficient_quota"), (.sample(.budget), 429, "budget_exceeded"),
            (.sample(.overloaded, status: 529), 503, "overloaded"), (.sample(.timeout, phase: .first), 504, "timeout"),
            (.sample(.network), 502, "upstream_error"), (.sample(.truncated), 502, "upstream_error"),
            (.sample(.protocol), 502, "upstream_error"),
            (.sample(.invalidRequest, status: 413, code: "context_length_exceeded"), 413, "context_length_exceeded"),
            (.sample(.invalidRequest, status: 404), 404, nil), (.sample(.invalidRequest, status: 422), 422, nil),
            (.sample(.invalidRequest, status: 418), 400, nil), (.sample(.invalidRequest, code: "two words"), 400, nil),
            (.sample(.auth, status: 401), 502, "upstream_error"),
            (.sample(.permission, status: 403), 502, "upstream_error"),
            (.sample(.config), 502, "upstream_error"), (.sample(.provider, status: 500), 500, "upstream_error"),
            (.sample(.provider, status: 408), 502, "upstream_error"), (.sample(.cancelled), 503, "cancelled"),
            (.sample(.journal), 500, "journal_error"),
        ] as [(RequestFailure, Int, String?)]) func statuses(_ failure: RequestFailure, _ status: Int, _ code: String?)
    {
        let mapped = ErrorMapping.error(failure)
        #expect(mapped.error.status == status && mapped.error.code == code)
        #expect(mapped.error.message.contains("It failed."))
        #expect(mapped.retryAfter == nil && mapped.headers["x-should-retry"] == "false")
    }

    @Test func credentialsAreNotTheCallers() {
        let message = ErrorMapping.error(.sample(.auth, status: 401)).error.message
        #expect(message == "The server's own credentials failed, not yours: It failed.")
        #expect(ErrorMapping.error(.sample(.config)).error.message.hasPrefix("The server's own configuration failed"))
    }

    @Test func waits() {
        for (wait, seconds) in [(0.2, 1), (12, 12), (1e30, 86_400), (-1, nil), (.nan, nil), (.infinity, nil)]
            as [(Double, Int?)]
        {
            let mapped = ErrorMapping.error(.sample(.rateLimit, isRetryable: true, retryAfter: wait))
            #expect(mapped.retryAfter == seconds && mapped.headers["retry-after"] == seconds.map(String.init))
            #expect(mapped.headers["x-should-retry"] == "true")
        }
    }

    /// Anthropic's types go by the status.
    @Test(arguments: [
        (ErrorKind.rateLimit, 429, "rate_limit_error"), (.quota, 429, "billing_error"),
        (.budget, 429, "rate_limit_error"), (.overloaded, 529, "overloaded_error"), (.timeout, 504, "timeout_error"),
        (.network, 502, "api_error"), (.auth, 502, "api_error"), (.invalidRequest, 400, "invalid_request_error"),
    ]) func typesOfAnthropic(_ kind: ErrorKind, _ status: Int, _ type: String) throws {
        let format = try ServedVariant.all[2].served()
        let response = format.response(ErrorMapping.error(.sample(kind), format: format.name))
        #expect(response.status == status)
        let body = try JSONReader.strictValue(response.body)
        #expect(body["type"] == "error" && body["error"]?["type"]?.string == type)
    }

    @Test func typesOfOpenAI() throws {
        func error(_ failure: RequestFailure) throws -> JSONValue? {
            let response = ServedFormat.fallback.response(ErrorMapping.error(failure))
            return try JSONReader.strictValue(response.body)["error"]
        }
        #expect(try error(.sample(.quota))?["type"] == "insufficient_quota")
        #expect(try error(.sample(.rateLimit))?["code"] == "rate_limit_exceeded")
        #expect(try error(.sample(.invalidRequest, status: 404))?["type"] == "invalid_request_error")
        #expect(try error(.sample(.network))?["type"] == "server_error")
    }

    /// A client of this project takes each error for what it is, so that it retries what may succeed.
    @Test(arguments: [ErrorKind.rateLimit, .quota, .budget, .overloaded, .network, .invalidRequest, .auth])
    func clientsTakeThemForWhatTheyAre(_ kind: ErrorKind) throws {
        let isRetryable = [.rateLimit, .overloaded, .network].contains(kind)
        let response = ServedFormat.fallback.response(ErrorMapping.error(.sample(kind, isRetryable: isRetryable)))
        let error = WireFormat.openAIChat.decodeError(
            head: HTTPResponseHead(status: response.status, headers: response.headers), body: response.body, now: 0)
        #expect(error.isRetryable == isRetryable)
        if kind == .budget { #expect(error.kind == .quota) }
    }

    @Test func plainErrors() throws {
        let response = ErrorMapping.raised(requestID: "r1").response(requestID: "r1")
        #expect(response.status == 500)
        let body = try JSONReader.strictValue(response.body)
        #expect(body["error"]?["request_id"] == "r1" && body["error"]?["type"] == "server_error")
        #expect(body["error"]?["message"]?.string?.contains("r1") == true)
    }
}
