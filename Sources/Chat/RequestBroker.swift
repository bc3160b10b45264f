// The protocol between a client (a script) and whatever carries its requests.

/// One client's view of what carries its requests: an engine, or a journal, a cache or a socket in front of one.
///
/// Commands go down and events come up, both as Codable values. The client chooses the ids; the ids of other clients are
/// independent of them. All calls are made on one thread. A broker makes progress while the owner of that thread turns the
/// ``Reactor``.
package protocol RequestBroker: AnyObject {
    /// Queues a command. A command for a request that has ended is ignored. A request that cannot start ends with
    /// ``ChatEvent/failed(_:)``.
    func submit(_ command: RequestCommand)

    /// The next request with events to be taken, in turn; nil if there is none. A request is returned once, and again after
    /// something new has come.
    func nextReady() -> RequestID?

    /// Removes and returns the waiting events of a request, oldest first. Output that was taken counts as seen, except what a
    /// later `stop` or `cancel` reports as undelivered. `finish` and `failed` come alone, after all other events: until
    /// then the request can still be stopped.
    func take(_ id: RequestID) -> [ChatEvent]

    /// Whether `nextReady` would return a request. The owner of the thread must not sleep then.
    var hasReady: Bool { get }

    /// Whether requests of this client wait in line at a rate limiter.
    var hasRequestsInLine: Bool { get }
}

/// What moves requests forward: an engine, or the socket of a worker. Only the owner of the thread holds it; scripts hold
/// brokers.
package protocol Reactor: AnyObject {
    /// One round: commands, bytes, completions, timers.
    /// - Parameter seconds: how long the round may sleep if there is nothing to do; nil for no bound. It does not sleep
    ///   while events wait to be taken.
    func turn(waitingUpTo seconds: Double?)

    /// An eventfd. Writing the number 1 to it, on any thread or in a signal handler, wakes a sleeping `turn`.
    var wakeDescriptor: Int32 { get }
}
