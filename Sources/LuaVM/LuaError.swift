// Errors of Lua as Swift errors: message, Lua value and traceback.

/// An error raised by Lua code, or to be raised in it.
package struct LuaError: Error {
    /// The message, as `tostring` shows the error value.
    package var message: String
    /// The error value, unless it is a string.
    package var value: LuaReference?
    /// Lua's traceback of the coroutine that raised it; "" if it never ran.
    package var traceback: String
    /// Whether the message begins with "file:line:" of the script, as with `error`.
    package var wantsPosition: Bool
    /// Whether Lua code that catches the message gets the traceback in it, because its own traceback does not show where the
    /// error was raised.
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

    /// The innermost file position of the traceback: "script.lua:3".
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
