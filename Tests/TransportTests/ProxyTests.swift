// Proxies by environment variables.

import Testing

@testable import Transport

@Suite struct ProxyTests {
    @Test(
        arguments: [
            ("http://127.0.0.1:3128", "127.0.0.1:3128", true, true),
            ("proxy.example", "proxy.example:1080", true, true),
            ("https://u:p@proxy.example/", "proxy.example:443", true, true),
            ("socks5h://u@[::1]:99", "[::1]:99", false, true), ("u:p@proxy.example:80", "proxy.example:80", true, true),
            ("http://u:p/q@proxy.example:80", "proxy.example:80", true, false),
            ("http://u:p?q@proxy.example:80", "proxy.example:80", true, false),
            ("http://u:p#q@proxy.example:80", "proxy.example:80", true, false),
            ("http://u:p@q@proxy.example:80", "proxy.example:80", true, false),
            ("http://u:p q@proxy.example:80", "proxy.example:80", true, false),
            ("http://proxy.example:99999", "proxy.example:99999", true, false),
            ("http://proxy.example:0", "proxy.example:0", true, false), ("http://:80", ":80", true, false),
            ("ftp://proxy.example:80", "proxy.example:80", false, false),
        ] as [(String, String, Bool, Bool)])
    func addresses(url: String, address: String, isHTTP: Bool, isReadable: Bool) {
        let proxy = Proxy(url)
        #expect(proxy.address == address && proxy.isHTTP == isHTTP && proxy.isReadable == isReadable)
    }

    @Test func secrets() {
        #expect(Proxy("http://u:p%40ss@h:1").secrets == ["u:p%40ss", "p%40ss", "u:p@ss", "p@ss"])
        #expect(Proxy("http://u:p/s@s@h:1").secrets == ["u:p/s@s", "p/s@s"])
        #expect(Proxy("http://h:1").secrets == [])
        let rules = ProxyRules {
            ["HTTP_PROXY": "http://a:one@h", "ALL_PROXY": "b:two@h", "no_proxy": "c:three@h"][$0]
        }
        #expect(Set(rules.secrets) == ["a:one", "one", "b:two", "two"])
    }

    @Test(
        arguments: [
            ("http://far.example/", ["http_proxy": "a"], "a"), ("https://far.example/", ["http_proxy": "a"], nil),
            ("http://far.example/", ["HTTP_PROXY": "a"], nil), ("https://far.example/", ["HTTPS_PROXY": "a"], "a"),
            ("http://far.example/", ["all_proxy": "a", "http_proxy": ""], "a"),
            ("http://far.example/", ["http_proxy": "a", "no_proxy": "*"], nil),
            ("http://far.example/", ["http_proxy": "a", "no_proxy": "x, .EXAMPLE"], nil),
            ("http://far.example/", ["http_proxy": "a", "no_proxy": "ar.example"], "a"),
            ("http://far.example/", ["http_proxy": "a", "NO_PROXY": "far.example."], nil),
            ("http://10.1.2.3/", ["http_proxy": "a", "no_proxy": "10.0.0.0/8"], nil),
            ("http://11.1.2.3/", ["http_proxy": "a", "no_proxy": "10.0.0.0/8"], "a"),
            ("http://[::1]/", ["http_proxy": "a", "no_proxy": "::1"], nil),
        ] as [(String, [String: String], String?)])
    func rules(url: String, environment: [String: String], proxy: String?) throws {
        let found = ProxyRules { environment[$0] }.proxy(for: try ParsedURL(url).origin)
        #expect(found?.address == proxy.map { "\($0):1080" })
    }
}
