// What goes wrong in Lua, as a Swift error: the message a person reads, the Lua value behind it, and where it came from.

/// An error raised by Lua code, or to be raised in it.
public struct LuaError: Error {
    /// The message, as `tostring` shows the error value.
    public var message: String
    /// The error value itself, when it is not a plain string.
    public var value: LuaReference?
    /// Lua's traceback of the coroutine that raised it, "" when it never ran.
    public var traceback: String
    /// True when the message should begin with the script's "file:line:", as `error` does it.
    public var wantsPosition: Bool

    /// An error with a message, raised without a position.
    public init(_ message: String, value: LuaReference? = nil, traceback: String = "") {
        self.message = message
        self.value = value
        self.traceback = traceback
        wantsPosition = false
    }

    /// The caller used an API wrongly: raised with the position of the script's line.
    public static func misuse(_ message: String) -> LuaError {
        var error = LuaError(message)
        error.wantsPosition = true
        return error
    }
}
