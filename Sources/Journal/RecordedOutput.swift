// The output of a request as the store holds it: rows of several deltas, and their times.

internal import Base
internal import Chat
internal import JSON

/// A row of the table `deltas`.
struct OutputRow: Hashable, Sendable {
    enum Kind: String, Sendable {
        case text, reasoning
        /// One ``ChatEvent`` as JSON.
        case event
    }

    /// From 0 in the order of the output.
    var number: Int
    /// Raised by each `reset`.
    var attempt: Int
    var kind: Kind
    /// Seconds from the start of the request to the first delta of the row.
    var time: Double
    /// UTF-8 of all deltas.
    var text: [UInt8]
    /// For each delta its length in bytes and the milliseconds since the one before, both as LEB128.
    var pieces: [UInt8]

    /// The checksum of the row.
    func seal(request: Int64) -> Int64 {
        var seal = RecordSeal(.delta)
        seal.add(request)
        seal.add(Int64(number))
        seal.add(Int64(attempt))
        seal.add(kind.rawValue)
        seal.add(time)
        seal.add(text)
        seal.add(pieces)
        return seal.value
    }
}

/// Collects the output of one request in rows.
struct OutputRecorder {
    /// Bytes after which a row ends.
    private static let rowLimit = 64 << 10

    private var open: OutputRow?
    /// The text of the open row.
    private var text = TextBuilder()
    private var closed: [OutputRow] = []
    private var lastTime = 0.0
    private var attempt = 1
    /// Rows so far.
    private(set) var count = 0

    /// The time of the oldest delta that is not taken, in seconds since the start; nil without any.
    var pendingSince: Double? { (closed.first ?? open)?.time }
    /// Whether a row waits that takes no more text.
    private(set) var hasFullRow = false

    /// Adds an event of the output; others are ignored.
    /// - Parameter time: seconds since the start of the request.
    mutating func add(_ event: ChatEvent, at time: Double) {
        switch event {
        case .text(let batch): add(batch, at: time)
        case .reset:
            close()
            attempt += 1
        case .start, .usage, .native, .phase, .toolCall: add(json: event, at: time)
        case .heartbeat, .chunk, .retry, .wait, .finish, .failed: break
        }
    }

    private mutating func add(_ batch: TextBatch, at time: Double) {
        let kind = OutputRow.Kind(rawValue: batch.kind.rawValue) ?? .text
        if text.count >= Self.rowLimit {
            hasFullRow = true
            close()
        }
        if let row = open, row.kind != kind { close() }
        var row = open ?? begin(kind, at: time)
        // Not shared while its pieces grow.
        open = nil
        var elapsed = UInt64(max(0, min(time - lastTime, 1e9)) * 1000)
        // The rest below a millisecond counts in the next gap.
        lastTime += Double(elapsed) / 1000
        text.append(batch)
        batch.withBytes { _, ends in
            var start: UInt32 = 0
            for index in ends.indices {
                LEB128.append(UInt64(ends[index] - start), to: &row.pieces)
                LEB128.append(elapsed, to: &row.pieces)
                elapsed = 0
                start = ends[index]
            }
        }
        open = row
    }

    private mutating func add(json event: ChatEvent, at time: Double) {
        // Events of decoders hold JSON values, which always encode.
        guard let json = try? JSONValueEncoder().encode(event) else { return }
        close()
        var row = begin(.event, at: time)
        row.text = JSONWriter.bytes(json)
        closed.append(row)
    }

    private mutating func begin(_ kind: OutputRow.Kind, at time: Double) -> OutputRow {
        lastTime = time
        count += 1
        return OutputRow(number: count - 1, attempt: attempt, kind: kind, time: time, text: [], pieces: [])
    }

    private mutating func close() {
        guard var row = open else { return }
        row.text = text.bytes
        closed.append(row)
        open = nil
        text = TextBuilder()
    }

    /// Removes and returns the rows so far. The next delta begins a row.
    mutating func take() -> [OutputRow] {
        close()
        hasFullRow = false
        defer { closed = [] }
        return closed
    }
}

/// An event of a recorded reply, and when it came.
struct TimedEvent: Hashable, Sendable {
    /// Seconds since the start of the request.
    var time: Double
    var event: ChatEvent
}

extension OutputRow {
    /// The events of the row; nil if it cannot be read.
    var events: [TimedEvent]? {
        guard kind != .event else {
            // Nil says that the row cannot be read.
            guard let json = try? JSONReader.value(text),
                // As above.
                let event = try? JSONValueDecoder().decode(ChatEvent.self, from: json)
            else { return nil }
            return [TimedEvent(time: time, event: event)]
        }
        var events: [TimedEvent] = []
        var reader = LEB128.Reader(pieces)
        var batch = Batch(kind == .text ? .text : .reasoning, text)
        var clock = time
        while !reader.isAtEnd {
            guard let length = reader.next(), let elapsed = reader.next(), batch.fits(length) else { return nil }
            if elapsed > 0, let event = batch.take() {
                events.append(TimedEvent(time: clock, event: event))
                clock += Double(elapsed) / 1000
            }
            batch.add(Int(length))
        }
        batch.take().map { events.append(TimedEvent(time: clock, event: $0)) }
        return batch.isComplete ? events : nil
    }

    /// Pieces that came together.
    private struct Batch {
        let kind: TextBatch.Kind
        let bytes: [UInt8]
        private var start = 0
        private var end = 0
        private var ends: [UInt32] = []

        init(_ kind: TextBatch.Kind, _ bytes: [UInt8]) {
            self.kind = kind
            self.bytes = bytes
        }

        var isComplete: Bool { end == bytes.count && start == end }

        func fits(_ length: UInt64) -> Bool { length > 0 && length <= UInt64(bytes.count - end) }

        mutating func add(_ length: Int) {
            end += length
            ends.append(UInt32(clamping: end - start))
        }

        mutating func take() -> ChatEvent? {
            guard !ends.isEmpty else { return nil }
            let slice = Array(bytes[start..<end])
            defer {
                start = end
                ends = []
            }
            if ends.count == 1 { return .text(TextBatch(String(decoding: slice, as: UTF8.self), kind)) }
            return .text(TextBatch(bytes: slice, ends: ends, kind))
        }
    }
}

/// Unsigned integers of variable length, seven bits a byte (DWARF 5, section 7.6).
enum LEB128 {
    static func append(_ number: UInt64, to bytes: inout [UInt8]) {
        var rest = number
        while rest >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        bytes.append(UInt8(truncatingIfNeeded: rest))
    }

    struct Reader {
        private let bytes: [UInt8]
        private var index = 0

        init(_ bytes: [UInt8]) { self.bytes = bytes }

        var isAtEnd: Bool { index >= bytes.count }

        /// The next number; nil if the bytes hold none, or one above 2^56.
        mutating func next() -> UInt64? {
            var result: UInt64 = 0
            for shift in stride(from: UInt64(0), to: 56, by: 7) {
                guard index < bytes.count else { return nil }
                let byte = bytes[index]
                index += 1
                result |= UInt64(byte & 0x7F) << shift
                if byte < 0x80 { return result }
            }
            return nil
        }
    }
}
