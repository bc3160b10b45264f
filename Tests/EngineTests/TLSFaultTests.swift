// Untrusted certificates and failed handshakes.

import Chat
import Foundation
import Support
import Testing

@testable import Engine

@Suite(.serialized, .enabled(if: canServeTLS, "openssl or python3 is not installed")) struct TLSFaultTests {
    struct Case: Sendable, CustomTestStringConvertible {
        var testDescription: String
        var name = "IP:127.0.0.1"
        var isExpired = false
        var isTrusted = true
        var scenario = "http1"
        var expected: Expected
        /// Requests at the server; none if nothing may be sent.
        var requests = 0
    }

    static let cases = [
        Case(testDescription: "no fault", expected: .reply("one two three"), requests: 1),
        Case(
            testDescription: "a certificate that has expired", isExpired: true,
            expected: .failure(.network, says: ["certificate has expired", "127.0.0.1"])),
        Case(
            testDescription: "a certificate for another host", name: "DNS:example.com",
            expected: .failure(.network, says: ["certificate", "127.0.0.1"])),
        Case(
            testDescription: "a certificate that nobody signed", isTrusted: false,
            expected: .failure(.network, says: ["self-signed certificate", "127.0.0.1"])),
        Case(
            testDescription: "a handshake that is cut is tried again", scenario: "handshake-cut",
            expected: .reply("one two three", attempts: 2), requests: 1),
        Case(
            testDescription: "a handshake that stalls meets the connect timeout and is tried again",
            scenario: "handshake-stalls", expected: .reply("one two three", attempts: 2, seconds: 0.9...4),
            requests: 1),
    ]

    @Test(arguments: cases) func fault(_ test: Case) throws {
        let log = try withTLSServer(
            test.scenario, certificateFor: test.name, isExpired: test.isExpired, isTrusted: test.isTrusted
        ) { _, driver, spec in
            let (outcome, seconds) = driver.time(spec)
            test.expected.check(outcome, took: seconds)
            if test.requests == 0 { #expect(outcome.failure?.isRetryable == false) }
        }
        #expect(log.count == test.requests, "\(log)")
    }
}
