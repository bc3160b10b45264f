// One run that is recorded, or run against a recording: its tape and broker, and the settings that the recording keeps.

internal import Base
internal import Chat
internal import HTTP
internal import JSON
internal import Providers
internal import Recording
internal import Script

/// The tape and the broker of a run.
final class RecordingSession {
    /// What may be a key.
    struct Keys {
        var credentials: (String) -> String?
        var variables: [String]
    }

    private enum Tape {
        case recorder(TapeRecorder)
        case player(TapePlayer, ReplayBroker)
    }

    let broker: any RequestBroker
    private let tape: Tape
    private let notice: ((String) -> Void)?

    /// Begins to record a run.
    init(
        recording: RecordingSettings, _ script: inout ScriptConfiguration, _ ownProviders: [Provider], _ keys: Keys,
        _ client: any RequestBroker
    ) throws(RecordingError) {
        var header = RecordingHeader(name: script.name, source: script.source, arguments: script.arguments)
        header.argumentZero = script.argumentZero
        header.timeLimit = recording.timeLimit ?? script.timeLimit
        header.offlineBaseURL = script.defaults.offlineBaseURL
        header.settings = Self.settings(script, ownProviders)
        let notice = recording.notice
        let recorder = try TapeRecorder(
            path: recording.path, header: header, credentials: keys.credentials, keyVariables: keys.variables,
            onFailure: { notice?("\($0.message); the run goes on and is not recorded any more") })
        script.tape = recorder
        self.notice = notice
        tape = .recorder(recorder)
        broker = RecordingBroker(client, tape: recorder)
    }

    /// Begins a run against a recording.
    init(
        replaying run: RecordedRun, _ recording: RecordingSettings, _ script: inout ScriptConfiguration, _ keys: Keys,
        _ client: any RequestBroker
    ) throws(RecordingError) {
        let offline = script.defaults.offlineBaseURL
        guard offline == nil || run.header.offlineBaseURL != nil else {
            throw RecordingError(
                "\(recording.path): the offline provider cannot answer new requests, because the recorded run did not "
                    + "use it")
        }
        var options = TapePlayer.Options()
        options.asksNew = recording.asksNew
        options.speed = recording.speed
        options.offlineBaseURL = offline
        options.credentials = keys.credentials
        options.keyVariables = keys.variables
        let notice = recording.notice
        options.notice = { notice?($0) }
        let player = TapePlayer(run, name: recording.path, options: options)
        let broker = ReplayBroker(player, inner: client)
        try Self.restore(run.header, to: &script, path: recording.path)
        script.tape = player
        self.notice = notice
        self.broker = broker
        tape = .player(player, broker)
    }

    /// The reactor of the run; nil for that of the engine.
    func reactor(_ engine: any Reactor) -> (any Reactor)? {
        guard case .player(let player, let broker) = tape else { return nil }
        return ReplayReactor(engine, tape: player, broker: broker)
    }

    /// Writes the end of the run, or compares it with the recorded one.
    func end(_ outcome: ScriptOutcome) {
        let end = RecordedEnd(outcome)
        switch tape {
        case .recorder(let recorder): recorder.end(end)
        case .player(let player, _): player.difference(from: end).map { notice?($0) }
        }
    }

    /// Why the recording is not whole; nil if it is.
    var failure: String? {
        guard case .recorder(let recorder) = tape else { return nil }
        return recorder.failure?.message
    }

    // MARK: Settings

    private static func settings(_ script: ScriptConfiguration, _ ownProviders: [Provider]) -> JSONValue {
        let defaults = script.defaults
        var settings: JSONObject = ["native_modules": .bool(script.allowsNativeModules)]
        settings["provider"] = defaults.provider.map(JSONValue.string)
        settings["dialect"] = defaults.dialect.map(JSONValue.string)
        settings["model"] = defaults.model.map(JSONValue.string)
        settings["base_url"] = defaults.baseURL.map(JSONValue.string)
        settings["total_timeout"] = defaults.totalTimeout.map(JSONValue.double)
        settings["directory"] = script.directory.map(JSONValue.string)
        // Other headers may hold secrets.
        let features = defaults.headers.filter { RequestIdentity.featureHeaders.contains($0.name.lowercased()) }
        settings["headers"] = .array(features.map { [.string($0.name), .string($0.value)] })
        settings["providers"] = .array(ownProviders.map(\.recorded))
        return .object(settings)
    }

