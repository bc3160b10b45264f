// Equality of text by its bytes: Swift's `==` compares canonical equivalence.

/// Compares strings by bytes: `==` would equate NFC and NFD.
package func sameBytes(_ a: String, _ b: String) -> Bool { a.utf8.elementsEqual(b.utf8) }
