// Files of JSON lines by value: partial writes, a full disk, other writers, many rows.

import Foundation
import Glibc
import JSON
import ScriptSupport
import Testing

@testable import Script

@Suite struct RowTests {
    private let folder: TemporaryFolder
    private let path: String

    init() throws {
        folder = try TemporaryFolder()
        path = folder.url.appendingPathComponent("rows.jsonl").path
    }

    private func content() throws -> String { try String(contentsOfFile: path, encoding: .utf8) }

    private func makeWriter(key: [String] = ["id"], _ write: RowWriter.SystemWrite? = nil) throws -> RowWriter {
        guard let write else { return try RowWriter(path: path, key: key, warn: { Issue.record("\($0)") }) }
        return try RowWriter(path: path, key: key, warn: { Issue.record("\($0)") }, systemWrite: write)
    }

    /// The message of the problem that `body` throws.
    private func problem(_ body: () throws -> Void) -> String? {
        do { try body() } catch let error as RowProblem { return error.message } catch { return "\(error)" }
        return nil
    }

    // MARK: Writes

    @Test func aRowIsOneWrite() throws {
        var writes: [String] = []
        let writer = try makeWriter { file, bytes in
            writes.append(String(decoding: bytes, as: UTF8.self))
            return Glibc.write(file, bytes, bytes.count)
        }
        #expect(try writer.write(["id": 1, "text": "a\nb"]))
        #expect(try writer.write(["id": 2]))
        #expect(writes == ["{\"id\":1,\"text\":\"a\\nb\"}\n", "{\"id\":2}\n"])
        #expect(try content() == writes.joined())
    }

    /// The disk is full after some bytes: the file is as before, and the row can be written later.
    @Test(arguments: [0, 1, 5]) func aPartialWriteIsUndone(_ accepted: Int) throws {
        var room = Int.max
        let writer = try makeWriter { file, bytes in
            let count = min(room, bytes.count)
            room -= count
            if count == 0 {
                errno = ENOSPC
                return -1
            }
            return Glibc.write(file, bytes, count)
        }
        #expect(try writer.write(["id": 1]))
        room = accepted
        let message = problem { _ = try writer.write(["id": 2]) }
        #expect(message == "\(path): No space left on device; the row was not written")
        #expect(try content() == "{\"id\":1}\n")
        #expect(try !writer.has([2]))
        room = .max
        #expect(try writer.write(["id": 2]))
        #expect(try content() == "{\"id\":1}\n{\"id\":2}\n")
    }

    @Test func theRestOfAPartialWriteIsWritten() throws {
        let writer = try makeWriter { file, bytes in Glibc.write(file, bytes, min(3, bytes.count)) }
        #expect(try writer.write(["id": 1]))
        #expect(try content() == "{\"id\":1}\n")
    }

    @Test func aSignalDoesNotEndAWrite() throws {
        var signals = 3
        let writer = try makeWriter { file, bytes in
            signals -= 1
            if signals >= 0 {
                errno = EINTR
                return -1
            }
            return Glibc.write(file, bytes, bytes.count)
        }
        #expect(try writer.write(["id": 1]))
        #expect(try content() == "{\"id\":1}\n")
    }

    @Test func aWriteOfNothingIsAnError() throws {
        let writer = try makeWriter { _, _ in 0 }
        #expect(problem { _ = try writer.write(["id": 1]) }?.hasSuffix("; the row was not written") == true)
    }

    // MARK: Files

    @Test func newFilesAreReadableByOthers() throws {
        _ = try makeWriter()
        let mode = try #require(FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int)
        let mask = umask(0)
        umask(mask)
        #expect(mode == 0o644 & ~Int(mask))
    }

    /// As if another process had the file.
    @Test func lockedFilesHaveNoSecondWriter() throws {
        let file = open(path, O_RDWR | O_CREAT, 0o600)
        defer { close(file) }
        #expect(flock(file, LOCK_EX | LOCK_NB) == 0)
        let message = try #require(problem { _ = try makeWriter() })
        #expect(message.hasPrefix("\(path): another process, or another writer of this script, writes to it"))
        #expect(flock(file, LOCK_UN) == 0)
        let writer = try makeWriter()
        #expect(flock(file, LOCK_EX | LOCK_NB) != 0)
        writer.closeFile()
        #expect(flock(file, LOCK_EX | LOCK_NB) == 0)
    }

    /// A cut at any byte loses the last row at most, and leaves whole lines.
    @Test func aFileThatWasCutAnywhereCanBeContinued() throws {
        let rows = "{\"id\":1,\"text\":\"\u{e9}\"}\n{\"id\":\"two\",\"deep\":[{}]}\n"
        for length in 0...rows.utf8.count {
            try Data(rows.utf8.prefix(length)).write(to: URL(fileURLWithPath: path))
            let writer = try RowWriter(path: path, key: ["id"], warn: { _ in })
            for row: JSONValue in [["id": 1, "text": "\u{e9}"], ["id": "two", "deep": [[:]]]] {
                _ = try writer.write(row)
            }
            writer.closeFile()
            #expect(try content() == rows, "cut after \(length) bytes")
        }
    }

    @Test func manyRowsAreRead() throws {
        let count = 30_000
        let rows = (0..<count).map { "{\"id\":\"row-\($0)\",\"number\":\($0)}\n" }.joined()
        try Data(rows.utf8).write(to: URL(fileURLWithPath: path))
        let writer = try makeWriter()
        #expect(try writer.has(["row-0"]) && writer.has([.string("row-\(count - 1)")]))
        #expect(try !writer.has([.string("row-\(count)")]))
        let reader = try RowReader(path: path, warn: { Issue.record("\($0)") })
        var sum = 0
        while let row = try reader.next() { sum += row.line - Int(row.value["number"]?.int ?? 0) }
        #expect(sum == count)
    }
}
