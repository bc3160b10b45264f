// Host primitives for JSON Schema, and for reading JSON while it arrives.

internal import JSON
internal import JSONSchema
internal import LuaVM

extension ScriptRuntime {
    func setSchemaFunctions(_ stack: LuaStack) {
        let coder = self.coder
        // schema_problem(schema) -> message | nil
        stack.set("schema_problem") { call throws(LuaError) in
            let value = try coder.value(at: 1, of: call.stack, place: "schema")
            do throws(JSONSchema.Problem) {
                _ = try JSONSchema(value)
                return .returned(0)
            } catch {
                call.stack.push("\(error)")
                return .returned(1)
            }
        }
        // schema_violations(schema, value) -> message | nil, path of the first one
        stack.set("schema_violations") { call throws(LuaError) in
            let schema = try coder.value(at: 1, of: call.stack, place: "schema")
            let value: JSONValue
            do throws(LuaCoder.Problem) {
                value = try coder.encoded(at: 2, of: call.stack, place: "value")
            } catch {
                // A reply may nest deeper than the limit of the coder.
                call.stack.push(error.message)
                return .returned(1)
            }
            do throws(JSONSchema.Problem) {
                let violations = try JSONSchema(schema).violations(of: value)
                guard let first = violations.first else { return .returned(0) }
                let words = violations.map { violation in
                    violation.path.isEmpty ? violation.message : "\(Self.place(violation.path)): \(violation.message)"
                }
                call.stack.push(words.joined(separator: "; "))
                call.stack.push(Self.place(first.path))
                return .returned(2)
            } catch {
                throw .misuse("schema: \(error)")
            }
        }
    }

    func setJSONReaders(_ stack: LuaStack, _ handles: HostHandles) {
        let coder = self.coder
        // json_document(text, root) -> the JSON document inside | nil, message; root: its type, if known
        stack.set("json_document") { call throws(LuaError) in
            var reader = IncrementalJSONReader(root: call.stack.string(at: 2))
            do throws(IncrementalJSONReader.Problem) {
                try reader.feed(call.stack.string(at: 1) ?? "") { _ in }
            } catch {
                call.stack.pushNil()
                call.stack.push("it is not JSON: \(error)")
                return .returned(2)
            }
            guard let value = reader.value else {
                call.stack.pushNil()
                call.stack.push("it holds no whole JSON document")
                return .returned(2)
            }
            coder.push(value, to: call.stack)
            return .returned(1)
        }
        // json_reader(root) -> reader
        stack.set("json_reader") { call throws(LuaError) in
            call.stack.push(JSONReaderHandle(root: call.stack.string(at: 1)), as: handles.jsonReader)
            return .returned(1)
        }
        // json_feed(reader, text) -> { path, value, path, value, ... } of the values that it completes
        stack.set("json_feed") { call throws(LuaError) in
            let text = call.stack.string(at: 2) ?? ""
            let closed = call.stack.object(at: 1, as: handles.jsonReader)?.feed(text) ?? []
            call.stack.pushTable(array: closed.count * 2)
            for (index, event) in closed.enumerated() {
                call.stack.push(Self.place(event.path))
                call.stack.setElement(index * 2 + 1, of: -2)
                coder.push(event.value, to: call.stack)
                call.stack.setElement(index * 2 + 2, of: -2)
            }
            return .returned(1)
        }
        // json_restart(reader, root): the text begins again.
        stack.set("json_restart") { call throws(LuaError) in
            call.stack.object(at: 1, as: handles.jsonReader)?.restart(root: call.stack.string(at: 2))
            return .returned(0)
        }
    }

    /// A path as a script writes it, elements from 1: "people[2].age".
    private static func place(_ path: [JSONSchema.Step]) -> String {
        var text = ""
        for step in path {
            switch step {
            case .member(let name): text += text.isEmpty ? name : "." + name
            case .element(let index): text += "[\(index + 1)]"
            }
        }
        return text
    }
}

/// The reader of an answer that is still being written.
final class JSONReaderHandle {
    /// Nil once the text is not JSON.
    private var reader: IncrementalJSONReader?

    init(root: String?) { restart(root: root) }

    func restart(root: String?) { reader = IncrementalJSONReader(root: root) }

    /// Reads on; the values that the text completes. Text that is not JSON completes nothing more: the whole answer is
    /// checked at its end.
    func feed(_ text: String) -> [IncrementalJSONReader.Closed] {
        var closed: [IncrementalJSONReader.Closed] = []
        do throws(IncrementalJSONReader.Problem) {
            try reader?.feed(text) { closed.append($0) }
        } catch {
            reader = nil
        }
        return closed
    }
}
