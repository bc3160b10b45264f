// Event streams of Tests/Fixtures/sse_vectors.jsonl: each with every listed set of cuts, and cut once at every byte.

import Base
import Foundation
import HTTP
import JSON
import Support
import Testing

@Suite struct SSEVectorTests {
    struct Vector: Sendable, CustomTestStringConvertible {
        var name: String
        var input: [UInt8]
        var cuttings: [[Int]]
        var sweeps: Bool
        var expected: [JSONValue]
        var end: JSONValue

        var testDescription: String { name }

        init?(_ line: JSONValue) {
            guard let name = line["name"]?.string, let base64 = line["input_base64"]?.string,
                let input = Vector.decode(base64), let cuttings = line["chunks"]?.array,
                let expected = line["expected"]?.array, let end = line["end"]
            else { return nil }
            self.name = name
            self.input = input
            self.cuttings = cuttings.map { ($0.array ?? []).compactMap { $0.int.map(Int.init) } }
            sweeps = line["sweep_every_single_split"]?.bool ?? false
            self.expected = expected
            self.end = end
        }

        private static func decode(_ base64: String) -> [UInt8]? {
            let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
            var out: [UInt8] = []
            var bits = 0
            var held = 0
            for byte in base64.utf8 where byte != UInt8(ascii: "=") {
                guard let digit = alphabet.firstIndex(of: byte) else { return nil }
                bits = (bits << 6 | digit) & 0xFFFF
                held += 6
                if held >= 8 {
                    held -= 8
                    out.append(UInt8(truncatingIfNeeded: bits >> held))
                }
            }
            return out
        }
    }

    /// Tests/Fixtures/sse_vectors.jsonl, read with the package's own parsers.
    static func load() throws -> [Vector] {
        let file = URL(filePath: MoonrillBinary.packageRoot + "/Tests/Fixtures/sse_vectors.jsonl")
        let bytes = Array(try Data(contentsOf: file))
        var vectors: [Vector] = []
        var lines = NDJSONParser()
        func take(_ line: Span<UInt8>) throws {
            let reader = JSONReader()
            let value = try reader.parse(line).value
            vectors.append(try #require(Vector(value), "unreadable vector: \(value["name"]?.string ?? "?")"))
        }
        try lines.feed(bytes.span, take)
        try lines.finish(take)
        return vectors
    }

    /// Arguments are made outside a test, where an error would be lost: `loads` reports it.
    static let vectors: [Vector] = (try? load()) ?? []

    @Test func loads() throws { #expect(try Self.load().count == 114) }

    @Test(arguments: vectors)
    func listedCuttings(vector: Vector) throws {
        for cuts in vector.cuttings {
            let outcome = try SSEOutcome(vector.input, cuts: cuts)
            check(outcome, vector, cuts, digests: true)
        }
    }

    @Test(arguments: vectors)
    func everySingleCut(vector: Vector) throws {
        // Long inputs are cut at a stride that is coprime to every power of two, and near both ends.
        let whole = try SSEOutcome(vector.input).withoutTimes
        let count = vector.input.count
        let places =
            vector.sweeps ? Array(0...count) : (0...count).filter { $0 % 4999 == 0 || $0 < 40 || $0 > count - 40 }
        for cut in places {
            let outcome = try SSEOutcome(vector.input, cuts: [cut])
            check(outcome, vector, [cut], digests: false)
            #expect(outcome.withoutTimes == whole, "\(vector.name) cut at \(cut)")
        }
    }

    private func check(_ outcome: SSEOutcome, _ vector: Vector, _ cuts: [Int], digests: Bool) {
        let place: Comment = "\(vector.name) cut at \(cuts.prefix(5))"
        // Fed byte by byte, the reconnection time seen after an event's last byte is the one it was dispatched with.
        let exact = cuts.count == vector.input.count - 1
        #expect(outcome.events.count == vector.expected.count, place)
        for (event, expected) in zip(outcome.events, vector.expected) {
            #expect(sameBytes(event.name.isEmpty ? "message" : event.name, expected["event"]?.string ?? "?"), place)
            if let digest = expected["data_sha256"]?.string {
                #expect(event.data.utf8.count == expected["data_bytes"]?.int.map(Int.init), place)
                if digests { #expect(SHA256.hex(Array(event.data.utf8)) == digest, place) }
            } else {
                #expect(sameBytes(event.data, expected["data"]?.string ?? "?"), place)
            }
            #expect(sameBytes(event.id, expected["id"]?.string ?? "?"), place)
            if exact { checkRetry(event.retry, expected["retry"], place) }
        }
        #expect(sameBytes(outcome.id, vector.end["id"]?.string ?? "?"), place)
        checkRetry(outcome.retry, vector.end["retry"], place)
    }

    private func checkRetry(_ retry: Int?, _ expected: JSONValue?, _ place: Comment) {
        if expected == "CLAMP" {
            #expect(retry == SSEParser.maxRetryMilliseconds, place)
        } else {
            #expect(retry == expected?.int.map(Int.init), place)
        }
    }
}
