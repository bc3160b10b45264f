// Runs the event parser over bytes cut in given places, and gathers what comes out.

import Base
import HTTP
import Testing

/// What a stream came to.
struct SSEOutcome: Equatable, CustomStringConvertible {
    struct Event: Equatable {
        var name: String
        var data: String
        var id: String
        /// The reconnection time once the chunk that completed the event had been fed.
        var retry: Int?
    }

    var events: [Event] = []
    var comments: [String] = []
    var strays: [String] = []
    var id = ""
    var retry: Int?
    var pendingName: String?
    var pendingData: String?
    var pendingStray: String?

    var description: String {
        "events \(events), comments \(comments), strays \(strays), id \(id), retry \(retry.debugDescription), "
            + "pending \(pendingName.debugDescription) \(pendingData.debugDescription) \(pendingStray.debugDescription)"
    }

    /// Feeds `bytes`, cut before each of the places in `cuts` (ascending).
    init(_ bytes: [UInt8], cuts: [Int] = [], limit: Int = 1 << 24) throws {
        var parser = SSEParser(maxEventBytes: limit)
        var start = 0
        for end in cuts + [bytes.count] {
            let known = events.count
            try parser.feed(bytes[start..<end].span) { (frame, payload) throws(Never) in
                let text = String(decoding: payload)
                switch frame.kind {
                case .event: events.append(Event(name: frame.name, data: text, id: frame.lastEventID))
                case .comment: comments.append(text)
                case .stray: strays.append(text)
                }
            }
            for index in known..<events.count { events[index].retry = parser.retry }
            start = end
        }
        id = parser.lastEventID
        retry = parser.retry
        pendingName = parser.pending?.name
        pendingData = parser.pending.map { String(decoding: $0.data, as: UTF8.self) }
        pendingStray = parser.pendingStray.map { String(decoding: $0, as: UTF8.self) }
    }

    /// Without the reconnection times of single events, which depend on the cuts.
    var withoutTimes: SSEOutcome {
        var copy = self
        for index in copy.events.indices { copy.events[index].retry = nil }
        return copy
    }
}
