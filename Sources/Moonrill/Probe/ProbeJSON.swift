// The report of a probe as JSON. Its keys are documented in the help of the command and are stable.

public import JSON

extension ProbeReport {
    /// The report as an object.
    public var json: JSONObject {
        let text = { (value: String?) in value.map { JSONValue.string($0) } ?? .null }
        let number = { (value: Double?) in value.map { JSONValue.double($0) } ?? .null }
        var object: JSONObject = ["url": .string(url), "dialect": .string(dialect), "looks_like": text(looksLike)]
        object["status"] = status.map { .int(Int64($0)) } ?? .null
        object["http_version"] = text(httpVersion)
        object["headers"] = .array(headers.map { ["name": .string($0.name), "value": .string($0.value)] })
        object["seconds"] = [
            "head": number(headTime), "first_byte": number(firstByteTime), "first_token": number(firstTokenTime),
            "total": number(totalTime),
        ]
        object["body"] = [
            "bytes": .int(Int64(bytes)), "pieces": .int(Int64(pieces)), "piece_bytes": Self.json(pieceBytes),
            "gaps": Self.json(gaps), "piece_frames": Self.json(pieceFrames), "buffering": .string(buffering.rawValue),
        ]
        object["frames"] = .array(kinds.map { ["kind": .string($0.name), "count": .int(Int64($0.count))] })
        object["paths"] = .array(
            paths.map { path in
                [
                    "type": text(path.type), "path": .string(path.path), "count": .int(Int64(path.count)),
                    "example": .string(path.example), "reading": .string(path.reading),
                ]
            })
        object["end_marker"] = text(endMarker)
        object["quirks"] = .array(quirks.map { .string($0) })
        object["outputs"] = .int(Int64(outputs))
        object["attempts"] = .int(Int64(attempts))
        return object
    }

    private static func json(_ spread: Spread?) -> JSONValue {
        guard let spread else { return .null }
        return [
            "min": .double(spread.least), "median": .double(spread.median), "p95": .double(spread.p95),
            "max": .double(spread.greatest),
        ]
    }
}
