// The opening handshake of WebSockets (RFC 6455 section 4.2).

internal import HTTP
internal import NIOCore
internal import NIOHTTP1

enum WebSocketHandshake {
    enum Outcome {
        /// Another protocol is asked for. A server may ignore that (RFC 9110 section 7.8).
        case notWebSocket
        case refused(BrokenRequest)
        /// - Parameter accept: the value of `Sec-WebSocket-Accept`.
        case valid(accept: String)
    }

    static func check(_ received: HTTPRequestHead, _ checked: CheckedHead) -> Outcome {
        guard RequestValidation.has("websocket", in: received.headers["upgrade"]) else { return .notWebSocket }
        guard received.method == .GET, received.version == .http1_1, checked.bodyLength == 0 else {
            return .refused(.bad("A WebSocket is opened by a GET request of HTTP/1.1 without a body."))
        }
        guard received.headers["sec-websocket-version"] == ["13"] else {
            return .refused(
                BrokenRequest(
                    status: 426, message: "The only WebSocket version that is supported is 13.",
                    headers: ["sec-websocket-version": "13", "upgrade": "websocket"]))
        }
        let keys = received.headers["sec-websocket-key"]
        guard keys.count == 1, isKey(keys[0]) else {
            return .refused(.bad("The Sec-WebSocket-Key is not the Base64 form of 16 bytes."))
        }
        return .valid(accept: accept(keys[0]))
    }

    /// The value of `Sec-WebSocket-Accept` for a key.
    static func accept(_ key: String) -> String {
        base64(SHA1.hash(Array((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").utf8)))
    }

    static func response(accept: String, date: String) -> ByteBuffer {
        ByteBuffer(
            string: "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n"
                + "sec-websocket-accept: \(accept)\r\ndate: \(date)\r\n\r\n")
    }

    private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)

    private static func isKey(_ key: String) -> Bool {
        let bytes = Array(key.utf8)
        return bytes.count == 24 && bytes.suffix(2).elementsEqual("==".utf8)
            && bytes.dropLast(2).allSatisfy { alphabet.contains($0) }
    }

    private static func base64(_ bytes: [UInt8]) -> String {
        var text: [UInt8] = []
        for start in stride(from: 0, to: bytes.count, by: 3) {
            let group = bytes[start..<min(start + 3, bytes.count)]
            let bits = group.reduce(UInt32(0)) { $0 << 8 | UInt32($1) } << UInt32(8 * (3 - group.count))
            for place in 0..<4 {
                text.append(
                    place <= group.count ? alphabet[Int(bits >> UInt32(18 - 6 * place)) & 63] : UInt8(ascii: "="))
            }
        }
        return String(decoding: text, as: UTF8.self)
    }
}
