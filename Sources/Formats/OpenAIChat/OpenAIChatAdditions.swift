// Emits members that single providers add to Chat Completions chunks, as `native` events: an extension of
// OpenAIChatDecoder.

internal import Base
internal import JSON

/// The provider-specific values that have been emitted, so that repeated ones are skipped.
struct OpenAIChatAdditions: Equatable {
    /// The kind of object that has the member.
    enum Place: Equatable {
        case chunk, choice
        case container(OpenAIChatContainer)
        /// A content part or the `audio` object of a held message (see HeldMessage). The name of a part is its type.
        case heldPart
    }

    /// Maximum number of names whose values are kept. Values of further names are always emitted.
    private static let limit = 64

    /// The last value of each name, for each place in which the name has occurred.
    private var last: [String: [Emitted]] = [:]

    private struct Emitted: Equatable {
        var place: Place
        var value: JSONValue
    }

    /// The transcript of the audio is emitted as text, because the content has no text.
    var isTranscriptText = false
    var audioID: String?

    /// Whether no place had this value as its last one for the name. Records the value. Perplexity repeats `citations`
    /// in every chunk, and some servers send the same value in several places.
    mutating func isNew(_ name: String, _ value: JSONValue, at place: Place) -> Bool {
        guard let values = last[name] else {
            if last.count < Self.limit { last[name] = [Emitted(place: place, value: value)] }
            return true
        }
        let index = values.firstIndex { $0.place == place }
        if let index, values[index].value == value { return false }
        if let index {
            last[name]?[index].value = value
        } else {
            last[name]?.append(Emitted(place: place, value: value))
        }
        return !values.contains { $0.value == value }
    }
}

private enum AudioKey {
    static let table = JSONKeys("id", "data", "transcript", "expires_at")
    static let id = 0
    static let data = 1
    static let transcript = 2
    static let expiresAt = 3
}

extension OpenAIChatDecoder {
    /// Members of a delta or message that repeat its reasoning (LiteLLM).
    private static let repetitions: Set<String> = ["thinking_blocks"]
    /// Members of a delta or message that are output: Gemini's images through OpenRouter, Groq's own tools.
    private static let outputs: Set<String> = ["images", "executed_tools"]

    /// Emits members that the format does not define and whose values are arrays or objects: `citations`,
    /// `search_results` (Perplexity), `annotations` (OpenAI, OpenRouter), `executed_tools` (Groq),
    /// `prompt_filter_results`, `content_filter_results` (Azure). Strings and numbers are not emitted, because most are
    /// identifiers and padding.
    mutating func takeAdditions(
        to node: JSONNode, at place: OpenAIChatAdditions.Place, besides keys: JSONKeys,
        into events: inout [DecodedEvent]
    ) {
        node.forEachOther(than: keys) { name, node in
            guard node.isFilled, !Self.repetitions.contains(name) else { return }
            let value = node.value
            guard additions.isNew(name, value, at: place) else { return }
            if case .container = place, Self.outputs.contains(name) { output.note() }
            events.append(.native(name: name, value))
        }
    }

    /// Emits the log probabilities of a choice and the members that the format does not define, those of its message
    /// included. Equal log probabilities are emitted again, because they belong to the text of their chunk.
    mutating func takeAdditions(to choice: JSONNode, _ parts: JSONPicked, into events: inout [DecodedEvent]) {
        if let logprobs = parts[ChoiceKey.logprobs], logprobs.isFilled {
            events.append(.native(name: "logprobs", logprobs.value))
        }
        if parts.hasOthers { takeAdditions(to: choice, at: .choice, besides: ChoiceKey.table, into: &events) }
        // A message next to a delta repeats the delta's text, but may be the only one with annotations.
        guard let message = parts[ChoiceKey.message], message.pick(DeltaKey.table).hasOthers else { return }
        takeAdditions(to: message, at: .container(.message), besides: DeltaKey.table, into: &events)
    }

    /// Reads the `audio` member: spoken output. Its transcript is emitted as text, unless the content has text.
    /// https://platform.openai.com/docs/guides/audio
    mutating func take(
        audio: JSONNode, _ wanted: OpenAIChatOutput, _ found: inout OpenAIChatOutput, into events: inout [DecodedEvent]
    ) {
        guard audio.kind == .object else { return }
        let parts = audio.pick(AudioKey.table)
        let isText =
            wanted.contains(.text) && (additions.isTranscriptText || !deltaOutput.union(nestedOutput).contains(.text))
        var isTold = true
        if let transcript = parts[AudioKey.transcript]?.string, !transcript.isEmpty {
            isTold = isText
            if isText {
                additions.isTranscriptText = true
                output.noteText()
                found.insert(.text)
                events.append(.text(TextBatch(transcript)))
            }
        }
        let id = parts[AudioKey.id]?.string ?? additions.audioID
        let hasData = parts[AudioKey.data]?.isFilled == true
        if isTold, !hasData, id == additions.audioID, parts[AudioKey.expiresAt]?.isNull ?? true, !parts.hasOthers {
            return
        }
        guard audio.isFilled else { return }
        additions.audioID = id
        if hasData { output.note() }
        events.append(.native(name: "audio", audio.value))
    }

    /// Emits a content part without text as a native event named by its type: Mistral's `reference`, an image. A part
    /// whose other members are all empty is skipped.
    mutating func take(part: JSONNode, type: String?, into events: inout [DecodedEvent]) {
        guard let type, !type.isEmpty, type != "refusal", !type.contains("text") else { return }
        var hasMembers = false
        part.forEachMember { name, value in if name != "type", value.isFilled { hasMembers = true } }
        guard hasMembers else { return }
        if ["image", "audio", "video", "file"].contains(where: type.contains) { output.note() }
        events.append(.native(name: type, part.value))
    }
}
