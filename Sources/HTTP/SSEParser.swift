// Cuts a stream of bytes into Server-Sent Events. The engine feeds it what the transport brings and hands the frames
// to a dialect. It looks at bytes only (never at characters, to which CR LF is one), and knows no JSON.

internal import Base

/// What stands beside a frame's payload.
package struct SSEFrame: Sendable, Equatable {
    /// What sort of frame it is.
    package enum Kind: Sendable {
        /// A dispatched event; the payload is its data.
        case event
        /// A comment; the payload is what follows the colon and at most one space.
        case comment
        /// A line whose field name is none of event, data, id and retry; the payload is the whole line. The standard
        /// ignores it; some gateways put their errors there.
        case stray
    }

    /// What sort of frame it is.
    package var kind: Kind
    /// The event's type; empty for the default ("message"), and for what is no event.
    package var name: String
    /// The last event ID as of this event; empty when there is none, and for what is no event.
    package var lastEventID: String
}

/// An incremental parser of event streams, to the letter of WHATWG HTML section 9.2.6, "Interpreting an event stream":
/// https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation
///
/// An event goes out as soon as the byte that ends its blank line is in: after a CR it does not wait to see whether an
/// LF follows. An event whose only data line lies inside the chunk is lent out without a copy. Payloads are bytes as
/// sent; `String(decoding:)` replaces what is no UTF-8, as the standard's decoder would have done before.
package struct SSEParser: Sendable {
    /// The greatest reconnection time taken over, in milliseconds (about 11 days); greater ones count as this.
    package static let longestRetry = 1_000_000_000

    /// The last event ID to send when reconnecting (section 9.2.2); empty when there is none.
    package private(set) var lastEventID = ""
    /// The reconnection time the stream asked for, in milliseconds. It counts from its own line on, not from the
    /// blank line, and may be 0: callers keep a floor of their own.
    package private(set) var retry: Int?

    private let limit: Int
    /// Bytes fed before the present chunk.
    private var offset = 0
    /// How many bytes of a leading byte order mark have been seen; 3 once that question is settled.
    private var markBytes = 0
    /// The last line ended in CR with nothing behind it: an LF that comes next belongs to it.
    private var skipsLineFeed = false
    /// The beginning of a line whose end has not come.
    private var tail: [UInt8] = []
    /// The event's data lines, joined; unused while `direct` holds the only one.
    private var data: [UInt8] = []
    /// The place in the present chunk of the event's only data line.
    private var direct: Range<Int>?
    private var hasData = false
    private var name = ""
    /// The last name that was made into a String: streams repeat theirs.
    private var knownName = ""
    /// The event ID of a block that has not been dispatched.
    private var pendingID = ""
    /// The shape of the last event whose data were in one chunk, unless a line since then has set the event ID or the
    /// reconnection time.
    private var shape: FrameShape?

    /// A parser at the start of a stream.
    /// - Parameter maxEventBytes: the bound on a line, and on the joined data of an event, in bytes.
    package init(maxEventBytes: Int = 16 * 1024 * 1024) { limit = maxEventBytes }

    /// Takes the next bytes of the stream, cut anywhere, and hands out each frame they complete, in order.
    /// - Parameter fastForward: called behind an event with the chunk, the place where the next frame begins, and the shape of
    ///   events of that name. May read the frames from there on that have the shape and a payload without line ends.
    ///   Returns the end of the last frame that it has read; the place itself for none.
    /// - Throws: `FramingError.tooLong` past the bound; `FramingError.consumer` with what `emit` threw.
    package mutating func feed<E: Error>(
        _ bytes: Span<UInt8>, _ emit: (SSEFrame, Span<UInt8>) throws(E) -> Void,
        fastForward: (Span<UInt8>, Int, FrameShape) -> Int = { _, start, _ in start }
    ) throws(FramingError<E>) {
        // This function alone is generic: all that looks at bytes is compiled once, without knowing E.
        var cursor = Cursor(start: begin(bytes), isBetweenEvents: isBetweenEvents)
        var excess: FrameTooLong?
        do throws(E) {
            frames: while true {
                switch step(bytes, &cursor) {
                case .event(let frame, let place):
                    try emit(frame, bytes.extracting(place))
                    if let start = cursor.event, cursor.start < bytes.count, cursor.ends.areLineFeeds {
                        let shape = shape(of: start..<cursor.start, payload: place, in: bytes, name: frame.name)
                        cursor.start = fastForward(bytes, cursor.start, shape)
                    }
                    cursor.event = cursor.start
                case .joined(let frame):
                    var whole: [UInt8] = []
                    swap(&whole, &data)
                    try emit(frame, whole.span)
                    whole.drain()
                    swap(&whole, &data)
                    // An event that began in an earlier chunk. Those behind it look as the ones before it did.
                    if let shape, shape.name == frame.name, cursor.start < bytes.count, cursor.ends.areLineFeeds {
                        cursor.start = fastForward(bytes, cursor.start, shape)
                    }
                    cursor.event = cursor.start
                case .line(let kind, let place):
                    cursor.event = nil
                    try emit(SSEFrame(kind: kind, name: "", lastEventID: ""), bytes.extracting(place))
                case .held(let kind, let line, let start):
                    cursor.event = nil
                    let frame = SSEFrame(kind: kind, name: "", lastEventID: "")
                    try emit(frame, line.span.extracting(droppingFirst: start))
                case .tooLong(let found):
                    excess = found
                    break frames
                case .end: return keep(bytes, from: cursor.start)
                }
            }
        } catch { throw .consumer(error) }
        if let excess { throw .tooLong(excess) }
    }

    /// The event that a stream ended in the middle of: its type, and its data, a last line without its end included.
    /// Nil when there is no data. The standard discards it; a dialect may know better.
    package var pending: (name: String, data: [UInt8])? {
        let last = Field(tail.span)
        guard last.kind == .data else { return hasData ? (name, data) : nil }
        var all = data
        if hasData { all.append(0x0A) }
        all.append(tail.span.extracting(droppingFirst: last.valueStart))
        return (name, all)
    }

    /// A last line without its end, where it is no field: a JSON body sent as an event stream shows here.
    package var pendingStray: [UInt8]? { !tail.isEmpty && Field(tail.span).kind == .stray ? tail : nil }

    // MARK: Lines

    /// Where the walk over a chunk stands.
    private struct Cursor {
        var start: Int
        var ends = LineEnds()
        /// Where the event begins of which this is a part: nil where not all of it is in the chunk, or what it holds has
        /// gone out already.
        var event: Int?

        init(start: Int, isBetweenEvents: Bool) {
            self.start = start
            event = isBetweenEvents ? start : nil
        }
    }

    /// What the next line, or the next few, came to.
    private enum Step {
        /// An event whose data lie in the chunk.
        case event(SSEFrame, Range<Int>)
        /// An event whose data are in `data`.
        case joined(SSEFrame)
        /// A comment or a stray line in the chunk.
        case line(SSEFrame.Kind, Range<Int>)
        /// A comment or a stray line that began in an earlier chunk, and where its payload begins.
        case held(SSEFrame.Kind, [UInt8], Int)
        case tooLong(FrameTooLong)
        case end
    }

    /// Nothing of an event is held.
    private var isBetweenEvents: Bool { !hasData && tail.isEmpty && name.isEmpty && pendingID == lastEventID }

    private mutating func begin(_ bytes: Span<UInt8>) -> Int {
        direct = nil
        var start = skipByteOrderMark(bytes)
        if skipsLineFeed, start < bytes.count {
            skipsLineFeed = false
            if bytes[start] == 0x0A { start += 1 }
        }
        return start
    }

    /// Reads lines until one of them makes a frame.
    private mutating func step(_ bytes: Span<UInt8>, _ cursor: inout Cursor) -> Step {
        while let end = cursor.ends.next(in: bytes, from: cursor.start) {
            let start = cursor.start
            if let excess = excess(end - start, at: start) { return .tooLong(excess) }
            cursor.start = end + 1
            if bytes[end] == 0x0D {
                if end + 1 == bytes.count {
                    skipsLineFeed = true
                } else if bytes[end + 1] == 0x0A {
                    cursor.start = end + 2
                }
            }
            let step = tail.isEmpty ? line(bytes, start..<end) : heldLine(bytes, start..<end)
            if let step { return step }
            if start == end { cursor.event = cursor.start }
        }
        if let excess = excess(bytes.count - cursor.start, at: cursor.start) { return .tooLong(excess) }
        return .end
    }

    /// A line that lies in the chunk.
    private mutating func line(_ chunk: Span<UInt8>, _ place: Range<Int>) -> Step? {
        if place.isEmpty { return dispatch() }
        let line = chunk.extracting(place)
        let field = Field(line)
        switch field.kind {
        case .data where !hasData:
            hasData = true
            direct = place.lowerBound + field.valueStart..<place.upperBound
            return nil
        case .comment: return .line(.comment, place.lowerBound + field.valueStart..<place.upperBound)
        case .stray: return .line(.stray, place)
        default: return take(line, field, at: place.lowerBound, in: chunk)
        }
    }

    /// A line that began in an earlier chunk.
    private mutating func heldLine(_ chunk: Span<UInt8>, _ rest: Range<Int>) -> Step? {
        var held: [UInt8] = []
        swap(&held, &tail)
        let place = rest.lowerBound - held.count
        held.append(chunk.extracting(rest))
        let field = Field(held.span)
        switch field.kind {
        case .comment: return .held(.comment, held, field.valueStart)
        case .stray: return .held(.stray, held, 0)
        default: break
        }
        let step = take(held.span, field, at: place, in: chunk)
        held.drain()
        swap(&held, &tail)
        return step
    }

    private mutating func take(_ line: Span<UInt8>, _ field: Field, at place: Int, in chunk: Span<UInt8>) -> Step? {
        let value = line.extracting(droppingFirst: field.valueStart)
        switch field.kind {
        case .data: return appendData(value, at: place, in: chunk)
        case .event: setName(value)
        case .id:
            shape = nil
            if value.firstIndex(of: 0, from: 0) == nil { pendingID = String(decoding: value) }
        case .retry:
            shape = nil
            if let time = Self.milliseconds(value) { retry = time }
        case .comment, .stray: break
        }
        return nil
    }

    private mutating func dispatch() -> Step? {
        lastEventID = pendingID
        let frame = SSEFrame(kind: .event, name: name, lastEventID: lastEventID)
        name = ""
        guard hasData else { return nil }
        hasData = false
        guard let place = direct else { return .joined(frame) }
        direct = nil
        return .event(frame, place)
    }

    private mutating func shape(
        of frame: Range<Int>, payload: Range<Int>, in chunk: Span<UInt8>, name: String
    ) -> FrameShape {
        if let shape, shape.fits(frame, payload: payload, in: chunk, name: name) { return shape }
        let new = FrameShape(of: frame, payload: payload, in: chunk, name: name, limit: limit)
        shape = new
        return new
    }

    // MARK: Fields

    private mutating func appendData(_ value: Span<UInt8>, at place: Int, in chunk: Span<UInt8>) -> Step? {
        settleDirect(chunk)
        if hasData {
            guard data.count + value.count < limit else {
                return .tooLong(FrameTooLong(limit: limit, position: offset + place))
            }
            data.append(0x0A)
        }
        data.append(value)
        hasData = true
        return nil
    }

    private mutating func setName(_ value: Span<UInt8>) {
        if !value.isEmpty, !value.equals(knownName) { knownName = String(decoding: value) }
        name = value.isEmpty ? "" : knownName
    }

    private static func milliseconds(_ value: Span<UInt8>) -> Int? {
        guard !value.isEmpty else { return nil }
        var total = 0
        for index in value.indices {
            guard (0x30...0x39).contains(value[index]) else { return nil }
            total = min(total * 10 + Int(value[index] - 0x30), longestRetry)
        }
        return total
    }

    // MARK: Between chunks

    private mutating func settleDirect(_ chunk: Span<UInt8>) {
        guard let range = direct else { return }
        direct = nil
        data.append(chunk.extracting(range))
    }

    private mutating func keep(_ chunk: Span<UInt8>, from start: Int) {
        settleDirect(chunk)
        if start < chunk.count { tail.append(chunk.extracting(start..<chunk.count)) }
        offset += chunk.count
    }

    /// How a line passes the bound, if it does.
    private func excess(_ length: Int, at place: Int) -> FrameTooLong? {
        let length = tail.count + length
        return length > limit ? FrameTooLong(limit: limit, position: offset + place - tail.count) : nil
    }

    /// Section 9.2.5: one leading byte order mark is no part of the stream.
    private mutating func skipByteOrderMark(_ bytes: Span<UInt8>) -> Int {
        let mark: [3 of UInt8] = [0xEF, 0xBB, 0xBF]
        var index = 0
        while markBytes < 3, index < bytes.count {
            if bytes[index] == mark[markBytes] {
                markBytes += 1
                index += 1
            } else {
                for seen in 0..<markBytes { tail.append(mark[seen]) }
                markBytes = 3
            }
        }
        return index
    }
}

