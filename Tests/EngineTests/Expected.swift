// What must come of a request that meets a fault, and how soon: what the tables of faults have in common.

import Chat
import Testing

@testable import Engine

/// The one outcome that a fault allows.
struct Expected: Sendable {
    /// The reply's text; nil where the request must fail.
    var text: String?
    /// The reply's finish reason.
    var finish = FinishReason.stop
    /// The failure's kind.
    var kind: ErrorKind?
    /// For a timeout: which.
    var phase: RequestFailure.Phase?
    /// Attempts made.
    var attempts: Int
    /// The text that the failure keeps.
    var partial: String?
    /// Words of the failure's message.
    var says: [String]
    /// How long it may take, in seconds. The upper end is there to catch a timeout that struck instead.
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
    /// One request from start to end, and the seconds that it took. Calls `onToken` when its first token has been taken.
    func time(_ spec: RequestSpec, id: UInt64 = 1, onToken: () -> Void = {}) -> (Outcome, Double) {
        let start = Engine.now()
        let id = RequestID(id)
        engine.submit(.start(id, spec))
        run { driver in
            let hasToken = driver.events[id]?.contains { if case .token = $0 { true } else { false } } ?? false
            return hasToken || driver.engine.activeCount == 0
        }
        onToken()
        run()
        return (Outcome(events.removeValue(forKey: id) ?? []), Engine.now() - start)
    }
}
