// Files of chat:save: modes, symbolic links and concurrent writers. Tests/Lua/chat has the rest.

import Foundation
import JSON
import Moonrill
import ScriptSupport
import Support
import Testing

@Suite struct ChatFileTests {
    private static func mode(_ path: String) -> mode_t {
        var status = stat()
        return lstat(path, &status) == 0 ? status.st_mode : 0
    }

    /// A new file has the mode that the umask leaves. No temporary file stays in the folder.
    @Test func savingKeepsTheModeOfAFile() throws {
        let folder = try TemporaryFolder()
        let path = folder.url.path + "/a.json"
        let run = try ScriptHarness.run(
            """
            local chat = client:chat { system = "x" }
            print(chat:save("\(path)"))
            """)
        #expect(run.lines == ["true"])
        let mask = umask(0)
        umask(mask)
        #expect(Self.mode(path) & 0o777 == 0o666 & ~mask)
        for mode: mode_t in [0o600, 0o640, 0o666] {
            #expect(chmod(path, mode) == 0)
            _ = try ScriptHarness.run("assert(client:chat { system = 'y' }:save('\(path)'))")
            #expect(Self.mode(path) & 0o777 == mode)
        }
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.url.path) == ["a.json"])
    }

    /// Each save of concurrent writers succeeds, and the file holds one of the chats.
    @Test func concurrentWritersLeaveOneWholeFile() throws {
        let folder = try TemporaryFolder()
        let path = folder.url.path + "/a.json"
        let lines = Locked([String]())
        DispatchQueue.concurrentPerform(iterations: 4) { number in
            let run = try? ScriptHarness.run(
                """
                local chat = client:chat { messages = { { role = "user", content = ("\(number)"):rep(100000) } } }
                local saved = 0
                for _ = 1, 25 do if chat:save("\(path)") then saved = saved + 1 end end
                print(saved)
                """)
            lines.withLock { $0 += run?.lines ?? ["no run"] }
        }
        #expect(lines.withLock { $0 } == ["25", "25", "25", "25"])
        let saved = try JSONReader.value(Array(try Data(contentsOf: URL(fileURLWithPath: path))))
        let text = try #require(saved["messages"]?.array?.first?["content"]?.string)
        #expect(text.utf8.count == 100_000 && Set(text.utf8).count == 1)
    }

    /// The link stays a link. If its target does not exist, it is created.
    @Test(arguments: [true, false]) func savingThroughALinkWritesItsTarget(isThere: Bool) throws {
        let folder = try TemporaryFolder(isThere ? ["deep/target.json": "old"] : ["deep/other": ""])
        let path = folder.url.path
        #expect(symlink("deep/target.json", path + "/link.json") == 0)
        #expect(symlink("link.json", path + "/second.json") == 0)
        let run = try ScriptHarness.run("print(client:chat { system = 'x' }:save('\(path)/second.json'))")
        #expect(run.lines == ["true"])
        #expect(Self.mode(path + "/second.json") & S_IFMT == S_IFLNK)
        #expect(Self.mode(path + "/link.json") & S_IFMT == S_IFLNK)
        let saved = try String(contentsOfFile: path + "/deep/target.json", encoding: .utf8)
        #expect(saved.contains("moonrill-chat"))
    }
}
