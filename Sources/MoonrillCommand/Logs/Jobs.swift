// `moonrill jobs`: the jobs of `moonrill run --job`.

internal import ArgumentParser
internal import JSON
internal import Journal

struct Jobs: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "jobs",
        abstract: "List the jobs of moonrill run --job, and remove them.",
        subcommands: [List.self, Show.self, Remove.self], defaultSubcommand: List.self)

    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "list", abstract: "List the jobs, the latest first.")

        @OptionGroup var location: StoreLocation

        @Flag(help: "Print one JSON object a line.")
        var json = false

        func run() throws {
            let jobs = try location.read { try $0?.jobs() ?? [] }
            if json {
                for job in jobs { guard try LineWriter().write(JSONWriter.text(job.json)) else { return } }
                return
            }
            guard !jobs.isEmpty else {
                try LineWriter().write("no jobs are recorded yet")
                return
            }
            var table = TextTable([
                ("NAME", .left), ("STATE", .left), ("FINISHED", .right), ("FAILED", .right), ("STEPS", .right),
                ("IN", .right), ("OUT", .right), ("COST", .right), ("BEGUN (UTC)", .left), ("UPDATED (UTC)", .left),
                ("SCRIPT", .left),
            ])
            for job in jobs {
                table.add([
                    ShownText.line(job.name), job.stateText, "\(job.finished)", "\(job.failed)", "\(job.steps)",
                    "\(job.inputTokens)", "\(job.outputTokens)", ShownNumber.dollars(job.cost),
                    ShownNumber.time(job.createdAt), ShownNumber.time(job.updatedAt), ShownText.line(job.script),
                ])
            }
            try LineWriter().write(table.lines.joined(separator: "\n"))
        }
    }

    struct Show: ParsableCommand {
        static let configuration = CommandConfiguration(commandName: "show", abstract: "Show a job.")

        @OptionGroup var location: StoreLocation

        @Flag(help: "Print a JSON object.")
        var json = false

        @Argument(help: "The name of the job.")
        var name: String

        func run() throws {
            guard let job = try location.read({ try $0?.job(named: name) }) else { throw Jobs.missing(name) }
            if json {
                try LineWriter().write(JSONWriter.text(job.json))
                return
            }
            try LineWriter().write(
                """
                name:      \(ShownText.line(job.name))
                state:     \(job.stateText)
                script:    \(ShownText.line(job.script))
                runs:      \(job.runs)
                requests:  \(job.finished) finished, \(job.failed) failed
                steps:     \(job.steps)
                tokens:    \(job.inputTokens) in, \(job.outputTokens) out
                cost:      \(ShownNumber.dollars(job.cost))
                begun:     \(ShownNumber.time(job.createdAt)) UTC
                updated:   \(ShownNumber.time(job.updatedAt)) UTC
                """)
        }
    }

    struct Remove: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "rm",
            abstract: "Remove a job with the results of its steps. Its requests stay in the log and in the cache.")

        @OptionGroup var location: StoreLocation

        @Argument(help: "The name of the job.")
        var name: String

        func run() throws {
            let path = try location.path()
            guard try location.read({ $0 != nil }) else { throw Jobs.missing(name) }
            let store = Store(path: path)
            defer { store.close() }
            let isRemoved: Bool
            do throws(StoreError) {
                isRemoved = try store.removeJob(name)
            } catch {
                throw CommandFailure(error)
            }
            guard isRemoved else { throw Jobs.missing(name) }
            try LineWriter().write("removed the job '\(ShownText.line(name))'; its requests stay in the log")
        }
    }

    private static func missing(_ name: String) -> CommandFailure {
        CommandFailure(
            message: "no job has the name '\(name)'; moonrill jobs lists them", status: ExitStatus.failure)
    }
}

extension LoggedJob {
    var stateText: String {
        if case .running(let pid) = state { "running (pid \(pid))" } else { state.name }
    }

    var json: JSONValue {
        var object: JSONObject = [
            "id": .int(id), "name": .string(name), "state": .string(state.name), "script": .string(script),
            "runs": .int(Int64(runs)), "finished": .int(Int64(finished)), "failed": .int(Int64(failed)),
            "steps": .int(Int64(steps)), "input_tokens": .int(Int64(inputTokens)),
            "output_tokens": .int(Int64(outputTokens)), "cost": cost.map { .double($0) } ?? .null,
            "created_at": LoggedRequest.time(createdAt), "updated_at": LoggedRequest.time(updatedAt),
        ]
        if case .running(let pid) = state { object["pid"] = .int(Int64(pid)) }
        return .object(object)
    }
}
