// Frames with broken JSON, for the fault `bad-json`.

internal import Formats

enum BrokenFrame {
    /// A frame of the format whose JSON breaks off.
    static func bytes(_ format: ServedFormat) -> [UInt8] {
        // In an array, a value that breaks off would take in the rest of the stream: the braces are closed.
        if format.framing == .jsonArray { return Array(",\r\n{\"candidates\":[{\"content\":}]}".utf8) }
        let other = format.framing == .newlineDelimitedJSON ? "{\"br\n" : "data: {\"br\n\n"
        return Array((frames[format.name] ?? other).utf8)
    }

    private static let frames = [
        WireFormat.openAIChat.name:
            "data: {\"id\":\"chatcmpl-broken\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"br\n\n",
        WireFormat.openAIResponses.name:
            "event: response.output_text.delta\ndata: {\"type\":\"response.output_text.delta\",\"delta\":\"br\n\n",
        WireFormat.anthropicMessages.name:
            "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"te\n\n",
        WireFormat.gemini.name: "data: {\"candidates\":[{\"content\":{\"pa\r\n\r\n",
        WireFormat.ollama.name: "{\"model\":\"broken\",\"message\":{\"role\":\"assistant\",\"con\n",
        WireFormat.tgi.name: "data:{\"index\":1,\"token\":{\"id\":1,\"text\":\"br\n\n",
        WireFormat.cohere.name:
            "event: content-delta\ndata: {\"type\":\"content-delta\",\"index\":0,\"delta\":{\"message\":{\"co\n\n",
    ]
}
