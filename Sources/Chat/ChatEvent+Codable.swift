// ChatEvent as JSON: {"event": NAME, "value": ...}.

internal import Base
internal import JSON

extension ChatEvent: Codable {
    private enum Name: String, Codable {
        case start, text
        case toolCall = "tool_call"
        case usage, heartbeat, native, phase, chunk, retry, wait, reset, finish, failed
    }

    private enum CodingKeys: String, CodingKey { case event, name, value }

    private var encodedName: Name {
        switch self {
        case .start: .start
        case .text: .text
        case .toolCall: .toolCall
        case .usage: .usage
        case .heartbeat: .heartbeat
        case .native: .native
        case .phase: .phase
        case .chunk: .chunk
        case .retry: .retry
        case .wait: .wait
        case .reset: .reset
        case .finish: .finish
        case .failed: .failed
        }
    }

    /// Writes the event.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(encodedName, forKey: .event)
        switch self {
        case .heartbeat: break
        case .start(let info): try container.encode(info, forKey: .value)
        case .text(let batch): try container.encode(batch, forKey: .value)
        case .chunk(let text): try container.encode(text, forKey: .value)
        case .toolCall(let call): try container.encode(call, forKey: .value)
        case .usage(let usage): try container.encode(usage, forKey: .value)
        case .native(let name, let value):
            try container.encode(name, forKey: .name)
            try container.encode(value, forKey: .value)
        case .phase(let name): try container.encodeIfPresent(name, forKey: .value)
        case .retry(let info): try container.encode(info, forKey: .value)
        case .wait(let info): try container.encode(info, forKey: .value)
        case .reset(let info): try container.encode(info, forKey: .value)
        case .finish(let reply): try container.encode(reply, forKey: .value)
        case .failed(let failure): try container.encode(failure, forKey: .value)
        }
    }

    /// Reads an event.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        func value<Value: Decodable>() throws -> Value { try container.decode(Value.self, forKey: .value) }
        switch try container.decode(Name.self, forKey: .event) {
        case .start: self = .start(try value())
        case .text: self = .text(try value())
        case .toolCall: self = .toolCall(try value())
        case .usage: self = .usage(try value())
        case .heartbeat: self = .heartbeat
        case .native: self = .native(name: try container.decode(String.self, forKey: .name), try value())
        case .phase: self = .phase(try container.decodeIfPresent(String.self, forKey: .value))
        case .chunk: self = .chunk(try value())
        case .retry: self = .retry(try value())
        case .wait: self = .wait(try value())
        case .reset: self = .reset(try value())
        case .finish: self = .finish(try value())
        case .failed: self = .failed(try value())
        }
    }
}
