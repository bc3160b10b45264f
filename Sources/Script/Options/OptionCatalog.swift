// The options that scripts may pass to the functions of `llm`: the one list of their names, types, defaults and notes. The
// Lua modules check against it, and the option classes of types/llm.lua are rendered from it.

internal import Chat
internal import Formats

/// What the value of an option must be.
enum OptionKind: String, CaseIterable {
    /// Any value; what takes it checks it.
    case any
    case number, integer
    /// Seconds above 0.
    case seconds
    /// A number of 0 or more.
    case span
    /// An integer of 0 or more.
    case count
    /// A response format: a string or a table.
    case form
    /// `think_tags`: a boolean or "open".
    case tags
    case string, table, boolean, function

    /// The end of the message "option 'x' must be ...".
    var expectation: String {
        switch self {
        case .any: "any value"
        case .number: "a number"
        case .integer: "an integer"
        case .seconds: "a number of seconds above 0"
        case .span: "a number of seconds of 0 or more"
        case .count: "an integer of 0 or more"
        case .form: "\"json\" or a table"
        case .tags: "true, false or \"open\""
        case .string: "a string"
        case .table: "a table"
        case .boolean: "true or false"
        case .function: "a function"
        }
    }

    /// The type in annotations, unless the option has a closer one.
    fileprivate var annotation: String {
        switch self {
        case .any: "any"
        case .number, .seconds, .span: "number"
        case .integer, .count: "integer"
        case .form: "string|table"
        case .tags: "boolean|\"open\""
        case .string: "string"
        case .table: "table"
        case .boolean: "boolean"
        case .function: "function"
        }
    }
}

/// One option.
struct ScriptOption {
    let name: String
    let kind: OptionKind
    /// Its type in annotations.
    let annotation: String
    /// What it means, for annotations; the default in parentheses at its end.
    let note: String
    let isRequired: Bool

    init(
        _ name: String, _ kind: OptionKind, _ note: String = "", annotation: String? = nil, default: String? = nil,
        isRequired: Bool = false
    ) {
        self.name = name
        self.kind = kind
        self.annotation = annotation ?? kind.annotation
        self.note = note + (`default`.map { " (\($0))" } ?? "")
        self.isRequired = isRequired
    }

    init(
        _ option: CommonOption, _ kind: OptionKind, _ note: String = "", annotation: String? = nil
    ) {
        self.init(option.rawValue, kind, note, annotation: annotation)
    }
}

/// The options of one function, or of one table of options.
struct OptionGroup {
    /// The name under which the Lua modules ask for it.
    let name: String
    let options: [ScriptOption]

    init(_ name: String, _ options: [ScriptOption]) {
        self.name = name
        self.options = options
    }

    /// The class of types/llm.lua: `---@class llm.NAME` and a line for each option.
    func classAnnotation(_ name: String, extending parent: String? = nil) -> String {
        let head = "---@class llm.\(name)" + (parent.map { ": llm.\($0)" } ?? "")
        return ([head] + options.map(\.fieldAnnotation)).joined(separator: "\n") + "\n"
    }

    /// The type of a parameter: `{ tokens?: integer, usd?: number }`.
    var inlineAnnotation: String {
        "{ " + options.map { "\($0.name)\($0.isRequired ? "" : "?"): \($0.annotation)" }.joined(separator: ", ") + " }"
    }
}

extension ScriptOption {
    fileprivate var fieldAnnotation: String {
        "---@field \(name)\(isRequired ? "" : "?") \(annotation)" + (note.isEmpty ? "" : " " + note)
    }
}

/// All groups of options.
enum OptionCatalog {
    /// The group of that name.
    static func group(_ name: String) -> OptionGroup? { all.first { $0.name == name } }

    static let all = [
        callbacks, shared, sampling, client, timeout, retry, cache, provider, chat, trim, tool, limit, budget, encode,
        rows,
        map, vote, judge, loop, refine, hedge, fallback, flowRetry,
        serve, serveLimit, serveBudget, servePage, serveAnswer,
    ]

