// The file of a recording: what is in it, damage, versions, keys.

import Base
import Chat
import Foundation
import JSON
import Support
import Testing

@testable import Recording

@Suite struct RecordingFileTests {
    /// A recording with one of each entry.
    private func record(in folder: RecordingFolder) throws {
        let tape = try folder.recorder(arguments: ["a", "b"])
        let inner = ScriptedBroker()
        let broker = RecordingBroker(inner, tape: tape)
        _ = tape.beginStep()
        _ = tape.reading(.unix)
        _ = tape.reading(.processor)
        tape.record("os.getenv", ["HOME"], result: "/h")
        _ = tape.input(upTo: 10) { _ in [0x61, 0xFF] }
        broker.submit(.start(RequestID(1), Sample.spec("hello")))
        inner.give(1, [Sample.text("a", "b")])
        _ = tape.beginStep()
        #expect(broker.nextReady() == RequestID(1))
        #expect(broker.take(RequestID(1)) == [Sample.text("a", "b")])
        #expect(broker.nextReady() == nil)
        broker.submit(.stop(RequestID(1)))
        inner.give(1, [Sample.finish("ab")])
        #expect(broker.nextReady() == RequestID(1))
        #expect(broker.take(RequestID(1)) == [Sample.finish("ab")])
        _ = tape.stop(atBeginning: TapeStop(reason: "interrupted", signal: 2, isKill: false))
        tape.noteStop(inside: TapeStop(reason: "interrupted", signal: 2, isKill: true))
        tape.noteOutput(Array("out".utf8))
        tape.end(RecordedEnd(outcome: .interrupted, status: 130))
    }

