// Messages of a WebSocket in both directions.

internal import JSON

/// Writes the events of one stream as messages: `{"event": ..., "id": ..., "stream": ..., "ref": ..., "data": ...}`.
struct SocketMessageWriter: Sendable {
    /// `"id":"STREAM-`; empty without a stream.
    private let id: [UInt8]
    /// `","stream":"STREAM","ref":"...","data":`.
    private let middle: [UInt8]

    /// - Parameters:
    ///   - stream: the stream's id; nil for the refusal of a message that began none.
    ///   - ref: the client's own name of its request.
    init(stream: String?, ref: JSONValue?) {
        var middle: [UInt8] = []
        if let stream {
            id = Array("\"id\":\"\(stream)-".utf8)
            middle += Array("\",\"stream\":\"\(stream)\",".utf8)
        } else {
            id = []
        }
        if let ref {
            middle += Array("\"ref\":".utf8)
            JSONWriter.append(ref, to: &middle)
            middle.append(UInt8(ascii: ","))
        }
        self.middle = middle + Array("\"data\":".utf8)
    }

    /// Appends the message of an event.
    /// - Parameter number: the event's number in the stream, from 1. Not written without a stream.
    func append(_ event: StreamEvent, number: Int, to out: inout [UInt8]) {
        out.append(contentsOf: "{\"event\":".utf8)
        JSONWriter.append(event.name ?? "message", to: &out)
        out.append(UInt8(ascii: ","))
        if !id.isEmpty {
            out += id
            out.append(contentsOf: String(number).utf8)
        }
        out += middle
        out += event.data
        out.append(UInt8(ascii: "}"))
    }

    func message(_ event: StreamEvent, number: Int) -> [UInt8] {
        var out: [UInt8] = []
        out.reserveCapacity(event.data.count + id.count + middle.count + 48)
        append(event, number: number, to: &out)
        return out
    }
}

/// A message of a client.
enum SocketCommand: Equatable, Sendable {
    /// A request; nil if a handler of the script reads the message itself.
    case ask(StreamRequest?, ref: JSONValue?)
    case cancel(stream: String)
    case resume(after: EventID, ref: JSONValue?)

    /// Maximum length of a `ref` in bytes.
    private static let longestRef = 200
    private static let types = ["ask", "cancel", "resume"]

    /// - Parameter isScripted: a handler of the script takes every message that is neither `cancel` nor `resume`.
    init(_ text: [UInt8], isScripted: Bool = false) throws(SocketRefusal) {
        let object: JSONObject
        do throws(JSONError) {
            guard let value = try JSONReader.strictValue(text).object else {
                throw JSONError(message: "a message must be a JSON object")
            }
            object = value
        } catch {
            throw SocketRefusal(message: "The message is not valid: \(error.message).", ref: nil)
        }
        let ref = try Self.ref(object)
        if isScripted, !["cancel", "resume"].contains(object["type"]?.string) {
            self = .ask(nil, ref: ref)
            return
        }
        do throws(RequestRefusal) {
            self = try Self.command(object, ref)
        } catch {
            throw SocketRefusal(message: error.message, ref: ref)
        }
    }

    private static func command(_ object: JSONObject, _ ref: JSONValue?) throws(RequestRefusal) -> SocketCommand {
        switch object["type"]?.string {
        case "ask": return .ask(try StreamRequest(object, except: ["type", "ref"]), ref: ref)
        case "cancel":
            try StreamRequest.checkNames(object, ["type", "ref", "stream"], of: "the message")
            guard let stream = object["stream"]?.string, EventID.isStream(stream) else {
                throw RequestRefusal("stream", "must be the id of a stream")
            }
            return .cancel(stream: stream)
        case "resume":
            try StreamRequest.checkNames(object, ["type", "ref", "last_event_id"], of: "the message")
            guard let id = object["last_event_id"]?.string.flatMap({ EventID($0) }) else {
                throw RequestRefusal("last_event_id", "must be the id of an event: \"STREAM-N\"")
            }
            return .resume(after: id, ref: ref)
        case let type?: throw RequestRefusal("type", "is unknown: " + StreamRequest.unknown(type, among: types))
        case nil: throw RequestRefusal("type", "must be one of \(types.joined(separator: ", "))")
        }
    }

    private static func ref(_ object: JSONObject) throws(SocketRefusal) -> JSONValue? {
        switch object["ref"] {
        case nil, .null: return nil
        case .string(let text) where text.utf8.count <= longestRef: return .string(text)
        case .int(let number): return .int(number)
        default:
            throw SocketRefusal(
                message: "ref: must be a string of at most \(longestRef) bytes or a whole number.", ref: nil)
        }
    }
}

/// Why a client's message is refused.
struct SocketRefusal: Error, Equatable {
    var message: String
    /// The client's own name of its request.
    var ref: JSONValue?

    /// The message that refuses it.
    var reply: [UInt8] {
        SocketMessageWriter(stream: nil, ref: ref)
            .message(StreamEventEncoder.failure(kind: "invalid_request", message: message), number: 0)
    }
}
