// Which endpoint answers a method and a path: the most specific pattern, whatever the order in which they are given.

internal import Chat

/// What answers a request.
enum RouteTarget: Equatable {
    /// The handler of that number.
    case handler(Int)
    case page(title: String)
    case files(directory: String)
    /// `GET` and `POST /stream`: a model's reply as events.
    case stream
    /// `DELETE /stream/:stream`: ends a stream.
    case stopStream
    /// `WS /ws`: models over a WebSocket.
    case socket
    case health
    case metrics
}

/// The routes of a server, the most specific first.
struct RouteTable {
    /// The answer to a look-up.
    enum Match: Equatable {
        case found(RouteTarget, parameters: [String: String])
        /// The path exists with these methods only.
        case otherMethod([String])
        case none
    }

    private let routes: [(pattern: RoutePattern, target: RouteTarget)]

    init(_ spec: ServerSpec) throws(RoutePatternError) {
        var routes = spec.routes.enumerated().map { index, route in
            let target: RouteTarget =
                switch route.action {
                case .handler: .handler(index)
                case .page(let title): .page(title: title)
                case .files(let directory): .files(directory: directory)
                }
            return (route.pattern, target)
        }
        var own: [(String, RouteTarget)] = [("DELETE /stream/:stream", .stopStream)]
        if !spec.models.isEmpty {
            own += [("GET /stream", .stream), ("POST /stream", .stream), ("WS /ws", .socket)]
        }
        own += [("GET /healthz", .health), ("GET /metrics", .metrics)]
        for (text, target) in own { routes.append((try RoutePattern(text), target)) }
        // Of equal patterns the first wins: that of the script, over one of the server.
        self.routes = routes.enumerated().sorted { one, other in
            let (ranks, others) = (one.element.0.ranks, other.element.0.ranks)
            return ranks == others ? one.offset < other.offset : ranks.lexicographicallyPrecedes(others)
        }.map { ($0.element.0, $0.element.1) }
    }

    /// The endpoint for a request. `HEAD` is answered like `GET` where no handler runs.
    func match(_ method: String, _ path: [String]) -> Match {
        var methods: [String] = []
        for (pattern, target) in routes {
            guard let parameters = pattern.match(path) else { continue }
            if pattern.method == method { return .found(target, parameters: parameters) }
            if method == "HEAD", pattern.method == "GET", !target.runsHandler {
                return .found(target, parameters: parameters)
            }
            if !methods.contains(pattern.method) { methods.append(pattern.method) }
        }
        return methods.isEmpty ? .none : .otherMethod(methods)
    }

    /// The pattern that a request matches.
    func label(_ method: String, _ path: [String]) -> String? {
        routes.first { $0.pattern.match(path) != nil && ($0.pattern.method == method || method == "HEAD") }?
            .pattern.text
    }
}

extension RoutePattern {
    /// A literal wins over a parameter, and that over the rest of the path, segment by segment. The end of the path wins
    /// over an empty rest.
    fileprivate var ranks: [Int] {
        segments.map { segment in
            switch segment {
            case .literal: 0
            case .parameter: 1
            case .rest: 2
            }
        }
    }
}

extension RouteTarget {
    /// A handler of the script answers.
    var runsHandler: Bool {
        switch self {
        case .handler, .stream, .socket: true
        case .page, .files, .stopStream, .health, .metrics: false
        }
    }

    /// It is served without the token: it tells nothing that is not public.
    var isPublic: Bool {
        switch self {
        case .page, .health: true
        default: false
        }
    }
}
