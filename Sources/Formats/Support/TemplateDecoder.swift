// Fast-forwards over frames that differ from the previous one only in their text. Independent of the format: the effect
// of a frame is learned by decoding one twice.

internal import Base
internal import Chat
internal import HTTP
internal import JSON

/// A template, with the state of the frames that match it. A class, so that no frame copies it.
private final class LearnedTemplate {
    let template: TextTemplate
    /// The event name of its frames.
    let name: String
    /// The counters of the last frame.
    var counters: TemplateCounters
    var isUsed = false

    init(_ template: TextTemplate, name: String, counters: TemplateCounters) {
        self.template = template
        self.name = name
        self.counters = counters
    }
}

/// Decodes one stream. Most frames of a stream are equal to the previous one except for their text: such a frame is
/// recognized by its bytes and not parsed.
///
/// A frame with one piece of text is tried on two copies of the state. One decodes the frame with another text,
/// counters one higher and other padding; the other only skips it. If both end in the same state and have emitted the
/// same events, frames of these bytes may be skipped until another frame changes the state.
final class TemplateDecoder<Decoder: DocumentDecoder>: StreamDecoder {
    /// Batches with fewer pieces are delivered as single pieces, which costs less.
    private static var minBatchCount: Int { 4 }
    /// Maximum string literals that are tried as the text of one frame.
    private static var maxCandidates: Int { 4 }

    private var decoder: Decoder
    /// The decoder's progress after the last frame that it decoded. Frames that are skipped do not change it.
    private var progress: DecoderProgress
    private var learned: LearnedTemplate?
    /// Whether the last frame matched the template, so that nothing has changed the state since.
    private var isArmed = false
    /// How many more templates may be tried. A template that is used does not count: some servers put a random string
    /// or the time where no decoder expects it.
    private var trialsLeft = 8
    /// Frames with text so far that matched no template. A reply of a few frames is over before a template would pay.
    private var textFrames = 0
    private static var firstTrial: Int { 3 }

    init(_ decoder: Decoder) {
        self.decoder = decoder
        progress = self.decoder.progress()
    }

    // MARK: Frames

    func decode(
        _ kind: FrameKind, name: String, bytes: Span<UInt8>, into events: inout [DecodedEvent]
    ) throws(APIError) {
        guard !progress.isDone else { return }
        let document = bytes.extracting(bytes.trimmed)
        if kind == .data, isArmed, skip(document, name: name, into: &events) { return }
        if kind != .comment { isArmed = false }
        let before = events.count
        defer { progress = decoder.progress() }
        try decoder.decode(kind, name: name, document, into: &events)
        if kind == .data, trialsLeft > 0 { learn(document, name: name, from: events[before...]) }
    }

    var canFastForward: Bool { isArmed }

    func fastForward(
        _ chunk: Span<UInt8>, from start: Int, _ shape: FrameShape, into events: inout [DecodedEvent]
    ) -> Int? {
        guard isArmed, let learned, learned.name == shape.name,
            let run = learned.template.read(chunk, from: start, shape, learned.counters)
        else { return nil }
        guard let batch = run.batch else {
            // Invalid UTF-8 is repaired frame by frame. A server that sends some may send more: drops the template.
            self.learned = nil
            isArmed = false
            return nil
        }
        take(batch, run.counters, of: learned, into: &events)
        return run.end
    }

    /// Skips a frame that matches the template. Returns false for other frames.
    private func skip(_ document: Span<UInt8>, name: String, into events: inout [DecodedEvent]) -> Bool {
        guard let learned, learned.name == name, let run = learned.template.read(document, learned.counters),
            let batch = run.batch
        else { return false }
        take(batch, run.counters, of: learned, into: &events)
        return true
    }

    private func take(
        _ batch: TextBatch, _ counters: TemplateCounters, of learned: LearnedTemplate, into events: inout [DecodedEvent]
    ) {
        learned.counters = counters
        if !learned.isUsed {
            learned.isUsed = true
            trialsLeft += 1
        }
        if batch.count > 1, batch.count < Self.minBatchCount {
            for piece in batch { events.append(.text(TextBatch(piece, batch.kind))) }
        } else {
            events.append(.text(batch))
        }
        decoder.skip(batch, counters, into: &events)
    }

    // MARK: Learning

    /// Makes a template of a decoded frame, if it has exactly one piece of text and may be skipped.
    private func learn(_ document: Span<UInt8>, name: String, from events: ArraySlice<DecodedEvent>) {
        guard document.count <= TextTemplate.maxDocumentBytes, let piece = Self.onlyText(events) else { return }
        textFrames += 1
        guard textFrames >= Self.firstTrial, !decoder.isDone else { return }
        for literal in document.literals(of: piece.text, upTo: Self.maxCandidates) where trialsLeft > 0 {
            guard let trial = TextTemplate.Trial(document, piece, at: literal, open: Decoder.templatePaths)
            else { continue }
            trialsLeft -= 1
            guard maySkip(trial, name: name) else { continue }
            learned = LearnedTemplate(trial.template, name: name, counters: trial.counters)
            isArmed = true
            return
        }
    }

    private static func onlyText(_ events: ArraySlice<DecodedEvent>) -> TextBatch? {
        var found: TextBatch?
        for case .text(let batch) in events {
            guard found == nil, batch.count == 1 else { return nil }
            found = batch
        }
        return found
    }

    /// Whether decoding the trial's document has the same effect as skipping it.
    private func maySkip(_ trial: TextTemplate.Trial, name: String) -> Bool {
        var (decoded, skipped) = (decoder, decoder)
        let before = decoder.progress()
        var found: [DecodedEvent] = []
        var expected: [DecodedEvent] = [.text(trial.batch)]
        do throws(APIError) {
            try decoded.decode(.data, name: name, trial.document.span, into: &found)
        } catch {
            return false
        }
        skipped.skip(trial.batch, trial.nextCounters, into: &expected)
        return found == expected && decoded == skipped && decoded.progress() == before
    }

    // MARK: The decoder

    var hasCleanEnd: Bool { progress.hasCleanEnd }
    var isDone: Bool { progress.isDone }
    var isBlank: Bool { progress.isBlank }
    var hasOutput: Bool { progress.hasOutput }
    var outputCount: Int { progress.outputCount }
    var summary: ReplySummary { decoder.summary }
    func assistantMessage(_ reply: ReplyText) -> JSONValue { decoder.assistantMessage(reply) }

    func bodyEnded() {
        decoder.bodyEnded()
        progress = decoder.progress()
    }
}
