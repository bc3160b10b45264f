// The last events of one stream, for readers that come late or come again.

internal import Base

/// Numbered events, oldest first, in one buffer. Bounded in bytes: the oldest are dropped.
struct EventRing {
    private struct Entry {
        /// The end of its data in all data of the stream so far.
        var end: Int
        /// Index in `names`, from 1; 0 for the default event.
        var name: UInt32
    }

    private var entries: [Entry] = []
    /// The data of `entries`, in order.
    private var data: [UInt8] = []
    /// The place of `data` in all data of the stream so far.
    private var dataStart = 0
    /// Names of events. A stream has few of them.
    private var names: [String] = []
    /// Whether the last event is the stream's last one.
    private var isEnded = false
    /// Index of the oldest entry; those before it are dropped.
    private var head = 0
    /// The number of the event at index 0 of `entries`.
    private var base = 1
    /// Maximum bytes that are kept, apart from the last event and those that no reader has had.
    var limit: Int
    /// The number of the first event that no reader has had. The handler is made to wait before there are many of these.
    var unread = Int.max

    /// Bytes counted for an event besides its data.
    private static let overhead = MemoryLayout<Entry>.stride
    /// Dropped entries and bytes that may stay in memory.
    private static let slack = (entries: 64, bytes: 4 << 10)

    init(limit: Int) { self.limit = limit }

    /// The number of the oldest event that is kept.
    var first: Int { base + head }
    /// The number that the next event gets.
    var next: Int { base + entries.count }
    /// Bytes kept.
    var bytes: Int { bytes(of: head) }

    /// The event of that number, which must be kept.
    subscript(number: Int) -> StreamEvent {
        withEvent(number) { name, data, isTerminal in
            var bytes: [UInt8] = []
            bytes.append(data)
            return StreamEvent(name: name, data: bytes, isTerminal: isTerminal)
        }
    }

    /// Calls `body` with the name and the data of the event of that number, which must be kept, and with whether it is the
    /// last one.
    func withEvent<Result>(_ number: Int, _ body: (String?, Span<UInt8>, Bool) -> Result) -> Result {
        let index = number - base
        let entry = entries[index]
        let range = start(of: index) - dataStart..<entry.end - dataStart
        return body(
            entry.name == 0 ? nil : names[Int(entry.name) - 1], data.span.extracting(range),
            isEnded && index == entries.count - 1)
    }

    /// Bytes of the events from that number on. The numbers of dropped events count as the oldest kept one.
    func bytes(from number: Int) -> Int { bytes(of: max(number - base, head)) }

    private func bytes(of index: Int) -> Int {
        guard index < entries.count else { return 0 }
        return dataStart + data.count - start(of: index) + (entries.count - index) * Self.overhead
    }

    mutating func append(_ event: StreamEvent) {
        data += event.data
        entries.append(Entry(end: dataStart + data.count, name: index(ofName: event.name)))
        isEnded = event.isTerminal
        trim()
    }

    /// Drops what is beyond the limit.
    mutating func trim() {
        while head < entries.count - 1, first < unread, bytes > limit { head += 1 }
        let dropped = start(of: head) - dataStart
        guard
            (head > Self.slack.entries && head > entries.count / 2)
                || (dropped > Self.slack.bytes && dropped > data.count / 2)
        else { return }
        data.removeFirst(dropped)
        dataStart += dropped
        entries.removeFirst(head)
        base += head
        head = 0
    }

    private func start(of index: Int) -> Int { index > 0 ? entries[index - 1].end : dataStart }

    private mutating func index(ofName name: String?) -> UInt32 {
        guard let name else { return 0 }
        if let index = names.firstIndex(of: name) { return UInt32(index) + 1 }
        names.append(name)
        return UInt32(names.count)
    }
}
