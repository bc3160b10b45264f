// Host primitives for values: JSON, metatables, images, UTF-8 and checks.

internal import Base
internal import Formats
internal import HTTP
internal import JSON
internal import LuaVM

extension ScriptRuntime {
    func setValueFunctions(_ stack: LuaStack) {
        setJSON(stack)
        stack.set("metatables") { [unowned self] call throws(LuaError) in
            call.stack.getField("reply", of: 1)
            replyMetatable = call.stack.popReference()
            call.stack.getField("error", of: 1)
            errorMetatable = call.stack.popReference()
            return .returned(0)
        }
        stack.set("image") { call throws(LuaError) in
            guard let bytes = call.stack.bytes(at: 1), let mediaType = ImageData.mediaType(bytes) else {
                return .returned(0)
            }
            call.stack.push(ImageData.base64(bytes))
            call.stack.push(mediaType)
            return .returned(2)
        }
        stack.set("image_types", ImageData.knownTypes)
        // utf8(bytes) -> repaired text, number of replaced bytes, position of the first | nil
        stack.set("utf8") { call throws(LuaError) in
            let repair = UTF8Repair(call.stack.bytes(at: 1) ?? [])
            call.stack.push(repair.text)
            call.stack.push(repair.replacedBytes)
            guard let first = repair.firstInvalidOffset else { return .returned(2) }
            call.stack.push(first + 1)
            return .returned(3)
        }
        stack.set("misuse") { call throws(LuaError) in throw .misuse(call.stack.string(at: 1) ?? "wrong use") }
        stack.set("nearest") { call throws(LuaError) in
            var candidates: [String] = []
            for index in 0..<call.stack.length(of: 2) {
                call.stack.getElement(index + 1, of: 2)
                if let name = call.stack.string(at: -1) { candidates.append(name) }
                call.stack.pop(1)
            }
            guard let near = NearestName.suggestion(for: call.stack.string(at: 1) ?? "", among: candidates) else {
                return .returned(0)
            }
            call.stack.push(near)
            return .returned(1)
        }
        stack.set("header_problem") { call throws(LuaError) in
            guard let name = call.stack.string(at: 1) else {
                call.stack.push("headers: names are strings; there is \(call.stack.display(at: 1))")
                return .returned(1)
            }
            guard let value = call.stack.string(at: 2) else {
                call.stack.push(
                    "headers: the value of '\(name)' must be a string, not a \(call.stack.type(at: 2).name)")
                return .returned(1)
            }
            guard let problem = HTTPHeaders.validate(name: name, value: value) else { return .returned(0) }
            call.stack.push("headers: \(problem)")
            return .returned(1)
        }
    }

    private func setJSON(_ stack: LuaStack) {
        let coder = self.coder
        // json_text(value, place, pretty) -> JSON | nil, message
        stack.set("json_text") { call throws(LuaError) in
            do throws(LuaCoder.Problem) {
                let value = try coder.encoded(at: 1, of: call.stack, place: call.stack.string(at: 2) ?? "value")
                call.stack.push(bytes: JSONWriter.bytes(value, pretty: call.stack.bool(at: 3) ?? false))
                return .returned(1)
            } catch {
                call.stack.pushNil()
                call.stack.push(error.description)
                return .returned(2)
            }
        }
        stack.pushTable(fields: 4)
        stack.push(coder.null)
        stack.setField("null", of: -2)
        stack.set("array") { call throws(LuaError) in
            if call.argumentCount == 0 { call.stack.pushTable() }
            guard call.stack.type(at: 1) == .table else {
                throw .misuse("llm.json.array takes a table, not a \(call.stack.type(at: 1).name)")
            }
            call.stack.setMetatable(coder.arrayMark, of: 1)
            call.stack.pushCopy(of: 1)
            return .returned(1)
        }
        stack.set("encode") { call throws(LuaError) in
            if call.argumentCount == 0 { throw .misuse("llm.json.encode takes a value") }
            let value = try coder.value(at: 1, of: call.stack, place: "value")
            call.stack.push(bytes: JSONWriter.bytes(value, pretty: call.stack.bool(at: 2) ?? false))
            return .returned(1)
        }
        stack.set("decode") { call throws(LuaError) in
            guard let bytes = call.stack.bytes(at: 1) else {
                throw .misuse("llm.json.decode takes a string, not a \(call.stack.type(at: 1).name)")
            }
            do throws(JSONError) {
                coder.push(try JSONReader.strictValue(bytes), to: call.stack)
                return .returned(1)
            } catch {
                call.stack.pushNil()
                let place = error.offset.map { " at byte \($0 + 1)" } ?? ""
                let hint = error.message == "not UTF-8" ? "; llm.utf8 repairs it" : ""
                call.stack.push("invalid JSON: \(error.message)\(place)\(hint)")
                return .returned(2)
            }
        }
        stack.setField("json", of: -2)
    }
}

extension LuaCoder {
    /// A coder with a new array metatable and a new null.
    static func make(in vm: LuaVM) -> LuaCoder {
        let stack = vm.stack
        stack.pushTable(fields: 1)
        stack.push("llm.json.array")
        stack.setField("__name", of: -2)
        let mark = stack.popReference()
        stack.pushTable()
        stack.pushTable(fields: 2)
        stack.set("__name", "llm.json.null")
        stack.set("__tostring") { call throws(LuaError) in
            call.stack.push("null")
            return .returned(1)
        }
        let metatable = stack.popReference()
        stack.setMetatable(metatable, of: -1)
        return LuaCoder(arrayMark: mark, null: stack.popReference())
    }
}
