// Canonical JSON by the examples of RFC 8785, and JSONValueEncoder and JSONValueDecoder.

import Foundation
import JSON
import Testing

@Suite struct CanonicalJSONTests {
    /// RFC 8785 appendix B, by the bits of each double.
    @Test(
        arguments: [
            (0x0000_0000_0000_0000, "0"), (0x8000_0000_0000_0000, "0"), (0x0000_0000_0000_0001, "5e-324"),
            (0x8000_0000_0000_0001, "-5e-324"), (0x7FEF_FFFF_FFFF_FFFF, "1.7976931348623157e+308"),
            (0xFFEF_FFFF_FFFF_FFFF, "-1.7976931348623157e+308"), (0x4340_0000_0000_0000, "9007199254740992"),
            (0xC340_0000_0000_0000, "-9007199254740992"), (0x4430_0000_0000_0000, "295147905179352830000"),
            (0x44B5_2D02_C7E1_4AF5, "9.999999999999997e+22"), (0x44B5_2D02_C7E1_4AF6, "1e+23"),
            (0x44B5_2D02_C7E1_4AF7, "1.0000000000000001e+23"), (0x444B_1AE4_D6E2_EF4E, "999999999999999700000"),
            (0x444B_1AE4_D6E2_EF4F, "999999999999999900000"), (0x444B_1AE4_D6E2_EF50, "1e+21"),
            (0x3EB0_C6F7_A0B5_ED8C, "9.999999999999997e-7"), (0x3EB0_C6F7_A0B5_ED8D, "0.000001"),
            (0x41B3_DE43_5555_5553, "333333333.3333332"), (0x41B3_DE43_5555_5554, "333333333.33333325"),
            (0x41B3_DE43_5555_5555, "333333333.3333333"), (0x41B3_DE43_5555_5556, "333333333.3333334"),
            (0x41B3_DE43_5555_5557, "333333333.33333343"), (0xBECB_F647_612F_3696, "-0.0000033333333333333333"),
            (0x4314_3FF3_C1CB_0959, "1424953923781206.2"),
        ] as [(UInt64, String)])
    func numbers(bits: UInt64, text: String) { #expect(CanonicalJSON.text(Double(bitPattern: bits)) == text) }

    /// RFC 8785 section 3.2.3.
    @Test func membersAreSortedByUTF16() throws {
        let value: JSONValue = [
            "\u{20AC}": "Euro Sign", "\r": "Carriage Return", "\u{FB33}": "Hebrew Letter Dalet With Dagesh", "1": "One",
            "\u{1F600}": "Emoji: Grinning Face", "\u{80}": "Control", "\u{F6}": "Latin Small Letter O With Diaeresis",
        ]
        let sorted = try JSONReader.strictValue(CanonicalJSON.bytes(value)).object?.map { $0.value.string }
        #expect(
            sorted == [
                "Carriage Return", "One", "Control", "Latin Small Letter O With Diaeresis", "Euro Sign",
                "Emoji: Grinning Face", "Hebrew Letter Dalet With Dagesh",
            ])
    }

    @Test func integersKeepTheirDigits() {
        #expect(
            CanonicalJSON.bytes([.int(.max), .int((1 << 53) + 1), 1.0])
                == Array("[9223372036854775807,9007199254740993,1]".utf8))
    }
}

@Suite struct JSONValueCodingTests {
    private struct Sample: Codable, Equatable {
        var flag = true
        var byte: UInt8 = 255
        var wide = UInt64.max
        var small: Float = 0.5
        var limits: [Double] = [.infinity, -.infinity, 1, 0.1]
        var absent: Int?
        var nested = [[1], [], [2, 3]]
        var table = ["k": JSONValue.null]
        var json: JSONValue = ["b": 1.0, "a": [nil, 2, "x"]]
        var object: JSONObject? = ["z": false, "y": 1]
    }

    @Test func roundTrip() throws {
        let json = try JSONValueEncoder().encode(Sample())
        #expect(
            JSONWriter.text(json)
                == #"{"flag":true,"byte":255,"wide":"18446744073709551615","small":0.5,"limits":["inf","-inf",1.0,0.1],"#
                + #""nested":[[1],[],[2,3]],"table":{"k":null},"json":{"b":1.0,"a":[null,2,"x"]},"object":{"z":false,"y":1}}"#
        )
        let read = try JSONReader.strictValue(JSONWriter.bytes(json))
        #expect(try JSONValueDecoder().decode(Sample.self, from: read) == Sample())
    }

    @Test func jsonPassesThroughOtherCoders() throws {
        let value: JSONValue = ["a": [nil, true, 1, 1.5, "x", []], "b": ["c": .int(.max)]]
        let data = try JSONEncoder().encode(value)
        let decoded = try JSONDecoder().decode(JSONValue.self, from: data)
        #expect(CanonicalJSON.bytes(decoded) == CanonicalJSON.bytes(value))
    }

    @Test func errorsNameThePath() throws {
        var json = try JSONValueEncoder().encode(Sample()).object ?? [:]
        json["nested"] = [[1], ["x"]]
        let error = #expect(throws: DecodingError.self) {
            try JSONValueDecoder().decode(Sample.self, from: .object(json))
        }
        guard case .typeMismatch(_, let context)? = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(context.codingPath.map(\.stringValue) == ["nested", "[1]", "[0]"])
        json["nested"] = nil
        #expect(throws: DecodingError.self) { try JSONValueDecoder().decode(Sample.self, from: .object(json)) }
        #expect(throws: DecodingError.self) { try JSONValueDecoder().decode(UInt8.self, from: 256) }
        #expect(throws: DecodingError.self) { try JSONValueDecoder().decode(Int.self, from: 1.5) }
    }
}
