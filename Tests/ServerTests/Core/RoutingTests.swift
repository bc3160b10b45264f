// Patterns of routes, the route that wins, and request targets taken apart.

import Chat
import Testing

@testable import Server

@Suite struct RoutePatternTests {
    @Test(
        arguments: [
            ("GET /", "/", [:]), ("GET /notes/:id", "/notes/5", ["id": "5"]), ("GET /*", "/", ["*": ""]),
            ("GET /a/*", "/a", ["*": ""]), ("GET /a/*", "/a/", ["*": ""]), ("GET /a/*", "/a/b/c", ["*": "b/c"]),
            ("GET /:a/:b", "/x/y", ["a": "x", "b": "y"]), ("GET /:a/*", "/x/y/z", ["a": "x", "*": "y/z"]),
            ("GET /a/", "/a/", [:]), ("WS /live", "/live", [:]),
        ] as [(String, String, [String: String])])
    func matches(pattern: String, path: String, parameters: [String: String]) throws {
        #expect(try RoutePattern(pattern).match(try segments(path)) == parameters)
    }

    @Test(arguments: [
        ("GET /", "/a"), ("GET /a", "/"), ("GET /a", "/a/"), ("GET /a/", "/a"), ("GET /a", "/A"),
        ("GET /notes/:id", "/notes/"), ("GET /notes/:id", "/notes"), ("GET /notes/:id", "/notes/1/2"),
        ("GET /a/b/*", "/a"),
    ])
    func doesNotMatch(pattern: String, path: String) throws {
        #expect(try RoutePattern(pattern).match(try segments(path)) == nil)
    }

    @Test(arguments: [
        ("/a", "must be a method and a path"), ("GET  /a", "must be a method and a path"),
        ("get /a", "has no method; known: GET"), ("FETCH /a", "has no method"), ("GET a", "does not begin with /"),
        ("GET /a?b", "has ?, # or %"), ("GET /a%20b", "has ?, # or %"), ("GET /*/a", "a * that is not at its end"),
        ("GET /:", "a parameter without a name"), ("GET /:a/:a", "a parameter without a name of its own"),
    ])
    func refuses(pattern: String, message: String) {
        let error = #expect(throws: RoutePatternError.self) { try RoutePattern(pattern) }
        #expect(error?.message.contains(message) == true, "\(error?.message ?? "")")
        #expect(error?.message.contains("\"\(pattern)\"") == true)
    }
}

@Suite struct RouteTableTests {
    /// The pattern that wins, among patterns that are given in every order.
    private func winners(_ patterns: [String], _ method: String, _ path: String) throws -> Set<String> {
        Set(
            try permutations(patterns).map { order in
                let table = try RouteTable(try spec(order))
                guard case .found(.handler(let index), _) = table.match(method, try segments(path)) else {
                    return "none"
                }
                #expect(table.label(method, try segments(path)) == order[index])
                return order[index]
            })
    }

    /// A literal wins over a parameter, a parameter over the rest, by segment, whatever the order.
    @Test(arguments: [
        ("/notes/new", "GET /notes/new"), ("/notes/5", "GET /notes/:id"), ("/notes/", "GET /notes/*"),
        ("/notes", "GET /notes/*"), ("/notes/a/b", "GET /notes/*"), ("/other", "GET /*"),
    ])
    func theMostSpecificWins(path: String, pattern: String) throws {
        let patterns = ["GET /*", "GET /notes/*", "GET /notes/:id", "GET /notes/new"]
        #expect(try winners(patterns, "GET", path) == [pattern])
    }

    /// An earlier literal wins over a later one.
    @Test func segmentsAreComparedFromTheLeft() throws {
        #expect(try winners(["GET /a/:x/c", "GET /a/b/:y", "GET /:z/b/c"], "GET", "/a/b/c") == ["GET /a/b/:y"])
    }

    /// A whole path wins over an empty rest.
    @Test func theEndWinsOverAnEmptyRest() throws {
        #expect(try winners(["GET /a/*", "GET /a"], "GET", "/a") == ["GET /a"])
        #expect(try winners(["GET /*", "GET /"], "GET", "/") == ["GET /"])
    }

    /// A more specific pattern of another method does not hide one that has the method.
    @Test func methodsAreApart() throws {
        #expect(try winners(["POST /notes/new", "GET /notes/:id"], "GET", "/notes/new") == ["GET /notes/:id"])
        let table = try RouteTable(try spec(["POST /a", "PUT /a", "WS /a"]))
        #expect(table.match("GET", ["a"]) == .otherMethod(["POST", "PUT", "WS"]))
        #expect(table.match("GET", ["b"]) == .none)
    }

