// A scope: what was begun while a combinator of flow.lua ran. Leaving it ends all of that; nothing begun inside lives on.

internal import Chat
internal import LuaVM

/// The tasks and requests of one combinator. Data only; Scheduler and ScopeFunctions work on it.
final class TaskScope {
    /// The scope around it.
    let outer: TaskScope?
    /// Members that are not over.
    var tasks: [Int: ScriptTask] = [:]
    var calls: [RequestID: Call] = [:]
    /// Branches that are over and have not been asked for, in the order in which they ended.
    var finished: [ScriptTask] = []
    /// The task that waits for the next branch, or for all members to be over.
    var waiter: ScriptTask?
    /// It is being left: its members are cancelled, and what becomes of them concerns nobody.
    var isLeft = false
    /// What keeps its requests' first output from the script, and that of scopes inside.
    var holdBack: OutputHold?
    /// What its requests may cost, and those of scopes inside.
    var budget: Budget?
    /// What its combinator has done so far, for the error of whatever ends it from outside.
    var partial: LuaReference?
    /// It belongs to a block of llm.shield, or lies in one: stopping the script does not cancel its members.
    var isShielded = false
    /// Whether a request of this scope, or of one inside it, has brought text.
    var hasOutput = false

    init(outer: TaskScope?) {
        self.outer = outer
        holdBack = outer?.holdBack
        isShielded = outer?.isShielded ?? false
    }

    /// True once nothing that was begun inside goes on.
    var isEmpty: Bool { tasks.isEmpty && calls.isEmpty }

    /// The budgets that count here: its own, and those around it.
    var budgets: [Budget] { (budget.map { [$0] } ?? []) + (outer?.budgets ?? []) }

    /// Notes the first output of a request, here and outwards.
    func noteOutput() {
        var scope: TaskScope? = self
        while let here = scope, !here.hasOutput {
            here.hasOutput = true
            scope = here.outer
        }
    }
}
