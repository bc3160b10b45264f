// Versions of Gemini models by their names. generateContent offers no other way to find out a version before it rejects
// a request.

/// Reads versions from names of models.
enum GeminiModel {
    /// The version: (2, 5) for "models/gemini-2.5-flash". Nil for other models, and for names without a version
    /// ("gemini-flash-latest").
    static func version(of model: String) -> (Int, Int)? {
        let words = model.lowercased().split { !$0.isLetter && !$0.isNumber && $0 != "." }
        guard let gemini = words.firstIndex(of: "gemini"), gemini + 1 < words.count else { return nil }
        let numbers = words[gemini + 1].split(separator: ".").map { Int($0) }
        guard let major = numbers.first ?? nil else { return nil }
        return (major, numbers.count > 1 ? numbers[1] ?? 0 : 0)
    }
}
