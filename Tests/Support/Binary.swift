// Runs the real `moonrill` binary.

import Foundation

/// The built command.
public enum MoonrillBinary {
    /// Outcome of a run.
    public struct Result: Sendable {
        /// Exit status, or signal number.
        public var status: Int32
        /// The signal that ended it.
        public var signal: Int32?
        /// Standard output.
        public var output: String
        /// Standard error.
        public var errorOutput: String
    }

    /// The binary: `MOONRILL_BINARY`, or the one in the folder of the test bundle.
    public static var path: String {
        if let path = ProcessInfo.processInfo.environment["MOONRILL_BINARY"] { return path }
        let bundle = URL(fileURLWithPath: CommandLine.arguments[0]).resolvingSymlinksInPath()
        var folder = bundle.deletingLastPathComponent()
        for _ in 0..<4 {
            let candidate = folder.appendingPathComponent("moonrill").path
            var isFolder: ObjCBool = false
            if FileManager.default.fileExists(atPath: candidate, isDirectory: &isFolder), !isFolder.boolValue {
                return candidate
            }
            folder.deleteLastPathComponent()
        }
        return packageRoot + "/.build/debug/moonrill"
    }

    /// The folder of the default store, in which `ask` records its requests. It is removed with the process.
    static let stateFolder: String = {
        atexit { try? FileManager.default.removeItem(atPath: MoonrillBinary.stateFolder) }
        return NSTemporaryDirectory() + "moonrill-state-\(ProcessInfo.processInfo.processIdentifier)"
    }()

    /// Root of the package.
    public static var packageRoot: String {
        URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().path
    }

    /// A running command.
    public final class Running: @unchecked Sendable {
        // @unchecked: one thread per pipe; their data is locked.
        private let process = Process()
        private let output = Pipe()
        private let errors = Pipe()
        private let input = Pipe()
        private let outputData = Locked(Data())
        private let errorData = Locked(Data())
        private let done = DispatchGroup()
        private let sawOutput = DispatchSemaphore(value: 0)

        init(_ executable: String, _ arguments: [String], stdin: [UInt8]?, environment: [String: String]) throws {
            process.executableURL = URL(fileURLWithPath: executable)
            process.arguments = arguments
            process.currentDirectoryURL = URL(fileURLWithPath: MoonrillBinary.packageRoot)
            var variables = [
                "PATH": "/usr/bin:/bin", "HOME": "/nonexistent", "NO_PROXY": "*",
                "XDG_STATE_HOME": MoonrillBinary.stateFolder,
            ]
            // Sanitizer options belong to the run, not to the script.
            for (name, value) in ProcessInfo.processInfo.environment where name.hasSuffix("SAN_OPTIONS") {
                variables[name] = value
            }
            process.environment = variables.merging(environment) { $1 }
            process.standardOutput = output
            process.standardError = errors
            process.standardInput = stdin == nil ? FileHandle.nullDevice : input
            try process.run()
            read(output) { data in self.outputData.withLock { $0.append(data) } }
            read(errors) { data in self.errorData.withLock { $0.append(data) } }
            if let stdin { write(stdin) }
        }

        /// Writes on its own thread: a command that never reads must not block the test.
        private func write(_ bytes: [UInt8]) {
            Thread {
                // With SIGPIPE blocked, a write to an ended command fails instead of ending the tests.
                var signals = sigset_t()
                sigemptyset(&signals)
                sigaddset(&signals, SIGPIPE)
                pthread_sigmask(SIG_BLOCK, &signals, nil)
                // Input that the command does not read is not a failure.
                try? self.input.fileHandleForWriting.write(contentsOf: Data(bytes))
                try? self.input.fileHandleForWriting.close()
            }.start()
        }

        private func read(_ pipe: Pipe, _ take: @escaping @Sendable (Data) -> Void) {
            done.enter()
            Thread {
                while true {
                    let data = pipe.fileHandleForReading.availableData
                    if data.isEmpty { break }
                    take(data)
                    if pipe === self.output { self.sawOutput.signal() }
                }
                // Nobody waits for output that will never come.
                if pipe === self.output { self.sawOutput.signal() }
                self.done.leave()
            }.start()
        }

        /// The number of the process.
        public var processIdentifier: Int32 { process.processIdentifier }

        /// Standard output so far.
        public var outputSoFar: String { Self.text(outputData) }

        /// Standard error so far.
        public var errorOutputSoFar: String { Self.text(errorData) }

        private static func text(_ data: Locked<Data>) -> String {
            String(decoding: data.withLock { $0 }, as: UTF8.self)
        }

        /// Waits for standard output, or its end.
        public func waitForOutput() { sawOutput.wait() }

        /// Kills the process if it still runs.
        public func kill() { if process.isRunning { send(SIGKILL) } }

        /// Sends a signal.
        public func send(_ signal: Int32) { Foundation.kill(process.processIdentifier, signal) }

        /// Waits for the end; kills the process after the timeout.
        public func wait(timeout: Double = 60) -> Result {
            // The queue keeps the item until its time, even if cancelled: it must not retain the run.
            let child = process.processIdentifier
            let killer = DispatchWorkItem { Foundation.kill(child, SIGKILL) }
            DispatchQueue.global().asyncAfter(deadline: .now() + timeout, execute: killer)
            process.waitUntilExit()
            killer.cancel()
            done.wait()
            return Result(
                status: process.terminationStatus,
                signal: process.terminationReason == .uncaughtSignal ? process.terminationStatus : nil,
                output: outputSoFar, errorOutput: errorOutputSoFar)
        }
    }

    /// Starts the command with `environment`, a PATH, and nothing of the tests' environment. A launcher is a program
    /// (full path) and the arguments before the command.
    public static func start(
        _ arguments: [String], within launcher: [String] = [], stdin: [UInt8]? = nil,
        environment: [String: String] = [:]
    ) throws -> Running {
        let command = launcher + [path] + arguments
        return try Running(command[0], Array(command.dropFirst()), stdin: stdin, environment: environment)
    }

    /// Runs a line of bash in which `$0` is the command, or another executable file.
    public static func run(shell line: String) throws -> Result {
        try Running("/bin/bash", ["-c", line, path], stdin: nil, environment: [:]).wait()
    }

    /// Runs the command to its end.
    public static func run(
        _ arguments: [String], stdin: [UInt8]? = nil, environment: [String: String] = [:], timeout: Double = 60
    ) throws -> Result {
        try start(arguments, stdin: stdin, environment: environment).wait(timeout: timeout)
    }

    /// Runs Lua text from standard input.
    public static func run(
        script: String, _ options: [String] = [], environment: [String: String] = [:], timeout: Double = 60
    ) throws -> Result {
        try run(
            ["run"] + options + ["-"], stdin: Array(script.utf8), environment: environment, timeout: timeout)
    }
}
