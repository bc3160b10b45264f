// Checks names of environment variables with keys. A text that is not a name may be the key itself and is never repeated.

package enum KeyVariable {
    /// The error for another text, which it does not repeat.
    package static let problem =
        "must be the name of an environment variable (letters, digits and _): the name, never the key itself"

    /// Whether it is a valid name (POSIX, Base Definitions, section 3.216).
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
