// The protocol between a script and the journal of its job, for steps that are no requests.

/// A script's view of the journal of its job. The nth step of a name gets the nth record of that name, so the order of
/// steps with different names may change. All calls are made on the script's thread.
package protocol StepJournal: AnyObject {
    /// Asks for the record of the next step of that name. ``StepEvent/found(_:_:)`` or ``StepEvent/missing(_:)`` answers.
    func lookUp(step name: String) -> StepID

    /// Records the result of a step that was missing, as JSON in UTF-8. ``StepEvent/recorded(_:)`` answers once it is on the
    /// disk.
    func record(_ id: StepID, _ result: [UInt8])

    /// The step has failed: the next step of its name takes its place.
    func abandon(_ id: StepID)

    /// Removes and returns the events that have come, oldest first. The journal wakes the script's reactor when there are
    /// some.
    func takeStepEvents() -> [StepEvent]

    /// Whether `takeStepEvents` would return an event. The owner of the thread must not sleep then.
    var hasStepEvents: Bool { get }
}

/// The number of a step in its run.
package struct StepID: Hashable, Sendable {
    /// The number.
    package var raw: UInt64

    /// The step of that number.
    package init(_ raw: UInt64) { self.raw = raw }
}

/// An answer of the journal.
package enum StepEvent: Hashable, Sendable {
    /// The recorded result: JSON in UTF-8.
    case found(StepID, [UInt8])
    /// There is no record: the step is to be run.
    case missing(StepID)
    /// The record is on the disk.
    case recorded(StepID)
    /// The record cannot be read or written; the message says what to do.
    case failed(StepID, String)

    /// The step that it is for.
    package var id: StepID {
        switch self {
        case .found(let id, _), .missing(let id), .recorded(let id), .failed(let id, _): id
        }
    }
}
