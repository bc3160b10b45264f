// Counters of a server in the text format of Prometheus
// (https://prometheus.io/docs/instrumenting/exposition_formats/).

internal import Chat

/// Counts requests to the server, and the requests to providers that its handlers make.
struct ServerMetrics {
    private struct RequestLabels: Hashable {
        var route: String
        var status: Int
    }

    private struct UpstreamLabels: Hashable {
        var provider: String
        var model: String
        var outcome: String
    }

    private struct ModelLabels: Hashable {
        var provider: String
        var model: String
    }

    private struct ModelCounts {
        var inputTokens = 0
        var outputTokens = 0
        var retries = 0
        var firstToken = Histogram()
        var total = Histogram()
    }

    /// Gauges, read when the text is made.
    struct Gauges {
        var exchanges: Int
        var streams: Int
    }

    private var requests: [RequestLabels: Int] = [:]
    private var durations: [String: Histogram] = [:]
    private var upstream: [UpstreamLabels: Int] = [:]
    private var models: [ModelLabels: ModelCounts] = [:]

    /// Models of scripts are few; those that a caller may name are not.
    private static let maxModels = 500

    /// An exchange has ended.
    /// - Parameter route: the pattern of the route, so that the labels are few.
    mutating func count(route: String, status: Int, seconds: Double) {
        requests[RequestLabels(route: route, status: status), default: 0] += 1
        durations[route, default: Histogram()].add(seconds)
    }

    /// A request to a provider has ended.
    mutating func count(_ report: UpstreamReport) {
        var labels = ModelLabels(provider: report.provider, model: report.model)
        if models[labels] == nil, models.count >= Self.maxModels { labels.model = "other" }
        upstream[
            UpstreamLabels(provider: labels.provider, model: labels.model, outcome: report.outcome), default: 0] += 1
        var counts = models[labels] ?? ModelCounts()
        counts.inputTokens = counts.inputTokens.addingClamped(report.inputTokens)
        counts.outputTokens = counts.outputTokens.addingClamped(report.outputTokens)
        counts.retries += report.retries
        if let seconds = report.firstToken { counts.firstToken.add(seconds) }
        if let seconds = report.total { counts.total.add(seconds) }
        models[labels] = counts
    }

    /// The text for `GET /metrics`.
    func text(_ gauges: Gauges) -> String {
        var page = MetricsPage()
        page.family("moonrill_http_requests_total", "counter", "Requests answered, by route and status.")
        for (labels, count) in requests.sorted(by: { ($0.key.route, $0.key.status) < ($1.key.route, $1.key.status) }) {
            page.sample([("route", labels.route), ("status", String(labels.status))], String(count))
        }
        page.family("moonrill_http_request_seconds", "histogram", "Time from a request to the end of its response.")
        for (route, histogram) in durations.sorted(by: { $0.key < $1.key }) {
            page.histogram([("route", route)], histogram)
        }
        page.family("moonrill_http_exchanges", "gauge", "Requests whose handlers run.")
        page.sample([], String(gauges.exchanges))
        page.family("moonrill_streams", "gauge", "Streams that run.")
        page.sample([], String(gauges.streams))
        appendUpstream(to: &page)
        return page.text
    }

    private func appendUpstream(to page: inout MetricsPage) {
        page.family("moonrill_upstream_requests_total", "counter", "Requests to providers, by their outcome.")
        let outcomes = upstream.map { labels, count in
            ([("provider", labels.provider), ("model", labels.model), ("outcome", labels.outcome)], count)
        }
        for (labels, count) in outcomes.sorted(by: { $0.0.map(\.1).lexicographicallyPrecedes($1.0.map(\.1)) }) {
            page.sample(labels, String(count))
        }
        let sorted = models.map { ([("provider", $0.provider), ("model", $0.model)], $1) }
            .sorted { $0.0.map(\.1).lexicographicallyPrecedes($1.0.map(\.1)) }
        page.family("moonrill_upstream_retries_total", "counter", "Attempts that failed and were followed by another.")
        for (labels, counts) in sorted { page.sample(labels, String(counts.retries)) }
        page.family("moonrill_tokens_total", "counter", "Tokens of complete replies.")
        for (labels, counts) in sorted {
            page.sample(labels + [("direction", "input")], String(counts.inputTokens))
            page.sample(labels + [("direction", "output")], String(counts.outputTokens))
        }
        page.family("moonrill_upstream_first_token_seconds", "histogram", "Time to the first output of a provider.")
        for (labels, counts) in sorted { page.histogram(labels, counts.firstToken) }
        page.family("moonrill_upstream_seconds", "histogram", "Time of a whole request to a provider.")
        for (labels, counts) in sorted { page.histogram(labels, counts.total) }
    }
}

/// A histogram of seconds.
struct Histogram {
    static let bounds = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300]
    private(set) var counts = [Int](repeating: 0, count: bounds.count)
    private(set) var count = 0
    private(set) var sum = 0.0

    mutating func add(_ seconds: Double) {
        count += 1
        sum += seconds
        if let index = Self.bounds.firstIndex(where: { seconds <= $0 }) { counts[index] += 1 }
    }
}

/// The lines of a page of metrics.
private struct MetricsPage {
    private(set) var text = ""
    private var name = ""

    mutating func family(_ name: String, _ type: String, _ help: String) {
        self.name = name
        text += "# HELP \(name) \(help)\n# TYPE \(name) \(type)\n"
    }

    mutating func sample(_ labels: [(String, String)], _ value: String, suffix: String = "") {
        text += name + suffix
        if !labels.isEmpty {
            text += "{" + labels.map { "\($0)=\"\(Self.escaped($1))\"" }.joined(separator: ",") + "}"
        }
        text += " \(value)\n"
    }

    mutating func histogram(_ labels: [(String, String)], _ histogram: Histogram) {
        var sum = 0
        for (bound, count) in zip(Histogram.bounds, histogram.counts) {
            sum += count
            sample(labels + [("le", "\(bound)")], String(sum), suffix: "_bucket")
        }
        sample(labels + [("le", "+Inf")], String(histogram.count), suffix: "_bucket")
        sample(labels, "\(histogram.sum)", suffix: "_sum")
        sample(labels, String(histogram.count), suffix: "_count")
    }

    private static func escaped(_ text: String) -> String {
        // By scalars: a mark that combines with a quote makes one character of both.
        text.unicodeScalars.reduce(into: "") { result, scalar in
            switch scalar {
            case "\\": result += "\\\\"
            case "\"": result += "\\\""
            case "\n": result += "\\n"
            default: result.unicodeScalars.append(scalar)
            }
        }
    }
}

extension Int {
    /// The sum, at most `Int.max`.
    fileprivate func addingClamped(_ other: Int) -> Int {
        let (sum, overflow) = addingReportingOverflow(Swift.max(0, other))
        return overflow ? .max : sum
    }
}
