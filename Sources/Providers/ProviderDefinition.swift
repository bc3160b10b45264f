// Providers that users define in a table: `llm.provider{...}` in a script or in the configuration file. A table with a known
// name changes only the members that it has.

internal import Base
package import Chat
internal import Formats
internal import HTTP
package import JSON

extension Provider {
    /// The provider of a definition.
    /// - Parameters:
    ///   - definition: `name`, `title`, `dialect`, `base_url`, `key_env` (false for none), `model`, `documentation`,
    ///     `quirks`, and `dialects`: further wire formats, by name, each a base URL or {base_url, quirks}.
    ///   - known: the provider that has the name already.
    /// - Throws: an `APIError` of kind `config` that names the invalid member.
    package init(_ definition: JSONObject, over known: Provider?) throws(APIError) {
        let reader = ProviderDefinition(definition)
        let name = try reader.text("name") ?? ""
        guard !name.isEmpty else { throw reader.wrong("name", "is missing") }
        guard name.lowercased() == name, !name.contains(where: \.isWhitespace) else {
            throw reader.wrong("name", "must be one word in small letters")
        }
        let dialect = try reader.dialect() ?? known?.dialect ?? "openai"
        let earlier = known?.endpoint(dialect)
        guard let baseURL = try reader.text("base_url") ?? earlier?.baseURL else {
            throw reader.wrong("base_url", "is missing: the API's root, https://...")
        }
        let endpoint = try reader.endpoint(
            dialect, baseURL: baseURL, quirks: definition["quirks"], over: earlier, at: "quirks")
        var others = known?.endpoints.filter { $0.dialect != dialect } ?? []
        for other in try reader.otherEndpoints(known) {
            others.removeAll { $0.dialect == other.dialect }
            others.append(other)
        }
        self.init(
            name: name, title: try reader.text("title") ?? known?.title ?? name, endpoint: endpoint, others: others,
            keyVariable: try reader.keyVariable(known), model: try reader.text("model") ?? known?.model,
            documentation: try reader.text("documentation") ?? known?.documentation ?? "")
    }
}

/// Decodes the members of one definition.
private struct ProviderDefinition {
    static let members = [
        "name", "title", "dialect", "base_url", "key_env", "model", "documentation", "quirks", "dialects",
    ]
    let object: JSONObject

    init(_ object: JSONObject) { self.object = object }

    func wrong(_ place: String, _ problem: String) -> APIError {
        APIError(kind: .config, message: "llm.provider: \(place) \(problem)")
    }

    func text(_ name: String) throws(APIError) -> String? {
        for member in object where !Self.members.contains(member.key) {
            throw unknown(member.key, among: Self.members, what: "member")
        }
        guard let value = object[name], !value.isNull else { return nil }
        guard let text = value.string else { throw wrong(name, "must be a string") }
        return text
    }

    func dialect() throws(APIError) -> String? {
        guard let name = try text("dialect") else { return nil }
        return try known(dialect: name)
    }

    private func known(dialect name: String) throws(APIError) -> String {
        guard FormatCatalog.named(name) != nil else {
            throw unknown(name, among: FormatCatalog.names, what: "dialect")
        }
        return name
    }

    /// `key_env = false` means that no key is needed.
    func keyVariable(_ known: Provider?) throws(APIError) -> String? {
        if object["key_env"] == false { return nil }
        guard let name = try text("key_env") else { return known?.keyVariable }
        guard KeyVariable.isName(name) else { throw wrong("key_env", KeyVariable.problem) }
        return name
    }

    func endpoint(
        _ dialect: String, baseURL: String, quirks: JSONValue?, over earlier: Provider.Endpoint?, at place: String
    ) throws(APIError) -> Provider.Endpoint {
        do throws(APIError) {
            // A provider whose customers have different base URLs has none.
            if !baseURL.isEmpty || earlier?.baseURL.isEmpty != true { _ = try BaseURL(baseURL) }
        } catch {
            throw APIError(kind: .config, message: "llm.provider: \(error.message)")
        }
        return Provider.Endpoint(
            dialect: dialect, baseURL: baseURL,
            quirks: try self.quirks(quirks, over: earlier?.quirks ?? Quirks(), at: place))
    }

