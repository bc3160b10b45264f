// A request of the log as plain text.

internal import Chat
internal import HTTP
internal import JSON
internal import Journal

struct ExchangeText {
    private let exchange: LoggedExchange

    init(_ exchange: LoggedExchange) { self.exchange = exchange }

    /// All that is recorded.
    var text: String {
        let request = exchange.request
        var sections = ["request \(request.id): \(request.state)\n" + Self.table(facts)]
        if let chat = exchange.spec.flatMap({ LoggedExchange.json($0.chat) }) {
            sections.append(Self.section("asked", JSONWriter.text(chat, pretty: true)))
        }
        sections.append(Self.section("sent", sent))
        if !exchange.attempts.isEmpty { sections.append(Self.section("failed attempts", attempts)) }
        if let reply = exchange.reply {
            if !reply.reasoning.isEmpty { sections.append(Self.section("reasoning", reply.reasoning)) }
            if !reply.text.isEmpty || reply.toolCalls.isEmpty { sections.append(Self.section(replyHead, reply.text)) }
            if !reply.toolCalls.isEmpty { sections.append(Self.section("tool calls", Self.calls(reply.toolCalls))) }
            reply.refusal.map { sections.append(Self.section("refusal", $0)) }
        } else if request.source != nil {
            sections.append("reply: that of request \(request.source ?? 0), which is no longer recorded")
        }
        if let failure = exchange.failure {
            let status = failure.status.map { ", status \($0)" } ?? ""
            sections.append(Self.section("error (\(failure.kind.rawValue)\(status))", failure.message))
        }
        return sections.joined(separator: "\n\n")
    }

    /// The prompt and the reply, indented, for lists.
    var dialogue: String {
        var parts = [("prompt", exchange.prompt)]
        if let reply = exchange.reply {
            if !reply.reasoning.isEmpty { parts.append(("reasoning", reply.reasoning)) }
            parts.append(("reply", reply.text))
            if !reply.toolCalls.isEmpty { parts.append(("tool calls", Self.calls(reply.toolCalls))) }
        }
        exchange.failure.map { parts.append(("error", $0.message)) }
        return parts.map { head, text in
            let lines = ShownText.whole(text).split(separator: "\n", omittingEmptySubsequences: false)
            return "  \(head):\n" + lines.map { $0.isEmpty ? "" : "    \($0)" }.joined(separator: "\n")
        }.joined(separator: "\n") + "\n"
    }

    private var replyHead: String { exchange.request.source.map { "reply (of request \($0))" } ?? "reply" }

    // MARK: Parts

    private var facts: [(String, String)] {
        let request = exchange.request
        var facts = [
            ("model", ShownText.line("\(request.model) (\(request.provider), \(request.dialect))")),
            ("address", ShownText.line(request.address)),
            ("started", ShownNumber.time(request.startedAt) + " UTC"),
            ("run", run),
        ]
        request.attempts.map { facts.append(("attempts", "\($0)")) }
        var times: [String] = []
        request.secondsToOutput.map { times.append("first output after \(ShownNumber.seconds($0)) s") }
        request.seconds.map { times.append("total \(ShownNumber.seconds($0)) s") }
        request.tokensPerSecond.map { times.append("\(ShownNumber.fixed($0, 1)) tokens a second") }
        if !times.isEmpty { facts.append(("time", times.joined(separator: ", "))) }
        var tokens: [String] = []
        request.inputTokens.map { tokens.append("\($0) in") }
        request.outputTokens.map { tokens.append("\($0) out") }
        request.reasoningTokens.map { tokens.append("\($0) of reasoning") }
        request.cachedTokens.map { tokens.append("\($0) from the provider's cache") }
        if !tokens.isEmpty { facts.append(("tokens", tokens.joined(separator: ", "))) }
        if exchange.reply?.usage?.estimated == true { facts.append(("", "estimated: the provider sent no counts")) }
        request.cost.map { facts.append(("cost", ShownNumber.dollars($0))) }
        request.finishReason.map { facts.append(("finish", $0)) }
        request.source.map { facts.append(("source", "the reply of request \($0), from the cache")) }
        return facts
    }

    private var run: String {
        var text = "\(exchange.request.run)"
        if let command = exchange.command {
            // `ask` runs a script of its own, which has no file.
            let script = command == "ask" ? "" : " " + (exchange.script ?? "")
            text += " (\(ShownText.line(command + script)))"
        }
        if let job = exchange.jobName {
            text += ", job '\(ShownText.line(job))'"
        } else if let job = exchange.request.job {
            text += ", job \(job), which is removed"
        }
        return text
    }

    private var sent: String {
        do throws(APIError) {
            guard let sent = try exchange.sent() else { return "(the record cannot be read)" }
            let fields = sent.headers.map { "\($0.name): \($0.value)" }
            return (["\(sent.method) \(sent.url)"] + fields + [JSONWriter.text(sent.body, pretty: true)])
                .joined(separator: "\n")
        } catch {
            return "nothing: \(error.message)"
        }
    }

    private var attempts: String {
        exchange.attempts.map { attempt in
            let status = attempt.status.map { ", status \($0)" } ?? ""
            return "\(attempt.number). \(ShownNumber.time(attempt.endedAt)) UTC \(attempt.errorKind)\(status): "
                + "\(attempt.message); \(attempt.receivedBytes) bytes received, the next one after "
                + "\(ShownNumber.seconds(attempt.delay)) s"
        }.joined(separator: "\n")
    }

    private static func calls(_ calls: [ToolCall]) -> String {
        calls.map { "\($0.name) (\($0.id)): \($0.argumentsJSON.isEmpty ? "{}" : $0.argumentsJSON)" }
            .joined(separator: "\n")
    }

    private static func section(_ head: String, _ text: String) -> String {
        "\(head):\n" + ShownText.whole(text.hasSuffix("\n") ? String(text.dropLast()) : text)
    }

    private static func table(_ rows: [(String, String)]) -> String {
        rows.map { head, text in "  " + head + String(repeating: " ", count: 10 - head.count) + text }
            .joined(separator: "\n")
    }
}
