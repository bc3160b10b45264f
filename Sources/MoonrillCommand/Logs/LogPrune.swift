// `moonrill logs prune`: removes old requests.

internal import ArgumentParser
internal import Base
internal import Journal

extension Logs {
    struct Prune: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "prune",
            abstract: "Remove old requests and give their space back to the disk.",
            discussion: """
                With them go their attempts and deltas, runs without requests, and finished jobs without requests with \
                the results of their steps. Requests of jobs that can be resumed are kept. Other processes can use the \
                store meanwhile.
                """)

        @Option(
            help: ArgumentHelp(
                "Remove requests before this time: 30d, 12h, 2w ago, or a date or time in UTC.", valueName: "time"))
        var older: PastTime?

        @Option(
            help: ArgumentHelp(
                "Remove the oldest requests until the store has at most this size: 500M, 1G.", valueName: "size"))
        var maxSize: ByteSize?

        @Flag(help: "Say what would be removed, and change nothing.")
        var dryRun = false

        @OptionGroup var location: StoreLocation

        func validate() throws {
            if older == nil, maxSize == nil { throw ValidationError("Give --older TIME, --max-size SIZE, or both.") }
        }

        func run() throws {
            let path = try location.path()
            guard try location.read({ $0 != nil }) else {
                try LineWriter().write(Logs.noRequests)
                return
            }
            let request = PruneRequest(before: older?.time, maxBytes: maxSize?.bytes, isDryRun: dryRun)
            let result: PruneResult
            do throws(StoreError) {
                result = try StorePruner.prune(path, request, now: SystemClock.unixTime())
            } catch {
                throw CommandFailure(error)
            }
            try report(result)
        }

        private func report(_ result: PruneResult) throws {
            var lines: [String] = []
            let requests = ShownNumber.count(result.requests, "request")
            if dryRun {
                let about = maxSize == nil ? "" : "about "
                lines.append("would remove \(about)\(requests) of a store of \(ShownNumber.bytes(result.bytesBefore))")
            } else {
                lines.append(
                    "removed \(requests), \(ShownNumber.count(result.runs, "run")) and "
                        + "\(ShownNumber.count(result.jobs, "job")); the store had "
                        + "\(ShownNumber.bytes(result.bytesBefore)) and has \(ShownNumber.bytes(result.bytesAfter))")
            }
            if result.kept > 0 {
                lines.append(
                    "kept \(ShownNumber.count(result.kept, "request")) of jobs that can be resumed; moonrill jobs lists them"
                )
            }
            if result.isAboveLimit {
                lines.append("the store is still above the size: the rest is in use, or is kept")
            }
            try LineWriter().write(lines.joined(separator: "\n"))
        }
    }
}
