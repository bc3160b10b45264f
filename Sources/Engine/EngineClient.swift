// One client's view of an engine: its own request numbers, and its own list of requests with events.

internal import Base
package import Chat
internal import DequeModule

/// A client of an engine, made by ``Engine/attach()``. Clients share the engine's connections and rate limiters. To be used
/// on the engine's thread. When it is released, its requests are cancelled and their events dropped.
package final class EngineClient: RequestBroker {
    private let engine: Engine
    private let state: ClientState

    init(of engine: Engine, _ state: ClientState) {
        self.engine = engine
        self.state = state
    }

    deinit { engine.detach(state) }

    package func submit(_ command: RequestCommand) { engine.submit(command, from: state) }

    package func nextReady() -> RequestID? { state.nextReady() }

    package func take(_ id: RequestID) -> [ChatEvent] { engine.take(id, of: state) }

    package var hasReady: Bool { state.hasReady }

    package var hasRequestsInLine: Bool { state.lineCount > 0 }
}

@available(*, unavailable, message: "a client belongs to its engine's thread")
extension EngineClient: Sendable {}

/// What an engine keeps of a client.
final class ClientState {
    /// From 1, in the order of `attach`.
    let number: Int
    /// Its requests whose last event has not been taken. They hold their client: `Engine.forget` and its deinit break the
    /// cycle.
    var requests = SequentialTable<Request>()
    /// Requests that stand in line at a rate limiter.
    var lineCount = 0
    /// Requests with something to take, in turn.
    private var ready = Deque<Request>()
    private var isDetached = false

    init(number: Int) { self.number = number }

    /// Puts a request with events on the list.
    func list(_ request: Request) {
        guard !request.isListed, !isDetached, request.hasEvents else { return }
        request.isListed = true
        ready.append(request)
    }

    /// Takes the next request with events off the list.
    func nextReady() -> RequestID? {
        guard hasReady else { return nil }
        return removeFirst()?.id
    }

    var hasReady: Bool {
        while let request = ready.first, !request.hasEvents { removeFirst() }
        return !ready.isEmpty
    }

    /// Drops the list, for a client that is gone.
    func detach() {
        isDetached = true
        ready.removeAll()
    }

    @discardableResult
    private func removeFirst() -> Request? {
        let request = ready.popFirst()
        request?.isListed = false
        return request
    }
}

/// A request's number, unique in its engine.
struct RequestKey: Hashable {
    var client: Int
    var id: RequestID
}
