// The callbacks of a request: their names, which of them are set, and the Lua functions.

internal import Base
internal import LuaVM

/// A callback by what it gets.
enum CallbackName: Int, CaseIterable {
    case token, reasoning, toolCall, usage, retry, wait, reset, event, chunk, finish, error

    /// The callback for text of that kind.
    init(_ kind: TextBatch.Kind) { self = kind == .reasoning ? .reasoning : .token }
}

/// Which callbacks a request has.
struct CallbackSet: Equatable, ExpressibleByArrayLiteral {
    private var bits: UInt16 = 0

    init(arrayLiteral names: CallbackName...) { for name in names { insert(name) } }

    var isEmpty: Bool { bits == 0 }
    func contains(_ name: CallbackName) -> Bool { bits & (1 << name.rawValue) != 0 }
    mutating func insert(_ name: CallbackName) { bits |= 1 << name.rawValue }
}

/// The functions of a request's callbacks.
struct CallCallbacks {
    /// One callback.
    struct Function {
        let reference: LuaReference
        /// It declares a second parameter, and gets the event's table. Making the table costs more than delivering the
        /// text.
        let wantsEvent: Bool
    }

    private var functions = [11 of Function?](repeating: nil)

    /// The callback of that name.
    subscript(name: CallbackName) -> Function? {
        get { functions[name.rawValue] }
        set { functions[name.rawValue] = newValue }
    }

    /// Which of them are set.
    var names: CallbackSet {
        CallbackName.allCases.reduce(into: []) { if self[$1] != nil { $0.insert($1) } }
    }
}
