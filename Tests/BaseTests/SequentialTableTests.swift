// Values by ascending numbers, compared with a dictionary.

import Base
import Support
import Testing

@Suite struct SequentialTableTests {
    @Test func findsWhatWasSet() {
        var table = SequentialTable<String>()
        table[7] = "seven"
        table[9] = "nine"
        #expect(table[7] == "seven")
        #expect(table[8] == nil)
        #expect(table[9] == "nine")
        #expect(table[10] == nil)
        #expect(table.count == 2)
        #expect(table.values == ["seven", "nine"])
        #expect(table.contains { $0 == "nine" })
        #expect(!table.contains { $0 == "eight" })
        table[7] = nil
        table[7] = nil
        #expect(table.count == 1)
        table[9] = "again nine"
        #expect(table[9] == "again nine")
        table.removeAll()
        #expect(table.isEmpty && table[9] == nil)
    }

    /// A value that outlives thousands of others is still found, and the table does not grow with their number.
    @Test func keepsAnOldValue() {
        var table = SequentialTable<UInt64>()
        table[1] = 1
        for number in UInt64(2)...10_000 {
            table[number] = number
            if number > 3 { table[number - 2] = nil }
        }
        #expect(table[1] == 1)
        #expect(table.values.sorted() == [1, 9_999, 10_000])
        table[1] = nil
        #expect(table[1] == nil)
        #expect(table.count == 2)
    }

    /// Numbers may be left out, also many, and come late.
    @Test func takesAnyNumbers() {
        var table = SequentialTable<UInt64>()
        for number: UInt64 in [5, 1_000_000, 3, UInt64.max, 0, 1_000_001] { table[number] = number }
        for number: UInt64 in [5, 1_000_000, 3, UInt64.max, 0, 1_000_001] { #expect(table[number] == number) }
        #expect(table.count == 6)
        for number: UInt64 in [UInt64.max, 5] { table[number] = nil }
        #expect(table.values.sorted() == [0, 3, 1_000_000, 1_000_001])
    }

    @Test(arguments: 0..<20) func isLikeADictionary(seed: UInt64) {
        var chance = SeededGenerator(seed: seed)
        var table = SequentialTable<Int>()
        var model: [UInt64: Int] = [:]
        var next: UInt64 = seed
        for step in 0..<3_000 {
            switch Int.random(in: 0..<10, using: &chance) {
            case 0..<5:
                next += Int.random(in: 0..<20, using: &chance) == 0 ? UInt64.random(in: 0..<300, using: &chance) : 1
                table[next] = step
                model[next] = step
            case 5..<9:
                guard let number = model.keys.sorted().randomElement(using: &chance) else { continue }
                table[number] = nil
                model[number] = nil
            default:
                let number = UInt64.random(in: 0...(next + 5), using: &chance)
                #expect(table[number] == model[number])
            }
            #expect(table.count == model.count)
        }
        for (number, value) in model { #expect(table[number] == value) }
        #expect(table.values.sorted() == model.values.sorted())
    }
}