    // MARK: Requests

    /// The callbacks of a request; a client has them as defaults.
    static let callbacks = OptionGroup(
        "callbacks",
        [
            ScriptOption(
                "on_token", .function, "a piece of the text; false stops the stream",
                annotation: "fun(text: string, event: llm.event): boolean?"),
            ScriptOption(
                "on_reasoning", .function, "a piece of the reasoning",
                annotation: "fun(text: string, event: llm.event): boolean?"),
            ScriptOption(
                "on_tool_call", .function, "a complete tool call, after the end of the reply",
                annotation: "fun(call: llm.tool_call): boolean?"),
            ScriptOption(
                "on_tool_result", .function, "the result of a tool, as it is sent to the model",
                annotation: "fun(call: llm.tool_call, text: string, is_error: boolean)"),
            ScriptOption(
                "on_value", .function,
                "with schema: a value of the answer is complete (\"people[1].name\"); false stops",
                annotation: "fun(path: string, value: any): boolean?"),
            ScriptOption("on_usage", .function, "token counts so far", annotation: "fun(usage: llm.usage): boolean?"),
            ScriptOption(
                "on_retry", .function, "an attempt failed and another follows",
                annotation: "fun(info: llm.retry_info): boolean?"),
            ScriptOption(
                "on_wait", .function, "the request waits at the rate limiter for more than a second",
                annotation: "fun(info: llm.wait_info): boolean?"),
            ScriptOption(
                "on_reset", .function, "the output so far is void", annotation: "fun(info: llm.reset_info): boolean?"),
            ScriptOption("on_event", .function, "every event", annotation: "fun(event: llm.event): boolean?"),
            ScriptOption(
                "on_chunk", .function,
                "the payload of each frame as sent; with it, text in an unknown place is not an error",
                annotation: "fun(raw: string): boolean?"),
            ScriptOption(
                "on_finish", .function, "the end of a successful request", annotation: "fun(reply: llm.reply)"),
            ScriptOption("on_error", .function, "the end of a failed request", annotation: "fun(err: llm.error)"),
        ])

    /// Options of clients and of requests.
    static let shared = OptionGroup(
        "shared",
        [
            ScriptOption("model", .string),
            ScriptOption("system", .string),
            ScriptOption("headers", .table, annotation: "table<string, string>"),
            ScriptOption("timeout", .any, "a number is the total", annotation: "number|llm.timeout"),
            ScriptOption("retry", .table, annotation: "llm.retry"),
            ScriptOption(
                "params", .table, "fields of the body that only this provider has", annotation: "table<string, any>"),
            ScriptOption("coalesce", .span, "seconds of text gathered into one callback"),
            ScriptOption(
                "lenient", .boolean, "leave out what the provider does not support, instead of failing",
                default: "false"),
            ScriptOption(
                "think_tags", .tags,
                "read <think>...</think> at the beginning of the text as reasoning (true); \"open\": the text begins "
                    + "inside the tag (templates that put <think> into the prompt); reasoning ends at a lone </think>, or "
                    + "is the whole text without one"),
            ScriptOption(
                "limit", .any,
                "bounds on requests and tokens, shared by all that use the same limit; false: no rate limiter, and rate "
                    + "headers are ignored",
                annotation: "llm.limit|false"),
            ScriptOption(
                "cache", .any,
                "recorded replies to equal requests, where the host has a store; true: with the defaults, or those of the "
                    + "client",
                annotation: "boolean|llm.cache"),
            ScriptOption("max_rounds", .count, "maximum requests of a tool loop", default: "8"),
            ScriptOption(
                "schema", .table, "JSON Schema of the answer, or its short form; reply.value holds the data"),
        ])

    /// Fields of the request's body that most providers share; any other field goes through `params`.
    static let sampling = OptionGroup(
        "sampling", CommonOption.allCases.map(\.scriptOption) + [ScriptOption("service_tier", .string)])

