// Equality of text by its bytes: Swift's `==` compares canonical equivalence.

/// Every string of the outcome compared by its bytes: `==` alone would take NFC and NFD for the same.
package func sameBytes(_ a: String, _ b: String) -> Bool { a.utf8.elementsEqual(b.utf8) }
