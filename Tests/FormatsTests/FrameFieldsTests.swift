// The field table of each format, compared with its decoder and with each recorded stream.

import Base
import Formats
import HTTP
import JSON
import Testing

@Suite struct FrameFieldsTests {
    private static let dialects = FormatCatalog.names.compactMap(FormatCatalog.named)

    // MARK: The table does not lie

    /// Places without meaning of their own that belong to a call.
    private static let silent = ["index", "type", "id", "call_id", "willContinue", "item_id"]

    @Test(arguments: FormatCatalog.names) func eachReadPlaceIsRead(name: String) throws {
        let dialect = try #require(FormatCatalog.named(name))
        #expect(dialect.fields.malformed == [])
        var checked = 0
        for row in dialect.fields.rows where [.text, .reasoning, .refusal, .call].contains(row.role) {
            guard !row.text.hasSuffix("**") else { continue }
            for document in row.documents(holding: "said") {
                var place: FieldPlace?
                FieldPlace.forEach(in: document) { if $0.value == "said" { place = $0 } }
                let found = try #require(place)
                #expect(dialect.fields.role(of: found) == row.role, "\(row.text)")
                guard case .member(let last)? = found.path.steps.last(where: Self.isMember) else { continue }
                guard row.role != .call || !Self.silent.contains(last) else { continue }
                let outcome = StreamHarness.run(
                    frames: [(.data, document["type"]?.string ?? "", JSONWriter.text(document))], dialect: dialect)
                checked += 1
                switch row.role {
                case .text: #expect(outcome.text == "said", "\(name): \(row.text)")
                case .reasoning: #expect(outcome.reasoning == "said", "\(name): \(row.text)")
                case .refusal: #expect(outcome.summary.refusal == "said", "\(name): \(row.text)")
                default: #expect(outcome.hasOutput || !outcome.summary.toolCalls.isEmpty, "\(name): \(row.text)")
                }
            }
        }
        #expect(checked > 0)
    }

    private static func isMember(_ step: FieldPath.Step) -> Bool { if case .member = step { true } else { false } }

    @Test func pathsAreWrittenAsInScripts() {
        var paths: [FieldPath] = []
        FieldPlace.forEach(in: ["choices": [["delta": ["a b": "x"]], 1], "\u{1B}[31m": nil]) { paths.append($0.path) }
        #expect(paths.map(\.description) == [#"choices[0].delta."a b""#, "choices[1]", #""[31m""#])
        #expect(paths.map(\.general) == [#"choices[].delta."a b""#, "choices[]", #""[31m""#])
        #expect(FieldPath().description == "the whole frame")
    }

    // MARK: Recorded streams

    struct Frame {
        var kind: FrameKind
        var name: String
        var payload: [UInt8]
    }

    static func frames(of body: [UInt8], _ dialect: WireFormat) throws -> [Frame] {
        var frames: [Frame] = []
        if body.first == UInt8(ascii: "["), dialect.streamsArrays {
            var parser = JSONArrayParser()
            try parser.feed(body.span) { frames.append(Frame(kind: .data, name: "", payload: bytes($0))) }
        } else if body.first == UInt8(ascii: "{") {
            var parser = NDJSONParser()
            try parser.feed(body.span) { frames.append(Frame(kind: .data, name: "", payload: bytes($0))) }
            try parser.finish { frames.append(Frame(kind: .data, name: "", payload: bytes($0))) }
        } else {
            var parser = SSEParser()
            try parser.feed(body.span) { frame, payload in
                guard frame.kind == .event else { return }
                frames.append(Frame(kind: .data, name: frame.name, payload: bytes(payload)))
            }
        }
        return frames
    }

    private static func bytes(_ span: borrowing Span<UInt8>) -> [UInt8] { span.indices.map { span[$0] } }

    private static func dialect(of recording: Recording) throws -> WireFormat {
        try #require(CorpusTests.dialect(of: String(recording.name.prefix { $0 != "/" })))
    }

