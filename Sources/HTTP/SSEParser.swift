// Divides a stream of bytes into Server-Sent Events. Works on bytes, because Swift treats CR LF as one character. Does
// not parse the payloads.

internal import Base

/// Metadata of a frame.
package struct SSEFrame: Sendable, Equatable {
    /// The kind of a frame.
    package enum Kind: Sendable {
        /// A dispatched event; the payload is its data.
        case event
        /// A comment; the payload is what follows the colon and at most one space.
        case comment
        /// A line whose field name is none of event, data, id and retry; the payload is the whole line. The standard
        /// ignores such lines; some gateways send errors in them.
        case stray
    }

    /// The kind of the frame.
    package var kind: Kind
    /// The event's type; empty for the default ("message"), and for comments and stray lines.
    package var name: String
    /// The last event ID at this event; empty if there is none, and for comments and stray lines.
    package var lastEventID: String
}

/// An incremental parser of event streams, as specified in WHATWG HTML section 9.2.6, "Interpreting an event stream":
/// https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation
///
/// An event is emitted as soon as the byte that ends its blank line is read: after a CR the parser does not wait for a
/// possible LF. An event whose only data line is inside the chunk is emitted without a copy. Payloads are the bytes
/// received; `String(decoding:)` replaces invalid UTF-8 as the standard's decoder would.
package struct SSEParser: Sendable {
    /// Maximum reconnection time in milliseconds (about 11 days). Greater values are reduced to this.
    package static let maxRetryMilliseconds = 1_000_000_000

    /// The last event ID to send when reconnecting (section 9.2.2); empty when there is none.
    package private(set) var lastEventID = ""
    /// The reconnection time that the stream requested, in milliseconds. Set when its line is read, before the blank
    /// line. May be 0: callers must apply their own minimum.
    package private(set) var retry: Int?

    private let limit: Int
    /// Bytes of earlier chunks.
    private var offset = 0
    /// Number of bytes of a leading byte order mark read so far; 3 once the mark is complete or known to be absent.
    private var matchedMarkBytes = 0
    /// The last chunk ended in the CR of a line end: an LF at the start of the next chunk belongs to it.
    private var skipsLineFeed = false
    /// The beginning of a line whose end has not been received.
    private var partialLine: [UInt8] = []
    /// The event's data lines, joined by LF; unused while `dataRange` is the only one.
    private var data: [UInt8] = []
    /// Range in the current chunk of the event's only data line.
    private var dataRange: Range<Int>?
    private var hasData = false
    private var name = ""
    /// The last event name decoded to a String. Streams repeat names.
    private var cachedName = ""
    /// The event ID of an event that has not been dispatched.
    private var pendingID = ""
    /// The shape of the last event whose data were in one chunk; nil if an `id` or `retry` line followed it.
    private var shape: FrameShape?

    /// A parser at the start of a stream.
    /// - Parameter maxEventBytes: maximum length of a line, and of the joined data of an event, in bytes.
    package init(maxEventBytes: Int = 16 * 1024 * 1024) { limit = maxEventBytes }

    /// Reads the next chunk, which may begin and end anywhere, and emits each completed frame in order.
    /// - Parameters:
    ///   - canFastForward: called after an event. Shapes are determined only if it returns true.
    ///   - fastForward: called then, with the chunk, the start of the next frame and the shape of events of that name.
    ///     It may consume frames from there on that have this shape and a payload of one line. Returns the end of the
    ///     last frame consumed, or the start it was given if there is none.
    /// - Throws: `FramingError.tooLong` for a line or an event longer than the limit; `FramingError.consumer` with the
    ///   error that `emit` threw.
    package mutating func feed<E: Error>(
        _ bytes: Span<UInt8>, _ emit: (SSEFrame, Span<UInt8>) throws(E) -> Void,
        canFastForward: () -> Bool = { true },
        fastForward: (Span<UInt8>, Int, FrameShape) -> Int = { _, start, _ in start }
    ) throws(FramingError<E>) {
        // Only this function is generic. The functions that read bytes do not depend on E and are compiled once.
        var cursor = Cursor(start: begin(bytes), isBetweenEvents: isBetweenEvents)
        var excess: FrameTooLong?
        do throws(E) {
            frames: while true {
                switch step(bytes, &cursor) {
                case .event(let frame, let place):
                    try emit(frame, bytes.extracting(place))
                    if let start = cursor.event, cursor.start < bytes.count, cursor.ends.hasNoCarriageReturn,
                        canFastForward()
                    {
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
                    // The event began in an earlier chunk, so its own shape is unknown: tries the shape of the events
                    // before it.
                    if let shape, shape.name == frame.name, cursor.start < bytes.count,
                        cursor.ends.hasNoCarriageReturn, canFastForward()
                    {
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

    /// The type and data of an event that the end of the stream truncated, including a last line without its line end.
    /// Nil without data. The standard discards such an event; the caller may accept it.
    package var pending: (name: String, data: [UInt8])? {
        let last = Field(partialLine.span)
        guard last.kind == .data else { return hasData ? (name, data) : nil }
        var all = data
        if hasData { all.append(0x0A) }
        all.append(partialLine.span.extracting(droppingFirst: last.valueStart))
        return (name, all)
    }

    /// A last line without its line end, if it is a stray line. A JSON body sent as an event stream ends in one.
    package var pendingStray: [UInt8]? {
        !partialLine.isEmpty && Field(partialLine.span).kind == .stray ? partialLine : nil
    }

    // MARK: Lines

    /// The current position in a chunk.
    private struct Cursor {
        var start: Int
        var ends = LineEnds()
        /// Start of the current event in the chunk; nil if it began in an earlier chunk, or if a comment or stray line
        /// inside it has been emitted.
        var event: Int?

        init(start: Int, isBetweenEvents: Bool) {
            self.start = start
            event = isBetweenEvents ? start : nil
        }
    }

    /// The result of reading lines up to the next frame.
    private enum Step {
        /// An event whose data are in the chunk.
        case event(SSEFrame, Range<Int>)
        /// An event whose data are in `data`.
        case joined(SSEFrame)
        /// A comment or a stray line in the chunk.
        case line(SSEFrame.Kind, Range<Int>)
        /// A comment or a stray line that began in an earlier chunk, and the start of its payload.
        case held(SSEFrame.Kind, [UInt8], Int)
        case tooLong(FrameTooLong)
        case end
    }

    /// Whether no part of an event is held.
    private var isBetweenEvents: Bool { !hasData && partialLine.isEmpty && name.isEmpty && pendingID == lastEventID }

    private mutating func begin(_ bytes: Span<UInt8>) -> Int {
        dataRange = nil
        var start = skipByteOrderMark(bytes)
        if skipsLineFeed, start < bytes.count {
            skipsLineFeed = false
            if bytes[start] == 0x0A { start += 1 }
        }
        return start
    }

    /// Reads lines until one of them completes a frame.
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
            let step = partialLine.isEmpty ? line(bytes, start..<end) : heldLine(bytes, start..<end)
            if let step { return step }
            if start == end { cursor.event = cursor.start }
        }
        if let excess = excess(bytes.count - cursor.start, at: cursor.start) { return .tooLong(excess) }
        return .end
    }

    /// Reads a line that is entirely in the chunk.
    private mutating func line(_ chunk: Span<UInt8>, _ place: Range<Int>) -> Step? {
        if place.isEmpty { return dispatch() }
        let line = chunk.extracting(place)
        let field = Field(line)
        switch field.kind {
        case .data where !hasData:
            hasData = true
            dataRange = place.lowerBound + field.valueStart..<place.upperBound
            return nil
        case .comment: return .line(.comment, place.lowerBound + field.valueStart..<place.upperBound)
        case .stray: return .line(.stray, place)
        default: return take(line, field, at: place.lowerBound, in: chunk)
        }
    }

    /// Reads a line that began in an earlier chunk.
    private mutating func heldLine(_ chunk: Span<UInt8>, _ rest: Range<Int>) -> Step? {
        var held: [UInt8] = []
        swap(&held, &partialLine)
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
        swap(&held, &partialLine)
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
        guard let place = dataRange else { return .joined(frame) }
        dataRange = nil
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
        bufferData(chunk)
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
        if !value.isEmpty, !value.equals(cachedName) { cachedName = String(decoding: value) }
        name = value.isEmpty ? "" : cachedName
    }

    private static func milliseconds(_ value: Span<UInt8>) -> Int? {
        guard !value.isEmpty else { return nil }
        var total = 0
        for index in value.indices {
            guard (0x30...0x39).contains(value[index]) else { return nil }
            total = min(total * 10 + Int(value[index] - 0x30), maxRetryMilliseconds)
        }
        return total
    }

    // MARK: Between chunks

    private mutating func bufferData(_ chunk: Span<UInt8>) {
        guard let range = dataRange else { return }
        dataRange = nil
        data.append(chunk.extracting(range))
    }

    private mutating func keep(_ chunk: Span<UInt8>, from start: Int) {
        bufferData(chunk)
        if start < chunk.count { partialLine.append(chunk.extracting(start..<chunk.count)) }
        offset += chunk.count
    }

    /// The error for a line longer than the limit; nil if it fits.
    private func excess(_ length: Int, at place: Int) -> FrameTooLong? {
        let length = partialLine.count + length
        return length > limit ? FrameTooLong(limit: limit, position: offset + place - partialLine.count) : nil
    }

    /// Skips one leading byte order mark (section 9.2.5).
    private mutating func skipByteOrderMark(_ bytes: Span<UInt8>) -> Int {
        let mark: [3 of UInt8] = [0xEF, 0xBB, 0xBF]
        var index = 0
        while matchedMarkBytes < 3, index < bytes.count {
            if bytes[index] == mark[matchedMarkBytes] {
                matchedMarkBytes += 1
                index += 1
            } else {
                for seen in 0..<matchedMarkBytes { partialLine.append(mark[seen]) }
                matchedMarkBytes = 3
            }
        }
        return index
    }
}

/// The field of a line and the start of its value.
private struct Field {
    enum Kind { case data, event, id, retry, comment, stray }

    let kind: Kind
    let valueStart: Int

    init(_ line: Span<UInt8>) {
        let colon: Int
        // Fast path: most lines begin with one of these two names and have at least 8 bytes.
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

/// Finds the ends of lines. Caches the positions of the next LF and the next CR, so that a chunk without CR is searched
/// for CR once, not once per line.
private struct LineEnds {
    private var lineFeed = -1
    private var carriageReturn = -1

    /// Whether the rest of the chunk has no CR.
    var hasNoCarriageReturn: Bool { carriageReturn == .max }

    mutating func next(in bytes: Span<UInt8>, from start: Int) -> Int? {
        if lineFeed < start {
            // The blank line behind the data of an event needs no search.
            let isBlank = start < bytes.count && bytes[start] == 0x0A
            lineFeed = isBlank ? start : bytes.firstIndex(of: 0x0A, from: start) ?? .max
        }
        if carriageReturn < start { carriageReturn = bytes.firstIndex(of: 0x0D, from: start) ?? .max }
        let end = min(lineFeed, carriageReturn)
        return end == .max ? nil : end
    }
}
