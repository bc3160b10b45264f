// Patterns of routes: a method and a path.

/// "GET /notes/:id/*": a method and the segments of a path.
package struct RoutePattern: Hashable, Sendable {
    /// One segment of the path.
    package enum Segment: Hashable, Sendable {
        case literal(String)
        /// `:name`: any one segment, not empty.
        case parameter(String)
        /// `*`, at the end only: the rest of the path, which may be empty.
        case rest
    }

    /// "GET", or "WS" for WebSockets.
    package let method: String
    package let segments: [Segment]
    /// The pattern as written.
    package let text: String

    /// Methods of patterns.
    package static let methods = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "WS"]

    /// Reads a pattern.
    /// - Throws: ``RoutePatternError`` with the problem.
    package init(_ text: String) throws(RoutePatternError) {
        let words = text.split(separator: " ", omittingEmptySubsequences: false)
        guard words.count == 2 else {
            throw RoutePatternError(text, "must be a method and a path, as in \"GET /notes/:id\"")
        }
        method = String(words[0])
        guard Self.methods.contains(method) else {
            throw RoutePatternError(text, "has no method; known: \(Self.methods.joined(separator: ", "))")
        }
        guard words[1].hasPrefix("/") else { throw RoutePatternError(text, "has a path that does not begin with /") }
        guard !words[1].contains(where: { "?#%".contains($0) }) else {
            throw RoutePatternError(text, "has ?, # or % in its path; the path is compared after decoding")
        }
        var segments: [Segment] = []
        var names: Set<String> = []
        let parts = words[1].dropFirst().split(separator: "/", omittingEmptySubsequences: false)
        for (index, part) in parts.enumerated() {
            if part == "*" {
                guard index == parts.count - 1 else { throw RoutePatternError(text, "has a * that is not at its end") }
                segments.append(.rest)
            } else if part.hasPrefix(":") {
                let name = String(part.dropFirst())
                guard !name.isEmpty, names.insert(name).inserted else {
                    throw RoutePatternError(text, "has a parameter without a name of its own")
                }
                segments.append(.parameter(name))
            } else {
                segments.append(.literal(String(part)))
            }
        }
        self.segments = segments
        self.text = text
    }

    /// The parameters of a path that matches; nil if it does not.
    /// - Parameter path: the segments of the path, percent-decoded.
    package func match(_ path: [String]) -> [String: String]? {
        var parameters: [String: String] = [:]
        for (index, segment) in segments.enumerated() {
            if segment == .rest {
                guard path.count >= index else { return nil }
                parameters["*"] = path[index...].joined(separator: "/")
                return parameters
            }
            guard index < path.count else { return nil }
            switch segment {
            case .literal(let text): guard path[index] == text else { return nil }
            case .parameter(let name):
                guard !path[index].isEmpty else { return nil }
                parameters[name] = path[index]
            case .rest: break
            }
        }
        return path.count == segments.count ? parameters : nil
    }
}

/// A pattern that cannot be read.
package struct RoutePatternError: Error, Sendable {
    package let message: String

    init(_ text: String, _ problem: String) { message = "the route \"\(text)\" \(problem)" }
}
