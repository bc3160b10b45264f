// Events and commands as JSON bytes and back, every case, with random values.

import JSON
import Support
import Testing

@testable import Chat

@Suite struct CodingTests {
    /// Encodes to bytes, decodes, and compares by value and by the bytes of a second encoding: `==` of strings equates
    /// different bytes (é and e + accent).
    private static func roundTrip<Value: Codable & Equatable>(_ value: Value) throws {
        let bytes = JSONWriter.bytes(try JSONValueEncoder().encode(value))
        let decoded = try JSONValueDecoder().decode(Value.self, from: try JSONReader.strictValue(bytes))
        let again = JSONWriter.bytes(try JSONValueEncoder().encode(decoded))
        #expect(decoded == value)
        #expect(
            again == bytes, "\(String(decoding: again, as: UTF8.self)) from \(String(decoding: bytes, as: UTF8.self))")
    }

    @Test(arguments: 0..<50) func everyEvent(seed: UInt64) throws {
        var values = RandomValues(seed: seed)
        for event in values.events() { try Self.roundTrip(event) }
    }

    @Test(arguments: 0..<50) func everyCommand(seed: UInt64) throws {
        var values = RandomValues(seed: seed)
        for command in values.commands() { try Self.roundTrip(command) }
    }

    @Test func everyEventHasAStableName() throws {
        var values = RandomValues(seed: 1)
        let names = try values.events().map { try JSONValueEncoder().encode($0)["event"]?.string }
        #expect(
            names == [
                "start", "text", "tool_call", "usage", "heartbeat", "native", "phase", "chunk",
                "retry", "wait", "reset", "finish", "failed",
            ])
    }

    @Test func theFormIsReadable() throws {
        let call = ToolCall(id: "c1", name: "add", argumentsJSON: "{\"a\": 1}", arguments: ["a": 1])
        #expect(
            JSONWriter.text(try JSONValueEncoder().encode(ChatEvent.toolCall(call)))
                == #"{"event":"tool_call","value":{"id":"c1","name":"add","arguments_json":"{\"a\": 1}","arguments":{"a":1}}}"#
        )
        #expect(
            JSONWriter.text(try JSONValueEncoder().encode(RequestCommand.pause(RequestID(7))))
                == #"{"command":"pause","id":7}"#)
    }

    @Test func anUnknownEventIsAnError() {
        #expect(throws: DecodingError.self) {
            try JSONValueDecoder().decode(ChatEvent.self, from: ["event": "later", "value": 1])
        }
    }
}
