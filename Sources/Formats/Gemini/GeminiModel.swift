// Versions of Gemini models by their names. generateContent has no other way to know them before a request is refused.

/// Versions by names.
enum GeminiModel {
    /// The version: "models/gemini-2.5-flash" is (2, 5). Nil for other models, and names without one ("gemini-flash-latest").
    static func version(of model: String) -> (Int, Int)? {
        let words = model.lowercased().split { !$0.isLetter && !$0.isNumber && $0 != "." }
        guard let gemini = words.firstIndex(of: "gemini"), gemini + 1 < words.count else { return nil }
        let numbers = words[gemini + 1].split(separator: ".").map { Int($0) }
        guard let major = numbers.first ?? nil else { return nil }
        return (major, numbers.count > 1 ? numbers[1] ?? 0 : 0)
    }
}
