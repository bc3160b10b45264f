// Deviations of a server from its wire format, for the report of a probe.

internal import Formats
internal import HTTP
internal import JSON

/// Finds quirks in a recorded response.
struct ProbeQuirks {
    let recorder: WireRecorder
    let table: PathTable
    let dialect: String
    let looksLike: String?
    let reply: JSONValue?

    /// One short sentence per quirk.
    var all: [String] {
        guard let head = recorder.head else { return [] }
        var quirks = places
        guard head.status == 200 else { return quirks }
        quirks += format(head)
        quirks += ends
        quirks += calls
        if recorder.droppedFrames > 0 {
            quirks.append("a long stream: \(recorder.droppedFrames) frames in its middle were not looked at")
        }
        return quirks
    }

    /// Quirks of paths, and paths that are not read.
    private var places: [String] {
        var quirks: [String] = []
        for row in table.unread {
            quirks.append("text not read at \(row.path): \(row.example)")
        }
        if quirks.isEmpty, recorder.outputs == 0, let dialect = FormatCatalog.named(dialect),
            let found = UnreadText.find(
                in: recorder.frames.filter { $0.kind != .comment }.map { ($0.name, $0.payload) }, of: dialect)
        {
            quirks.append("text not read at \(found.path)")
        }
        if let looksLike, looksLike != dialect, recorder.outputs == 0 {
            quirks.append(
                "this looks like the dialect \"\(looksLike)\", not \"\(dialect)\": try --dialect \(looksLike)")
        }
        // Some formats repeat the whole text at the end.
        if let path = table.paths(.reasoning).first { quirks.append("reasoning in \(path)") }
        if table.paths(.reasoning).isEmpty, reply?["reasoning"]?.string?.isEmpty == false {
            quirks.append("reasoning in <think> tags of the text")
        }
        return quirks
    }

    /// Quirks of the body.
    private func format(_ head: HTTPResponseHead) -> [String] {
        var quirks: [String] = []
        let type = head.headers["Content-Type"]?.lowercased() ?? ""
        let frames = recorder.frames
        let isLines = FormatCatalog.named(dialect)?.framing == .newlineDelimitedJSON
        if frames.contains(where: { $0.kind == .body }) {
            quirks.append("a whole body where a stream was asked for")
        } else if !isLines, dialect != "gemini", recorder.body.first == UInt8(ascii: "{"), !frames.isEmpty {
            quirks.append("JSON lines where Server-Sent Events were asked for")
        } else if !isLines, recorder.body.first != UInt8(ascii: "["), !type.hasPrefix("text/event-stream") {
            quirks.append("content type \(type.isEmpty ? "missing" : "\"\(type)\""), not text/event-stream")
        }
        if let encoding = head.headers["Content-Encoding"], encoding != "identity" {
            quirks.append("compressed (\(encoding)) although that was not asked for: tokens may be held back")
        }
        if recorder.body.starts(with: [0xEF, 0xBB, 0xBF]) { quirks.append("a byte order mark at the beginning") }
        if hasCRLF { quirks.append("CRLF line ends") }
        let comments = frames.count { $0.kind == .comment }
        if comments > 0 { quirks.append("comments to keep the connection alive: \(comments)") }
        let strays = frames.count { $0.kind == .stray }
        if strays > 0 { quirks.append("lines that are no fields of events: \(strays)") }
        return quirks
    }

    private var hasCRLF: Bool {
        let bytes = recorder.body
        guard let line = bytes.firstIndex(of: 0x0A), line > 0 else { return false }
        return bytes[line - 1] == 0x0D
    }

    /// Quirks of the end and of token counts.
    private var ends: [String] {
        var quirks: [String] = []
        guard !recorder.frames.isEmpty else { return quirks }
        let isWhole = recorder.frames.contains { $0.kind == .body }
        if dialect == "openai", !isWhole, !recorder.hasFrame("[DONE]") { quirks.append("no [DONE]") }
        if table.paths(.finish).isEmpty, recorder.outputs > 0 { quirks.append("finish reason missing") }
        switch usageFrames {
        case nil: if recorder.outputs > 0 { quirks.append("no token counts") }
        case let (count, isLast)?:
            if isWhole { break }
            if count == 1 {
                quirks.append(isLast ? "usage in the last chunk" : "usage in one chunk, before the last")
            } else {
                quirks.append("usage in \(count) chunks")
            }
        }
        return quirks
    }

    /// The number of frames with token counts, and whether the only one is the last; nil without one.
    private var usageFrames: (count: Int, isLast: Bool)? {
        let fields = FormatCatalog.named(dialect)?.fields ?? FrameFields()
        var count = 0
        var isLast = false
        for frame in recorder.frames where frame.kind != .comment && !frame.payload.elementsEqual("[DONE]".utf8) {
            var counts = false
            do throws(JSONError) {
                FieldPlace.forEach(in: try JSONReader.value(frame.payload), eventName: frame.name) { place in
                    if place.value.int ?? 0 > 0, fields.role(of: place) == .usage { counts = true }
                }
            } catch {
                continue  // Not JSON: no counts.
            }
            if counts { count += 1 }
            isLast = counts
        }
        return count == 0 ? nil : (count, isLast)
    }

    private var calls: [String] {
        let paths = table.paths(.call)
        guard let calls = reply?["tool_calls"]?.array, !calls.isEmpty else { return [] }
        let hasIDs = paths.contains { $0.hasSuffix(".id") || $0.hasSuffix("call_id") || $0 == "id" }
        return hasIDs ? [] : ["ids missing on tool calls"]
    }
}
