// Recorded replies that are delivered again, by value.

import Base
import Chat
import JSON
import Testing

@testable import Journal

@Suite struct PlaybackTests {
    /// Three deltas, after 1, 2 and 4 seconds; the end after 5.
    private func playback(pace: Double?) -> Playback {
        let reply = Reply(
            text: "abc", reasoning: "", toolCalls: [], model: "m", provider: "p", attempts: 1, totalTime: 5,
            message: [:])
        let events = [(1.0, "a"), (2, "b"), (4, "c")].map { time, text in
            TimedEvent(time: time, event: .text(TextBatch(text)))
        }
        return Playback(RecordedReply(row: 1, reply: reply, events: events, isCached: true), pace: pace, now: 100)
    }

    private func text(_ events: [ChatEvent]) -> String {
        events.reduce(into: "") { text, event in
            switch event {
            case .start: text += "<"
            case .text(let batch): text += batch.text
            case .finish: text += ">"
            default: text += "?"
            }
        }
    }

    @Test func withoutPaceAllComesAtOnceAndTheEndAlone() {
        var playback = playback(pace: nil)
        #expect(text(playback.take(now: 100)) == "<abc")
        #expect(!playback.isOver && playback.nextTime == 100)
        #expect(text(playback.take(now: 100)) == ">")
        #expect(playback.isOver && playback.nextTime == nil)
    }

    @Test(arguments: [1.0, 2.0, 0.5])
    func aPaceKeepsTheRecordedTimes(pace: Double) {
        var playback = playback(pace: pace)
        #expect(text(playback.take(now: 100)) == "<")
        for (time, expected) in [(1.0, "a"), (2, "b"), (4, "c"), (5, ">")] {
            let due = 100 + time / pace
            #expect(playback.nextTime == due)
            #expect(playback.take(now: due - 0.001).isEmpty)
            #expect(text(playback.take(now: due)) == expected)
        }
        #expect(playback.isOver)
    }

    @Test func aLateTurnTakesAllThatIsDue() {
        var playback = playback(pace: 1)
        #expect(text(playback.take(now: 102.5)) == "<ab")
        playback.pause()
        #expect(playback.nextTime == nil && playback.take(now: 200).isEmpty)
        playback.resume()
        #expect(text(playback.take(now: 200)) == "c")
    }

    @Test func aStoppedOneEndsWithWhatWasTaken() {
        var playback = playback(pace: 1)
        _ = playback.take(now: 102)
        var undelivered = Undelivered()
        undelivered.textBytes = 1
        playback.end(undelivered, isCancelled: false, provider: "p", model: "m")
        guard case .finish(let reply)? = playback.take(now: 110).last else {
            Issue.record("no finish")
            return
        }
        #expect(reply.text == "a" && reply.finishReason == .cancelled && playback.isOver)
    }

    @Test func aCancelledOneFailsWithWhatWasTaken() {
        var playback = playback(pace: 1)
        _ = playback.take(now: 102)
        playback.end(Undelivered(), isCancelled: true, provider: "p", model: "m")
        guard case .failed(let failure)? = playback.take(now: 110).last else {
            Issue.record("no failure")
            return
        }
        #expect(failure.kind == .cancelled && failure.partial?.text == "ab" && playback.isOver)
    }
}
