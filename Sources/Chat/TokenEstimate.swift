// An estimate of the tokens of a text, for usage that a provider did not send, budgets, and trimmed conversations.

/// Estimated tokens of a text in UTF-8: one for four ASCII characters, for two of other alphabets (two bytes each), and for
/// each ideograph or emoji (three or four bytes).
@inlinable package func estimatedTokens(in text: some Sequence<UInt8>) -> Double {
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
