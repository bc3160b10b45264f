// Faults, and the syntax for plans of them.

/// An ordered list of faults.
///
/// Written as parts with commas between them: `429:2@1.5,cut@4000`. `forms` lists them.
///
/// Status faults are used in the order written, one request each, before any request gets a reply. The other faults
/// apply to the replies after them. Offsets count body bytes without chunk framing.
package struct FaultPlan: Sendable, Equatable {
    /// The faults in the order written.
    package private(set) var faults: [Fault]

    /// The given faults; none by default.
    package init(_ faults: [Fault] = []) { self.faults = faults }

    /// Reads a plan. An empty string is an empty plan.
    /// - Throws: a `FaultPlanError` that names the invalid part.
    package static func parse(_ text: String) throws(FaultPlanError) -> FaultPlan {
        var faults: [Fault] = []
        for part in text.split(separator: ",", omittingEmptySubsequences: false) {
            let part = part.trimmed
            if part.isEmpty {
                if text.trimmed.isEmpty { return FaultPlan() }
                throw FaultPlanError(part: "", reason: "there is nothing between two commas")
            }
            faults.append(try FaultParser(part).fault())
        }
        return FaultPlan(faults)
    }

    /// How forms are combined and what their letters stand for.
    package static let overview = """
        B, E, N: whole numbers; S: seconds, fractions allowed. STATUS and quota come first: each is used for the first N \
        requests (all without :N), in the order written. The others apply to every reply after them; xN at the end limits \
        a fault to the first N replies (cut@400x1).
        """

    /// Each form of a fault, in the order in which help lists them.
    package static let forms: [(syntax: String, meaning: String)] = [
        (
            "STATUS[:N][@S|+|ms:M|date:S|raw:TEXT]",
            "an error status: 400, 401, 403, 404, 408, 409, 422, 429, 500, 502, 503, 504, 529; after @ its Retry-After: S, "
                + "+ (1 second), ms:M (milliseconds), date:S (an HTTP date S seconds ahead), raw:TEXT"
        ),
        ("quota[:N]", "429 with insufficient_quota"),
        ("cut@B", "reset the connection (RST) after B body bytes"),
        ("eof@B", "close cleanly (FIN) after B bytes of a body without framing"),
        ("chunkcut@B", "close inside a chunk after B bytes"),
        ("short-length@B", "send B bytes of a body with a larger Content-Length, then close"),
        ("stall@B:S", "pause S seconds after B bytes"),
        ("slow-head:S", "pause S seconds before the status line"),
        ("drip:N", "write N bytes at a time"),
        ("split-utf8", "write chunks that end inside characters and inside lines"),
        (
            "comments:S",
            "an SSE comment every S seconds (Messages: a ping; Ollama and JSON arrays: white space)"
        ),
        ("error-frame@E", "an error object (overloaded) after E events, then the end"),
        ("bad-json@E", "one event with broken JSON after E events"),
        (
            "no-done",
            "leave out [DONE] (Messages: message_stop; Responses: response.completed; others: the last event or line)"
        ),
        (
            "no-finish",
            "leave out finish_reason (Messages: stop_reason; Gemini: finishReason; Ollama: done_reason; TGI: details; "
                + "Responses: [DONE] instead of response.completed)"
        ),
        ("whole", "one JSON body although a stream was requested"),
        ("garbage", "bytes that are not HTTP"),
        ("html", "200 with an HTML page, like a captive portal"),
        ("empty", "200 with an empty body"),
    ]
}

/// A fault, and the number of requests that it applies to.
package struct Fault: Sendable, Equatable {
    package var kind: Kind
    /// The number of requests; nil for all.
    package var times: Int?

    /// A fault of `times` requests, or of all.
    package init(_ kind: Kind, times: Int? = nil) {
        self.kind = kind
        self.times = times
    }

    /// A kind of fault. Offsets are body bytes without chunk framing, times are seconds.
    package enum Kind: Sendable, Equatable {
        case status(Int, retry: RetryHint?)
        case quota
        case cut(at: Int)
        case eof(at: Int)
        case chunkCut(at: Int)
        case shortLength(at: Int)
        case stall(at: Int, seconds: Double)
        case slowHead(seconds: Double)
        case drip(bytes: Int)
        case splitUTF8
        case comments(seconds: Double)
        case errorFrame(after: Int)
        case badJSON(after: Int)
        case noDone
        case noFinish
        case whole
        case garbage
        case html
        case empty
    }

    /// True for faults that are sent in place of a reply.
    package var isStatus: Bool {
        switch kind {
        case .status, .quota: true
        default: false
        }
    }
}

/// How a response tells the client when to retry.
package enum RetryHint: Sendable, Equatable {
    /// `Retry-After` with this text, valid or not.
    case text(String)
    /// `retry-after-ms`.
    case milliseconds(Int)
    /// `Retry-After` with an HTTP date this many seconds ahead of the response's own `Date`.
    case date(seconds: Int)
}

/// An invalid part of a fault plan.
package struct FaultPlanError: Error, Sendable, Equatable, CustomStringConvertible {
    /// The part as written.
    package var part: String
    /// What is wrong with it.
    package var reason: String

    /// The part, the reason, and the valid forms.
    package var description: String {
        "fault \"\(part)\": \(reason). Valid forms: \(Self.forms)"
    }

    /// Every form, in one line.
    package static var forms: String {
        FaultPlan.forms.map(\.syntax).joined(separator: ", ")
            + "; xN after any but STATUS and quota limits it to the first N replies"
    }
}
