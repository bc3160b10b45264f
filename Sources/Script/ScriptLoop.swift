// Several scripts on one thread and one engine.

package import Chat

/// Runs scripts by turns: each takes a step, then the reactor is turned. The scripts' brokers are clients of that reactor, or
/// brokers in front of one.
package struct ScriptLoop {
    private let reactor: any Reactor

    /// A loop that turns the reactor.
    package init(turning reactor: any Reactor) { self.reactor = reactor }

    /// Runs the scripts to their ends.
    /// - Returns: how each ended, in the order given.
    package func run(_ scripts: [ScriptRuntime]) -> [ScriptOutcome] {
        var outcomes = [ScriptOutcome?](repeating: nil, count: scripts.count)
        while outcomes.contains(where: { $0 == nil }) {
            var wait = Double.infinity
            for (index, script) in scripts.enumerated() where outcomes[index] == nil {
                switch script.step() {
                case .waits(let seconds): wait = min(wait, seconds ?? .infinity)
                case .ended(let outcome):
                    outcomes[index] = outcome
                    // Its last commands are applied at once.
                    wait = 0
                }
            }
            reactor.turn(waitingUpTo: wait.isFinite ? wait : nil)
        }
        return outcomes.compactMap(\.self)
    }
}
