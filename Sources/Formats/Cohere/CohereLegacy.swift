// Decodes version 1 of Cohere's chat stream: JSON lines with an `event_type`. CohereDecoder calls it for such lines.

internal import Base
internal import Chat
internal import JSON

extension CohereDecoder {
    /// The sources of a reply with documents or a search.
    private static let legacyMembers: [StaticString] = ["documents", "search_results"]

    mutating func legacy(_ type: String, _ node: JSONNode, into events: inout [DecodedEvent]) throws(APIError) {
        switch type {
        case "stream-start":
            start(node["generation_id"], into: &events)
        case "text-generation":
            guard let text = node["text"]?.string, !text.isEmpty else { return }
            output.noteText()
            events.append(.text(TextBatch(text)))
        case "tool-calls-generation": legacyCalls(node["tool_calls"])
        case "citation-generation":
            node["citations"]?.forEachElement { events.append(.native(name: "citation", $0.value)) }
        case "search-queries-generation", "search-results":
            events.append(.native(name: type, node.value))
        case "stream-end":
            let response = node["response"]
            // The id of the reply. The one in `stream-start` is the id of the generation.
            if let id = response?["response_id"]?.string { known.id = id }
            if tools.isEmpty { legacyCalls(response?["tool_calls"]) }
            let raw = node["finish_reason"]?.string ?? response?["finish_reason"]?.string
            for name in Self.legacyMembers { natives.show("\(name)", response?[name], into: &events) }
            takeUsage(response?["meta"], into: &events)
            try finish(
                tools.isEmpty || raw != "COMPLETE" ? raw : "TOOL_CALL", error: node["error"] ?? response?["error"])
            known.finishReasonRaw = raw
        default: break
        }
    }

    /// Decodes a reply that was not streamed.
    mutating func legacyWhole(_ node: JSONNode, into events: inout [DecodedEvent]) throws(APIError) {
        start(node["response_id"] ?? node["generation_id"], into: &events)
        if let text = node["text"]?.string, !text.isEmpty {
            output.noteText()
            events.append(.text(TextBatch(text)))
        }
        legacyCalls(node["tool_calls"])
        node["citations"]?.forEachElement { events.append(.native(name: "citation", $0.value)) }
        for name in Self.legacyMembers { natives.show("\(name)", node[name], into: &events) }
        takeUsage(node["meta"], into: &events)
        try finish(node["finish_reason"]?.string ?? "COMPLETE", error: node["error"])
    }

    /// Adds calls. They arrive whole and without ids, with their arguments as an object.
    private mutating func legacyCalls(_ calls: JSONNode?) {
        // Each event has all calls.
        if calls?.first != nil { tools = ToolCallAssembler() }
        var index: Int64 = 0
        calls?.forEachElement { call in
            guard let name = call["name"]?.string else { return }
            tools.beginDelta()
            tools.add(
                .init(
                    index: index, id: call["id"]?.string ?? "", name: name,
                    arguments: (call["parameters"] ?? call["arguments"]).map { JSONWriter.text($0.value) } ?? ""))
            if tools.hasGrown { output.note() }
            index += 1
        }
    }
}