    /// "GET /*" hides no path of the server; the same path in a script replaces that of the server.
    @Test func ownPathsOfTheServer() throws {
        var all = try spec(["GET /*", "POST /*"])
        all.models = ["m"]
        let table = try RouteTable(all)
        #expect(table.match("GET", ["healthz"]) == .found(.health, parameters: [:]))
        #expect(table.match("GET", ["metrics"]) == .found(.metrics, parameters: [:]))
        #expect(table.match("GET", ["stream"]) == .found(.stream, parameters: [:]))
        #expect(table.match("POST", ["stream"]) == .found(.stream, parameters: [:]))
        #expect(table.match("WS", ["ws"]) == .found(.socket, parameters: [:]))
        #expect(table.match("DELETE", ["stream", "x"]) == .found(.stopStream, parameters: ["stream": "x"]))
        #expect(
            try RouteTable(try spec(["GET /healthz"])).match("GET", ["healthz"]) == .found(.handler(0), parameters: [:])
        )
    }

    @Test func aServerWithoutModelsHasNoStreamOfItsOwn() throws {
        let table = try RouteTable(try spec(["GET /a"]))
        #expect(table.match("GET", ["stream"]) == .none)
        #expect(table.match("WS", ["ws"]) == .none)
    }

    /// HEAD runs no handler: a handler may cost money, and its body would be thrown away.
    @Test func headIsAnsweredWhereNoHandlerRuns() throws {
        var all = try spec(["GET /handler"])
        all.routes.append(RouteSpec(pattern: try RoutePattern("GET /"), action: .page(title: "t")))
        let table = try RouteTable(all)
        #expect(table.match("HEAD", ["healthz"]) == .found(.health, parameters: [:]))
        #expect(table.match("HEAD", [""]) == .found(.page(title: "t"), parameters: [:]))
        #expect(table.match("HEAD", ["handler"]) == .otherMethod(["GET"]))
    }

    private func spec(_ patterns: [String]) throws -> ServerSpec {
        var spec = ServerSpec()
        spec.routes = try patterns.map { RouteSpec(pattern: try RoutePattern($0), action: .handler) }
        return spec
    }

    private func permutations<Element>(_ all: [Element]) -> [[Element]] {
        guard all.count > 1 else { return [all] }
        return all.indices.flatMap { index in
            var others = all
            let first = others.remove(at: index)
            return permutations(others).map { [first] + $0 }
        }
    }
}

@Suite struct RequestPathTests {
    @Test(arguments: [
        ("/", [""], ""), ("/a/b", ["a", "b"], ""), ("/a%20b", ["a b"], ""), ("/a+b", ["a+b"], ""),
        ("/%C3%A9", ["\u{E9}"], ""), ("/a%25b", ["a%b"], ""), ("/a//b/", ["a", "", "b", ""], ""),
        ("/a?b=c", ["a"], "b=c"), ("/a?b=c#d", ["a"], "b=c"), ("/a#d?b=c", ["a"], ""), ("/...", ["..."], ""),
        ("/?a=b+c&d=%26&e&=f&g=h=i", [""], "a=b c|d=&|e=|=f|g=h=i"), ("/?a=%C3%A9", [""], "a=\u{E9}"),
        ("/?a=1&a=2", [""], "a=1|a=2"), ("/?%61=b", [""], "a=b"),
    ])
    func reads(target: String, segments: [String], query: String) throws {
        let path = try #require(RequestPath(target))
        #expect(path.segments == segments)
        #expect(path.query.map { "\($0.name)=\($0.value)" }.joined(separator: "|") == query)
    }

    @Test(arguments: [
        "", "a", "*", "http://x/", "/..", "/a/..", "/../a", "/a/../b", "/%2e%2e/a", "/.%2E/a", "/.", "/%2e",
        "/a%5cb", "/a\\b", "/a%00b", "/a%", "/a%2", "/a%zz", "/%ff", "/%C3",
        "/a%+5", "/a%-0", "/%25%", "/%25%zz", "/%ff%25", "/%25%2",
    ])
    func refuses(target: String) { #expect(RequestPath(target) == nil, "\(RequestPath(target)?.segments ?? [])") }

    @Test func theFirstValueOfAName() throws {
        let path = try #require(RequestPath("/?a=1&b=2&a=3"))
        #expect(path.value("a") == "1")
        #expect(path.value("c") == nil)
    }
}

/// The decoded segments of a path.
private func segments(_ path: String) throws -> [String] { try #require(RequestPath(path)).segments }
