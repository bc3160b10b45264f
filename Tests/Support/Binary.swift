// Runs the real `moonrill` beside the tests: what a user types, and what a user sees.

import Foundation

/// The built command.
public enum MoonrillBinary {
    /// How a run ended and what it said.
    public struct Result: Sendable {
        /// The exit status, or the signal's number.
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

    /// The package's root.
    public static var packageRoot: String {
        URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().path
    }

    /// A run under way.
    public final class Running: @unchecked Sendable {
        // @unchecked: each pipe has one thread, and those that read are joined before anything is looked at.
        private let process = Process()
        private let output = Pipe()
        private let errors = Pipe()
        private let input = Pipe()
        private var outputData = Data()
        private var errorData = Data()
        private let done = DispatchGroup()
        private let sawOutput = DispatchSemaphore(value: 0)

        init(_ executable: String, _ arguments: [String], stdin: [UInt8]?, environment: [String: String]) throws {
            process.executableURL = URL(fileURLWithPath: executable)
            process.arguments = arguments
            process.currentDirectoryURL = URL(fileURLWithPath: MoonrillBinary.packageRoot)
            var variables = ["PATH": "/usr/bin:/bin", "HOME": "/nonexistent", "NO_PROXY": "*"]
            // A sanitizer's options are the run's, not the script's.
            for (name, value) in ProcessInfo.processInfo.environment where name.hasSuffix("SAN_OPTIONS") {
                variables[name] = value
            }
            process.environment = variables.merging(environment) { $1 }
            process.standardOutput = output
            process.standardError = errors
            process.standardInput = stdin == nil ? FileHandle.nullDevice : input
            try process.run()
            read(output) { self.outputData.append($0) }
            read(errors) { self.errorData.append($0) }
            if let stdin { write(stdin) }
        }

        /// Writes on a thread of its own: a command that never reads must not hold the test.
        private func write(_ bytes: [UInt8]) {
            Thread {
                // Blocked here, SIGPIPE does not end the tests when the command has gone: the write fails instead.
                var signals = sigset_t()
                sigemptyset(&signals)
                sigaddset(&signals, SIGPIPE)
                pthread_sigmask(SIG_BLOCK, &signals, nil)
                // What the command does not want is no failure of the test.
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
                self.done.leave()
            }.start()
        }

        /// Waits until something was written to standard output.
        public func waitForOutput() { sawOutput.wait() }

        /// Sends a signal.
        public func send(_ signal: Int32) { kill(process.processIdentifier, signal) }

        /// Waits for the end; a process that has not ended by then is killed.
        public func wait(timeout: Double = 60) -> Result {
            // The queue keeps the item until its time has come, cancelled or not: it must not keep the run.
            let child = process.processIdentifier
            let killer = DispatchWorkItem { kill(child, SIGKILL) }
            DispatchQueue.global().asyncAfter(deadline: .now() + timeout, execute: killer)
            process.waitUntilExit()
            killer.cancel()
            done.wait()
            return Result(
                status: process.terminationStatus,
                signal: process.terminationReason == .uncaughtSignal ? process.terminationStatus : nil,
                output: String(decoding: outputData, as: UTF8.self),
                errorOutput: String(decoding: errorData, as: UTF8.self))
        }
    }

    /// Starts the command. Its environment is `environment`, a PATH, and nothing of the tests' own. A launcher is a
    /// program, by its whole path, and the arguments after which it expects the command.
    public static func start(
        _ arguments: [String], within launcher: [String] = [], stdin: [UInt8]? = nil,
        environment: [String: String] = [:]
    ) throws -> Running {
        let command = launcher + [path] + arguments
        return try Running(command[0], Array(command.dropFirst()), stdin: stdin, environment: environment)
    }

    /// Runs a line of bash in which `$0` is the command, or an executable file as it stands.
    public static func run(shell line: String) throws -> Result {
        try Running("/bin/bash", ["-c", line, path], stdin: nil, environment: [:]).wait()
    }

    /// Runs the command to its end.
    public static func run(
        _ arguments: [String], stdin: [UInt8]? = nil, environment: [String: String] = [:], timeout: Double = 60
    ) throws -> Result {
        try start(arguments, stdin: stdin, environment: environment).wait(timeout: timeout)
    }

    /// Runs Lua text, given on standard input.
    public static func run(
        script: String, _ options: [String] = [], environment: [String: String] = [:], timeout: Double = 60
    ) throws -> Result {
        try run(
            ["run"] + options + ["-"], stdin: Array(script.utf8), environment: environment, timeout: timeout)
    }
}