    /// Options of clients alone.
    static let client = OptionGroup(
        "client",
        [
            ScriptOption("provider", .string, "name of a provider: see llm.providers()"),
            ScriptOption("base_url", .string),
            ScriptOption("dialect", .string),
            ScriptOption("key_env", .string, "name of the environment variable with the key"),
        ])

    static let timeout = OptionGroup(
        "timeout",
        [
            ScriptOption(
                "connect", .seconds, "seconds until the connection is established", default: text(Timeouts().connect)),
            ScriptOption("first", .seconds, "seconds until the first output", default: text(Timeouts().first)),
            ScriptOption(
                "idle", .seconds,
                "seconds of silence after the first output (\(text(Timeouts().idle))); heartbeats end a silence"),
            ScriptOption(
                "stall", .seconds, "seconds without output after the first, with or without heartbeats",
                default: "\(text(Timeouts().stall)), or idle if longer"),
            ScriptOption("total", .seconds, "seconds over all attempts", default: "none"),
        ])

    static let retry = OptionGroup(
        "retry",
        [
            ScriptOption("max", .count, "retries after the first attempt", default: "\(RetryPolicy().max)"),
            ScriptOption("base", .seconds, "seconds of the first backoff window", default: text(RetryPolicy().base)),
            ScriptOption("cap", .seconds, "seconds of the widest window", default: text(RetryPolicy().cap)),
            ScriptOption(
                "max_wait", .seconds,
                "maximum seconds to wait for a limit (Retry-After, rate headers, rate limiter); a longer wait fails at "
                    + "once",
                default: "\(text(RetryPolicy.defaultMaxWait)); with a total timeout, the time left"),
            ScriptOption(
                "after_output", .string, "what happens if the stream breaks after output was shown",
                annotation: "llm.after_output",
                default: "\"\(RetryPolicy().afterOutput.rawValue)\""),
        ])

    static let cache = OptionGroup(
        "cache",
        [
            ScriptOption("ttl", .seconds, "maximum age of a recorded reply in seconds", default: "no limit"),
            ScriptOption(
                "scope", .string, "replies of this job (without a job: of this run), or of the whole store",
                annotation: "\"job\"|\"store\"", default: "\"\(CachePolicy().scope.rawValue)\""),
            ScriptOption(
                "pace", .number, "1: the text comes as fast as it was recorded, 2: twice as fast", default: "at once"),
            ScriptOption(
                "shared", .boolean,
                "equal requests of a run get the same reply; else the nth of them gets the nth recorded one",
                default: "\(CachePolicy().isShared)"),
        ])

    // MARK: Other functions

    /// The definition of a provider.
    static let provider = OptionGroup(
        "provider",
        [
            ScriptOption(
                "name", .string, "one word; for a known provider only the given fields change",
                isRequired: true),
            ScriptOption("title", .string),
            ScriptOption("dialect", .string, "(\"openai\")"),
            ScriptOption("base_url", .string),
            ScriptOption(
                "key_env", .any, "name of the environment variable with the key; false for none",
                annotation: "string|false"),
            ScriptOption("model", .string),
            ScriptOption("documentation", .string),
            ScriptOption(
                "quirks", .table,
                "usage, continuation, key_header, max_tokens, thinking, reasoning_echo, think_tags, ...",
                annotation: "table<string, string|boolean>"),
            ScriptOption(
                "dialects", .table, "further wire formats: a base URL, or {base_url = ..., quirks = ...}",
                annotation: "table<string, string|table>"),
        ])

    /// Options of a chat beside those of a request.
    static let chat = OptionGroup(
        "chat", [ScriptOption("messages", .table, annotation: "llm.message[]"), ScriptOption("load", .string)])

    static let trim = OptionGroup("chat.trim", [ScriptOption("max_tokens", .count, isRequired: true)])

    static let tool = OptionGroup(
        "tool",
        [
            ScriptOption("name", .string, isRequired: true), ScriptOption("description", .string),
            ScriptOption("parameters", .table), ScriptOption("strict", .boolean),
            ScriptOption(
                "run", .function, annotation: "fun(arguments: table, call: llm.tool_call): any, any", isRequired: true),
        ])

