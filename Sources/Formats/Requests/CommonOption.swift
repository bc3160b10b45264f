// The options that have the same meaning in all formats. An encoder takes each option that its format supports; options
// that are left cannot be expressed. All other parameters are sent unchanged.

internal import Chat
internal import JSON

/// A common option. The raw value is its name in scripts.
package enum CommonOption: String, Sendable, CaseIterable {
    case maxTokens = "max_tokens"
    /// The newer name of `max_tokens` in Chat Completions.
    case maxCompletionTokens = "max_completion_tokens"
    case temperature
    case topP = "top_p"
    case topK = "top_k"
    case minP = "min_p"
    case stop, seed
    case presencePenalty = "presence_penalty"
    case frequencyPenalty = "frequency_penalty"
    case logitBias = "logit_bias"
    case logprobs
    case topLogprobs = "top_logprobs"
    case n, user, tools
    case toolChoice = "tool_choice"
    case parallelToolCalls = "parallel_tool_calls"
    case responseFormat = "response_format"
    case reasoningEffort = "reasoning_effort"
    case thinking
    case streamOptions = "stream_options"
}

/// The parameters of one request, from which an encoder takes options.
struct RequestOptions {
    let context: RequestContext
    private var common: [CommonOption: JSONValue] = [:]
    private var others = JSONObject()

    /// - Throws: an `APIError` for a parameter that the request sets itself, or that JSON cannot express.
    init(_ input: EncoderInput) throws(APIError) {
        context = input.context
        for member in input.request.parameters {
            guard try context.mayBeParameter(member) else { continue }
            if let option = CommonOption(rawValue: member.key) {
                if !member.value.isNull { common[option] = member.value }
            } else {
                others[member.key] = member.value
            }
        }
        if let newer = common.removeValue(forKey: .maxCompletionTokens) { common[.maxTokens] = newer }
    }

    /// Removes an option and returns its value.
    mutating func take(_ option: CommonOption) -> JSONValue? { common.removeValue(forKey: option) }

    /// Moves options into the body or a part of it. Only their names change.
    mutating func move(_ names: OptionNames, to body: inout JSONObject) {
        for (option, name) in names {
            if let value = take(option) { body[name] = value }
        }
    }

    /// `max_tokens` as a number.
    mutating func takeMaxTokens() throws(APIError) -> Int64? {
        guard let value = take(.maxTokens) else { return nil }
        guard let count = value.int, count > 0 else {
            throw context.invalid("max_tokens", "must be an integer above 0")
        }
        return count
    }

    /// `stop` as an array.
    mutating func takeStop() throws(APIError) -> [JSONValue]? {
        switch take(.stop) {
        case nil: return nil
        case .string(let text): return [.string(text)]
        case .array(let texts) where texts.allSatisfy({ $0.string != nil }): return texts
        default: throw context.invalid("stop", "must be a string or an array of strings")
        }
    }

    mutating func takeTools() throws(APIError) -> [Tool] {
        guard let value = take(.tools) else { return [] }
        return try ToolReader(context: context).tools(value)
    }

    mutating func takeToolChoice() throws(APIError) -> ToolChoice? {
        guard let value = take(.toolChoice) else { return nil }
        return try ToolReader(context: context).choice(value)
    }

    mutating func takeResponseFormat() throws(APIError) -> ResponseFormat? {
        guard let value = take(.responseFormat) else { return nil }
        return try ResponseFormat(value, context: context)
    }

    /// `thinking` and `reasoning_effort`, two forms of one option.
    mutating func takeThinking() throws(APIError) -> Thinking {
        let effort = take(.reasoningEffort)
        if let effort, effort.string == nil { throw context.invalid("reasoning_effort", "must be a string") }
        return try Thinking(take(.thinking), effort: effort?.string, context: context)
    }

    /// Adds the other parameters to the body, unchanged. Objects on both sides are merged.
    /// - Throws: an error for a common option that was not taken.
    mutating func finish(into body: inout JSONObject) throws(APIError) {
        for option in CommonOption.allCases where common[option] != nil {
            try context.cannotExpress(option.rawValue)
        }
        common = [:]
        body.merge(others)
    }
}

extension RequestContext {
    /// Returns false if the parameter is redundant (`stream = true`).
    /// - Throws: an `APIError` for a parameter that the request sets itself, or that JSON cannot express.
    func mayBeParameter(_ member: JSONObject.Member) throws(APIError) -> Bool {
        switch member.key {
        case "model", "messages":
            throw invalid(member.key, "is set by the request itself and cannot be a parameter")
        case "stream":
            guard member.value == true else {
                throw invalid("stream", "must not be set: replies are always streamed")
            }
            return false
        default:
            try checkFinite(member.value, at: member.key)
            return true
        }
    }
}

extension JSONObject {
    /// Adds the members of another object. Objects on both sides are merged.
    mutating func merge(_ other: JSONObject) {
        for member in other {
            if case .object(let theirs) = member.value, case .object(var ours)? = self[member.key] {
                ours.merge(theirs)
                self[member.key] = .object(ours)
            } else {
                self[member.key] = member.value
            }
        }
    }
}
