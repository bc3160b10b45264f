// Request headers that control one reply, for tests and benchmarks: X-Moonrill-Deltas, -Rate, -Seed and -Fault.

internal import Formats
internal import NIOHTTP1

struct RequestControls {
    var deltas: DeltaCount?
    var rate: Double
    var seed: UInt64
    /// Faults of this request, which replace the server's.
    var faults: FaultPlan?

    /// - Throws: an error that names the header with an invalid value.
    init(_ headers: HTTPHeaders, _ options: SimulatorOptions) throws(ReplyError) {
        (deltas, rate, seed) = (options.deltas, options.rate, options.seed)
        if let text = headers.first(name: "x-moonrill-deltas") {
            guard let count = DeltaCount(text) else { throw Self.wrong("X-Moonrill-Deltas", "a number, or inf") }
            deltas = count
        }
        if let text = headers.first(name: "x-moonrill-rate") {
            guard let value = Double(text), value.isFinite, value >= 0 else {
                throw Self.wrong("X-Moonrill-Rate", "deltas a second, or 0")
            }
            rate = value
        }
        if let text = headers.first(name: "x-moonrill-seed") {
            guard let value = UInt64(text) else { throw Self.wrong("X-Moonrill-Seed", "a whole number from 0") }
            seed = value
        }
        if let text = headers.first(name: "x-moonrill-fault") {
            do {
                faults = try FaultPlan.parse(text)
            } catch {
                throw ReplyError(status: 400, message: "X-Moonrill-Fault: \(error)", parameter: "X-Moonrill-Fault")
            }
        }
    }

    private static func wrong(_ name: String, _ wanted: String) -> ReplyError {
        ReplyError(status: 400, message: "\(name) must be \(wanted).", parameter: name)
    }
}
