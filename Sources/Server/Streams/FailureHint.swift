// One sentence that tells the reader of a failure what to do.

internal import Chat

enum FailureHint {
    /// The hint for a failure; nil if there is nothing to do. It holds no text of the provider.
    static func text(_ failure: RequestFailure) -> String? {
        switch failure.kind {
        case .auth:
            "The server's key for \(provider(failure)) was refused: set a valid key on the server and start it again."
        case .permission: "The server's key may not use this model: choose another model."
        case .config: "The server's configuration does not work: correct it and start the server again."
        case .rateLimit: "Too many requests: try again \(when(failure, otherwise: "in a minute"))."
        case .quota: "The credit or quota at \(provider(failure)) is used up: add credit or wait until it is renewed."
        case .budget: "The budget of this server is used up: raise it or wait until it is renewed."
        case .overloaded: "The model is busy: try again \(when(failure, otherwise: "in a moment"))."
        case .timeout: timeout(failure.phase)
        case .network: "The provider cannot be reached: check the server's network connection and try again."
        case .truncated: "The answer was cut off: try again."
        case .protocol: "The provider sent something that is not an answer: try again or choose another model."
        case .provider: "The provider failed: try again \(when(failure, otherwise: "in a moment"))."
        case .invalidRequest: invalidRequest(failure.status)
        case .journal: "The server cannot write or read its records: check its disk and its log."
        case .cancelled: nil
        }
    }

    private static func provider(_ failure: RequestFailure) -> String {
        failure.provider.isEmpty ? "the provider" : failure.provider
    }

    private static func timeout(_ phase: RequestFailure.Phase?) -> String {
        switch phase {
        case .connect: "The provider cannot be reached: check the server's network connection and try again."
        case .first: "The model did not begin to answer: try again or choose a faster model."
        case .idle, .stall: "The answer stopped coming: try again."
        case .total: "The answer took too long: ask for a shorter one."
        case nil: "The answer took too long: try again."
        }
    }

    private static func invalidRequest(_ status: Int?) -> String {
        switch status {
        case 404: "The provider does not know this model: choose another."
        case 413: "The conversation is too large: begin a new one or send less."
        default: "The provider did not accept the request: change the message, the model or the options."
        }
    }

    private static func when(_ failure: RequestFailure, otherwise text: String) -> String {
        guard let seconds = failure.retryAfter, seconds > 0, seconds <= 86_400 else { return text }
        let whole = Int(seconds.rounded(.up))
        if whole == 1 { return "in 1 second" }
        return whole <= 120 ? "in \(whole) seconds" : "in \((whole + 59) / 60) minutes"
    }
}
