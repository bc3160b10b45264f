// The names of a server's models: lists of them, and the model that a request names.

internal import Base
internal import Formats
internal import JSON

enum ModelList {
    /// The time at which models are said to be made. Lists of all providers have one.
    private static let created = "2023-11-14T22:13:20Z"
    private static let path = "/v1/models"

    /// Anthropic's list of models, or one of them (https://docs.anthropic.com/en/api/models-list); nil for other targets.
    static func anthropic(_ target: RequestTarget, _ models: [String]) -> JSONValue? {
        if target.path == path {
            let names = models.map { JSONValue.string($0) }
            return [
                "data": .array(models.map(anthropicModel)), "has_more": false, "first_id": names.first ?? nil,
                "last_id": names.last ?? nil,
            ]
        }
        return models.first { target.path == "\(path)/\($0)" }.map(anthropicModel)
    }

    private static func anthropicModel(_ name: String) -> JSONValue {
        [
            "type": "model", "id": .string(name), "display_name": .string(name), "created_at": .string(created),
        ]
    }

    /// The number of the model that a request names. Requests of TGI name none: they get the first.
    /// - Throws: the error for an unknown name, status 404.
    static func index(of name: String, among models: [String]) throws(ReplyError) -> Int {
        if name.isEmpty, !models.isEmpty { return 0 }
        if let index = models.firstIndex(of: name) { return index }
        let near = NearestName.suggestion(for: name, among: models).map { " Did you mean '\($0)'?" } ?? ""
        throw ReplyError(
            status: 404, message: "The model '\(Snippet.of(name, limit: 100))' does not exist on this server.\(near)",
            code: "model_not_found", parameter: "model")
    }
}
