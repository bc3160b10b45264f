// Records a run: the tape of the script, and a broker in front of another one.

internal import Base
package import Chat
internal import Glibc
package import JSON

/// Writes a recording while the script runs. To be used on the script's thread.
package final class TapeRecorder: ScriptTape {
    private let file: RecordingFile
    private let credentials: (String) -> String?
    private let offlineBaseURL: String?
    private var seenVariables: Set<String> = []
    private var output = SHA256.Stream()
    private var stepTime = 0.0
    private var lastStop: TapeStop?
    /// Empty answers to `nextReady` in the present step.
    private var round = 0

    package var onVerdict: (() -> Void)?
    package var isStopping: (() -> Bool)?
    package var verdict: TapeVerdict? { nil }
    package var stopInside: (stop: TapeStop, seconds: Double)? { nil }
    package var time: Double { SystemClock.now() }

    /// Begins a recording.
    /// - Parameters:
    ///   - credentials: the key of a variable, to keep it out of the file.
    ///   - keyVariables: variables that may hold keys. Requests name further ones.
    ///   - onFailure: called once, when the file cannot be written any more.
    package init(
        path: String, header: RecordingHeader, credentials: @escaping (String) -> String?, keyVariables: [String],
        onFailure: @escaping (RecordingError) -> Void
    ) throws(RecordingError) {
        file = try RecordingFile(path: path)
        self.credentials = credentials
        offlineBaseURL = header.offlineBaseURL
        file.onFailure = onFailure
        for variable in keyVariables { hide(variable) }
        var header = header
        header.startedAt = (SystemClock.now(), SystemClock.unixTime())
        file.append(header.json)
        file.flush()
    }

    /// Why the recording is not whole; nil while it is.
    package var failure: RecordingError? { file.failure }

    /// Keeps the key in a variable out of the file.
    private func hide(_ variable: String) {
        guard seenVariables.insert(variable).inserted else { return }
        credentials(variable).map(file.hide)
    }

    fileprivate func add(_ entry: TapeEntry) {
        do { file.append(try entry.json()) } catch { file.fail("cannot hold a value (\(error))") }
    }

    /// Writes how the run has ended, and closes the file.
    package func end(_ end: RecordedEnd) {
        var end = end
        end.outputDigest = output.hex
        add(.end(end))
        file.close()
    }

    // MARK: The tape

    package func beginStep() -> Double {
        file.flush()
        round = 0
        stepTime = SystemClock.now()
        add(.step(stepTime))
        return stepTime
    }

    package func reading(_ clock: TapeClock) -> Double {
        let value =
            switch clock {
            case .monotonic: SystemClock.now()
            case .unix: SystemClock.unixTime()
            // As os.clock (clock(3)).
            case .processor: Double(Glibc.clock()) / 1_000_000
            }
        add(.reading(clock, value))
        return value
    }

    package func recorded(_ name: String, _ arguments: [JSONValue]) -> JSONValue? { nil }

    package func record(_ name: String, _ arguments: [JSONValue], result: JSONValue) {
        add(.outside(name, arguments, result))
    }

    package func input(upTo count: Int, _ read: (Int) -> [UInt8]?) -> [UInt8]? {
        // The script may wait here for long.
        file.flush()
        let bytes = read(count)
        if let bytes { add(.input(bytes)) }
        return bytes
    }

    package func noteOutput(_ bytes: [UInt8]) { output.add(bytes) }

    package func stop(atBeginning actual: TapeStop?) -> TapeStop? {
        if let actual, actual != lastStop {
            lastStop = actual
            add(.stop(actual))
        }
        return actual
    }

    package func noteStop(inside actual: TapeStop) {
        guard actual != lastStop else { return }
        lastStop = actual
        add(.stopInside(actual, seconds: SystemClock.now() - stepTime))
    }
}

extension TapeRecorder {
    fileprivate func noteStart(_ id: RequestID, _ spec: RequestSpec) {
        spec.endpoint.keyVariable.map(hide)
        add(.start(id, spec.withStableAddress(offline: offlineBaseURL).recorded))
    }

