// What goes wrong in Lua, as a Swift error: the message a person reads, the Lua value behind it, and where it came from.

/// An error raised by Lua code, or to be raised in it.
package struct LuaError: Error {
    /// The message, as `tostring` shows the error value.
    package var message: String
    /// The error value itself, when it is not a plain string.
    package var value: LuaReference?
    /// Lua's traceback of the coroutine that raised it, "" when it never ran.
    package var traceback: String
    /// True when the message should begin with the script's "file:line:", as `error` does it.
    package var wantsPosition: Bool
    /// True when Lua code that catches the message is to find the traceback in it: for an error from a place that the
    /// catcher's own traceback does not show.
    package var carriesTraceback = false

    /// An error with a message, raised without a position.
    package init(_ message: String, value: LuaReference? = nil, traceback: String = "") {
        self.message = message
        self.value = value
        self.traceback = traceback
        wantsPosition = false
    }

    /// The message as Lua code catches it.
    package var text: String { carriesTraceback && !traceback.isEmpty ? message + "\n" + traceback : message }

    /// The innermost line of the traceback that is a file's, "script.lua:3", where it has one.
    package var place: String? {
        for line in traceback.split(separator: "\n").dropFirst() {
            // "\t[C]: in ..." and "\t[llm]:12: in ..." are no lines of a file.
            guard line.hasPrefix("\t"), !line.hasPrefix("\t["), let end = line.firstRange(of: ": in ") else { continue }
            return String(line[line.index(after: line.startIndex)..<end.lowerBound])
        }
        return nil
    }

    /// The caller used an API wrongly: raised with the position of the script's line.
    package static func misuse(_ message: String) -> LuaError {
        var error = LuaError(message)
        error.wantsPosition = true
        return error
    }
}
