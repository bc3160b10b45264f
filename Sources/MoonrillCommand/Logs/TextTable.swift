// Tables of plain text, with columns of the width that a terminal gives to the characters.

internal import Glibc

/// A table with a head.
struct TextTable {
    enum Alignment { case left, right }

    private let alignments: [Alignment]
    private var rows: [[String]]

    init(_ columns: [(head: String, alignment: Alignment)]) {
        alignments = columns.map(\.alignment)
        rows = [columns.map(\.head)]
    }

    /// Adds a row with a cell for each column.
    mutating func add(_ cells: [String]) { rows.append(cells) }

    /// The lines, of which the first is the head.
    var lines: [String] {
        let widths = alignments.indices.map { column in rows.map { TextWidth.columns($0[column]) }.max() ?? 0 }
        return rows.map { row in
            var line = ""
            for (column, cell) in row.enumerated() {
                let blank = String(repeating: " ", count: widths[column] - TextWidth.columns(cell))
                line += (column > 0 ? "  " : "") + (alignments[column] == .left ? cell + blank : blank + cell)
            }
            while line.last == " " { line.removeLast() }
            return line
        }
    }
}

/// The width of text on a terminal.
enum TextWidth {
    /// Characters that take two columns: the classes W and F of Unicode Standard Annex 11, in blocks.
    private static let wide: [ClosedRange<UInt32>] = [
        0x1100...0x115F, 0x2E80...0x303E, 0x3041...0x4DBF, 0x4E00...0xA4CF, 0xA960...0xA97C, 0xAC00...0xD7A3,
        0xF900...0xFAFF, 0xFE30...0xFE6F, 0xFF00...0xFF60, 0xFFE0...0xFFE6, 0x1F300...0x1F64F, 0x1F680...0x1F6FF,
        0x1F900...0x1F9FF, 0x1FA70...0x1FAFF, 0x20000...0x3FFFD,
    ]

    /// Columns of a line.
    static func columns(_ text: String) -> Int { text.reduce(0) { $0 + columns($1) } }

    private static func columns(_ character: Character) -> Int {
        guard let first = character.unicodeScalars.first else { return 0 }
        switch first.properties.generalCategory {
        case .nonspacingMark, .enclosingMark, .format: return 0
        default: break
        }
        let isEmoji = character.unicodeScalars.contains { $0.value == 0xFE0F }
        return isEmoji || wide.contains { $0.contains(first.value) } ? 2 : 1
    }

    /// The beginning of a line that fits into `limit` columns, with "…" if something is missing.
    static func shortened(_ text: String, to limit: Int) -> String {
        var width = 0
        for index in text.indices {
            let next = width + columns(text[index])
            let isLast = text.index(after: index) == text.endIndex
            if next > limit || (next == limit && !isLast) { return text[..<index] + "…" }
            width = next
        }
        return text
    }

    /// Columns of the terminal on standard output; nil if it is none.
    static var ofTerminal: Int? {
        var size = winsize()
        guard ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else { return nil }
        return Int(size.ws_col)
    }
}
