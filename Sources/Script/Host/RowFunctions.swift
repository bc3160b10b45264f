// Host primitives for files of JSON lines: what jsonl.lua is written over.

internal import JSON
internal import LuaVM

/// The functions, and the types of their handles.
final class RowFunctions {
    private let coder: LuaCoder
    private let readers: LuaUserdataType<RowReader>
    private let writers: LuaUserdataType<RowWriter>
    /// Takes a line for the log.
    private let warn: (String) -> Void
    /// Makes the error of kind "journal".
    private let failure: (String) -> LuaError

    init(vm: LuaVM, coder: LuaCoder, warn: @escaping (String) -> Void, failure: @escaping (String) -> LuaError) {
        self.coder = coder
        self.warn = warn
        self.failure = failure
        readers = LuaUserdataType(vm, name: "llm.jsonl.reader.handle") { $0.closeFile() }
        writers = LuaUserdataType(vm, name: "llm.jsonl.writer.handle") { $0.closeFile() }
    }

    /// Pushes the table of functions. They keep this object. [-0, +1]
    func push(to stack: LuaStack) {
        stack.pushTable(fields: 6)
        // open(path) -> reader
        stack.set("open") { [self] call throws(LuaError) in
            let path = call.stack.string(at: 1) ?? ""
            let reader = try raising { () throws(RowProblem) -> RowReader in try RowReader(path: path, warn: warn) }
            call.stack.push(reader, as: readers)
            return .returned(1)
        }
        // next(reader) -> value, line; nothing at the end
        stack.set("next") { [self] call throws(LuaError) in
            guard let reader = call.stack.object(at: 1, as: readers) else { return .returned(0) }
            let row = try raising { () throws(RowProblem) -> RowReader.Row? in try reader.next() }
            guard let row else { return .returned(0) }
            coder.push(row.value, to: call.stack)
            call.stack.push(row.line)
            return .returned(2)
        }
        setWriterFunctions(stack)
    }

    private func setWriterFunctions(_ stack: LuaStack) {
        // writer(path, members of the key) -> writer
        stack.set("writer") { [self] call throws(LuaError) in
            let path = call.stack.string(at: 1) ?? ""
            var key: [String] = []
            for index in 0..<call.stack.length(of: 2) {
                call.stack.getElement(index + 1, of: 2)
                key.append(call.stack.string(at: -1) ?? "")
                call.stack.pop(1)
            }
            let writer = try raising { () throws(RowProblem) -> RowWriter in
                try RowWriter(path: path, key: key, warn: warn)
            }
            call.stack.push(writer, as: writers)
            return .returned(1)
        }
        // write(writer, row) -> whether it was written: false if there is a row with its key
        stack.set("write") { [self] call throws(LuaError) in
            let writer = try writer(of: call, "writer:write")
            let row = try coder.value(at: 2, of: call.stack, place: "writer:write: row")
            let isNew = try raising("writer:write: ") { () throws(RowProblem) -> Bool in try writer.write(row) }
            call.stack.push(isNew)
            return .returned(1)
        }
        // has(writer, values of the key) -> whether there is such a row
        stack.set("has") { [self] call throws(LuaError) in
            let writer = try writer(of: call, "writer:has")
            var values: [JSONValue] = []
            for index in 1..<max(1, call.argumentCount) {
                values.append(try coder.value(at: index + 1, of: call.stack, place: "writer:has"))
            }
            let isThere = try raising("writer:has: ") { () throws(RowProblem) -> Bool in try writer.has(values) }
            call.stack.push(isThere)
            return .returned(1)
        }
        // close(writer)
        stack.set("close") { [self] call throws(LuaError) in
            call.stack.object(at: 1, as: writers)?.closeFile()
            return .returned(0)
        }
    }

    private func writer(of call: HostCall, _ action: String) throws(LuaError) -> RowWriter {
        guard let writer = call.stack.object(at: 1, as: writers) else {
            throw .misuse("\(action): the writer is closed")
        }
        return writer
    }

    /// The result of `body`. Its problem is raised in the script.
    /// - Parameter action: begins the message of a misuse.
    private func raising<Value>(
        _ action: String = "", _ body: () throws(RowProblem) -> Value
    ) throws(LuaError) -> Value {
        do throws(RowProblem) { return try body() } catch {
            switch error {
            case .misuse(let message): throw .misuse(action + message)
            case .file(let message): throw failure(message)
            }
        }
    }
}
