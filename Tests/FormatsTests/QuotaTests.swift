// Quotas of a day or more have kind "quota"; limits of a minute are temporary.

import Chat
import HTTP
import Testing

@testable import Formats

@Suite struct QuotaTests {
    private func error(_ body: String, status: Int = 429) -> APIError {
        WireFormat.openAIChat.decodeError(
            head: HTTPResponseHead(status: status, headers: ["content-type": "application/json"]),
            body: Array(body.utf8),
            now: 1_700_000_000)
    }

    private func google(_ quotaIDs: String...) -> String {
        let violations = quotaIDs.map { #"{"quotaMetric":"generate_requests","quotaId":"\#($0)"}"# }
        return
            #"{"error":{"code":429,"message":"You exceeded your current quota","status":"RESOURCE_EXHAUSTED","details":["#
            + #"{"@type":"type.googleapis.com/google.rpc.QuotaFailure","violations":["#
            + violations.joined(separator: ",")
            + #"]},{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"34s"}]}}"#
    }

    @Test func googleSaysInViolationsWhichQuotaItIs() {
        for body in [
            google("GenerateRequestsPerDayPerProjectPerModel-FreeTier"),
            google("GenerateRequestsPerMinutePerProjectPerModel", "GenerateContentInputTokensPerModelPerDay-FreeTier"),
        ] {
            #expect(error(body).kind == .quota && !error(body).isRetryable)
        }
        let minute = error(google("GenerateRequestsPerMinutePerProjectPerModel-FreeTier"))
        #expect(minute.kind == .rateLimit && minute.isRetryable && minute.retryAfter == 34)
    }

    @Test(
        arguments: [
            "Rate limit exceeded: free-models-per-day. Add 10 credits to unlock 1000 free model requests per day",
            "Rate limit reached for model `x` on requests per day (RPD): Limit 1000, Used 1000, Requested 1.",
            "Rate limit reached on tokens per day (TPD): Limit 100000, Used 99336, Requested 2000.",
            "You are using a Trial key, which is limited to 1000 API calls / month.", "Daily limit reached",
        ]) func quotasInProse(message: String)
    {
        let error = error(#"{"error":{"message":"\#(message)","code":"rate_limit_exceeded"}}"#)
        #expect(error.kind == .quota && !error.isRetryable)
    }

    @Test(
        arguments: [
            "Rate limit exceeded: free-models-per-min",
            "Rate limit reached on requests per min (RPM): Limit 3, Used 3.",
            "You are using a Trial key, which is limited to 40 API calls / minute.",
        ]) func limitsOfAMinuteHeal(message: String)
    {
        let error = error(#"{"error":{"message":"\#(message)","code":"rate_limit_exceeded"}}"#)
        #expect(error.kind == .rateLimit && error.isRetryable)
    }

    @Test func rateHeadersInTheBodyAreKept() {
        let error = error(
            #"{"error":{"message":"slow","code":429,"metadata":{"headers":{"X-RateLimit-Remaining":"0","X-RateLimit-Reset":1700000004000}}}}"#
        )
        #expect(
            error.rateHeaders["x-ratelimit-reset"] == "1700000004000"
                && error.rateHeaders["x-ratelimit-remaining"] == "0")
    }
}
