// Host primitives for schemas: values of Lua held against a JSON Schema.

internal import LuaVM
internal import Wire

extension ScriptRuntime {
    func setSchemaFunctions(_ stack: LuaStack) {
        let coder = self.coder
        // schema_problem(schema) -> why it cannot be used | nil
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
        // schema_violations(schema, value) -> in words | nil, the first one's place
        stack.set("schema_violations") { call throws(LuaError) in
            let schema = try coder.value(at: 1, of: call.stack, place: "schema")
            let value = try coder.value(at: 2, of: call.stack, place: "value")
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

    /// A path as a script would write it, elements from 1: "people[2].age".
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
