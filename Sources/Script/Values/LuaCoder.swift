// Conversion between Lua values and JSON. Decides which tables are arrays and which are objects. Tables are read raw, without
// metamethods.

internal import Base
internal import JSON
internal import LuaVM

/// Converts values of one state.
struct LuaCoder {
    /// The metatable that marks arrays, also empty ones.
    let arrayMark: LuaReference
    /// `llm.json.null`.
    let null: LuaReference

    /// Names of the metatables of `llm` whose tables are data. Others (clients, calls, limits) cannot be JSON.
    private static let values: Set = ["llm.json.array", "llm.reply", "llm.error", "llm.errors"]

    /// Maximum nesting of tables; also ends the walk of a table that contains itself.
    static let maximumDepth = 200

    // MARK: Lua to JSON

    /// A value that cannot be JSON.
    struct Problem: Error {
        /// The path in the value: "messages[2].content".
        let place: String
        let message: String
        /// Whether data is at fault (text that is not UTF-8, NaN, a deep document), not the text of the script.
        let isData: Bool

        var description: String { "\(place): \(message)" }
    }

    /// The value at `index` as JSON.
    /// - Throws: ``LuaError`` with the path of the value that cannot be JSON, which begins with `place`.
    func value(at index: Int, of stack: LuaStack, place: String) throws(LuaError) -> JSONValue {
        do throws(Problem) {
            return try encoded(at: index, of: stack, place: place)
        } catch {
            throw .misuse(error.description)
        }
    }

    /// The value at `index` as JSON, with a typed error.
    func encoded(at index: Int, of stack: LuaStack, place: String) throws(Problem) -> JSONValue {
        try value(at: stack.absolute(index), of: stack, place: place, depth: 0)
    }

    private func value(
        at index: Int, of stack: LuaStack, place: @autoclosure () -> String, depth: Int
    ) throws(Problem) -> JSONValue {
        switch stack.type(at: index) {
        case .nil, .none: return .null
        case .boolean: return .bool(stack.bool(at: index) ?? false)
        case .string: return .string(try text(at: index, of: stack, place: place()))
        case .number: return try number(at: index, of: stack, place: place())
        case .table:
            guard depth < Self.maximumDepth else {
                throw Problem(
                    place: Self.shortened(place()),
                    message: "tables nest deeper than \(Self.maximumDepth) levels; does one hold itself?", isData: true)
            }
            return try table(at: index, of: stack, place: place(), depth: depth)
        case let type:
            throw Problem(place: place(), message: "a \(type.name) cannot be written as JSON", isData: false)
        }
    }

    /// The path of a deep value is long.
    private static func shortened(_ place: String) -> String {
        place.utf8.count <= 120 ? place : "\(place.prefix(80))..."
    }

    private func text(at index: Int, of stack: LuaStack, place: @autoclosure () -> String) throws(Problem) -> String {
        if let text = stack.validString(at: index) { return text }
        let repair = UTF8Repair(stack.bytes(at: index) ?? [])
        guard let offset = repair.firstInvalidOffset else { return repair.text }
        throw Problem(
            place: place(), message: "not UTF-8 at byte \(offset + 1); llm.utf8 repairs it", isData: true)
    }

    private func number(
        at index: Int, of stack: LuaStack, place: @autoclosure () -> String
    ) throws(Problem) -> JSONValue {
        if stack.isInteger(at: index) { return .int(Int64(stack.int(at: index) ?? 0)) }
        let number = stack.double(at: index) ?? 0
        guard number.isFinite else {
            throw Problem(
                place: place(), message: "JSON has no \(number.isNaN ? "NaN" : "infinity")", isData: true)
        }
        return .double(number)
    }

