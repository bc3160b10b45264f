// The report of a probe as plain text without control characters.

internal import Base
internal import Formats
internal import JSON
internal import Moonrill

struct ProbeText {
    private let report: ProbeReport
    private let reply: JSONValue?
    private let failure: JSONValue?
    private let explains: Bool

    /// - Parameter explains: whether to list also the paths of the format that did not come.
    init(_ report: ProbeReport, reply: JSONValue?, failure: JSONValue?, explains: Bool) {
        self.report = report
        self.reply = reply
        self.failure = failure
        self.explains = explains
    }

    var text: String {
        var sections = [("request", [("url", clean(report.url)), ("dialect", report.dialect)])]
        sections.append(("response", response))
        sections.append(("time", times))
        sections.append(("body", body))
        sections.append(("frames", report.kinds.map { (clean($0.name), "\($0.count)") }))
        var text = sections.filter { !$0.1.isEmpty }.map { Self.section($0.0, $0.1) }.joined(separator: "\n")
        if !report.paths.isEmpty { text += "\n" + places }
        text += "\n" + Self.section("verdict", verdict)
        if explains { text += "\n" + Self.section("the format", format) }
        return text
    }

    /// Text of a server on one line, without control characters, shortened.
    private func clean(_ text: String, limit: Int = 160) -> String {
        let safe = ControlCharacters.escaped(text, lines: .escaped)
        return safe.count > limit ? safe.prefix(limit) + "..." : safe
    }

    private static func section(_ title: String, _ rows: [(String, String)]) -> String {
        let width = max(14, rows.map(\.0.count).max() ?? 0)
        return title + "\n"
            + rows.map { name, value in
                "  " + name + String(repeating: " ", count: width - name.count) + "  " + value + "\n"
            }.joined()
    }

    // MARK: Sections

    private var response: [(String, String)] {
        guard let status = report.status else { return [("status", "no response")] }
        return [("status", "\(status), HTTP/\(report.httpVersion ?? "?")")]
            + report.headers.map { (clean($0.name.lowercased()), clean($0.value)) }
    }

    private var times: [(String, String)] {
        let rows = [
            ("head", report.headTime), ("first byte", report.firstByteTime), ("first token", report.firstTokenTime),
            ("end", report.totalTime),
        ]
        var shown = rows.compactMap { name, time in time.map { (name, Self.seconds($0)) } }
        if let gaps = report.gaps { shown.append(("gaps", Self.spread(gaps, Self.seconds))) }
        return shown
    }

    private var body: [(String, String)] {
        guard report.pieces > 0 else { return [] }
        var rows = [("bytes", "\(report.bytes) in \(report.pieces) piece\(report.pieces == 1 ? "" : "s")")]
        if let bytes = report.pieceBytes { rows.append(("bytes a piece", Self.spread(bytes, Self.whole))) }
        if let frames = report.pieceFrames { rows.append(("frames a piece", Self.spread(frames, Self.whole))) }
        rows.append(("buffering", Self.words(report.buffering)))
        return rows
    }

    private static func words(_ buffering: ProbeReport.Buffering) -> String {
        switch buffering {
        case .none: "none: frames arrive as they are written"
        case .bursts: "frames arrive in bursts: something on the way holds them back"
        case .whole: "all frames arrived together, long after the request: something on the way holds them back"
        case .unclear: "cannot be told from this reply (too short, or too fast)"
        }
    }

    private var places: String {
        var rows = [["COUNT", "READ AS", "PLACE", "EXAMPLE"]]
        for path in report.paths {
            let type = path.type.map { "\($0): " } ?? ""
            rows.append([
                "\(path.count)", path.reading, clean(type + path.path, limit: 70), clean(path.example, limit: 50),
            ])
        }
        let widths = (0..<3).map { column in rows.map { $0[column].count }.max() ?? 0 }
        var text = "places\n"
        for row in rows {
            var line = "  "
            for column in 0..<3 {
                let padding = String(repeating: " ", count: widths[column] - row[column].count)
                line += (column == 0 ? padding + row[column] : row[column] + padding) + "  "
            }
            line += row[3]
            while line.last == " " { line.removeLast() }
            text += line + "\n"
        }
        return text
    }

    private var verdict: [(String, String)] {
        var rows = [("format", clean(report.looksLike ?? "not known"))]
        rows.append(("end marker", clean(report.endMarker ?? "none")))
        if let failure {
            let kind = failure["kind"]?.string ?? "?"
            rows.append(("error", "\(kind): \(clean(failure["message"]?.string ?? "", limit: 600))"))
        }
        if let reply {
            let reason = clean(reply["finish_reason"]?.string ?? "?")
            let count = reply["tool_calls"]?.array?.count ?? 0
            let calls = count > 0 ? ", \(count) tool call\(count == 1 ? "" : "s")" : ""
            let length = { (name: String) in reply[name]?.string?.count ?? 0 }
            rows.append(
                (
                    "reply",
                    "\(length("text")) characters of text, \(length("reasoning")) of reasoning\(calls), finish reason \(reason)"
                ))
        }
        for quirk in report.quirks { rows.append(("note", clean(quirk, limit: 300))) }
        return rows
    }

    /// The paths of the format that Moonrill reads, whether they came or not.
    private var format: [(String, String)] {
        guard let dialect = FormatCatalog.named(report.dialect) else { return [] }
        var rows: [(String, String)] = []
        switch dialect.framing {
        case .serverSentEvents: rows.append(("framing", "Server-Sent Events"))
        case .newlineDelimitedJSON: rows.append(("framing", "JSON lines"))
        case .jsonArray: rows.append(("framing", "one JSON array"))
        }
        for role in [FieldRole.text, .reasoning, .refusal, .call, .native, .usage, .finish, .name, .error, .end] {
            for row in dialect.fields.rows where row.role == role {
                rows.append((rows.last { !$0.0.isEmpty }?.0 == role.rawValue ? "" : role.rawValue, row.text))
            }
        }
        return rows
    }

    // MARK: Numbers

    private static func spread(_ spread: ProbeReport.Spread, _ shown: (Double) -> String) -> String {
        "min \(shown(spread.least)), median \(shown(spread.median)), 95 % \(shown(spread.p95)), max \(shown(spread.greatest))"
    }

    private static func whole(_ number: Double) -> String { "\(Int(number.rounded()))" }

    private static func seconds(_ seconds: Double) -> String {
        if seconds < 1 {
            let tenths = Int((seconds * 10_000).rounded())
            return "\(tenths / 10).\(tenths % 10) ms"
        }
        let hundredths = Int((min(seconds, 1e9) * 100).rounded())
        return "\(hundredths / 100).\(hundredths / 10 % 10)\(hundredths % 10) s"
    }
}
