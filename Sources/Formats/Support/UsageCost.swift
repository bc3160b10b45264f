// Reads the cost of a reply from a `usage` object, for all formats.

internal import Chat
internal import JSON

extension Usage {
    private static let costKeys = JSONKeys(
        "cost", "cost_in_usd_ticks", "estimated_cost", "is_byok", "cost_details")

    /// The cost in US dollars; nil if the `usage` object has none.
    /// - `cost`: a number (OpenRouter usage accounting, in credits of one dollar; Vercel AI Gateway) or an object with
    ///   `total_cost` (Perplexity). If the user has a key for the upstream provider (`is_byok`), OpenRouter charges
    ///   only its fee; the charge of the upstream provider is added.
    /// - `cost_in_usd_ticks`: 10,000,000,000 ticks are one dollar (xAI, "Cost Tracking").
    /// - `estimated_cost` (DeepInfra).
    static func cost(_ usage: JSONNode) -> Double? {
        let parts = usage.pick(costKeys)
        if let cost = dollars(parts[0]) ?? dollars(parts[0]?["total_cost"]) {
            guard parts[3]?.bool == true, let upstream = dollars(parts[4]?["upstream_inference_cost"]) else {
                return cost
            }
            return WireNumber.cost(cost + upstream)
        }
        if let ticks = dollars(parts[1], each: 1e-10) { return ticks }
        return dollars(parts[2])
    }

    /// A number in units of `unit` dollars, as dollars.
    static func dollars(_ node: JSONNode?, each unit: Double = 1) -> Double? {
        node?.double.flatMap { WireNumber.cost($0 * unit) }
    }
}
