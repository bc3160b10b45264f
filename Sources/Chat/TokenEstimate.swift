// How many tokens a text is, about: for usage that a provider never sent, budgets that count while a reply streams, and
// conversations that are trimmed. One guess for all of them.

/// Tokens in a text of UTF-8, guessed: four ASCII characters to a token, two of other alphabets (two UTF-8 bytes each), one
/// ideograph or emoji (three or four bytes).
package func estimatedTokens(in text: some Sequence<UInt8>) -> Double {
    var quarters = 0
    for byte in text {
        switch byte {
        case 0x00..<0x80: quarters += 1
        case 0xC0..<0xE0: quarters += 2
        case 0xE0...: quarters += 4
        default: break
        }
    }
    return Double(quarters) / 4
}
