// Requests of the log as JSON.

internal import Chat
internal import Formats
internal import HTTP
internal import JSON
internal import Journal

extension LoggedRequest {
    /// A time in RFC 3339, with milliseconds.
    static func time(_ time: Double) -> JSONValue {
        // A damaged store may hold an infinity.
        let milliseconds = time.isFinite ? Int(((time - time.rounded(.down)) * 1000).rounded(.down)) : 0
        let digits = String(milliseconds)
        return .string(
            UTCDate(time).rfc3339.dropLast() + "." + String(repeating: "0", count: 3 - digits.count) + digits + "Z")
    }

    /// The request without its texts.
    var json: JSONObject {
        func number(_ count: Int?) -> JSONValue { count.map { .int(Int64($0)) } ?? .null }
        func number(_ value: Double?) -> JSONValue { value.map { .double($0) } ?? .null }
        func text(_ text: String?) -> JSONValue { text.map { .string($0) } ?? .null }
        return [
            "id": .int(id), "run": .int(run), "job": job.map { .int($0) } ?? .null, "state": .string(state),
            "provider": .string(provider), "model": .string(model), "dialect": .string(dialect),
            "address": .string(address), "started_at": Self.time(startedAt),
            "ended_at": endedAt.map(Self.time) ?? .null, "seconds": number(seconds),
            "seconds_to_output": number(secondsToOutput), "tokens_per_second": number(tokensPerSecond),
            "attempts": number(attempts), "finish_reason": text(finishReason), "error_kind": text(errorKind),
            "input_tokens": number(inputTokens), "output_tokens": number(outputTokens),
            "reasoning_tokens": number(reasoningTokens), "cached_tokens": number(cachedTokens), "cost": number(cost),
            "source": source.map { .int($0) } ?? .null,
        ]
    }
}

extension LoggedExchange {
    /// The request as its wire format encodes it, without the key; nil if the record cannot be read.
    /// - Throws: the error of the encoder: such a request was never sent.
    func sent() throws(APIError) -> SentRequest? {
        guard let spec, let format = FormatCatalog.named(spec.endpoint.dialect) else { return nil }
        let request = try format.encode(spec.chat, endpoint: spec.endpoint, key: nil)
        // Bytes of an encoder of this program.
        let body = (try? JSONReader.value(request.body)) ?? .null
        return SentRequest(method: request.method, url: request.url, headers: request.headers, body: body)
    }

    /// All that is recorded.
    var json: JSONValue {
        var object = request.json
        object["command"] = command.map { .string($0) } ?? .null
        object["script"] = script.map { .string($0) } ?? .null
        object["job_name"] = jobName.map { .string($0) } ?? .null
        object["prompt"] = .string(prompt)
        object["asked"] = spec.flatMap { Self.json($0.chat) } ?? .null
        do throws(APIError) {
            object["sent"] = try sent()?.json ?? .null
        } catch {
            object["sent"] = ["error": .string(error.message)]
        }
        object["failed_attempts"] = .array(attempts.map(\.json))
        object["reply"] = reply.flatMap { Self.json($0) } ?? .null
        object["error"] = failure.flatMap { Self.json($0) } ?? .null
        return .object(object)
    }

    /// Values of requests and replies hold JSON values, which always encode.
    static func json(_ value: some Encodable) -> JSONValue? { try? JSONValueEncoder().encode(value) }
}

extension LoggedAttempt {
    var json: JSONValue {
        [
            "number": .int(Int64(number)), "ended_at": LoggedRequest.time(endedAt), "delay": .double(delay),
            "error_kind": .string(errorKind), "status": status.map { .int(Int64($0)) } ?? .null,
            "received_bytes": .int(Int64(receivedBytes)), "message": .string(message),
        ]
    }
}

/// A request as it was sent, without the key.
struct SentRequest {
    var method: String
    var url: String
    /// Those that select features, and those of the format.
    var headers: HTTPHeaders
    var body: JSONValue

    /// Header fields of every request.
    private static let usual = ["content-type", "accept", "user-agent"]

    init(method: String, url: String, headers: HTTPHeaders, body: JSONValue) {
        self.method = method
        self.url = url
        self.headers = HTTPHeaders()
        for field in headers where !Self.usual.contains(field.name.lowercased()) {
            self.headers.add(field.name, field.value)
        }
        self.body = body
    }

    var json: JSONValue {
        var fields = JSONObject()
        for field in headers { fields[field.name] = .string(field.value) }
        return [
            "method": .string(method), "url": .string(url), "headers": .object(fields), "body": body,
        ]
    }
}
