// A blocking HTTP/2 client (RFC 9113) that sends the frames it is given, over `openssl s_client`.

import Foundation

final class HTTP2Client {
    struct Frame: Equatable {
        var type: UInt8
        var flags: UInt8 = 0
        var stream: UInt32 = 0
        var payload: [UInt8] = []
    }

    enum FrameType {
        static let data: UInt8 = 0
        static let headers: UInt8 = 1
        static let reset: UInt8 = 3
        static let settings: UInt8 = 4
        static let ping: UInt8 = 6
        static let windowUpdate: UInt8 = 8
    }

    private let process = Process()
    private let input = Pipe()
    private let output = Pipe()

    /// Connects and sends the preface.
    /// - Parameter window: SETTINGS_INITIAL_WINDOW_SIZE.
    init(port: Int, window: UInt32 = 65_535) throws {
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = ["openssl", "s_client", "-quiet", "-alpn", "h2", "-connect", "127.0.0.1:\(port)"]
        process.standardInput = input
        process.standardOutput = output
        process.standardError = FileHandle.nullDevice
        try process.run()
        try input.fileHandleForWriting.write(contentsOf: Data("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8))
        // SETTINGS_INITIAL_WINDOW_SIZE is 4.
        try send([Frame(type: FrameType.settings, payload: [0, 4] + Self.bytes(window))])
    }

    deinit { process.terminate() }

    func send(_ frames: [Frame]) throws {
        var bytes: [UInt8] = []
        for frame in frames {
            bytes += Self.bytes(UInt32(frame.payload.count)).dropFirst()
            bytes += [frame.type, frame.flags] + Self.bytes(frame.stream) + frame.payload
        }
        try input.fileHandleForWriting.write(contentsOf: Data(bytes))
    }

    /// A request without a body. Its fields are literals without indexing (RFC 7541 section 6.2.2).
    static func request(_ stream: UInt32, _ fields: [(String, String)]) -> Frame {
        var block: [UInt8] = []
        for (name, value) in fields {
            block += [0, UInt8(name.utf8.count)] + Array(name.utf8)
            block += [UInt8(value.utf8.count)] + Array(value.utf8)
        }
        // END_STREAM and END_HEADERS.
        return Frame(type: FrameType.headers, flags: 5, stream: stream, payload: block)
    }

    static func get(_ stream: UInt32, _ target: String) -> Frame {
        request(stream, [(":method", "GET"), (":scheme", "https"), (":authority", "a"), (":path", target)])
    }

    /// Adds to the window of a stream; stream 0 is the connection.
    static func windowUpdate(_ stream: UInt32, _ increment: UInt32) -> Frame {
        Frame(type: FrameType.windowUpdate, stream: stream, payload: bytes(increment))
    }

    /// The next frame; nil at the end of the connection. Pings are answered.
    func receive() throws -> Frame? {
        guard let head = try read(9) else { return nil }
        let count = head[..<3].reduce(0) { $0 << 8 | Int($1) }
        guard let payload = try read(count) else { return nil }
        let frame = Frame(
            type: head[3], flags: head[4], stream: head[5...].reduce(0) { $0 << 8 | UInt32($1) }, payload: payload)
        if frame.type == FrameType.ping, frame.flags == 0 {
            try send([Frame(type: FrameType.ping, flags: 1, payload: payload)])
        }
        return frame
    }

    private func read(_ count: Int) throws -> [UInt8]? {
        var bytes: [UInt8] = []
        while bytes.count < count {
            guard let part = try output.fileHandleForReading.read(upToCount: count - bytes.count), !part.isEmpty else {
                return nil
            }
            bytes += part
        }
        return bytes
    }

    private static func bytes(_ number: UInt32) -> [UInt8] {
        (0..<4).map { UInt8(truncatingIfNeeded: number >> (24 - 8 * $0)) }
    }
}
