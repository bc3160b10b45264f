// The request headers by which tests and benches steer one reply: X-Moonrill-Deltas, -Rate, -Seed and -Fault.

internal import NIOHTTP1

struct RequestControls {
    var deltas: DeltaCount?
    var rate: Double
    var seed: UInt64
    /// The request's own faults, in place of the server's.
    var faults: FaultPlan?

    /// - Throws: a refusal that names the header with a value that means nothing.
    init(_ headers: HTTPHeaders, _ options: SimulatorOptions) throws(RequestRefusal) {
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
                throw RequestRefusal(status: 400, message: "X-Moonrill-Fault: \(error)", parameter: "X-Moonrill-Fault")
            }
        }
    }

    private static func wrong(_ name: String, _ wanted: String) -> RequestRefusal {
        RequestRefusal(status: 400, message: "\(name) must be \(wanted).", parameter: name)
    }
}
