// Which transfers look for a connection, by value: against a model of curl and of a server.

import Testing

@testable import Transport

@Suite struct StreamGateTests {
    /// curl with the connections of one server, as far as the gate sees them.
    private struct Model {
        var gate = StreamGate()
        /// Streams a connection of the server takes; 1 for HTTP/1.1.
        let streams: Int
        /// Streams of each open connection.
        var connections: [Int] = []
        /// The most transfers that opened a connection at the same moment.
        var mostOpening = 0
        private var passed: [UInt64] = []

        init(streams: Int) { self.streams = streams }

        mutating func start(_ ids: ClosedRange<UInt64>) {
            for id in ids where gate.enter(id, openConnections: connections.count) { passed.append(id) }
        }

        /// All that passed finds its connection, in the order of curl; then the gate is asked for more.
        mutating func settle() {
            while !passed.isEmpty {
                var opening: [UInt64] = []
                for id in passed {
                    if let free = connections.firstIndex(where: { $0 < streams }) {
                        connections[free] += 1
                        gate.connected(id, openConnections: connections.count)
                    } else if connections.isEmpty, !opening.isEmpty {
                        // CURLOPT_PIPEWAIT: not before the protocol of the first connection is known.
                        continue
                    } else {
                        gate.opened(id)
                        opening.append(id)
                    }
                }
                let waiting = connections.isEmpty ? passed.filter { !opening.contains($0) } : []
                mostOpening = max(mostOpening, opening.count)
                for id in opening {
                    connections.append(1)
                    gate.connected(id, openConnections: connections.count)
                }
                passed = waiting
                while let id = gate.next(openConnections: connections.count) { passed.append(id) }
            }
        }
    }

    private func enter(_ gate: inout StreamGate, _ ids: ClosedRange<UInt64>, open: Int = 0) -> [Bool] {
        ids.map { gate.enter($0, openConnections: open) }
    }

    private func next(_ gate: inout StreamGate, open: Int = 0) -> UInt64? { gate.next(openConnections: open) }

    private func end(_ gate: inout StreamGate, _ id: UInt64, isFailure: Bool = false) -> [UInt64] {
        gate.end(id, isFailure: isFailure)
    }

    @Test(arguments: [(1, 4), (4, 100), (10, 40), (100, 4)])
    func anHTTP2OriginGetsTheConnectionsItsStreamsNeed(streams: Int, connections: Int) {
        // The first number is the streams of a connection; 400 transfers, or 4 for a server that takes one.
        let count = UInt64(streams == 1 ? 4 : 400)
        var model = Model(streams: streams)
        model.start(1...count)
        model.settle()
        #expect(model.connections.count == connections)
        #expect(model.connections.reduce(0, +) == Int(count))
        if streams > 1 { #expect(model.mostOpening == 1) }
    }

    @Test func anHTTP1OriginIsNotHeldBack() {
        var model = Model(streams: 1)
        model.start(1...400)
        model.settle()
        #expect(model.gate.kind == .single)
        // One, then one that shows the protocol and waits for nothing, then all at once.
        #expect(model.mostOpening >= 398)
        #expect(enter(&model.gate, 1000...1000, open: 400) == [true])
    }

    @Test func streamsThatEndMakeRoom() {
        var model = Model(streams: 10)
        model.start(1...20)
        model.settle()
        #expect(model.connections == [10, 10])
        for id in UInt64(1)...5 { #expect(end(&model.gate, id) == []) }
        model.connections[0] = 5
        model.start(21...30)
        model.settle()
        #expect(model.connections == [10, 10, 5])
        #expect(model.mostOpening == 1)
    }

    @Test func aClosedConnectionCountsNoMore() {
        var gate = StreamGate()
        gate.learn(.multiplexed)
        for id in UInt64(1)...4 {
            #expect(enter(&gate, id...id, open: 1) == [true])
            gate.connected(id, openConnections: 1)
        }
        // The connection has gone: one transfer looks for another, and no second one.
        for id in UInt64(1)...4 { _ = end(&gate, id, isFailure: true) }
        #expect(enter(&gate, 5...5, open: 0) == [true])
        #expect(enter(&gate, 6...6, open: 0) == [false])
        #expect(next(&gate, open: 0) == nil)
        gate.opened(5)
        gate.connected(5, openConnections: 1)
        #expect(next(&gate, open: 1) == 6)
    }

    /// The streams of a connection that is being opened are not free yet.
    @Test func aConnectionThatIsBeingOpenedHasNoStreams() {
        var gate = StreamGate()
        gate.learn(.multiplexed)
        for id in UInt64(1)...3 {
            #expect(enter(&gate, id...id, open: id == 1 ? 0 : 1) == [true])
            if id == 1 { gate.opened(id) }
            gate.connected(id, openConnections: 1)
        }
        // All three streams are taken: the fourth opens a connection, which takes long.
        #expect(enter(&gate, 4...10, open: 1) == [true, false, false, false, false, false, false])
        gate.opened(4)
        _ = end(&gate, 1)
        #expect(next(&gate, open: 2) == 5)
        gate.connected(5, openConnections: 2)
        #expect(next(&gate, open: 2) == nil)
        for id in UInt64(2)...3 { _ = end(&gate, id) }
        #expect([next(&gate, open: 2), next(&gate, open: 2), next(&gate, open: 2)] == [6, 7, nil])
    }

    @Test func nobodyWaitsForOthersToFail() {
        var gate = StreamGate()
        #expect(enter(&gate, 1...5, open: 0) == [true, true, false, false, false])
        // Cancelled: the next one may look.
        #expect(end(&gate, 1) == [])
        #expect(next(&gate, open: 0) == 3)
        #expect(next(&gate, open: 0) == nil)
        // Refused by the server: all may.
        #expect(end(&gate, 2, isFailure: true) == [4, 5])
        #expect(!gate.hasHeld)
    }

    @Test func aCancelledTransferWaitsNoMore() {
        var gate = StreamGate()
        #expect(enter(&gate, 1...4, open: 0) == [true, true, false, false])
        _ = gate.end(3, isFailure: false)
        _ = gate.end(1, isFailure: false)
        #expect(next(&gate, open: 0) == 4)
        #expect(!gate.hasHeld)
    }

    @Test func aResponseCorrectsTheGuess() {
        var gate = StreamGate()
        gate.learn(.single)
        #expect(enter(&gate, 1...3, open: 0) == [true, true, true])
        gate.learn(.multiplexed)
        #expect(enter(&gate, 4...4, open: 3) == [false])
        gate.learn(.single)
        #expect(next(&gate, open: 3) == 4)
    }
}
