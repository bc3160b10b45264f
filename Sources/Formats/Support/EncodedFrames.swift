// Encoded frames with their boundaries. Stream encoders append frames; a server sends the bytes unchanged.

internal import JSON

/// Frames in order, and the bytes of all of them.
package struct EncodedFrames: Sendable {
    /// One frame.
    package struct Frame: Equatable, Sendable {
        /// The end of its bytes. It begins at the end of the previous frame.
        package var end: Int
        /// Whether it carries a delta of the reply. A frame without a delta may be sent together with the next one.
        package var isDelta: Bool
    }

    package private(set) var bytes: [UInt8] = []
    package private(set) var frames: [Frame] = []

    package init() {}

    /// Removes all frames and keeps the memory.
    package mutating func removeAll() {
        bytes.removeAll(keepingCapacity: true)
        frames.removeAll(keepingCapacity: true)
    }

    // MARK: Writing

    mutating func write(_ text: String) { bytes.append(contentsOf: text.utf8) }
    mutating func write(_ bytes: [UInt8]) { self.bytes += bytes }
    mutating func write(json value: JSONValue) { JSONWriter.append(value, to: &bytes) }
    /// Writes a JSON string with its quotes.
    mutating func write(jsonString text: String) { JSONWriter.append(text, to: &bytes) }

    /// Ends the frame written since the last call.
    mutating func endFrame(isDelta: Bool = false) { frames.append(Frame(end: bytes.count, isDelta: isDelta)) }

    /// Writes a frame that is one JSON value between two texts.
    mutating func writeFrame(_ opening: String, _ value: JSONValue, _ closing: String, isDelta: Bool = false) {
        write(opening)
        write(json: value)
        write(closing)
        endFrame(isDelta: isDelta)
    }

    /// Writes an event with its type as SSE field and as first member of its data.
    mutating func writeEvent(_ type: String, _ members: JSONObject, isDelta: Bool = false) {
        var event: JSONObject = ["type": .string(type)]
        for member in members { event[member.key] = member.value }
        writeFrame("event: \(type)\ndata: ", .object(event), "\n\n", isDelta: isDelta)
    }
}

extension JSONObject {
    /// The object with one more member.
    func with(_ name: String, _ value: JSONValue) -> JSONObject {
        var object = self
        object[name] = value
        return object
    }
}
