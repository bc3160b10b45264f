// Streams that break after output, under each after-output policy.

import Chat
import HTTP
import JSON
import Testing

@testable import Engine

@Suite struct AfterOutputTests {
    @Test(arguments: AfterOutput.allCases, [true, false])
    func brokenAfterOutput(policy: AfterOutput, isObserved: Bool) throws {
        let world = EngineHarness()
        world.start(1, EngineHarness.spec(retry: RetryPolicy(afterOutput: policy), isObserved: isObserved))
        world.head()
        world.send(events: "start:1", "t:The quick brown fox ")
        world.turnAndTake()
        world.end(.cut(how: "connection reset"))
        world.turnAndTake()
        let fails = policy == .fail || (policy == .auto && isObserved)
        #expect((world.failure != nil) == fails)
        if fails {
            #expect(world.failure?.partial?.text == "The quick brown fox ")
            #expect(world.failure?.isRetryable == true)
            return
        }
        #expect(world.retries.count == 1)
        #expect(world.resets == (policy == .restart ? 1 : 0))
        world.advance(5)
        #expect(world.transport.transfers.count == 2)
        let asked = String(decoding: world.last.request.body, as: UTF8.self)
        #expect(asked == (policy == .continue ? "The quick brown fox " : "anew"))
        world.head()
        world.send(events: "start:2")
        if policy != .continue { world.send(events: "t:The quick brown fox ") }
        world.send(events: "t:jumps", "usage:1 2", "[DONE]")
        world.turnAndTake()
        let reply = try #require(world.finish)
        #expect(reply.text == "The quick brown fox jumps")
        #expect(reply.attempts == 2)
        #expect(reply.usage?.estimated == (policy == .continue))
        #expect(world.terminals == 1)
    }

    @Test func aContinuationSaysNothingTwice() {
        let world = EngineHarness()
        world.start(1, EngineHarness.spec(retry: RetryPolicy(afterOutput: .continue)))
        world.head()
        world.send(events: "t:The quick brown fox")
        world.turnAndTake()
        world.end(.cut(how: "reset"))
        world.turnAndTake()
        world.advance(5)
        world.head()
        world.send(events: "t:brown", "t: fox jumps", "t: over")
        world.turnAndTake()
        // The second attempt breaks too; its text stays.
        world.end(.cut(how: "reset"))
        world.turnAndTake()
        world.advance(5)
        #expect(String(decoding: world.last.request.body, as: UTF8.self).hasSuffix(" over"))
        world.head()
        world.send(events: "t: the dog", "[DONE]")
        world.turnAndTake()
        #expect(world.finish?.text == world.text)
        #expect(world.text.hasSuffix(" over the dog"))
        #expect(world.text.hasPrefix("The quick brown fox"))
    }

    /// The token limit applies to the whole reply: each further attempt asks for the rest.
    @Test func aContinuationAsksForTheTokensThatAreLeft() {
        let world = EngineHarness()
        var spec = EngineHarness.spec(retry: RetryPolicy(afterOutput: .continue))
        spec.chat.parameters = ["max_tokens": 20]
        world.start(1, spec)
        var asked: [String?] = []
        for text in ["t:The quick brown fox ", "t:jumps over the dog"] {
            asked.append(world.last.request.headers["X-Max-Tokens"])
            world.head()
            world.send(events: text)
            world.turnAndTake()
            world.end(.cut(how: "reset"))
            world.turnAndTake()
            world.advance(5)
        }
        asked.append(world.last.request.headers["X-Max-Tokens"])
        // By estimate, four ASCII characters are a token.
        #expect(asked == ["20", "15", "10"])
    }

    @Test func aContinuationThatCannotBeSaysSo() {
        let world = EngineHarness()
        world.start(1, EngineHarness.spec(retry: RetryPolicy(afterOutput: .continue), continuation: .none))
        world.head()
        world.send(events: "t:x")
        world.turnAndTake()
        world.end()
        world.turnAndTake()
        #expect(world.failure?.message.contains("cannot continue") == true)
    }

    @Test func outputThatNobodyTookIsForgotten() {
        let world = EngineHarness()
        world.start(1, EngineHarness.spec(retry: RetryPolicy(afterOutput: .fail)))
        world.head()
        world.send(events: "start:1", "t:lost")
        world.end(.cut(how: "reset"))
        world.turn()
        #expect(world.client.hasReady)
        world.advance(5)
        world.head()
        world.send(events: "t:kept", "[DONE]")
        world.turnAndTake()
        #expect(world.names == ["retry", "t:kept", "finish"])
        #expect(world.finish?.text == "kept")
    }

    /// A stream of forty events, broken at each byte by a reset and by a clean close, under each policy: complete
    /// only past the end marker; the text is a prefix of what was sent; nothing comes twice.
    @Test(arguments: AfterOutput.allCases, [TransferEnding.complete, .cut(how: "reset")])
    func cutAtEveryByte(policy: AfterOutput, ending: TransferEnding) throws {
        let tokens = (0..<40).map { "word\($0) é, " }
        let whole = tokens.joined()
        var body = tokens.map { "data: t:\($0)\n\n" }.joined()
        let beforeEnd = body.utf8.count
        body += "data: finish:stop\n\ndata: [DONE]\n\n"
        let bytes = Array(body.utf8)
        for cut in 0...bytes.count {
            let world = EngineHarness(random: 0)
            world.start(1, EngineHarness.spec(retry: RetryPolicy(max: 1, afterOutput: policy)))
            world.head()
            if cut > 0 { world.last.incoming.append(.body(Array(bytes[..<cut]))) }
            world.turnAndTake()
            world.end(ending)
            world.turnAndTake()
            let seen = world.text
            #expect(whole.utf8.starts(with: seen.utf8))
            if cut >= beforeEnd + "data: finish:stop\n\n".utf8.count {
                #expect(world.finish?.text == whole)
            } else if world.failure != nil {
                #expect(world.finish == nil)
                #expect(seen.isEmpty == (world.failure?.partial == nil))
                if !seen.isEmpty { #expect(world.failure?.partial?.text == seen) }
            } else if world.finish == nil {
                #expect(world.retries.count == 1, "cut at \(cut)")
                world.turn()
                try answerAgain(world, policy: policy, tokens: tokens, seen: seen)
                #expect(world.finish?.text == whole, "cut at \(cut)")
                if policy == .continue { #expect(world.text == whole) }
                if world.resets > 0 { #expect(world.text == seen + whole) }
            } else {
                Issue.record("a reply without its end mark, cut at \(cut)")
            }
            #expect(world.terminals == 1)
        }
    }

    private func answerAgain(_ world: EngineHarness, policy: AfterOutput, tokens: [String], seen: String) throws {
        #expect(world.transport.transfers.count == 2)
        let asked = String(decoding: world.last.request.body, as: UTF8.self)
        var rest = tokens
        if asked != "anew" {
            #expect(policy == .continue)
            #expect(asked == seen)
            var known = ""
            while known != asked { known += rest.removeFirst() }
        }
        world.head()
        for token in rest { world.send(events: "t:\(token)") }
        world.send(events: "[DONE]")
        world.turnAndTake()
    }
}