/// A line's field: which, and where its value begins.
private struct Field {
    enum Kind { case data, event, id, retry, comment, stray }

    let kind: Kind
    let valueStart: Int

    init(_ line: Span<UInt8>) {
        let colon: Int
        // Nearly every line is one of these two, and none of them is shorter than a word.
        let head = line.firstWord
        if head & 0xFF_FFFF_FFFF == 0x3A_6174_6164 {  // "data:"
            (kind, colon) = (.data, 4)
        } else if head & 0xFFFF_FFFF_FFFF == 0x3A74_6E65_7665 {  // "event:"
            (kind, colon) = (.event, 5)
        } else {
            colon = line.firstIndex(of: 0x3A, from: 0) ?? line.count
            switch colon {
            case 0 where !line.isEmpty: kind = .comment
            case 4 where line.hasPrefix("data"): kind = .data
            case 5 where line.hasPrefix("event"): kind = .event
            case 2 where line.hasPrefix("id"): kind = .id
            case 5 where line.hasPrefix("retry"): kind = .retry
            default: kind = .stray
            }
        }
        let start = min(colon + 1, line.count)
        valueStart = start < line.count && line[start] == 0x20 ? start + 1 : start
    }
}

/// Finds the ends of lines. Where the next LF and the next CR stand is remembered, so that a chunk with none of the
/// one kind is searched for it once, and not once a line.
private struct LineEnds {
    private var lineFeed = -1
    private var carriageReturn = -1

    /// Whether no CR stands in what is left of the chunk.
    var areLineFeeds: Bool { carriageReturn == .max }

    mutating func next(in bytes: Span<UInt8>, from start: Int) -> Int? {
        if lineFeed < start { lineFeed = bytes.firstIndex(of: 0x0A, from: start) ?? .max }
        if carriageReturn < start { carriageReturn = bytes.firstIndex(of: 0x0D, from: start) ?? .max }
        let end = min(lineFeed, carriageReturn)
        return end == .max ? nil : end
    }
}
