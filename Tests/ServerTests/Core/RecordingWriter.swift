// A response that keeps what is written to it, with a client that reads as fast as the test says.

import Chat
import HTTP
import NIOCore

@testable import Server

final class RecordingWriter: ResponseWriter {
    private(set) var status: Int?
    private(set) var headers: HTTP.HTTPHeaders = [:]
    private(set) var body: [UInt8] = []
    /// Sizes of the pieces written.
    private(set) var pieces: [Int] = []
    private(set) var isEnded = false
    private(set) var isAborted = false
    /// Bytes that the client may be behind before the socket takes no more; nil for no limit.
    var window: Int?
    private var unread = 0
    /// The exchange, for `writabilityChanged`.
    var exchange: (any ServerExchange)?

    init(window: Int? = nil) { self.window = window }

    var isWritable: Bool { window.map { unread < $0 } ?? true }
    var text: String { String(decoding: body, as: UTF8.self) }
    var frames: [Frame] { Frame.read(text) }
    var isOver: Bool { isEnded || isAborted }

    /// The client reads all that was written.
    func read() {
        let wasWritable = isWritable
        unread = 0
        if isWritable != wasWritable { exchange?.writabilityChanged() }
    }

    func respond(_ response: ServedResponse) {
        precondition(status == nil, "a second response")
        (status, headers, body, isEnded) = (response.status, response.headers, response.body, true)
    }

    func begin(status: Int, headers: HTTP.HTTPHeaders) {
        precondition(self.status == nil, "a second response")
        (self.status, self.headers) = (status, headers)
    }

    func write(_ bytes: ByteBuffer) {
        precondition(status != nil && !isOver, "a write outside of the response")
        body += bytes.readableBytesView
        pieces.append(bytes.readableBytes)
        unread += bytes.readableBytes
    }

    func end() {
        precondition(status != nil && !isOver, "an end outside of the response")
        isEnded = true
    }

    func abort() { isAborted = true }
}

/// One event of an event stream, as a client reads it.
struct Frame: Equatable {
    var id: String
    var event: String?
    var data: String

    /// The number of the event in its stream.
    var number: Int { EventID(id)?.number ?? 0 }

    /// The whole events in a text.
    static func read(_ text: String) -> [Frame] {
        var blocks = text.components(separatedBy: "\n\n")
        blocks.removeLast()
        return blocks.compactMap { block in
            var frame = Frame(id: "", event: nil, data: "")
            var hasData = false
            for line in block.split(separator: "\n") {
                if line.hasPrefix("id: ") { frame.id = String(line.dropFirst(4)) }
                if line.hasPrefix("event: ") { frame.event = String(line.dropFirst(7)) }
                if line.hasPrefix("data: ") {
                    frame.data += (hasData ? "\n" : "") + line.dropFirst(6)
                    hasData = true
                }
            }
            return hasData ? frame : nil
        }
    }
}

extension String {
    fileprivate func components(separatedBy separator: String) -> [String] {
        split(separator: separator, omittingEmptySubsequences: false).map(String.init)
    }
}
