// Runs a call's state machine as the registry and the dispatcher do, without Lua and an engine, and notes what happens.

import Base
import JSON

@testable import Chat
@testable import LuaVM
@testable import Script

/// A state machine, a script and an engine for it.
struct CallDriver {
    var machine: CallStateMachine
    /// What happened: steps of the delivery, commands to the engine ("> cancel"), the end ("= reply").
    var log: [String] = []
    var turn = 1
    var now = 0.0
    /// What callbacks do, by the line of the log that they cause. Each acts once.
    var reactions: [String: Reaction] = [:]

    /// What a callback does.
    enum Reaction {
        case returnsFalse, waits
        case raises(String)
        case acts((inout CallDriver) -> Void)
    }

    init(
        _ mode: CallStateMachine.Mode, _ callbacks: CallbackSet = [], coalesce: Double = 0,
        hasTotalTimeout: Bool = false, hold: OutputHold? = nil
    ) {
        machine = CallStateMachine(
            mode: mode, callbacks: callbacks, coalesce: coalesce, hasTotalTimeout: hasTotalTimeout, hold: hold)
    }

    // MARK: Inputs

    /// The engine has events, and the dispatcher delivers them.
    mutating func take(_ events: ChatEvent...) {
        machine.ready()
        add(events)
        run()
    }

    mutating func add(_ events: [ChatEvent]) {
        if let opening = machine.backlog.append(events, clock: { [now] in now }) { log.append("> look at \(opening)") }
    }

    /// The engine has a turn, and then these events.
    mutating func turn(_ events: ChatEvent...) {
        turn += 1
        add(events)
        run()
    }

    mutating func close(_ reason: CallStateMachine.CloseReason, deliveredPieces: Int = 0) {
        perform(machine.close(reason, at: .init(turn: turn, deliveredPieces: deliveredPieces)))
    }

    mutating func pause() { perform(machine.pause()) }
    mutating func resume() { perform(machine.resume()) }

    /// The loop asks.
    mutating func pull() {
        perform(machine.pull())
        run()
    }

    /// A callback that waited ends.
    mutating func callbackEnds(_ reaction: Reaction? = nil) {
        perform(machine.callbackEnded())
        react(reaction)
        run()
    }

    // MARK: Delivery

    mutating func run() {
        while true {
            switch machine.next(turn: turn) {
            case .nothing, .later: return
            case .step(let step): perform(step)
            case .finish(let outcome, let unseen):
                log.append("= \(Self.text(outcome))" + (unseen.map { ", unseen \(Self.text($0))" } ?? ""))
            case .event:
                guard let event = machine.backlog.popFirst() else { return }
                perform(machine.receive(event, clock: { [now] in now }))
            }
        }
    }

    private mutating func perform(_ step: CallStateMachine.Step) {
        switch step {
        case .notice(let event): log.append("notice \(Self.text(event))")
        case .hand(let event, let phase): log.append("hand \(Self.text(event))" + (phase.map { " (\($0))" } ?? ""))
        case .result(let event): log.append("result \(Self.text(event))")
        case .attemptFailed: log.append("attemptFailed")
        case .callback(let name, let event, let phase):
            let line = "on_\(name) \(Self.text(event))" + (phase.map { " (\($0))" } ?? "")
            log.append(line)
            react(reactions.removeValue(forKey: line))
        }
    }

    mutating func react(_ reaction: Reaction?) {
        switch reaction {
        case nil: break
        case .returnsFalse?: close(.stopped)
        case .waits?: machine.callbackWaits()
        case .raises(let message)?: close(.raised(LuaError(message)))
        case .acts(let act)?: act(&self)
        }
    }

    mutating func perform(_ actions: [CallStateMachine.Action]) {
        for action in actions {
            switch action {
            case .stop(let undelivered): log.append("> stop" + Self.text(undelivered))
            case .cancel(let undelivered): log.append("> cancel" + Self.text(undelivered))
            case .pause: log.append("> pause")
            case .resume: log.append("> resume")
            case .occupied: log.append("> occupied")
            case .reading: log.append("> reading")
            case .interruptBatch: log.append("> interrupt batch")
            case .deliverAt(let time): log.append("> look at \(time)")
            case .deliver, .noteOutput: break
            }
        }
    }

    /// Takes what has been noted.
    mutating func takeLog() -> [String] {
        defer { log = [] }
        return log
    }

    // MARK: Texts

    private static func text(_ undelivered: Undelivered) -> String {
        undelivered == Undelivered()
            ? "" : ", undelivered \(undelivered.textBytes) + \(undelivered.reasoningBytes)"
    }

    private static func text(_ outcome: CallStateMachine.Outcome) -> String {
        switch outcome {
        case .reply: "reply"
        case .failure(let display): display
        case .raised(let error): "raised \(error.message)"
        }
    }

    private static func text(_ unseen: CallStateMachine.UnobservedFailure) -> String {
        switch unseen {
        case .callback: "callback"
        case .stream: "stream"
        case .background: "background"
        }
    }

    private static func text(_ event: ChatEvent) -> String {
        switch event {
        case .text(let batch): batch.kind == .text ? batch.text : "(\(batch.text))"
        case .start: "start"
        case .toolCall: "tool_call"
        case .usage: "usage"
        case .heartbeat: "heartbeat"
        case .native: "native"
        case .chunk(let raw): "chunk \(raw)"
        case .retry: "retry"
        case .wait: "wait"
        case .reset: "reset"
        case .finish(let reply): "finish \(reply.text)"
        case .failed(let failure): "failed \(failure.kind.rawValue)"
        case .phase: "phase"
        }
    }
}

extension ChatEvent {
    static func text(_ pieces: String...) -> ChatEvent { .text(TextBatch(pieces: pieces)) }
    static func reasoning(_ piece: String) -> ChatEvent { .text(.reasoning(piece)) }
    static var finished: ChatEvent { .finish(.plain("ab")) }
    static func failed(_ kind: ErrorKind) -> ChatEvent { .failed(.plain(kind)) }
    static var retried: ChatEvent {
        .retry(RetryInfo(attempt: 1, delay: 1, error: .plain(.overloaded), received: Position()))
    }
    static var started: ChatEvent { .start(StartInfo(attempt: 2)) }
}

extension RequestFailure {
    static func plain(_ kind: ErrorKind) -> RequestFailure {
        RequestFailure(
            kind: kind, message: "no luck", isRetryable: true, provider: "test", model: "model", attempts: 1)
    }
}

extension Reply {
    static func plain(_ text: String) -> Reply {
        Reply(
            text: text, reasoning: "", toolCalls: [], model: "model", provider: "test", attempts: 1, totalTime: 1,
            message: .null)
    }
}
