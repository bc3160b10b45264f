// Reads a file of JSON lines (llm.jsonl.read).

internal import Glibc
internal import JSON

/// Why rows were not read or written.
enum RowProblem: Error {
    /// The script is at fault: raised with the position of its line.
    case misuse(String)
    /// The file is: an error of kind "journal".
    case file(String)

    /// What happened, and what to do.
    var message: String {
        switch self {
        case .misuse(let message), .file(let message): message
        }
    }
}

/// The values of a file of JSON lines, one after the other.
final class RowReader {
    /// A value and the number of its line.
    struct Row {
        let value: JSONValue
        let line: Int
    }

    let path: String
    /// -1 once closed.
    private var file: Int32
    private var lines: LineReader
    private let json = JSONReader()
    /// Takes a line for the log.
    private let warn: (String) -> Void

    /// Opens the file.
    init(path: String, warn: @escaping (String) -> Void) throws(RowProblem) {
        self.path = path
        self.warn = warn
        file = open(path, O_RDONLY | O_CLOEXEC)
        lines = LineReader(file)
        guard file >= 0 else {
            let hint = errno == ENOENT ? Self.missingHint(path) : ""
            throw .misuse("llm.jsonl.read: \(path): \(WholeFile.Problem.last.reason)\(hint)")
        }
    }

    deinit { closeFile() }

    /// The next value with the number of its line; nil at the end. Empty lines have none. A last line that is cut off is
    /// skipped.
    func next() throws(RowProblem) -> Row? {
        guard file >= 0 else { return nil }
        while true {
            let line: LineReader.Line?
            do throws(WholeFile.Problem) { line = try lines.next() } catch {
                throw .misuse("\(path): \(error.reason)")
            }
            guard let line else { break }
            if line.isBlank { continue }
            do throws(JSONError) {
                return Row(value: try json.strictValue(line.bytes), line: line.number)
            } catch {
                guard !line.isTerminated else { throw .misuse(Self.message(error, of: line, in: path)) }
                warn("\(path):\(line.number): the last line is cut off, and was skipped")
            }
        }
        closeFile()
        return nil
    }

    /// Closes the file. There are no values after that.
    func closeFile() {
        if file >= 0 { close(file) }
        file = -1
    }

    /// The message for a line that is not JSON.
    static func message(_ error: JSONError, of line: LineReader.Line, in path: String) -> String {
        let place = error.offset.map { " at byte \($0 + 1)" } ?? ""
        return "\(path):\(line.number): invalid JSON: \(error.message)\(place)"
    }

    /// What to do about a missing file.
    private static func missingHint(_ path: String) -> String {
        "; correct the path" + (path.hasPrefix("/") ? "" : ", which is relative to the working directory")
    }
}
