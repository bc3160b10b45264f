// The response to one request on an HTTP/1.1 connection.

internal import Chat
internal import HTTP
internal import NIOCore

final class HTTP1Response: ResponseWriter {
    private enum Phase {
        case waiting
        /// The head is written. `remaining` is what the announced length leaves; nil for another framing.
        case streaming(HTTP1ResponseHead.Framing, remaining: Int?)
        /// Ended, cut, or its client has gone.
        case over
    }

    /// Bytes up to which a piece is copied into one buffer with its chunk's frame.
    private static let maximumCopiedBytes = 8 << 10

    private weak var connection: HTTP1Connection?
    private let isHead: Bool
    private let isHTTP10: Bool
    private var keepsAlive: Bool
    private var phase = Phase.waiting
    /// The connection was closed before the response had ended.
    private(set) var wasCut = false

    init(_ connection: HTTP1Connection, isHead: Bool, isHTTP10: Bool, keepsAlive: Bool) {
        self.connection = connection
        self.isHead = isHead
        self.isHTTP10 = isHTTP10
        self.keepsAlive = keepsAlive
    }

    var isWritable: Bool { connection?.isWritable ?? false }

    func respond(_ response: ServedResponse) {
        guard case .waiting = phase, let connection else { return }
        let allowsBody = HTTP1ResponseHead.allowsBody(response.status)
        let hasBody = allowsBody && !isHead
        var bytes = head(
            response.status, response.headers, allowsBody ? .length(response.body.count) : .noBody, on: connection,
            room: hasBody ? response.body.count : 0)
        if hasBody { bytes.writeBytes(response.body) }
        connection.write(bytes)
        finish()
    }

    func begin(status: Int, headers: HTTP.HTTPHeaders) {
        guard case .waiting = phase, let connection else { return }
        let length = headers["content-length"].flatMap { Int($0) }
        let framing: HTTP1ResponseHead.Framing =
            if !HTTP1ResponseHead.allowsBody(status) { .noBody } else if let length { .length(length) } else if isHTTP10
            {
                .untilClose
            } else { .chunked }
        if framing == .untilClose { keepsAlive = false }
        connection.write(head(status, headers, framing, on: connection))
        phase = .streaming(framing, remaining: length)
    }

    func write(_ bytes: ByteBuffer) {
        guard case .streaming(let framing, let remaining) = phase, let connection else { return }
        guard bytes.readableBytes > 0, !isHead, framing != .noBody else { return }
        if let remaining {
            guard bytes.readableBytes <= remaining else { return abort() }
            phase = .streaming(framing, remaining: remaining - bytes.readableBytes)
        }
        guard framing == .chunked else { return connection.write(bytes) }
        let size = String(bytes.readableBytes, radix: 16)
        if bytes.readableBytes <= Self.maximumCopiedBytes {
            var chunk = ByteBuffer()
            chunk.reserveCapacity(bytes.readableBytes + 12)
            chunk.writeString(size)
            chunk.writeStaticString("\r\n")
            chunk.writeImmutableBuffer(bytes)
            chunk.writeStaticString("\r\n")
            connection.write(chunk)
        } else {
            connection.write(ByteBuffer(string: size + "\r\n"), flush: false)
            connection.write(bytes, flush: false)
            connection.write(ByteBuffer(string: "\r\n"))
        }
    }

    func end() {
        guard case .streaming(let framing, let remaining) = phase, let connection else { return }
        // Without its whole body the response would take the next one for its rest.
        guard isHead || remaining ?? 0 == 0 else { return abort() }
        if framing == .chunked, !isHead { connection.write(ByteBuffer(string: "0\r\n\r\n")) }
        finish()
    }

    func abort() {
        if case .over = phase { return }
        phase = .over
        connection?.responseAborted(self)
    }

    /// The connection is closed.
    /// - Returns: false if the response had ended before.
    func detach() -> Bool {
        connection = nil
        if case .over = phase { return false }
        phase = .over
        wasCut = true
        return true
    }

    private func head(
        _ status: Int, _ headers: HTTP.HTTPHeaders, _ framing: HTTP1ResponseHead.Framing,
        on connection: HTTP1Connection, room: Int = 0
    ) -> ByteBuffer {
        if connection.isFinishing { keepsAlive = false }
        return HTTP1ResponseHead.bytes(
            status: status, headers: headers, framing: framing,
            connection: !keepsAlive ? "close" : isHTTP10 ? "keep-alive" : nil, date: connection.dateField, room: room)
    }

    private func finish() {
        phase = .over
        connection?.responseEnded(self, keepsAlive: keepsAlive)
    }
}
