// The count of idle connections, by value.

import Testing

@testable import Transport

@Suite struct IdleConnectionsTests {
    private let one: IdleConnections.Place = 0
    private let other: IdleConnections.Place = 7

    @Test func aPlaceHasWhatWasLeftThere() {
        var idle = IdleConnections()
        #expect(taken(one, from: &idle, at: [0]) == [false])
        idle.add(one, now: 0)
        idle.add(one, now: 1)
        idle.add(other, now: 1)
        #expect(idle.count == 3)
        #expect(taken(one, from: &idle, at: [2, 2, 2]) == [true, true, false])
        #expect(taken(other, from: &idle, at: [2]) == [true])
        #expect(idle.count == 0)
    }

    @Test func oldOnesAreNotReused() {
        var idle = IdleConnections()
        idle.add(one, now: 0)
        idle.add(one, now: 10)
        #expect(taken(one, from: &idle, at: [65, 65]) == [true, false])
        #expect(idle.count == 0)
    }

    @Test func theNumberIsBoundedAndRoomComesWithAge() {
        var idle = IdleConnections()
        for number in 0..<IdleConnections.limit { idle.add(number % 2 == 0 ? one : other, now: Double(number) / 256) }
        #expect(hasRoom(&idle, at: 10) == false)
        #expect(taken(one, from: &idle, at: [10]) == [true])
        #expect(hasRoom(&idle, at: 10))
        idle.add(one, now: 10)
        #expect(hasRoom(&idle, at: 10.5) == false)
        #expect(idle.count == IdleConnections.limit)
        #expect(hasRoom(&idle, at: 62))
        #expect(idle.count == 1)
    }

    // Outside #expect, which takes its operands as constants.
    private func taken(_ place: IdleConnections.Place, from idle: inout IdleConnections, at times: [Double]) -> [Bool] {
        times.map { idle.take(place, now: $0) }
    }

    private func hasRoom(_ idle: inout IdleConnections, at time: Double) -> Bool { idle.hasRoom(now: { time }) }
}