    private static func restore(
        _ header: RecordingHeader, to script: inout ScriptConfiguration, path: String
    ) throws(RecordingError) {
        let settings = header.settings
        var defaults = ClientDefaults()
        defaults.provider = settings["provider"]?.string
        defaults.dialect = settings["dialect"]?.string
        defaults.model = settings["model"]?.string
        defaults.baseURL = settings["base_url"]?.string
        defaults.totalTimeout = settings["total_timeout"]?.double
        defaults.offlineBaseURL = header.offlineBaseURL
        defaults.headers = (settings["headers"]?.array ?? []).compactMap { pair in
            guard let name = pair.array?.first?.string, let value = pair.array?.last?.string else { return nil }
            return (name, value)
        }
        var providers: [Provider] = []
        for recorded in settings["providers"]?.array ?? [] {
            guard let provider = Provider(recorded: recorded) else {
                throw RecordingError("the recording \(path) is damaged in line 1: a provider cannot be read")
            }
            providers.append(provider)
        }
        script.defaults = defaults
        script.providers = ProviderTable(defining: providers)
        // They have all rights of the process: the recording alone does not allow them.
        script.allowsNativeModules = script.allowsNativeModules && settings["native_modules"]?.bool ?? false
        script.prefersRecordedModules = script.source == header.source
        script.tapeTimeLimit = header.timeLimit
        script.version = header.program
        script.indicator = nil
        if script.arguments.isEmpty { script.arguments = header.arguments }
    }

    /// The folder in which the recorded script looked for modules first.
    static func directory(_ header: RecordingHeader) -> String? { header.settings["directory"]?.string }
}

extension Provider {
    /// The provider as JSON, without its documentation.
    fileprivate var recorded: JSONValue {
        var provider: JSONObject = [
            "name": .string(name), "title": .string(title),
            "endpoints": .array(
                endpoints.map { endpoint in
                    [
                        "dialect": .string(endpoint.dialect), "base_url": .string(endpoint.baseURL),
                        // Quirks are Codable values of JSON, which always encode.
                        "quirks": (try? JSONValueEncoder().encode(endpoint.quirks)) ?? .null,
                    ]
                }),
        ]
        provider["key_variable"] = keyVariable.map(JSONValue.string)
        provider["model"] = model.map(JSONValue.string)
        return .object(provider)
    }

    /// Reads that form; nil if it is damaged.
    fileprivate init?(recorded: JSONValue) {
        var endpoints: [Endpoint] = []
        for endpoint in recorded["endpoints"]?.array ?? [] {
            // Nil says that the line is damaged.
            guard let dialect = endpoint["dialect"]?.string, let baseURL = endpoint["base_url"]?.string,
                // As above.
                let quirks = endpoint["quirks"].flatMap({ try? JSONValueDecoder().decode(Quirks.self, from: $0) })
            else { return nil }
            endpoints.append(Endpoint(dialect: dialect, baseURL: baseURL, quirks: quirks))
        }
        guard let name = recorded["name"]?.string, let title = recorded["title"]?.string, let first = endpoints.first
        else { return nil }
        self.init(
            name: name, title: title, endpoint: first, others: Array(endpoints.dropFirst()),
            keyVariable: recorded["key_variable"]?.string, model: recorded["model"]?.string)
    }
}

extension RecordedEnd {
    fileprivate init(_ outcome: ScriptOutcome) {
        switch outcome {
        case .finished: self.init(outcome: .finished, status: 0)
        case .exited(let code): self.init(outcome: .exited, status: code)
        case .failed: self.init(outcome: .failed, status: 1)
        case .timedOut: self.init(outcome: .timedOut, status: 124)
        case .interrupted(let signal): self.init(outcome: .interrupted, status: 128 + signal)
        case .outputClosed: self.init(outcome: .outputClosed, status: 141)
        }
    }
}