    @Test func holdsWhatHasHappened() throws {
        let folder = try RecordingFolder()
        try record(in: folder)
        let run = try RecordedRun(path: folder.path)
        #expect(run.header.arguments == ["a", "b"] && run.header.source == Array("print(1)".utf8))
        #expect(run.steps.count == 2 && run.steps[0].time <= run.steps[1].time)
        #expect(run.steps[0].readings[.unix]?.count == 1 && run.steps[0].readings[.processor]?.count == 1)
        #expect(run.steps[1].stop == TapeStop(reason: "interrupted", signal: 2, isKill: false))
        #expect(run.steps[1].stopInside?.stop == TapeStop(reason: "interrupted", signal: 2, isKill: true))
        #expect(run.input == [[0x61, 0xFF]])
        #expect(run.calls == [RecordedRun.key("os.getenv", ["HOME"]): ["/h"]])
        #expect(run.ready.map(\.round) == [0, 1])
        #expect(run.requests.count == 1 && run.requests[0].events == [Sample.text("a", "b"), Sample.finish("ab")])
        #expect(
            run.requests[0].breakOffs == [RecordedRun.BreakOff(takes: 1, undelivered: Undelivered(), isCancel: false)])
        #expect(run.end?.outcome == .interrupted && run.end?.outputDigest == SHA256.hex(Array("out".utf8)))
    }

    @Test func tornAtAnyByteItCanBeRead() throws {
        let folder = try RecordingFolder()
        try record(in: folder)
        let whole = folder.content
        let firstLine = try #require(whole.firstIndex(of: 10)) + 1
        for count in firstLine...whole.count {
            let run = try RecordedRun(Array(whole[..<count]), name: "r")
            #expect(run.end == nil || count == whole.count)
        }
        #expect(throws: RecordingError.self) { try RecordedRun(Array(whole[..<(firstLine - 1)]), name: "r") }
    }

    @Test func damageIsNamedWithItsLine() throws {
        let folder = try RecordingFolder()
        try record(in: folder)
        let lines = folder.lines
        for index in lines.indices.dropFirst() {
            for broken in ["{\"ste", "", "[]", "{\"unknown\":1}", "{\"step\":\"x\"}", "{\"take\":9,\"events\":[]}"] {
                var copy = lines
                copy[index] = broken
                let content = Array((copy.joined(separator: "\n") + "\n").utf8)
                let error = #expect(throws: RecordingError.self) { try RecordedRun(content, name: "r") }
                #expect(error?.message.contains("the recording r is damaged in line \(index + 1)") == true)
            }
        }
    }

    /// A damaged file is read or refused, and never ends the process.
    @Test func anyDamageIsSurvived() throws {
        let folder = try RecordingFolder()
        try record(in: folder)
        let whole = folder.content
        var generator = SeededGenerator(seed: 7)
        var refused = 0
        for _ in 0..<3000 {
            var copy = whole
            for _ in 0..<Int.random(in: 1...4, using: &generator) {
                let place = Int.random(in: copy.indices, using: &generator)
                switch Int.random(in: 0..<3, using: &generator) {
                case 0: copy[place] = UInt8.random(in: 0...255, using: &generator)
                case 1: copy.remove(at: place)
                default: copy.insert(contentsOf: Array("9999999999".utf8), at: place)
                }
            }
            if (try? RecordedRun(copy, name: "r")) == nil { refused += 1 }
        }
        #expect(refused > 1000)
    }

    @Test func aLaterVersionIsRefusedByName() throws {
        let folder = try RecordingFolder()
        try record(in: folder)
        let text = String(decoding: folder.content, as: UTF8.self)
            .replacingOccurrences(
                of: "{\"moonrill_recording\":1,\"moonrill\":\"\(Product.version)\"",
                with: "{\"moonrill_recording\":2,\"moonrill\":\"9.1.0\"")
        let error = #expect(throws: RecordingError.self) { try RecordedRun(Array(text.utf8), name: "r") }
        #expect(error?.message.contains("format version 2, made by moonrill 9.1.0") == true)
        #expect(throws: RecordingError("x is no recording of moonrill")) {
            try RecordedRun(Array("print(1)\n".utf8), name: "x")
        }
    }

    @Test func onlyARecordingIsReplaced() throws {
        let folder = try RecordingFolder()
        try Data("print(1)\n".utf8).write(to: URL(fileURLWithPath: folder.path))
        #expect(throws: RecordingError.self) { _ = try folder.recorder() }
        #expect(folder.content == Array("print(1)\n".utf8))
        try Data().write(to: URL(fileURLWithPath: folder.path))
        try record(in: folder)
        try record(in: folder)
        #expect(try RecordedRun(path: folder.path).requests.count == 1)
    }

    @Test func afterAnErrorNothingMoreIsWrittenAndTheRunGoesOn() throws {
        let failures = Locked<[String]>([])
        let tape = try TapeRecorder(
            path: "/dev/full", header: RecordingHeader(name: "s.lua", source: []), credentials: { _ in nil },
            keyVariables: [], onFailure: { error in failures.withLock { $0.append(error.message) } })
        for _ in 0..<3 { _ = tape.beginStep() }
        tape.end(RecordedEnd(outcome: .finished, status: 0))
        #expect(failures.withLock { $0 } == ["the recording /dev/full cannot be written: No space left on device"])
        #expect(tape.failure != nil)
    }

    @Test func keysAreInNoByteAlsoThoseThatBecomeKnownLater() throws {
        let known = "sk-known-0123456789abcdef"
        let late = "sk-late+/0123456789abcdef"
        let folder = try RecordingFolder()
        let tape = try folder.recorder(keys: ["KNOWN_KEY": known, "LATE_KEY": late], arguments: [known, "x " + late])
        let inner = ScriptedBroker()
        let broker = RecordingBroker(inner, tape: tape)
        _ = tape.beginStep()
        tape.record("os.getenv", ["A"], result: .string(late))
        _ = tape.input(upTo: 99) { _ in Array(late.utf8) + [0xFF] + Array(known.utf8) }
        _ = tape.beginStep()
        #expect(String(decoding: folder.content, as: UTF8.self).contains(late))
        broker.submit(.start(RequestID(1), Sample.spec("prompt \(known) \(late)", key: "LATE_KEY")))
        // A provider that quotes the key in its error, and a proxy that quotes the whole request.
        let quoted = "no such key: \(late); Authorization: Basic \(Data("user:\(known)".utf8).base64EncodedString())"
        inner.give(1, [.failed(RequestFailure(unsent: Sample.spec("p"), .auth, quoted))])
        #expect(broker.nextReady().map(broker.take)?.count == 1)
        tape.record(
            "host.f", [.string(Data(late.utf8).base64EncodedString())],
            result: .string("sk-late%2B%2F0123456789abcdef"))
        tape.end(RecordedEnd(outcome: .finished, status: 0))
        let text = String(decoding: folder.content, as: UTF8.self)
        #expect(!text.contains(known) && !text.contains(late))
        #expect(!text.contains(Data(late.utf8).base64EncodedString().prefix(28)))
        #expect(!text.contains("0123456789abcdef"))
        #expect(!text.contains(Data("user:\(known)".utf8).base64EncodedString().dropFirst(8).dropLast(4)))
        // It is still whole.
        let run = try RecordedRun(path: folder.path)
        #expect(run.header.arguments == ["[key]", "x [key]"])
        #expect(run.input == [Array("[key]".utf8) + [0xFF] + Array("[key]".utf8)])
    }

    /// A model that says the key, a few bytes at a time.
    @Test(arguments: 1...9) func keysInSeveralDeltasAreRemoved(size: Int) throws {
        let known = "sk-known-0123456789abcdef"
        let folder = try RecordingFolder()
        let tape = try folder.recorder(keys: ["KNOWN_KEY": known])
        let inner = ScriptedBroker()
        let broker = RecordingBroker(inner, tape: tape)
        _ = tape.beginStep()
        broker.submit(.start(RequestID(1), Sample.spec("p")))
        var rest = Substring("the key is \(known), and that is all")
        let whole = String(rest)
        var deltas: [ChatEvent] = []
        while !rest.isEmpty {
            deltas.append(Sample.text(String(rest.prefix(size))))
            rest = rest.dropFirst(size)
        }
        for delta in deltas {
            inner.give(1, [delta])
            // The script gets what has come.
            #expect(broker.nextReady().map(broker.take) == [delta])
        }
        inner.give(1, [Sample.finish(whole)])
        #expect(broker.nextReady().map(broker.take) == [Sample.finish(whole)])
        tape.end(RecordedEnd(outcome: .finished, status: 0))

        let run = try RecordedRun(path: folder.path)
        var text = ""
        for case .text(let batch) in run.requests[0].events { text += batch.text }
        #expect(text.hasPrefix("the key is ") && text.hasSuffix(", and that is all"))
        #expect(text.contains("[key]") && !text.contains("0123") && !text.contains("cdef"), "\(text)")
    }

    /// Frames as a provider sends them, for `on_chunk`.
    @Test(arguments: 1...9) func keysInSeveralFramesAreRemoved(size: Int) throws {
        let known = "sk-known-0123456789abcdef"
        let folder = try RecordingFolder()
        let tape = try folder.recorder(keys: ["KNOWN_KEY": known])
        let inner = ScriptedBroker()
        let broker = RecordingBroker(inner, tape: tape)
        _ = tape.beginStep()
        broker.submit(.start(RequestID(1), Sample.spec("p")))
        var rest = Substring("the key is \(known), and that is all")
        while !rest.isEmpty {
            inner.give(1, [.chunk(#"{"id":"a","choices":[{"delta":{"content":"\#(rest.prefix(size))"}}]}"#)])
            #expect(broker.nextReady().map(broker.take)?.count == 1)
            rest = rest.dropFirst(size)
        }
        tape.end(RecordedEnd(outcome: .finished, status: 0))
        var text = ""
        for case .chunk(let frame) in try RecordedRun(path: folder.path).requests[0].events {
            let value = try JSONReader.value(frame)
            #expect(value["id"]?.string == "a")
            text += value["choices"]?.array?.first?["delta"]?["content"]?.string ?? ""
        }
        #expect(text.hasPrefix("the key is ") && text.hasSuffix(", and that is all"))
        #expect(text.contains("[key]") && !text.contains("0123") && !text.contains("cdef"), "\(text)")
    }

    @Test func theFileIsReadableForItsOwnerAlone() throws {
        let folder = try RecordingFolder()
        #expect(
            FileManager.default.createFile(atPath: folder.path, contents: nil, attributes: [.posixPermissions: 0o666]))
        let tape = try folder.recorder()
        tape.end(RecordedEnd(outcome: .finished, status: 0))
        let attributes = try FileManager.default.attributesOfItem(atPath: folder.path)
        #expect(attributes[.posixPermissions] as? Int == 0o600)
    }

    @Test func oneProcessRecordsToAFile() throws {
        let folder = try RecordingFolder()
        let tape = try folder.recorder()
        let error = #expect(throws: RecordingError.self) { _ = try folder.recorder() }
        #expect(error?.message.contains("is being written by another process") == true)
        tape.end(RecordedEnd(outcome: .finished, status: 0))
        #expect(try RecordedRun(path: folder.path).end != nil)
    }

    @Test func aDeviceIsNoRecording() {
        let error = #expect(throws: RecordingError.self) { _ = try RecordedRun(path: "/dev/zero") }
        #expect(error?.message == "the recording /dev/zero is no file")
    }

    @Test func theOfflineProviderHasNoPort() throws {
        let folder = try RecordingFolder()
        let tape = try folder.recorder(offline: "http://127.0.0.1:4321/v1")
        _ = tape.beginStep()
        RecordingBroker(ScriptedBroker(), tape: tape)
            .submit(.start(RequestID(1), Sample.spec("p", baseURL: "http://127.0.0.1:4321/v1")))
        tape.end(RecordedEnd(outcome: .finished, status: 0))
        #expect(try RecordedRun(path: folder.path).requests[0].spec.endpoint.baseURL == "http://offline.invalid:80")
    }
}
