// The types of the rooms below that the library's own declarations speak of, given to whoever imports Moonrill: one
// import is enough to ask, to read every event and to catch every failure. Nothing else of those rooms is passed on.

@_exported public import enum Dialects.ErrorKind
@_exported public import enum Dialects.FinishReason
@_exported public import struct Dialects.Preset
@_exported public import struct Dialects.Quirks
@_exported public import struct Dialects.ServerTimings
@_exported public import struct Dialects.ToolCall
@_exported public import struct Dialects.Usage
@_exported public import enum Engine.AfterOutput
@_exported public import enum Engine.EngineEvent
@_exported public import struct Engine.Position
@_exported public import struct Engine.Reply
@_exported public import struct Engine.RequestFailure
@_exported public import struct Engine.ResetInfo
@_exported public import struct Engine.RetryInfo
@_exported public import struct Engine.RetryPolicy
@_exported public import struct Engine.StartInfo
@_exported public import struct Engine.Timeouts
@_exported public import struct Wire.HTTPHeaders
@_exported public import struct Wire.JSONObject
@_exported public import enum Wire.JSONValue
