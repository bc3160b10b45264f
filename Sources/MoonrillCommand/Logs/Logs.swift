// `moonrill logs`: the log of recorded requests.

internal import ArgumentParser
internal import Base
internal import Glibc
internal import JSON
internal import Journal
internal import Moonrill

struct Logs: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "logs",
        abstract: "Show, search, export and prune the log of requests.",
        discussion: """
            moonrill ask records its requests; moonrill run does with --log-requests, or with log = true in config.lua. \
            No key is recorded. Times are in UTC.

              moonrill logs                           the last requests
              moonrill logs last                      the last one, whole
              moonrill logs search moon --since 7d
              moonrill logs prune --older 30d
              moonrill logs off                       records nothing more
            """,
        subcommands: [
            List.self, Last.self, Show.self, Search.self, Export.self, Prune.self, On.self, Off.self, Status.self,
            Path.self,
        ],
        defaultSubcommand: List.self)

    /// What is printed if there is no store.
    static let noRequests = "no requests are recorded yet"
}

// MARK: Reading

extension Logs {
    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "list", abstract: "List requests, the newest first, and sum them up.")

        @OptionGroup var filters: LogFilterOptions
        @OptionGroup var limit: LogLimit
        @OptionGroup var location: StoreLocation

        @Flag(help: "Print one JSON object a line.")
        var json = false

        @Flag(help: "Print the whole prompts and replies.")
        var full = false

        func run() throws {
            try location.read { log in
                guard let log else { return try Logs.sayNone(Logs.noRequests, json: json) }
                let requests = try log.requests(filters.filter, limit: limit.limit)
                if requests.isEmpty {
                    let isEmpty = try log.newest() == nil
                    return try Logs.sayNone(isEmpty ? Logs.noRequests : "no request matches", json: json)
                }
                try Logs.write(requests.map { ($0, nil) }, log, json: json, full: full)
                if !json { try writeTotals(log, shown: requests.count) }
            }
        }

        private func writeTotals(_ log: RequestLog, shown: Int) throws {
            let totals = try log.totals(filters.filter)
            var parts = [ShownNumber.count(totals.requests, "request")]
            if totals.failed > 0 { parts.append("\(totals.failed) failed") }
            if totals.cached > 0 { parts.append("\(totals.cached) cached") }
            parts.append("\(totals.inputTokens) tokens in, \(totals.outputTokens) out")
            totals.cost.map { parts.append(ShownNumber.dollars($0)) }
            if shown < totals.requests { parts.append("\(shown) shown") }
            try LineWriter().write("total: " + parts.joined(separator: ", "))
        }
    }

    struct Search: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "search",
            abstract: "Find requests by words of their prompts, replies and reasoning.",
            discussion: """
                All words must occur. "several words" in quotes are a phrase, and word* finds words that begin so. The \
                newest requests come first; hits are in [brackets].
                """)

        /// Matches above this number are not counted: that would take longer than the search.
        private static let countLimit = 1000

        @OptionGroup var filters: LogFilterOptions
        @OptionGroup var limit: LogLimit
        @OptionGroup var location: StoreLocation

        @Flag(help: "Print one JSON object a line.")
        var json = false

        @Flag(help: "Print the whole prompts and replies.")
        var full = false

        @Argument(help: "The words.")
        var text: [String]

        func run() throws {
            let query = SearchQuery(text.joined(separator: " "))
            guard query.match != nil else {
                throw CommandFailure(
                    message: "search takes words: the text has no letter and no digit", status: ExitStatus.usage)
            }
            try location.read { log in
                guard let log else { return try Logs.sayNone(Logs.noRequests, json: json) }
                let hits = try log.search(query, filters.filter, limit: limit.limit)
                if hits.isEmpty { return try Logs.sayNone("no request matches", json: json) }
                try Logs.write(hits.map { ($0.request, Self.marked($0.snippet)) }, log, json: json, full: full)
                if !json { try writeCount(log, query, shown: hits.count) }
            }
        }

        private func writeCount(_ log: RequestLog, _ query: SearchQuery, shown: Int) throws {
            let count =
                shown < limit.limit
                ? shown : try log.matchCount(query, filters.filter, limit: max(Self.countLimit, shown) + 1)
            var line = count > Self.countLimit ? "more than \(Self.countLimit) requests match" : "found: "
            if count <= Self.countLimit { line += ShownNumber.count(count, "request") }
            if shown < count { line += ", \(shown) shown" }
            try LineWriter().write(line)
        }

        private static func marked(_ snippet: String) -> String {
            String(
                snippet.map { character in
                    switch character {
                    case SearchHit.hitStart: "["
                    case SearchHit.hitEnd: "]"
                    default: character
                    }
                })
        }
    }

    struct Last: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "last", abstract: "Show the newest request.")

        @OptionGroup var filters: LogFilterOptions
        @OptionGroup var location: StoreLocation

        @Flag(help: "Print a JSON object.")
        var json = false

        func run() throws {
            try location.read { log in
                guard let log, let id = try log.newest(filters.filter) else {
                    return try Logs.sayNone(log == nil ? Logs.noRequests : "no request matches", json: json)
                }
                try Logs.show(id, in: log, json: json)
            }
        }
    }

    struct Show: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "show",
            abstract: "Show a request: as asked and as sent, its attempts, reply, times and cost.")

        @OptionGroup var location: StoreLocation

        @Flag(help: "Print a JSON object.")
        var json = false

        @Argument(help: "The number of the request.")
        var id: Int64

        func run() throws {
            try location.read { log in
                guard let log else {
                    throw CommandFailure(message: "no request \(id): \(Logs.noRequests)", status: ExitStatus.failure)
                }
                try Logs.show(id, in: log, json: json)
            }
        }
    }

    /// Prints a request.
    fileprivate static func show(_ id: Int64, in log: RequestLog, json: Bool) throws {
        guard let exchange = try log.exchange(id) else {
            throw CommandFailure(
                message: "no request \(id) is in the log; moonrill logs lists the last ones",
                status: ExitStatus.failure)
        }
        if json {
            try LineWriter().write(JSONWriter.text(exchange.json))
        } else {
            try LineWriter().write(ExchangeText(exchange).text)
        }
    }

    /// Says that there is nothing to print.
    fileprivate static func sayNone(_ message: String, json: Bool) throws {
        if json { StandardError.say(message, level: "info") } else { try LineWriter().write(message) }
    }

    /// Prints a list of requests; with the text around a hit in the place of the prompt.
    fileprivate static func write(
        _ rows: [(request: LoggedRequest, snippet: String?)], _ log: RequestLog, json: Bool, full: Bool
    ) throws {
        if json {
            for (request, snippet) in rows {
                var object = request.json
                if let snippet { object["snippet"] = .string(snippet) }
                if full, let exchange = try log.exchange(request.id) {
                    object["prompt"] = .string(exchange.prompt)
                    object["reply"] = exchange.reply.map { .string($0.text) } ?? .null
                    object["reasoning"] = exchange.reply.map { .string($0.reasoning) } ?? .null
                } else {
                    object["prompt_start"] = .string(request.promptStart)
                }
                guard try LineWriter().write(JSONWriter.text(.object(object))) else { return }
            }
            return
        }
        let lines = table(rows, isFull: full).lines
        try LineWriter().write(lines[0])
        for (line, (request, _)) in zip(lines.dropFirst(), rows) {
            guard try LineWriter().write(line) else { return }
            if full, let exchange = try log.exchange(request.id) {
                guard try LineWriter().write(ExchangeText(exchange).dialogue) else { return }
            }
        }
    }

    private static func table(_ rows: [(request: LoggedRequest, snippet: String?)], isFull: Bool) -> TextTable {
        let hasSnippets = rows.contains { $0.snippet != nil }
        let heads: [(String, TextTable.Alignment)] = [
            ("ID", .right), ("STARTED (UTC)", .left), ("MODEL", .left), ("STATE", .left), ("IN", .right),
            ("OUT", .right), ("COST", .right), ("SECONDS", .right),
            (isFull && !hasSnippets ? "" : hasSnippets ? "HIT" : "PROMPT", .left),
        ]
        var table = TextTable(heads.map { (head: $0.0, alignment: $0.1) })
        // The rest of a line of 120 columns, if no terminal says otherwise.
        let space = max(24, (TextWidth.ofTerminal ?? 120) - 78)
        for (request, snippet) in rows {
            let text = isFull && snippet == nil ? "" : ShownText.line(snippet ?? request.promptStart)
            // A snippet is short, and its hit may be at its end.
            let limit = snippet == nil ? space : max(space, 100)
            table.add([
                "\(request.id)", ShownNumber.time(request.startedAt),
                TextWidth.shortened(ShownText.line(request.model), to: 24), request.state,
                ShownNumber.count(request.inputTokens), ShownNumber.count(request.outputTokens),
                ShownNumber.dollars(request.cost), ShownNumber.seconds(request.seconds),
                TextWidth.shortened(text, to: limit),
            ])
        }
        return table
    }
}

