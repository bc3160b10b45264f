// Events of a stream for browsers and other clients, and their ids.

/// One event of a stream.
struct StreamEvent: Equatable, Sendable {
    /// The event's type; nil for the default, which EventSource calls "message".
    var name: String?
    /// JSON text on one line, UTF-8.
    var data: [UInt8]
    /// Whether the stream ends with it.
    var isTerminal = false
}

/// The id of an event: the stream, and the event's number from 1.
struct EventID: Equatable, Sendable, CustomStringConvertible {
    /// Maximum length of a stream's id.
    private static let longestStream = 64
    /// Maximum digits of a number. It then fits into an Int.
    private static let mostDigits = 15

    /// The id of every event `lost`: a client that connects again after it is told to stop.
    static let lost = EventID(stream: "lost", number: 1)

    var stream: String
    var number: Int

    init(stream: String, number: Int) {
        self.stream = stream
        self.number = number
    }

    /// Reads "STREAM-N". Nil for any other text.
    init?(_ text: String) {
        guard let dash = text.utf8.lastIndex(of: UInt8(ascii: "-")) else { return nil }
        let digits = text.utf8[text.utf8.index(after: dash)...]
        guard (1...Self.mostDigits).contains(digits.count), digits.allSatisfy({ (0x30...0x39).contains($0) }),
            let number = Int(text[text.utf8.index(after: dash)...]), Self.isStream(text[..<dash])
        else { return nil }
        self.init(stream: String(text[..<dash]), number: number)
    }

    var description: String { "\(stream)-\(number)" }

    /// Whether a text may be the id of a stream: letters, digits, "-" and "_".
    static func isStream(_ text: some StringProtocol) -> Bool {
        (1...longestStream).contains(text.utf8.count)
            && text.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"):
                    true
                default: false
                }
            }
    }
}