    /// The event without keys in its text, including keys split between events; nil if no text is left.
    fileprivate func scrubbed(_ event: ChatEvent, _ texts: inout SplitTexts) -> ChatEvent? {
        guard case .text(let batch) = event else {
            if case .reset = event { texts = SplitTexts() }
            if case .chunk(let frame) = event { return .chunk(texts.scrub(frame: frame, file.scrubber)) }
            return event
        }
        let bytes = Array(batch.text.utf8)
        let clean = texts.scrub(bytes, batch.kind, file.scrubber)
        guard clean != bytes else { return event }
        return clean.isEmpty ? nil : .text(TextBatch(String(decoding: clean, as: UTF8.self), batch.kind))
    }

    fileprivate func note(ready id: RequestID?) {
        if let id { add(.ready(id, round: round)) } else { round += 1 }
    }
}

/// The texts of one request so far.
private struct SplitTexts {
    private var text = SplitTextScrubber()
    private var reasoning = SplitTextScrubber()
    /// The strings of the frames, by their paths.
    private var frames: [String: SplitTextScrubber] = [:]

    /// A frame without keys, also of those that come in the same string of several frames.
    mutating func scrub(frame: String, _ scrubber: KeyScrubber) -> String {
        // A frame that is no JSON holds no pieces of a text.
        guard !scrubber.isEmpty, let value = try? JSONReader.value(frame) else { return frame }
        let clean = scrub(value, "", scrubber)
        return clean == value ? frame : JSONWriter.text(clean)
    }

    private mutating func scrub(_ value: JSONValue, _ path: String, _ scrubber: KeyScrubber) -> JSONValue {
        switch value {
        case .string(let text):
            let bytes = Array(text.utf8)
            let clean = frames[path, default: SplitTextScrubber()].scrub(bytes, scrubber)
            return clean == bytes ? value : .string(String(decoding: clean, as: UTF8.self))
        case .array(let elements):
            return .array(elements.enumerated().map { scrub($1, "\(path)[\($0)]", scrubber) })
        case .object(let object):
            var result = JSONObject()
            for member in object {
                result.append(uncheckedKey: member.key, scrub(member.value, "\(path).\(member.key)", scrubber))
            }
            return .object(result)
        default: return value
        }
    }

    mutating func scrub(_ bytes: [UInt8], _ kind: TextBatch.Kind, _ scrubber: KeyScrubber) -> [UInt8] {
        switch kind {
        case .text: text.scrub(bytes, scrubber)
        case .reasoning: reasoning.scrub(bytes, scrubber)
        }
    }
}

/// Records the requests of a script in front of another broker.
package final class RecordingBroker: RequestBroker {
    private let inner: any RequestBroker
    private let tape: TapeRecorder
    /// The texts of the requests that run.
    private var texts: [RequestID: SplitTexts] = [:]

    /// A broker in front of `inner` that records on `tape`.
    package init(_ inner: any RequestBroker, tape: TapeRecorder) {
        self.inner = inner
        self.tape = tape
    }

    package func submit(_ command: RequestCommand) {
        switch command {
        case .start(let id, let spec): tape.noteStart(id, spec)
        case .stop(let id, let undelivered): tape.add(.breakOff(id, undelivered, isCancel: false))
        case .cancel(let id, let undelivered): tape.add(.breakOff(id, undelivered, isCancel: true))
        case .pause, .resume, .occupied, .reading: break
        }
        inner.submit(command)
    }

    package func nextReady() -> RequestID? {
        let id = inner.nextReady()
        tape.note(ready: id)
        return id
    }

    package func take(_ id: RequestID) -> [ChatEvent] {
        let events = inner.take(id)
        guard let last = events.last else { return [] }
        tape.add(.take(id, events.compactMap { tape.scrubbed($0, &texts[id, default: SplitTexts()]) }))
        if last.isTerminal { texts[id] = nil }
        return events
    }

    package var hasReady: Bool { inner.hasReady }

    package var hasRequestsInLine: Bool { inner.hasRequestsInLine }
}

// Tape and broker belong to one thread.
@available(*, unavailable)
extension TapeRecorder: Sendable {}
@available(*, unavailable)
extension RecordingBroker: Sendable {}
