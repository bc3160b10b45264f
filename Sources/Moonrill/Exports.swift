// Types of the modules below that the library's own declarations name. `import Moonrill` is enough to use them.

@_exported public import struct Base.TextBatch
@_exported public import enum Chat.AfterOutput
@_exported public import enum Chat.ChatEvent
@_exported public import enum Chat.ErrorKind
@_exported public import enum Chat.FinishReason
@_exported public import struct Chat.Position
@_exported public import struct Chat.Quirks
@_exported public import struct Chat.Reply
@_exported public import struct Chat.RequestFailure
@_exported public import struct Chat.ResetInfo
@_exported public import struct Chat.RetryInfo
@_exported public import struct Chat.RetryPolicy
@_exported public import struct Chat.ServerTimings
@_exported public import struct Chat.StartInfo
@_exported public import struct Chat.Timeouts
@_exported public import struct Chat.ToolCall
@_exported public import struct Chat.Usage
@_exported public import struct Chat.WaitInfo
@_exported public import struct HTTP.HTTPHeaders
@_exported public import struct JSON.JSONObject
@_exported public import enum JSON.JSONValue
@_exported public import struct Providers.Provider