    /// Frames without output in each recording are those of an empty reply.
    @Test(arguments: CorpusTests.recordings) func metadataIsNoText(_ recording: Recording) throws {
        let dialect = try Self.dialect(of: recording)
        let decoder = dialect.makeDecoder()
        var rest: [(eventName: String, payload: [UInt8])] = []
        for frame in try Self.frames(of: recording.body, dialect) {
            var events: [DecodedEvent] = []
            let count = decoder.outputCount
            // Errors in the stream fail the reply; frames after its end are not decoded.
            do { try decoder.decode(frame.kind, name: frame.name, bytes: frame.payload.span, into: &events) } catch {
                break
            }
            let isOutput = events.contains { event in
                switch event {
                case .text, .native: true
                default: false
                }
            }
            // Repetitions of the reply and other candidates are not metadata either.
            var holdsText = false
            if let document = try? JSONReader.value(frame.payload) {
                FieldPlace.forEach(in: document, eventName: frame.name) { place in
                    let role = dialect.fields.role(of: place)
                    if role == .text || role == .reasoning, place.value.string?.isEmpty == false { holdsText = true }
                }
            }
            if !isOutput, !holdsText, decoder.outputCount == count, decoder.summary.refusal == nil {
                rest.append((frame.name, frame.payload))
            }
        }
        let found = UnreadText.find(in: rest, of: dialect)
        #expect(found == nil, "\(recording.name): \(found?.path.description ?? "")")
    }

    /// No recording has a place with distinct texts in each frame that no table knows.
    @Test(arguments: CorpusTests.recordings) func changingTextIsKnown(_ recording: Recording) throws {
        let dialect = try Self.dialect(of: recording)
        var texts: [String: Set<String>] = [:]
        for frame in try Self.frames(of: recording.body, dialect) {
            guard let document = try? JSONReader.value(frame.payload) else { continue }
            FieldPlace.forEach(in: document, eventName: frame.name) { place in
                guard let text = place.value.string, !text.isEmpty,
                    [nil, .passedOn].contains(dialect.fields.role(of: place))
                else {
                    return
                }
                texts["\(place.documentType ?? "") \(place.path.general)", default: []].insert(text)
            }
        }
        let unknown = texts.filter { $0.value.count > 2 }.keys.sorted()
        #expect(unknown == [], "\(recording.name)")
    }

    /// The same replies with their text in unknown places.
    @Test(arguments: CorpusTests.recordings) func movedTextIsFound(_ recording: Recording) throws {
        let dialect = try Self.dialect(of: recording)
        guard recording.expected["text"]?.string?.contains(where: \.isLetter) == true,
            recording.expected["reasoning"]?.string?.isEmpty != false
        else { return }
        let isText: (FieldPlace) -> Bool = { dialect.fields.role(of: $0) == .text }
        var frames: [(eventName: String, payload: [UInt8])] = []
        for frame in try Self.frames(of: recording.body, dialect).prefix(80) {
            guard var document = try? JSONReader.value(frame.payload) else { continue }
            FieldPlace.forEach(in: document, eventName: frame.name) { place in
                if isText(place) { document = document.renaming(place.path.steps[...], to: "answer") }
            }
            frames.append((frame.name, Array(JSONWriter.text(document).utf8)))
        }
        let found = UnreadText.find(in: frames, of: dialect)
        #expect(found?.path.description.contains("answer") == true, "\(recording.name): \(String(describing: found))")
    }

    @Test(arguments: CorpusTests.recordings) func formatIsGuessed(_ recording: Recording) throws {
        let dialect = try Self.dialect(of: recording)
        // The engine keeps only the first frames, too.
        let frames = try Self.frames(of: recording.body, dialect).prefix(40).compactMap { frame in
            (try? JSONReader.value(frame.payload)).map { (eventName: frame.name, document: $0) }
        }
        guard recording.expected["stream_error_expected"] != true, !frames.isEmpty else { return }
        #expect(FormatGuess.format(of: frames) == dialect.name, "\(recording.name)")
    }

    // MARK: Text and metadata

