// A scope: the tasks and requests begun while a combinator of flow.lua ran. Leaving it ends all of them.

internal import Chat
internal import LuaVM

/// The tasks and requests of one combinator. Scheduler and ScopeFunctions work on it.
final class TaskScope {
    /// The scope around it.
    let outer: TaskScope?
    /// Members that are not over.
    var tasks: [Int: ScriptTask] = [:]
    var calls: [RequestID: Call] = [:]
    /// Branches that are over and have not been asked for, in the order of their ends.
    var finished: [ScriptTask] = []
    /// The task that waits for the next branch, or for the end of all members.
    var waiter: ScriptTask?
    /// It is being left: its members are cancelled, and their results are discarded.
    var isLeft = false
    /// Keeps the first output of requests here and in scopes inside from the script.
    var outputHold: OutputHold?
    /// The cap on what requests here and in scopes inside may cost.
    var budget: Budget?
    /// The partial result of its combinator, for the error if it is ended from outside.
    var partial: LuaReference?
    /// It is inside a block of llm.shield: stopping the script does not cancel its members.
    var isShielded = false
    /// A request of this scope, or of one inside it, has had output.
    var hasOutput = false

    init(outer: TaskScope?) {
        self.outer = outer
        outputHold = outer?.outputHold
        isShielded = outer?.isShielded ?? false
    }

    /// All members are over.
    var isEmpty: Bool { tasks.isEmpty && calls.isEmpty }

    /// The budgets that count here: its own, and those of the scopes around it.
    var budgets: [Budget] { (budget.map { [$0] } ?? []) + (outer?.budgets ?? []) }

    /// Notes output of a request, here and in the scopes around.
    func noteOutput() {
        var scope: TaskScope? = self
        while let here = scope, !here.hasOutput {
            here.hasOutput = true
            scope = here.outer
        }
    }
}