    private func table(
        at index: Int, of stack: LuaStack, place: @autoclosure () -> String, depth: Int
    ) throws(Problem) -> JSONValue {
        stack.reserve(4)
        var isMarked = false
        if stack.hasMetatable(at: index) {
            if isNull(at: index, of: stack) { return .null }
            if let name = stack.metatableName(at: index), name.hasPrefix("llm."), !Self.values.contains(name) {
                throw Problem(place: place(), message: "an \(name) cannot be written as JSON", isData: false)
            }
            isMarked = stack.hasMetatable(arrayMark, at: index)
        }
        let length = stack.length(of: index)
        if length > 0 || isMarked {
            return try array(at: index, of: stack, length: length, place: place(), depth: depth)
        }
        var object = JSONObject()
        try stack.forEachMember(of: index) { () throws(Problem) in
            guard stack.type(at: -2) == .string else {
                throw Problem(
                    place: place(),
                    message: "\(Self.key(at: -2, of: stack)) is no string, and the table is no sequence from 1",
                    isData: false)
            }
            let key = try text(at: stack.absolute(-2), of: stack, place: "\(place()): a key")
            let member = try value(at: stack.top, of: stack, place: "\(place()).\(key)", depth: depth + 1)
            object.append(uncheckedKey: key, member)
        }
        // Tables have no order, and the bytes of a request must not depend on a hash seed.
        object.sortByKey()
        return .object(object)
    }

    /// A key for messages, without the address that `tostring` shows.
    private static func key(at index: Int, of stack: LuaStack) -> String {
        switch stack.type(at: index) {
        case .number, .boolean: "the key \(stack.display(at: index))"
        case let type: "a \(type.name) as a key"
        }
    }

    private func array(
        at index: Int, of stack: LuaStack, length: Int, place: @autoclosure () -> String, depth: Int
    ) throws(Problem) -> JSONValue {
        var members = 0
        stack.forEachMember(of: index) { members += 1 }
        var elements: [JSONValue] = []
        elements.reserveCapacity(length)
        for position in 0..<length {
            stack.getElement(position + 1, of: index)
            defer { stack.pop(1) }
            guard !stack.isNil(at: -1) else {
                throw Problem(
                    place: "\(place())[\(position + 1)]",
                    message: "nil: a JSON array has no holes; llm.json.null stands for nothing", isData: false)
            }
            elements.append(
                try value(at: stack.top, of: stack, place: "\(place())[\(position + 1)]", depth: depth + 1))
        }
        guard members == length else {
            throw Problem(
                place: place(),
                message: "a table is an array or an object, not both: it has \(length) elements and other keys",
                isData: false)
        }
        return .array(elements)
    }

    /// True if the value at `index` is `llm.json.null`.
    func isNull(at index: Int, of stack: LuaStack) -> Bool {
        stack.push(null)
        defer { stack.pop(1) }
        return stack.areSame(index, -1)
    }

    // MARK: JSON to Lua

    /// A string that is on the stack.
    struct KnownText {
        let text: String
        /// Its absolute stack index.
        let index: Int
    }

    /// Pushes a JSON value: objects as tables, arrays as marked tables, null as `llm.json.null`. [-0, +1]
    /// - Parameter known: a string that is copied from the stack wherever it occurs.
    func push(_ value: JSONValue, to stack: LuaStack, known: KnownText? = nil) {
        switch value {
        case .null: stack.push(null)
        case .bool(let value): stack.push(value)
        case .int(let value): stack.push(Int(value))
        case .double(let value): stack.push(value)
        case .string(let value):
            if let known, value == known.text { stack.pushCopy(of: known.index) } else { stack.push(value) }
        case .array(let elements):
            stack.pushTable(array: elements.count)
            for (position, element) in elements.enumerated() {
                push(element, to: stack, known: known)
                stack.setElement(position + 1, of: -2)
            }
            stack.setMetatable(arrayMark, of: -1)
        case .object(let object):
            stack.pushTable(fields: object.count)
            for member in object {
                push(member.value, to: stack, known: known)
                stack.setField(named: member.key, of: -2)
            }
        }
    }
}
