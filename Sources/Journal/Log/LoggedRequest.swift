// Requests as a log shows them.

package import Chat

/// A request of the log without its texts.
package struct LoggedRequest: Hashable, Sendable {
    package var id: Int64
    package var run: Int64
    /// The row of the job, which may be removed; nil without one.
    package var job: Int64?
    /// "running", "finished", "stopped", "failed", "cancelled", "cached", or "interrupted": its process was killed.
    package var state: String
    package var provider: String
    package var model: String
    /// The name of the wire format.
    package var dialect: String
    package var address: String
    /// Seconds since 1970.
    package var startedAt: Double
    package var firstOutputAt: Double?
    package var endedAt: Double?
    /// nil while it runs.
    package var attempts: Int?
    package var finishReason: String?
    package var errorKind: String?
    package var inputTokens: Int?
    package var outputTokens: Int?
    package var reasoningTokens: Int?
    package var cachedTokens: Int?
    /// US dollars; nil if it is not known.
    package var cost: Double?
    /// Of a cached one: the request whose reply was given.
    package var source: Int64?
    /// The beginning of the prompt.
    package var promptStart: String

    /// Seconds from its start to its end; nil before that.
    package var seconds: Double? { endedAt.map { max(0, $0 - startedAt) } }
    /// Seconds from its start to its first output; nil without any.
    package var secondsToOutput: Double? { firstOutputAt.map { max(0, $0 - startedAt) } }
    /// Output tokens a second from the first output to the end; nil if not known.
    package var tokensPerSecond: Double? {
        guard let outputTokens, let firstOutputAt, let endedAt, endedAt > firstOutputAt else { return nil }
        return Double(outputTokens) / (endedAt - firstOutputAt)
    }
}

/// An attempt that failed and was followed by another.
package struct LoggedAttempt: Hashable, Sendable {
    package var number: Int
    /// Seconds since 1970.
    package var endedAt: Double
    /// Seconds until the next one.
    package var delay: Double
    package var errorKind: String
    package var status: Int?
    package var receivedBytes: Int
    package var message: String
}

/// A request of the log with all that is recorded.
package struct LoggedExchange: Sendable {
    package var request: LoggedRequest
    /// The run's command ("run", "ask") and script; nil if the run is removed.
    package var command: String?
    package var script: String?
    /// The name of the job; nil without one, or if it is removed.
    package var jobName: String?
    /// The text of the messages after the last one of the assistant.
    package var prompt: String
    /// The request as asked; nil if the record cannot be read.
    package var spec: RequestSpec?
    package var attempts: [LoggedAttempt]
    /// The reply, or the output that had arrived; nil without any. Of a cached one: the reply of its source.
    package var reply: Reply?
    /// The failure, without the partial reply.
    package var failure: RequestFailure?
}

/// A request that a search has found.
package struct SearchHit: Hashable, Sendable {
    package var request: LoggedRequest
    /// The text around the hit. Hits are between ``hitStart`` and ``hitEnd``.
    package var snippet: String

    /// Controls that no text to be shown needs.
    package static let hitStart: Character = "\u{2}"
    package static let hitEnd: Character = "\u{3}"
}

/// The size of a log.
package struct LogStatus: Hashable, Sendable {
    package var requests = 0
    /// Bytes of the file and its write-ahead log.
    package var bytes: Int64 = 0
    /// The start of the first and the last request, in seconds since 1970; nil without any.
    package var first: Double?
    package var last: Double?

    /// That of an empty log.
    package init() {}
}
