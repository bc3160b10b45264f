// Whether a folder of certificates has all those of a bundle.

import Foundation
import Testing

@testable import Transport

@Suite struct SystemCertificatesTests {
    private let folder = FileManager.default.temporaryDirectory.appendingPathComponent("moonrill-\(UUID().uuidString)")

    private func file(_ name: String, _ text: String) throws -> String {
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        try text.write(to: folder.appendingPathComponent(name), atomically: false, encoding: .utf8)
        return folder.appendingPathComponent(name).path
    }

    @Test func linksAreNamedByHash() throws {
        defer { try? FileManager.default.removeItem(at: folder) }
        for name in [
            "0a1b2c3d.0", "0a1b2c3d.1", "ffffffff.12", "0a1b2c3d", "0a1b2c3d.", "0A1B2C3D.0", "0a1b2c3.0", "a.pem",
        ] {
            _ = try file(name, "")
        }
        #expect(SystemCertificates.linkCount(in: folder.path) == 3)
        #expect(SystemCertificates.linkCount(in: folder.path + "/none") == 0)
    }

    @Test func certificatesOfABundleAreCounted() throws {
        defer { try? FileManager.default.removeItem(at: folder) }
        let one = "-----BEGIN CERTIFICATE-----\nMII=\n-----END CERTIFICATE-----\n"
        #expect(try SystemCertificates.certificateCount(in: file("bundle", "# a comment\n" + one + one + one)) == 3)
        #expect(try SystemCertificates.certificateCount(in: file("other", "no certificate")) == 0)
        // What cannot be read may hold any number.
        #expect(try SystemCertificates.certificateCount(in: file("empty", "")) == .max)
        #expect(SystemCertificates.certificateCount(in: folder.path + "/none") == .max)
    }
}