    @Test(
        arguments: [
            (#"{"choices":[{"delta":{"answer":"Hel"}}]}"#, "choices[0].delta.answer"),
            (#"{"choices":[{"answer":"Hello"}]}"#, "choices[0].answer"),
            (#"{"choices":[{"delta":{"content":{"body":"Hello"}}}]}"#, "choices[0].delta.content.body"),
            (#"{"choices":[{"index":1,"delta":{"content":"Hello"}}]}"#, "choices[0].delta.content"),
            (#"{"choices":[{"message":{"answer":"Hello"},"finish_reason":"stop"}]}"#, "choices[0].message.answer"),
            (#"{"response":"Hello"}"#, "response"), (#"{"output":"Hello"}"#, "output"), (#"{"answer":"Hi"}"#, "answer"),
            (#"{"data":{"text":"Hello"}}"#, "data.text"), (#"{"result":"Hello"}"#, "result"),
            (#"{"outputs":[{"generations":[["Hello"]]}]}"#, "outputs[0].generations[0][0]"),
            (#""Hello there""#, "the whole frame"), (#"[{"answer":"Hello"}]"#, "[0].answer"),
            (#"{"id":"x","words":"Hello there, you"}"#, "words"),
        ]) func textInUnknownPlaces(frame: String, path: String) throws
    {
        let found = try #require(UnreadText.find(in: [("", Array(frame.utf8))], of: WireFormat.openAIChat))
        #expect(found.path.description == path)
    }

    @Test(
        arguments: [
            #"{"id":"chatcmpl-1","object":"chat.completion.chunk","model":"m","choices":[{"delta":{"role":"assistant"}}]}"#,
            #"{"choices":[{"delta":{"content":" \n"},"finish_reason":"stop","stop_reason":"</s>"}]}"#,
            #"{"choices":[],"prompt_filter_results":[{"content_filter_results":{"hate":{"severity":"safe sound"}}}]}"#,
            #"{"vendor":"acme","request_id":"req 1","createdAt":"today at noon","x_served_by":{"region":"eu west"}}"#,
            #"{"choices":[{"delta":{},"answer_id":"abc","trace":{"node":"a b"}}],"usage":{"answer":"none at all"}}"#,
            #"{"choices":[{"delta":{"content":"<|im_end|>"}}]}"#, #"{"text":"gen_01KKHTPQBG6M2Y2TBQ7MA49PSM"}"#,
            #"{"answer":"","output":null,"response":[]}"#, "no JSON", "[]",
        ]) func metadataInOneFrame(frame: String)
    {
        let found = UnreadText.find(in: [("", Array(frame.utf8))], of: WireFormat.openAIChat)
        #expect(found == nil, "\(found?.path.description ?? "")")
    }

    /// Labels repeat in each frame, text does not.
    @Test func whatIsTheSameInEachFrameIsALabel() {
        let frames = ["a", "b"].map { ("", Array(#"{"greeting":"to all of you","answers":"\#($0)"}"#.utf8)) }
        #expect(UnreadText.find(in: frames, of: WireFormat.openAIChat)?.path.description == "answers")
        let labels = [1, 2].map { ("", Array(#"{"greeting":"to all of you","n":\#($0)}"#.utf8)) }
        #expect(UnreadText.find(in: labels, of: WireFormat.openAIChat) == nil)
    }

    @Test func anotherDialectIsNamed() throws {
        let frames = [
            #"{"type":"message_start","message":{"id":"m","role":"assistant","content":[]}}"#,
            #"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Hello"}}"#,
        ].map { ("", Array($0.utf8)) }
        let found = try #require(UnreadText.find(in: frames, of: WireFormat.openAIChat))
        #expect(found.path.description == "delta.text")
        #expect(found.otherDialect == "anthropic")
        #expect(UnreadText.find(in: frames, of: WireFormat.cohere)?.otherDialect == "anthropic")
    }

    @Test func memoryIsBounded() {
        let frames = FirstFrames(of: WireFormat.openAIChat)
        for number in 0..<1000 { frames.keep(Array("{\"n\":\(number)}".utf8).span, eventName: "") }
        #expect(frames.frames.count <= 32)
        let large = FirstFrames(of: WireFormat.openAIChat)
        for number in 0..<10 { large.keep([UInt8](repeating: UInt8(number), count: 30_000).span, eventName: "") }
        #expect(large.frames.reduce(0) { $0 + $1.payload.count } <= 64 << 10)
        let same = FirstFrames(of: WireFormat.openAIChat)
        for _ in 0..<10 { same.keep(Array("{}".utf8).span, eventName: "") }
        #expect(same.frames.count == 1)
    }
}

extension JSONValue {
    /// The document with the last member of that path renamed.
    fileprivate func renaming(_ steps: ArraySlice<FieldPath.Step>, to name: String) -> JSONValue {
        guard let step = steps.first else { return self }
        let rest = steps.dropFirst()
        switch (step, self) {
        case (.member(let key), .object(let object)):
            let isLast = !rest.contains { if case .member = $0 { true } else { false } }
            var result = JSONObject()
            for member in object {
                let isIt = member.key == key
                result.append(
                    uncheckedKey: isIt && isLast ? name : member.key,
                    isIt && !isLast ? member.value.renaming(rest, to: name) : member.value)
            }
            return .object(result)
        case (.element(let index), .array(var elements)) where index < elements.count:
            elements[index] = elements[index].renaming(rest, to: name)
            return .array(elements)
        default: return self
        }
    }
}
