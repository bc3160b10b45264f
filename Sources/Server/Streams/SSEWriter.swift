// Writes the frames of event streams (WHATWG HTML section 9.2.5, "Parsing an event stream").

internal import Base

/// Writes the frames of one stream.
struct SSEWriter: Sendable {
    /// A comment, which keeps a silent connection open.
    static let heartbeat: [UInt8] = Array(": \n\n".utf8)

    /// "id: STREAM-".
    private let opening: [UInt8]

    /// Writes the events `lost`.
    static let lost = SSEWriter(stream: EventID.lost.stream)

    init(stream: String) { opening = Array("id: \(stream)-".utf8) }

    /// Appends the frame of an event.
    /// - Parameter number: the event's number in the stream, from 1.
    func append(_ event: StreamEvent, number: Int, to out: inout [UInt8]) {
        append(event.name, event.data.span, number: number, to: &out)
    }

    /// Appends the frame of an event with that name and data.
    func append(_ name: String?, _ data: Span<UInt8>, number: Int, to out: inout [UInt8]) {
        out += opening
        out.append(contentsOf: String(number).utf8)
        if let name {
            out.append(contentsOf: "\nevent: ".utf8)
            out.append(contentsOf: name.utf8)
        }
        out.append(contentsOf: "\ndata: ".utf8)
        Self.append(data: data, to: &out)
        out.append(contentsOf: "\n\n".utf8)
    }

    /// The field that sets how long a client waits before it connects again. It belongs to the frame that follows: some
    /// parsers (httpx-sse) take a frame of its own for an empty event.
    static func retry(milliseconds: Int) -> [UInt8] { Array("retry: \(max(0, milliseconds))\n".utf8) }

    /// Appends data. Each of its lines after the first gets a field of its own.
    private static func append(data: Span<UInt8>, to out: inout [UInt8]) {
        let isOneLine = data.firstIndex(of: 0x0A, from: 0) == nil && data.firstIndex(of: 0x0D, from: 0) == nil
        guard !isOneLine else { return out.append(data) }
        var start = 0
        var index = 0
        while index < data.count {
            let byte = data[index]
            index += 1
            guard byte == 0x0A || byte == 0x0D else { continue }
            out.append(data.extracting(start..<index - 1))
            if byte == 0x0D, index < data.count, data[index] == 0x0A { index += 1 }
            out.append(contentsOf: "\ndata: ".utf8)
            start = index
        }
        out.append(data.extracting(start..<data.count))
    }
}
