// Expected outcome and duration of a request that meets a fault.

import Base
import Chat
import Testing

@testable import Engine

/// The one correct outcome of a fault.
struct Expected: Sendable {
    /// Text of the reply; nil if the request must fail.
    var text: String?
    /// Finish reason of the reply.
    var finish = FinishReason.stop
    /// Kind of the failure.
    var kind: ErrorKind?
    /// For a timeout: which one.
    var phase: RequestFailure.Phase?
    /// Attempts.
    var attempts: Int
    /// Text of the partial reply.
    var partial: String?
    /// Words in the message.
    var says: [String]
    /// Allowed duration in seconds. The upper bound detects a timeout in place of the fault.
    var seconds: ClosedRange<Double>

    static func reply(
        _ text: String, _ finish: FinishReason = .stop, attempts: Int = 1, seconds: ClosedRange<Double> = 0...5
    ) -> Expected {
        Expected(text: text, finish: finish, attempts: attempts, says: [], seconds: seconds)
    }

    static func failure(
        _ kind: ErrorKind, _ phase: RequestFailure.Phase? = nil, attempts: Int = 1, partial: String? = nil,
        says: [String] = [], seconds: ClosedRange<Double> = 0...5
    ) -> Expected {
        Expected(kind: kind, phase: phase, attempts: attempts, partial: partial, says: says, seconds: seconds)
    }

    func check(_ outcome: Outcome, took: Double, _ sourceLocation: SourceLocation = #_sourceLocation) {
        let failure = outcome.failure
        let told = Comment(rawValue: "\(outcome)")
        #expect(outcome.terminals == 1, told, sourceLocation: sourceLocation)
        #expect(outcome.reply?.text == text, told, sourceLocation: sourceLocation)
        #expect(failure?.kind == kind, told, sourceLocation: sourceLocation)
        #expect(failure?.phase == phase, told, sourceLocation: sourceLocation)
        #expect((outcome.reply?.attempts ?? failure?.attempts) == attempts, told, sourceLocation: sourceLocation)
        #expect(failure?.partial?.text == partial, told, sourceLocation: sourceLocation)
        if let text {
            #expect(outcome.text == text, "what was shown", sourceLocation: sourceLocation)
            #expect(outcome.reply?.finishReason == finish, told, sourceLocation: sourceLocation)
        } else {
            #expect(outcome.text == partial ?? "", "what was shown is kept", sourceLocation: sourceLocation)
        }
        for word in says { #expect(failure?.message.contains(word) == true, told, sourceLocation: sourceLocation) }
        #expect(seconds.contains(took), "took \(took) s", sourceLocation: sourceLocation)
    }
}

extension Driver {
    /// Runs one request and returns its duration in seconds. Calls `onToken` after its first token was taken.
    func time(_ spec: RequestSpec, id: UInt64 = 1, onToken: () -> Void = {}) -> (Outcome, Double) {
        let start = SystemClock.now()
        let id = RequestID(id)
        client.submit(.start(id, spec))
        run { driver in
            let hasToken = driver.events[id]?.contains { if case .text = $0 { true } else { false } } ?? false
            return hasToken || driver.engine.activeCount == 0
        }
        onToken()
        run()
        return (Outcome(events.removeValue(forKey: id) ?? []), SystemClock.now() - start)
    }
}
