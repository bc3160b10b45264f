// A scripted loopback server, one thread a connection. It listens until the process ends: a test may still wait for a
// response after the last reference is gone.

import Foundation

final class LoopbackServer: Sendable {
    /// One accepted connection.
    struct Connection {
        let socket: Int32
        /// Index of the connection.
        let number: Int

        /// A complete request: head and body. Nil if the client closed first.
        func readRequest() -> String? {
            var bytes: [UInt8] = []
            var needed: Int?
            var buffer = [UInt8](repeating: 0, count: 4096)
            while true {
                if needed == nil, let end = bytes.firstRange(of: Array("\r\n\r\n".utf8)) {
                    let head = String(decoding: bytes[..<end.lowerBound], as: UTF8.self).lowercased()
                    let length = head.components(separatedBy: "content-length: ").dropFirst().first
                        .flatMap { Int($0.prefix { $0.isNumber }) }
                    needed = end.upperBound + (length ?? 0)
                }
                if let needed, bytes.count >= needed { return String(decoding: bytes, as: UTF8.self) }
                let count = read(socket, &buffer, buffer.count)
                guard count > 0 else { return nil }
                bytes += buffer[..<count]
            }
        }

        /// False if the client has closed.
        @discardableResult func send(_ text: String) -> Bool { send(Array(text.utf8)) }

        @discardableResult func send(_ bytes: [UInt8]) -> Bool {
            var sent = 0
            while sent < bytes.count {
                let count = bytes[sent...].withUnsafeBytes {
                    Foundation.send(socket, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
                }
                guard count > 0 else { return false }
                sent += count
            }
            return true
        }

        /// Turns the next close into a reset.
        func reset() {
            var linger = Foundation.linger(l_onoff: 1, l_linger: 0)
            setsockopt(socket, SOL_SOCKET, SO_LINGER, &linger, socklen_t(MemoryLayout<Foundation.linger>.size))
        }

        /// Waits until the client has closed.
        func waitForClose() {
            var byte: UInt8 = 0
            while read(socket, &byte, 1) > 0 {}
        }
    }

    let port: Int
    var baseURL: String { "http://127.0.0.1:\(port)" }
    private let listener: Int32
    private let accepted: Mailbox<Int>
    var connectionCount: Int { accepted.all.count }

    init(_ handler: @escaping @Sendable (Connection) -> Void) {
        let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        let accepted = Mailbox<Int>()
        self.listener = listener
        self.accepted = accepted
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                _ = bind(listener, $0, length)
                _ = listen(listener, 1024)
                _ = getsockname(listener, $0, &length)
            }
        }
        port = Int(UInt16(bigEndian: address.sin_port))
        let thread = Thread {
            var number = 0
            while true {
                let socket = accept(listener, nil, nil)
                guard socket >= 0 else { return }
                accepted.put(number)
                let connection = Connection(socket: socket, number: number)
                number += 1
                let worker = Thread {
                    handler(connection)
                    close(socket)
                }
                worker.stackSize = 256 << 10
                worker.start()
            }
        }
        thread.start()
    }
}

/// Messages from server threads to the test.
final class Mailbox<Value: Sendable>: @unchecked Sendable {
    // Unchecked: the lock of the condition guards all state.
    private let condition = NSCondition()
    private var values: [Value] = []

    func put(_ value: Value) {
        condition.lock()
        values.append(value)
        condition.broadcast()
        condition.unlock()
    }

    var all: [Value] {
        condition.lock()
        defer { condition.unlock() }
        return values
    }

    /// Waits for that many values, at most `seconds`.
    func wait(for count: Int, seconds: Double = 10) -> [Value] {
        let deadline = Date(timeIntervalSinceNow: seconds)
        condition.lock()
        defer { condition.unlock() }
        while values.count < count, condition.wait(until: deadline) {}
        return values
    }
}
