// What a number from a server may be.

import JSON
import Testing

@Suite struct WireNumberTests {
    @Test(
        arguments: [
            ("0", 0), ("7", 7), ("7.0", 7), ("9007199254740991", 9_007_199_254_740_991), ("9007199254740992", nil),
            ("9223372036854775807", nil), ("18446744073709551615", nil), ("-1", nil), ("0.5", nil), ("1e300", nil),
            ("\"7\"", nil), ("null", nil), ("[7]", nil), ("true", nil),
        ] as [(String, Int64?)]) func naturals(json: String, count: Int64?) throws
    {
        let reader = JSONReader()
        let node = try reader.parse(Array(json.utf8).span)
        #expect(node.natural == count)
    }

    @Test(
        arguments: [
            ("0", 0), ("007", 7), ("9007199254740991", 9_007_199_254_740_991), ("9007199254740992", nil),
            ("99999999999999999999", nil), ("", nil), ("-1", nil), ("+1", nil), ("1.0", nil), ("1e3", nil), ("٧", nil),
        ] as [(String, Int64?)]) func digits(text: String, count: Int64?)
    {
        #expect(WireNumber.count(text) == count)
    }

    @Test func delays() {
        #expect(WireNumber.delay(0) == 0 && WireNumber.delay(86_400) == 86_400)
        for odd in [-1, .nan, .infinity, -.infinity, 1e300] as [Double] { #expect(WireNumber.delay(odd) == nil) }
    }

    @Test func sumsStayCounts() {
        let most = Int(WireNumber.greatestCount)
        #expect(WireNumber.sum(1, 2, 3) == 6 && WireNumber.sum() == 0)
        #expect(WireNumber.sum(most, most, most) == most && WireNumber.sum(.max, .max) == most)
    }

    @Test func costs() {
        #expect(WireNumber.cost(0) == 0 && WireNumber.cost(0.25) == 0.25 && WireNumber.cost(1e9) == 1e9)
        #expect(WireNumber.cost(-0.1) == nil && WireNumber.cost(1.1e9) == nil)
        #expect(WireNumber.cost(.nan) == nil && WireNumber.cost(.infinity) == nil)
    }

    @Test func valuesGrowInPlace() {
        var object: JSONObject = ["a": "x", "b": [1], "c": 1]
        object.extend("a", by: "y")
        object.extend("b", by: [2])
        object.extend("c", by: "z")
        object.extend("d", by: [3])
        #expect(object == ["a": "xy", "b": [1, 2], "c": "z", "d": [3]])
    }
}