// MARK: The switch

extension Logs {
    struct On: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "on", abstract: "Record requests again after logs off.")

        func run() throws {
            try Logs.turn(isOff: false)
            try LineWriter().write("requests of moonrill ask are recorded")
        }
    }

    struct Off: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "off",
            abstract: "Record nothing, until logs on. --log-requests, jobs and caches still record.")

        func run() throws {
            try Logs.turn(isOff: true)
            try LineWriter().write(
                "moonrill ask records nothing until moonrill logs on; --log-requests, jobs and caches still record")
        }
    }

    private static func turn(isOff: Bool) throws {
        guard let logSwitch = StoreLocation.logSwitch else { throw StoreLocation.unknown }
        do throws(StoreError) {
            try logSwitch.set(isOff: isOff)
        } catch {
            throw CommandFailure(error)
        }
    }

    struct Path: ParsableCommand {
        static let configuration = CommandConfiguration(commandName: "path", abstract: "Print the path of the store.")

        @OptionGroup var location: StoreLocation

        func run() throws { try LineWriter().write(location.path()) }
    }

    struct Status: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "status", abstract: "Say whether the log is on, where it is and how large.")

        @OptionGroup var location: StoreLocation

        @Flag(help: "Print a JSON object.")
        var json = false

        func run() throws {
            let path = try location.path()
            let status = try location.read { try $0?.status() ?? LogStatus() }
            if json {
                let object: JSONObject = [
                    "on": .bool(!StoreLocation.isLogOff), "path": .string(path),
                    "requests": .int(Int64(status.requests)), "bytes": .int(status.bytes),
                    "first": status.first.map(LoggedRequest.time) ?? .null,
                    "last": status.last.map(LoggedRequest.time) ?? .null,
                ]
                try LineWriter().write(JSONWriter.text(.object(object)))
                return
            }
            var lines = ["log:       \(StoreLocation.isLogOff ? "off" : "on")", "store:     \(ShownText.line(path))"]
            lines.append("requests:  \(status.requests)")
            lines.append("size:      \(ShownNumber.bytes(status.bytes)) (\(status.bytes) bytes)")
            if let first = status.first, let last = status.last {
                lines.append("from:      \(ShownNumber.time(first)) UTC")
                lines.append("to:        \(ShownNumber.time(last)) UTC")
            }
            try LineWriter().write(lines.joined(separator: "\n"))
        }
    }
}