    static let limit = OptionGroup(
        "limit",
        [
            ScriptOption("name", .string), ScriptOption("concurrent", .count), ScriptOption("rpm", .number),
            ScriptOption("tpm", .number),
        ])

    static let budget = OptionGroup(
        "budget",
        [ScriptOption("tokens", .count), ScriptOption("usd", .span), ScriptOption("seconds", .seconds)])

    static let encode = OptionGroup("json.encode", [ScriptOption("pretty", .boolean)])

    static let rows = OptionGroup(
        "jsonl.writer",
        [ScriptOption("path", .string, isRequired: true), ScriptOption("key", .any, annotation: "string|string[]")])

    // MARK: Combinators

    static let map = OptionGroup(
        "flow.map",
        [
            ScriptOption("limit", .count, "concurrent items", default: "8"),
            ScriptOption("on_progress", .function, annotation: "fun(done: integer, total: integer)"),
            ScriptOption(
                "ordered", .boolean, "results in the order of the items (true), or in the order of completion"),
            ScriptOption(
                "keep_going", .boolean,
                "whether the others continue after a failure (false); errors are then the second result, an empty table if "
                    + "nothing failed. As a step, results[i] is false for a failed item, and if every item failed the "
                    + "step returns nil and the first error"),
        ])

    static let vote = OptionGroup(
        "flow.vote",
        [
            ScriptOption("n", .count), ScriptOption("key", .function, annotation: "fun(answer: any): any"),
            ScriptOption("early", .boolean),
        ])

    static let judge = OptionGroup(
        "flow.judge",
        [
            ScriptOption("client", .any, annotation: "llm.client", isRequired: true), ScriptOption("rubric", .string),
            ScriptOption("options", .table, annotation: "llm.request_options"),
        ])

    static let loop = OptionGroup(
        "flow.loop",
        [
            ScriptOption("stop_when", .function, annotation: "fun(value: any, round: integer): boolean"),
            ScriptOption("max", .count),
        ])

    static let refine = OptionGroup(
        "flow.refine",
        [
            ScriptOption("critic", .any, annotation: "fun(draft: any, input: any): any, any", isRequired: true),
            ScriptOption("rounds", .count),
        ])

    static let hedge = OptionGroup("flow.hedge", [ScriptOption("after", .span)])

    static let fallback = OptionGroup("flow.fallback", [ScriptOption("chars", .count), ScriptOption("seconds", .span)])

    static let flowRetry = OptionGroup(
        "flow.retry",
        [
            ScriptOption("max", .count), ScriptOption("base", .span), ScriptOption("cap", .span),
            ScriptOption("on", .function, annotation: "fun(err: any, try: integer): boolean"),
        ])

    // MARK: Server

