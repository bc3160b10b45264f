// Names that are metadata at every path: ids, models, fingerprints, tiers, times, filter results, padding.
// Collected from recorded streams of about forty providers.

/// Detects metadata by its name.
enum KnownMetadata {
    /// Whole names, in lower case without separators.
    private static let names: Set<String> = [
        "id", "object", "type", "role", "model", "version", "created", "timestamp", "time", "date", "fingerprint",
        "systemfingerprint", "servicetier", "tier", "provider", "vendor", "obfuscation", "padding", "pad", "p", "event",
        "status", "state", "phase", "channel", "index", "name", "finish", "reason", "code", "param", "region", "geo",
        "host", "hostname", "server", "node", "cluster", "deployment", "engine", "backend", "runtime", "language",
        "lang",
        "locale", "format", "encoding", "schema", "$schema", "url", "uri", "href", "link", "hash", "etag", "checksum",
        "signature", "nonce", "key", "severity", "category", "level", "mode", "quality", "size", "currency", "cost",
        "price", "duration", "latency", "execution", "namespace", "modality", "speed", "organization", "project",
        "user",
        "account", "owner", "source", "domain", "seed", "trace", "session", "thread", "conversation",
        // The end of the reply: SGLang's `matched_stop`, llama.cpp's `stopping_word`.
        "matchedstop", "stop", "stopsequence", "stoppingword",
        // The prompt.
        "prompt", "input", "inputs", "instructions", "question",
    ]

    /// Last words of compound names: "request_id", "createdAt".
    private static let lastWords: Set<String> = [
        "id", "ids", "uuid", "guid", "at", "time", "timestamp", "date", "type", "version", "model", "tier", "status",
        "state", "reason", "sequence", "code", "url", "uri", "hash", "key", "token", "signature", "fingerprint",
        "region",
        "geo", "name", "label", "slug", "format", "mode", "language", "provider", "policy", "retention", "kind",
        "digest",
        "ms", "seconds", "level", "host", "node", "zone", "cost", "currency",
    ]

    /// Members whose whole content is metadata.
    private static let groups: Set<String> = [
        "usage", "metadata", "meta", "timings", "timing", "stats", "statistics", "metrics", "headers", "moderation",
        "safetyratings", "promptfeedback", "logprobs", "error", "errors", "warning", "warnings", "debug", "tracing",
        "routing", "billing", "tools", "toolchoice", "responseformat", "config", "options", "parameters", "settings",
        "request", "costs", "limits", "permissions", "citations", "annotations", "sources", "searchresults",
        "references",
        "image", "images", "audio", "video", "files", "attachments", "embedding", "embeddings", "xgroq", "guardrail",
        "guardrails",
        // Members of gateways, and llama.cpp's `__verbose` (a copy of the reply and its settings).
        "notice", "notices", "queue", "moderations", "verbose",
    ]

    /// Last words of members whose whole content is metadata: "content_filter_results", "provider_metadata".
    private static let groupEndings: [String] = [
        "usage", "metadata", "filterresults", "filterresult", "filters", "ratings", "details", "info", "stats",
        "metrics",
        "timings", "logprobs",
    ]

    /// Whether a value at that path is metadata.
    static func isMetadata(_ path: FieldPath) -> Bool {
        var names: [String] = []
        for case .member(let name) in path.steps { names.append(name) }
        guard let last = names.last else { return false }
        if names.contains(where: isGroup) { return true }
        let words = words(of: last)
        return Self.names.contains(words.joined())
            || (words.count > 1 && words.last.map(lastWords.contains) == true)
    }

    private static func isGroup(_ name: String) -> Bool {
        let plain = words(of: name).joined()
        return groups.contains(plain) || groupEndings.contains { plain != $0 && plain.hasSuffix($0) }
    }

    /// The words of a name, in lower case: "created_at", "createdAt" and "created-at" have two.
    static func words(of name: String) -> [String] {
        var words: [String] = []
        var word = ""
        var wasLower = false
        for character in name {
            if character == "_" || character == "-" || character == "." || character == " " {
                if !word.isEmpty { words.append(word) }
                (word, wasLower) = ("", false)
                continue
            }
            if character.isUppercase, wasLower {
                words.append(word)
                word = ""
            }
            wasLower = character.isLowercase || character.isNumber
            word += character.lowercased()
        }
        if !word.isEmpty { words.append(word) }
        return words
    }
}
