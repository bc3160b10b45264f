// The settings of a Lua test case: how the simulator and the host behave.

/// What a case is run with.
struct LuaSettings: Sendable {
    /// Faults of the simulator, as in `moonrill mock --fault`.
    var faults = ""
    /// Deltas a second; 0 for no limit.
    var rate = 0.0
    /// Requests a second that the simulator answers.
    var limit: Double?
    var announcesLimit = true
    var arguments: [String] = []
    var dialect: String?
    /// False where clients that name no provider have none.
    var hasProvider = true
    /// Variables that scripts may read.
    var environment: [String: String] = [:]
    /// Variables that hold keys.
    var keys: [String: String] = [:]
    /// Seconds that the script may take.
    var timeLimit = 30.0
    /// Bytes that the script may hold.
    var memoryLimit: Int?
    var allowsNativeModules = false
    /// Whether each line of the case is a script of its own.
    var isEachLine = false
    /// Whether warnings in the log that are not expected are no difference.
    var ignoresWarnings = false
    /// Whether the expected failure is all of the message and the traceback.
    var isWholeFailure = false

    /// Takes "key = value"; what the setting expects of the run, if it does.
    mutating func read(_ text: String, line: Int) throws -> [LuaExpectation] {
        guard let equals = text.firstIndex(of: "=") else {
            throw LuaFileError(line: line, message: "a setting is written key = value, not \"\(text)\"")
        }
        let key = text[..<equals].trimmed
        let value = text[text.index(after: equals)...].trimmed
        switch key {
        case "faults": faults = value
        case "rate": rate = try number(value, line)
        case "limit": limit = try number(value, line)
        case "announces_limit": announcesLimit = try flag(value, line)
        case "args": arguments = value.split(separator: ",").map(\.trimmed)
        case "dialect": dialect = value
        case "provider":
            guard value == "none" else { throw LuaFileError(line: line, message: "provider is none or absent") }
            hasProvider = false
        case "env": try define(value, line, in: &environment)
        case "key": try define(value, line, in: &keys)
        case "time_limit": timeLimit = try number(value, line)
        case "memory_limit": memoryLimit = Int(try number(value, line))
        case "native": allowsNativeModules = try flag(value, line)
        case "each_line": isEachLine = try flag(value, line)
        case "ignores_warnings": ignoresWarnings = try flag(value, line)
        case "whole_error": isWholeFailure = try flag(value, line)
        case "requests": return [LuaExpectation(.requests(Int(try number(value, line))), line: line)]
        case "aborted": return [LuaExpectation(.aborted(Int(try number(value, line))), line: line)]
        case "unwatched": return [LuaExpectation(.unwatched(Int(try number(value, line))), line: line)]
        case "log": return [LuaExpectation(.log(value), line: line)]
        case "ends": return [LuaExpectation(.ends(value), line: line)]
        case "as":
            guard value == "lua5.4" else { throw LuaFileError(line: line, message: "as is lua5.4 or absent") }
            return [LuaExpectation(.stockLua, line: line)]
        default: throw LuaFileError(line: line, message: "unknown setting \"\(key)\"")
        }
        return []
    }

    private func number(_ text: String, _ line: Int) throws -> Double {
        guard let number = Double(text) else { throw LuaFileError(line: line, message: "\"\(text)\" is no number") }
        return number
    }

    private func flag(_ text: String, _ line: Int) throws -> Bool {
        guard let flag = Bool(text) else { throw LuaFileError(line: line, message: "\"\(text)\" is not true or false") }
        return flag
    }

    private func define(_ text: String, _ line: Int, in variables: inout [String: String]) throws {
        let parts = text.split(separator: "=", maxSplits: 1).map(String.init)
        guard parts.count == 2 else { throw LuaFileError(line: line, message: "\"\(text)\" is not NAME=value") }
        variables[parts[0]] = parts[1]
    }
}

extension Substring {
    fileprivate var trimmed: String {
        var text = self.drop { $0 == " " }
        while text.last == " " { text.removeLast() }
        return String(text)
    }
}
