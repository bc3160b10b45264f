// Applies the faults that concern bytes of a body. Returns steps (write, wait, end), which ReplyStream performs.

internal import NIOCore

/// How a body is delimited (RFC 9112 section 6.3).
enum BodyFraming: Equatable {
    case chunked
    case length(Int)
    /// By the end of the connection.
    case untilClose
}

extension ByteBuffer {
    /// Appends `body`, as one chunk if the framing is chunked.
    mutating func writeBody(_ body: inout ByteBuffer, framing: BodyFraming) {
        guard body.readableBytes > 0 else { return }
        if framing == .chunked { writeString(String(body.readableBytes, radix: 16) + "\r\n") }
        writeBuffer(&body)
        if framing == .chunked { writeStaticString("\r\n") }
    }

    /// Appends the last chunk if the framing is chunked.
    mutating func writeBodyEnd(framing: BodyFraming) {
        if framing == .chunked { writeStaticString("0\r\n\r\n") }
    }
}

/// The next step of a faulty body.
enum BodyStep: Equatable {
    case write(ByteBuffer)
    /// Seconds to wait.
    case wait(Double)
    /// The connection ends before the body does.
    case end(reset: Bool)
    /// The whole body is written.
    case complete
}

struct FaultyBodyWriter {
    private let framing: BodyFraming
    private let faults: ActiveFaults
    private var stalls: [(at: Int, seconds: Double)]
    private var sent = 0
    private var isOver = false
    private var steps: [BodyStep] = []
    private var head = 0

    /// Seconds between two writes, so that the client's reads do not merge them.
    private static let gap = 0.001

    init(faults: ActiveFaults, framing: BodyFraming) {
        self.faults = faults
        self.framing = framing
        stalls = faults.stalls
    }

    /// The next step, first in, first out.
    mutating func next() -> BodyStep? {
        guard head < steps.count else { return nil }
        defer {
            head += 1
            if head == steps.count { (steps, head) = ([], 0) }
        }
        return steps[head]
    }

    /// Takes the head of the response, to which no fault applies.
    mutating func push(head bytes: ByteBuffer) { steps.append(.write(bytes)) }

    /// Takes the next bytes of the body.
    mutating func push(_ body: ByteBuffer) {
        var body = body
        while !isOver {
            if let stall = stalls.first, stall.at <= sent {
                steps.append(.wait(stall.seconds))
                stalls.removeFirst()
                continue
            }
            if let cut = faults.cut, cut.at <= sent { return end(cut.ending) }
            guard body.readableBytes > 0 else { return }
            let limit = min(stalls.first?.at ?? .max, faults.cut?.at ?? .max) - sent
            let length = min(limit, body.readableBytes)
            guard let slice = body.readSlice(length: length) else { return }
            sent += length
            // The size of a chunk that is cut includes bytes that are never sent.
            let isCutChunk = faults.cut.map { $0.ending == .closeInsideChunk && $0.at == sent } ?? false
            write(slice, promising: isCutChunk ? body.readableBytes + 16 : 0)
        }
    }

    /// Takes the end of the body.
    mutating func finish() {
        guard !isOver else { return }
        isOver = true
        if faults.promisesMore {
            steps.append(.end(reset: false))
            return
        }
        var last = ByteBuffer()
        last.writeBodyEnd(framing: framing)
        if last.readableBytes > 0 { steps.append(.write(last)) }
        steps.append(.complete)
    }

    private mutating func end(_ ending: ActiveFaults.Ending) {
        isOver = true
        steps.append(.end(reset: ending == .reset))
    }

    private mutating func write(_ slice: ByteBuffer, promising extra: Int) {
        var pieces = split(slice)
        for index in pieces.indices {
            if index > 0 { steps.append(.wait(Self.gap)) }
            var framed = ByteBuffer()
            if extra > 0, framing == .chunked {
                framed.writeString(String(pieces[index].readableBytes + extra, radix: 16) + "\r\n")
                framed.writeBuffer(&pieces[index])
            } else {
                framed.writeBody(&pieces[index], framing: framing)
            }
            steps.append(.write(framed))
        }
        if faults.drip != nil || faults.splitsUTF8 { steps.append(.wait(Self.gap)) }
    }

    /// The pieces that are written separately.
    private func split(_ slice: ByteBuffer) -> [ByteBuffer] {
        if let size = faults.drip {
            return stride(from: 0, to: slice.readableBytes, by: size).compactMap {
                slice.getSlice(at: slice.readerIndex + $0, length: min(size, slice.readableBytes - $0))
            }
        }
        guard faults.splitsUTF8 else { return [slice] }
        var pieces: [ByteBuffer] = []
        var rest = slice
        for position in Self.cuts(slice.readableBytesView) {
            let done = slice.readableBytes - rest.readableBytes
            if let piece = rest.readSlice(length: position - done) { pieces.append(piece) }
        }
        if rest.readableBytes > 0 { pieces.append(rest) }
        return pieces
    }

    /// Offsets inside every character of several bytes, and three bytes into each line ("dat|a: ").
    private static func cuts(_ bytes: ByteBufferView) -> [Int] {
        var cuts: [Int] = []
        var sinceLine = 0
        for (offset, byte) in bytes.enumerated() {
            if sinceLine == 3 || (offset > 0 && byte & 0xC0 == 0x80 && bytes[bytes.startIndex + offset - 1] >= 0xC0) {
                cuts.append(offset)
            }
            sinceLine = byte == UInt8(ascii: "\n") ? 0 : sinceLine + 1
        }
        return cuts
    }
}
