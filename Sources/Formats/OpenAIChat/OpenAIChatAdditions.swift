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

    /// The names in the order of their first values.
    private var known: [Name] = []
    /// A hash table with linear probing: 1 + the position of a name in `known`, or 0. A Dictionary hashes the name with
    /// SipHash, which costs more than the rest of ``isNew(_:_:at:)``; here an attacker gains a search of `limit` names.
    private var slots: [UInt8] = []
    private static let slotCount = 4 * limit

    private struct Name: Equatable {
        let name: String
        let hash: UInt32
        /// The last value for each place in which the name has occurred.
        var last: [Emitted]
    }

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
        if slots.isEmpty { slots = [UInt8](repeating: 0, count: Self.slotCount) }
        let hash = Self.hash(of: name)
        let slot = slot(of: name, hash)
        guard slots[slot] > 0 else {
            if known.count < Self.limit {
                known.append(Name(name: name, hash: hash, last: [Emitted(place: place, value: value)]))
                slots[slot] = UInt8(known.count)
            }
            return true
        }
        let number = Int(slots[slot]) - 1
        let values = known[number].last
        let index = values.firstIndex { $0.place == place }
        if let index, values[index].value == value { return false }
        if let index {
            known[number].last[index].value = value
        } else {
            known[number].last.append(Emitted(place: place, value: value))
        }
        return !values.contains { $0.value == value }
    }

    /// The slot of a name; a free one for a name that is not known.
    private func slot(of name: String, _ hash: UInt32) -> Int {
        var slot = Int(hash) % Self.slotCount
        while slots[slot] > 0 {
            let number = Int(slots[slot]) - 1
            if known[number].hash == hash, known[number].name == name { break }
            slot = (slot + 1) % Self.slotCount
        }
        return slot
    }

    /// FNV-1a, with the upper half mixed into the lower one.
    private static func hash(of name: String) -> UInt32 {
        var hash: UInt32 = 0x811C_9DC5
        let bytes = name.utf8.span
        for index in bytes.indices { hash = (hash ^ UInt32(bytes[index])) &* 0x0100_0193 }
        return hash ^ (hash >> 15)
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
    /// Whether a member of a delta or message repeats its reasoning (LiteLLM).
    private static func isRepetition(_ name: JSONNode) -> Bool { name.isString("thinking_blocks") }

    /// Whether a member of a delta or message is output: Gemini's images through OpenRouter, Groq's own tools.
    private static func isOutput(_ name: JSONNode) -> Bool {
        name.isString("images") || name.isString("executed_tools")
    }

    /// Emits members that the format does not define and whose values are arrays or objects: `citations`,
    /// `search_results` (Perplexity), `annotations` (OpenAI, OpenRouter), `executed_tools` (Groq),
    /// `prompt_filter_results`, `content_filter_results` (Azure). Strings and numbers are not emitted, because most are
    /// identifiers and padding.
    mutating func takeAdditions(
        to node: JSONNode, at place: OpenAIChatAdditions.Place, besides keys: JSONKeys,
        into events: inout [DecodedEvent]
    ) {
        node.forEachOther(than: keys) { key, node in
            guard node.isFilled, !Self.isRepetition(key) else { return }
            let name = key.string ?? ""
            let value = node.value
            guard additions.isNew(name, value, at: place) else { return }
            if case .container = place, Self.isOutput(key) { output.note() }
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