    func otherEndpoints(_ known: Provider?) throws(APIError) -> [Provider.Endpoint] {
        guard let value = object["dialects"], !value.isNull else { return [] }
        guard let table = value.object else { throw wrong("dialects", "must be a table, by dialect") }
        var endpoints: [Provider.Endpoint] = []
        for member in table {
            let place = "dialects.\(member.key)"
            let name = try self.known(dialect: member.key)
            let earlier = known?.endpoint(name)
            guard let url = member.value.string ?? member.value["base_url"]?.string ?? earlier?.baseURL else {
                throw wrong("\(place).base_url", "is missing")
            }
            endpoints.append(
                try endpoint(
                    name, baseURL: url, quirks: member.value["quirks"], over: earlier, at: "\(place).quirks"))
        }
        return endpoints
    }

    // MARK: Quirks

    private static let quirkNames = [
        "usage", "continuation", "continuation_base_url", "key_header", "max_tokens", "thinking", "reasoning_echo",
        "takes_schema", "think_tags",
    ]

    private func quirks(_ value: JSONValue?, over known: Quirks, at place: String) throws(APIError) -> Quirks {
        var quirks = known
        guard let value, !value.isNull else { return quirks }
        guard let table = value.object else { throw wrong(place, "must be a table") }
        for member in table {
            let here = "\(place).\(member.key)"
            switch member.key {
            case "usage": quirks.usage = try word(member.value, here)
            case "continuation": quirks.continuation = try word(member.value, here)
            case "continuation_base_url": quirks.continuationBaseURL = try string(member.value, here)
            case "key_header":
                let field = try string(member.value, here)
                if let problem = HTTPHeaders.validate(name: field, value: "") { throw wrong(here, problem) }
                quirks.keyField = field.lowercased() == "authorization" ? .bearer : .header(field)
            case "max_tokens": quirks.lengthField = try word(member.value, here)
            case "thinking": quirks.thinking = try word(member.value, here)
            case "reasoning_echo": quirks.reasoningEcho = try word(member.value, here)
            case "takes_schema":
                guard let flag = member.value.bool else { throw wrong(here, "must be true or false") }
                quirks.takesSchema = flag
            case "think_tags":
                guard let mode = Quirks.ThinkTags(member.value) else {
                    throw wrong(here, "must be true, false or \"open\"")
                }
                quirks.thinkTags = mode
            default: throw unknown(member.key, among: Self.quirkNames, what: "quirk")
            }
        }
        return quirks
    }

    private func string(_ value: JSONValue, _ place: String) throws(APIError) -> String {
        guard let text = value.string else { throw wrong(place, "must be a string") }
        return text
    }

    private func word<Word: RawRepresentable & CaseIterable>(
        _ value: JSONValue, _ place: String
    ) throws(APIError) -> Word where Word.RawValue == String {
        let text = try string(value, place)
        guard let word = Word(rawValue: text) else {
            throw wrong(place, "must be one of \(Word.allCases.map { "\"\($0.rawValue)\"" }.joined(separator: ", "))")
        }
        return word
    }

    private func unknown(_ name: String, among names: [String], what: String) -> APIError {
        let near = NearestName.suggestion(for: name, among: names).map { " (did you mean \"\($0)\"?)" } ?? ""
        return APIError(
            kind: .config,
            message: "llm.provider: unknown \(what) \"\(name)\"\(near); known: \(names.joined(separator: ", "))")
    }
}

extension Quirks.ThinkTags {
    /// The value of `think_tags`: true, false or "open"; nil for others.
    package init?(_ value: JSONValue) {
        switch value {
        case true: self = .on
        case false: self = .off
        case "open": self = .open
        default: return nil
        }
    }
}
