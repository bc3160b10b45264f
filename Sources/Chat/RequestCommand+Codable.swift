// RequestCommand and RequestID as JSON: {"command": NAME, "id": NUMBER, ...}.

extension RequestCommand: Codable {
    private enum Name: String, Codable { case start, stop, cancel, pause, resume, occupied, reading }

    private enum CodingKeys: String, CodingKey { case command, id, spec, undelivered }

    private var encodedName: Name {
        switch self {
        case .start: .start
        case .stop: .stop
        case .cancel: .cancel
        case .pause: .pause
        case .resume: .resume
        case .occupied: .occupied
        case .reading: .reading
        }
    }

    /// Writes the command.
    package func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(encodedName, forKey: .command)
        try container.encode(id, forKey: .id)
        switch self {
        case .start(_, let spec): try container.encode(spec, forKey: .spec)
        case .stop(_, let undelivered), .cancel(_, let undelivered):
            try container.encode(undelivered, forKey: .undelivered)
        case .pause, .resume, .occupied, .reading: break
        }
    }

    /// Reads a command.
    package init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        let id = try container.decode(RequestID.self, forKey: .id)
        switch try container.decode(Name.self, forKey: .command) {
        case .start: self = .start(id, try container.decode(RequestSpec.self, forKey: .spec))
        case .stop: self = .stop(id, undelivered: try container.decode(Undelivered.self, forKey: .undelivered))
        case .cancel: self = .cancel(id, undelivered: try container.decode(Undelivered.self, forKey: .undelivered))
        case .pause: self = .pause(id)
        case .resume: self = .resume(id)
        case .occupied: self = .occupied(id)
        case .reading: self = .reading(id)
        }
    }
}

extension RequestID: Codable {
    /// Writes the number.
    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(raw)
    }

    /// Reads a number.
    package init(from decoder: any Decoder) throws {
        self.init(try decoder.singleValueContainer().decode(UInt64.self))
    }
}
