// Names of environment variables that hold keys. Asked wherever a script or a program gives one: what is no name may be
// the key itself, and is repeated nowhere.

/// Checks names of variables.
package enum KeyVariable {
    /// What is wrong with a text that is none; it says nothing of the text.
    package static let problem =
        "must be the name of an environment variable (letters, digits and _): the name, never the key itself"

    /// Whether it is a name as shells take them (POSIX, Base Definitions, section 3.216).
    package static func isName(_ text: String) -> Bool {
        guard let first = text.utf8.first, !(0x30...0x39).contains(first) else { return false }
        return text.utf8.allSatisfy {
            switch $0 {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"):
                true
            default: false
            }
        }
    }
}
