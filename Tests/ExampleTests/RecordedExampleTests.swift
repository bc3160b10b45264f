// Each example is recorded, also with faults, and replayed.

import Support
import Testing

@Suite struct RecordedExampleTests {
    /// Examples with what their own list has, and each of them with a stream that breaks and one that is refused at first.
    static let cases: [Example] =
        Example.all
        + Example.all.filter { $0.options == ["--mock"] }.flatMap { example in
            ["429:1@0", "stall@900:0.1,eof@1500x1"].map { fault in
                var copy = example
                copy.options = ["--mock", "--fault", fault]
                return copy
            }
        }

    @Test(arguments: cases)
    func isReplayed(_ example: Example) throws {
        let workshop = try RecordingWorkshop()
        let recorded = try workshop.record(
            example.options + ["--rate", "0"], script: "examples/\(example.name).lua", arguments: example.arguments,
            stdin: example.stdin)
        #expect(try workshop.differences(from: recorded) == [])
    }
}
