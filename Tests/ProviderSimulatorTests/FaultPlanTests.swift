// The fault language: every form is read, every slip is named.

import ProviderSimulator
import Testing

@Suite struct FaultPlanTests {
    @Test(arguments: [
        ("429:2@1.5", Fault(.status(429, retry: .text("1.5")), times: 2)),
        ("429", Fault(.status(429, retry: nil))),
        ("503@+", Fault(.status(503, retry: .text("1")))),
        ("429:1@ms:1500", Fault(.status(429, retry: .milliseconds(1500)), times: 1)),
        ("529:3@date:3", Fault(.status(529, retry: .date(seconds: 3)), times: 3)),
        ("429:1@raw:soon", Fault(.status(429, retry: .text("soon")), times: 1)),
        ("quota:4", Fault(.quota, times: 4)),
        ("cut@4000", Fault(.cut(at: 4000))),
        ("cut@400x1", Fault(.cut(at: 400), times: 1)),
        ("eof@0", Fault(.eof(at: 0))),
        ("chunkcut@9", Fault(.chunkCut(at: 9))),
        ("short-length@70", Fault(.shortLength(at: 70))),
        ("stall@100:2.5x3", Fault(.stall(at: 100, seconds: 2.5), times: 3)),
        ("slow-head:0.25", Fault(.slowHead(seconds: 0.25))),
        ("drip:7", Fault(.drip(bytes: 7))),
        ("comments:1", Fault(.comments(seconds: 1))),
        ("error-frame@5", Fault(.errorFrame(after: 5))),
        ("bad-json@2x2", Fault(.badJSON(after: 2), times: 2)),
        ("split-utf8", Fault(.splitUTF8)), ("no-done", Fault(.noDone)), ("no-finish", Fault(.noFinish)),
        ("whole", Fault(.whole)), ("garbage", Fault(.garbage)), ("htmlx1", Fault(.html, times: 1)),
        (" empty ", Fault(.empty)),
    ])
    func readsEachForm(text: String, fault: Fault) throws {
        #expect(try FaultPlan.parse(text).faults == [fault])
        #expect(FaultPlan.forms.contains { $0.syntax.hasPrefix(Self.name(text)) })
    }

    /// The word with which the form of a fault begins.
    private static func name(_ text: String) -> String {
        if text.first?.isNumber == true { return "STATUS" }
        var name = String(text.split { "@: ".contains($0) }[0])
        if name.hasSuffix("x1") { name.removeLast(2) }
        return name
    }

    @Test func keepsTheOrderOfParts() throws {
        let plan = try FaultPlan.parse("429:2@1.5, cut@4000")
        #expect(plan.faults.map(\.times) == [2, nil])
        #expect(try FaultPlan.parse("").faults.isEmpty)
    }

    @Test(arguments: [
        "cutt@400", "cut", "cut@-1", "cut@x", "cut@4:2", "stall@4", "stall:2", "stall@4:0", "stall@4:nan", "429:0",
        "429:x", "429:1@", "429:1@later", "418:1", "quota@3", "quotax2", "drip:0", "drip", "drip@3", "whole:1",
        "garbage@1", "slow-head", "slow-head:-1", "cut@400x0", "comments@1", "cut@9999999999999999",
        "429:1@date:9999999999999", "503:1@raw:a\u{7}b",
    ])
    func namesTheWrongPart(part: String) throws {
        let error = try #require(throws: FaultPlanError.self) { try FaultPlan.parse("no-done,\(part),empty") }
        #expect(error.part == part)
        #expect("\(error)".contains("\"\(part)\""))
        #expect("\(error)".contains("stall@B:S"))
    }

    @Test func refusesAnEmptyPart() {
        #expect(throws: FaultPlanError.self) { try FaultPlan.parse("empty,,html") }
        #expect(throws: FaultPlanError.self) { try FaultPlan.parse(",") }
    }
}
