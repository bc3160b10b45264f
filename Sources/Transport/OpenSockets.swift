// Counts the open sockets of each gate: curl closes connections without telling which transfers they carried.

internal import Glibc

/// The sockets of connections to places that have a ``StreamGate``, each with the number of the gate. Outlives curl's multi
/// handle, which closes its connections last.
final class OpenSockets {
    private var gates: [Int32: Int] = [:]
    private var counts: [Int] = []

    /// Open sockets of a gate.
    func count(_ gate: Int) -> Int { counts.indices.contains(gate) ? counts[gate] : 0 }

    /// Notes a new socket.
    func add(_ socket: Int32, _ gate: Int) {
        if gate >= counts.count { counts.append(contentsOf: repeatElement(0, count: gate + 1 - counts.count)) }
        gates[socket] = gate
        counts[gate] += 1
    }

    /// Closes a socket, as curl would.
    /// - Returns: 0, or -1 with `errno`.
    func close(_ socket: Int32) -> Int32 {
        if let gate = gates.removeValue(forKey: socket) { counts[gate] -= 1 }
        return Glibc.close(socket)
    }
}

@available(*, unavailable, message: "lives on the thread of its Multi")
extension OpenSockets: @unchecked Sendable {}  // unavailable: this says that it is not Sendable, and why
