// Requests that fail while nobody waits for them, or reads them.

internal import LuaVM

extension CallRegistry {
    /// Cancels a call that nobody is left to read.
    func strand(_ call: Call) {
        guard !call.isClosing else { return }
        call.isStranded = true
        takeRest(of: call)
        cancel(call)
    }

    /// The request has failed while nobody waited for it.
    func reportUnseen(_ call: Call, _ result: Call.Result) {
        guard !scheduler.isExiting else { return }
        switch result {
        case .reply: break
        case .raised(let error):
            call.unwatched = scheduler.unwatched.add("a callback failed and nobody waited for its request", error)
        case .failure(let table, let display):
            let error = LuaError(display, value: table)
            guard call.callbacks.error == nil, call.isClosing ? call.isStranded : call.mode == .start,
                !scheduler.isCancellation(error)
            else { return }
            let what =
                call.mode == .stream
                ? "a stream failed and nobody read it" : "a request in the background failed and nobody waited for it"
            call.unwatched = scheduler.unwatched.add(what, LuaError(display))
        }
    }
}
