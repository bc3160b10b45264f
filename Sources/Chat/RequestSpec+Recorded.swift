// Requests in the form in which stores and recordings hold them.

internal import HTTP

extension RequestSpec {
    /// The request as the store and a recording hold it: no key, no query, and of the headers only those that select
    /// features.
    package var recorded: RequestSpec {
        var spec = self
        // An address that is not legal is empty: a request to it is never sent.
        spec.endpoint.baseURL = (try? BaseURL(spec.endpoint.baseURL)).map { $0.origin + $0.path } ?? ""
        var headers = HTTPHeaders()
        for field in spec.endpoint.headers
        where RequestIdentity.featureHeaders.contains(field.name.lowercased()) { headers.add(field.name, field.value) }
        spec.endpoint.headers = headers
        spec.carried = nil
        return spec
    }

    /// Stands for the offline provider in records (RFC 2606, section 2). The provider has another port in each run.
    package static let offlineURL = "http://offline.invalid"

    /// The request with an address that is the same in the next run.
    /// - Parameter offline: the base URL of the offline provider of this run; nil without one.
    package func withStableAddress(offline: String?) -> RequestSpec {
        readdressed(from: offline, to: Self.offlineURL)
    }

    /// The request with its base URL below `new` if it was below `old`.
    package func readdressed(from old: String?, to new: String) -> RequestSpec {
        guard let old, endpoint.baseURL.hasPrefix(old) else { return self }
        var spec = self
        spec.endpoint.baseURL = new + endpoint.baseURL.dropFirst(old.count)
        return spec
    }
}