    static let serve = OptionGroup(
        "serve",
        [
            ScriptOption("host", .string, "address to listen on", default: "\"\(ServerSpec().host)\""),
            ScriptOption("port", .count, "TCP port; 0 lets the system choose", default: "\(ServerSpec().port)"),
            ScriptOption("unix", .string, "path of a Unix socket, in place of host and port"),
            ScriptOption(
                "models", .table, "handlers of the chat endpoints by the model's name; \"*\": any other name",
                annotation: "table<string, llm.serve.handler|llm.client>"),
            ScriptOption(
                "default_model", .string, "the model of /stream and /ws without a name", default: "the first name"),
            ScriptOption(
                "routes", .table, "handlers by method and path: \"GET /notes/:id\", \"WS /live\", \"GET /files/*\"",
                annotation: "table<string, llm.serve.handler|llm.serve.target>"),
            ScriptOption("limit", .table, annotation: "llm.serve.limit"),
            ScriptOption(
                "budget", .table, "caps on what all requests to providers may cost", annotation: "llm.serve.budget"),
            ScriptOption("token_env", .string, "name of the environment variable with the token that clients send"),
            ScriptOption("open", .boolean, "serve other machines without a token", default: "false"),
            ScriptOption("tls_cert", .string, "file of the certificate chain (PEM)"),
            ScriptOption("tls_key", .string, "file of the private key (PEM)"),
            ScriptOption(
                "origins", .table, "web sites whose pages may use the server (CORS); \"*\": all",
                annotation: "string[]"),
            ScriptOption("hosts", .table, "further names of the server, as in the header Host", annotation: "string[]"),
            ScriptOption("trust_proxy", .boolean, "X-Forwarded-For names the client", default: "false"),
            ScriptOption("max_clients", .count, "open connections", default: "\(ServerLimits().connections)"),
            ScriptOption(
                "linger", .span, "seconds that a stream goes on without a reader",
                default: "10 for clients that reconnect, as EventSource does; else 0.06"),
            ScriptOption(
                "keep", .span, "seconds for which the events of an ended stream can be read again",
                default: text(StreamSpec().keptSeconds)),
            ScriptOption(
                "drain", .span, "seconds that running responses get when the server stops",
                default: text(ServerSpec().drain)),
            ScriptOption(
                "on_start", .function, "called once the server listens",
                annotation: "fun(server: llm.serve.running)"),
        ])

    static let serveLimit = OptionGroup(
        "serve.limit",
        [
            ScriptOption("per_client_rpm", .number, "requests of one client a minute", default: "no limit"),
            ScriptOption("concurrent", .count, "handlers at a time", default: "\(ServerLimits().concurrent)"),
            ScriptOption("body_bytes", .count, "size of a request's body", default: "32 MiB"),
        ])

    static let serveBudget = OptionGroup(
        "serve.budget",
        [
            ScriptOption("usd", .span), ScriptOption("tokens", .count),
            ScriptOption("per_client_usd", .span), ScriptOption("per_client_tokens", .count),
        ])

    static let servePage = OptionGroup("serve.page", [ScriptOption("title", .string)])

    /// The table that a handler returns.
    static let serveAnswer = OptionGroup(
        "serve.answer",
        [
            ScriptOption("status", .integer, "200 to 599", default: "200"),
            ScriptOption("headers", .table, annotation: "table<string, string>"),
            ScriptOption("json", .any, "a value, sent as JSON"), ScriptOption("text", .string),
            ScriptOption("html", .string), ScriptOption("body", .string, "bytes"),
        ])

    private static func text(_ number: Double) -> String {
        number == number.rounded() ? String(Int(number)) : String(number)
    }
}

extension CommonOption {
    fileprivate var scriptOption: ScriptOption {
        switch self {
        case .maxTokens, .maxCompletionTokens, .seed, .n, .topLogprobs: ScriptOption(self, .integer)
        case .temperature, .topP, .topK, .minP, .presencePenalty, .frequencyPenalty: ScriptOption(self, .number)
        case .stop: ScriptOption(self, .any, annotation: "string|string[]")
        case .logitBias, .streamOptions: ScriptOption(self, .table)
        case .logprobs: ScriptOption(self, .any)
        case .user: ScriptOption(self, .string)
        case .tools:
            ScriptOption(
                self, .table, "an llm.tool runs by itself",
                annotation: "(llm.tool|llm.tool_definition|table)[]")
        case .toolChoice:
            ScriptOption(
                self, .any, "{name = \"...\"}: that tool", annotation: "\"auto\"|\"none\"|\"required\"|table")
        case .parallelToolCalls: ScriptOption(self, .boolean)
        case .responseFormat:
            ScriptOption(self, .form, "\"json\", or {type = \"json_schema\", schema = {...}}")
        case .reasoningEffort:
            ScriptOption(self, .string, annotation: "\"none\"|\"minimal\"|\"low\"|\"medium\"|\"high\"|string")
        case .thinking:
            ScriptOption(
                self, .any, "whether to think, or the maximum number of tokens for it",
                annotation: "boolean|integer|table")
        }
    }
}
