// The chat page: one HTML file with its configuration, and the policy that lets it run nothing else.

internal import Base
internal import Chat
internal import FoundationEssentials
internal import HTTP
internal import JSON

/// Renders the page.
enum ChatPage {
    /// The response with the page.
    static func response(title: String, models: [String]) -> ServedResponse {
        let config: JSONValue = [
            "title": .string(title), "endpoint": "/stream", "stop": "/stream/",
            "models": .array(models.map { .string($0) }),
        ]
        let html = fill(template, ["{{title}}": escaped(title), "{{config}}": dataBlock(config)])
        return ServedResponse(
            headers: [
                "content-type": "text/html; charset=utf-8", "content-security-policy": policy,
                "cache-control": "no-cache", "x-content-type-options": "nosniff", "referrer-policy": "no-referrer",
                "x-frame-options": "DENY",
            ],
            body: Array(html.utf8))
    }

    private static let template = String(decoding: PackageResources.page_html, as: UTF8.self)

    /// The Content-Security-Policy of the page: allows its inline script and style by hash, and requests to its own origin
    /// (https://www.w3.org/TR/CSP3/).
    static let policy: String = {
        let script = source(between: "<script>", and: "</script>")
        let style = source(between: "<style>", and: "</style>")
        return "default-src 'none'; script-src '\(script)'; style-src '\(style)'; connect-src 'self'; img-src data:; "
            + "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    }()

    /// The CSP source of the inline block between two tags: its digest.
    private static func source(between opening: String, and closing: String) -> String {
        let text = template.components(between: opening, and: closing) ?? ""
        return "sha256-\(Data(SHA256.digest(of: Array(text.utf8))).base64EncodedString())"
    }

    /// Replaces each name once.
    private static func fill(_ template: String, _ values: [String: String]) -> String {
        var result = ""
        var rest = template[...]
        while let start = rest.firstRange(of: "{{"), let end = rest[start.upperBound...].firstRange(of: "}}") {
            let name = String(rest[start.lowerBound..<end.upperBound])
            result += rest[..<start.lowerBound] + (values[name] ?? name)
            rest = rest[end.upperBound...]
        }
        return result + rest
    }

    private static func escaped(_ text: String) -> String {
        text.unicodeScalars.reduce(into: "") { result, scalar in
            switch scalar {
            case "&": result += "&amp;"
            case "<": result += "&lt;"
            case ">": result += "&gt;"
            case "\"": result += "&quot;"
            default: result.unicodeScalars.append(scalar)
            }
        }
    }

    /// JSON that cannot end its script element.
    private static func dataBlock(_ value: JSONValue) -> String {
        JSONWriter.text(value).unicodeScalars.reduce(into: "") { result, scalar in
            switch scalar {
            case "<": result += "\\u003c"
            case ">": result += "\\u003e"
            case "&": result += "\\u0026"
            default: result.unicodeScalars.append(scalar)
            }
        }
    }
}

extension String {
    /// The text between the first `opening` and the `closing` after it.
    fileprivate func components(between opening: String, and closing: String) -> String? {
        guard let start = firstRange(of: opening), let end = self[start.upperBound...].firstRange(of: closing) else {
            return nil
        }
        return String(self[start.upperBound..<end.lowerBound])
    }
}
