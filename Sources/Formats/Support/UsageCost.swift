// The cost of a reply as its provider reports it. Called by the readers of `usage` objects of every dialect.

internal import Chat
internal import JSON

extension Usage {
    private static let costKeys = JSONKeys(
        "cost", "cost_in_usd_ticks", "estimated_cost", "is_byok", "cost_details")

    /// The cost in US dollars that a `usage` object names; nil where it names none.
    /// - `cost`: a number (OpenRouter's usage accounting, in credits, of which one is a dollar; Vercel's AI Gateway) or an
    ///   object with `total_cost` (Perplexity). With a key of one's own OpenRouter charges its fee alone; the upstream
    ///   provider's charge is added.
    /// - `cost_in_usd_ticks`: 10,000,000,000 are a dollar (xAI, "Cost Tracking").
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

    /// A number in dollars, or in parts of `unit` dollars each.
    static func dollars(_ node: JSONNode?, each unit: Double = 1) -> Double? {
        node?.double.flatMap { WireNumber.cost($0 * unit) }
    }
}
