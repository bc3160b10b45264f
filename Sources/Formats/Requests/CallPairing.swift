// Assigns tool results to calls. A conversation may have calls without ids, ids shared by several calls, and results
// without ids or in another order than their calls.

internal import Chat

/// The rules of a format for call ids.
struct CallIDRule: Sendable {
    /// Whether ids must be unique in the whole conversation. Otherwise they are unique in one message.
    var isConversationWide = true
    /// Whether results must be in the order of their calls, because the format has no ids.
    var ordersResults = false
    /// A valid form of an id; nil if there is none.
    var legal: @Sendable (_ id: String, _ message: Message) -> String? = { id, _ in id }

    /// Chat Completions: results follow the message with their calls. Ids are sent back unchanged, because the
    /// templates of some models include them in the prompt (Kimi K2: `functions.NAME:NUMBER`).
    static let chatCompletions = CallIDRule(isConversationWide: false)

    /// Gemini before 3 and Ollama have no ids: results are in the order of the calls.
    static let ordered = CallIDRule(isConversationWide: false, ordersResults: true)
}

/// Gives each call of a conversation an id, and each result the id of its call.
///
/// A result belongs to the first unanswered call with its id, in the last turn that has one. A result without an id, or
/// with an id that no call has, belongs to the first unanswered call of the last turn: a call of the result's name if
/// it has one, and a call without id if the result has an id. An id that is missing, invalid or duplicate is replaced
/// by a local one (`LocalCallIDs`), which is the same each time the conversation is sent.
struct CallPairing {
    /// Indexes of calls in one turn, in order.
    private struct Queue {
        var calls: [Int] = []
        private var next = 0

        /// The first call without a result.
        mutating func first(_ isAnswered: [Bool]) -> Int? {
            while next < calls.count, isAnswered[calls[next]] { next += 1 }
            return next < calls.count ? calls[next] : nil
        }
    }

    /// The last message with calls, and which of its calls have results.
    private struct Turn {
        var place = 0
        var isAnswered: [Bool] = []
        var all = Queue()
        var byName: [String: Queue] = [:]
        /// Calls without an id.
        var withoutID = Queue()
        var withoutIDByName: [String: Queue] = [:]
    }

    private let rule: CallIDRule
    private let localIDs = LocalCallIDs(start: 0)
    private var localCount = 0
    private var taken: Set<String> = []
    private var turn = Turn()
    /// For each call id, the last turn with such calls and their indexes.
    private var byID: [String: (turn: Int, calls: Queue)] = [:]

    private init(_ rule: CallIDRule) { self.rule = rule }

    static func pair(_ messages: inout [Message], _ rule: CallIDRule) {
        guard messages.contains(where: { !$0.toolCalls.isEmpty }) else { return }
        var pairing = CallPairing(rule)
        for place in messages.indices {
            if messages[place].role == .tool || messages[place].role == .function {
                pairing.answer(place, in: &messages)
            } else if !messages[place].toolCalls.isEmpty {
                pairing.begin(place, in: &messages)
            }
        }
        if rule.ordersResults { order(&messages) }
    }

    // MARK: Calls

    private mutating func begin(_ place: Int, in messages: inout [Message]) {
        if !rule.isConversationWide { taken = [] }
        let calls = messages[place].toolCalls
        turn = Turn(place: place, isAnswered: calls.map { _ in false })
        for (number, call) in calls.enumerated() {
            let given = call.id.isEmpty ? nil : rule.legal(call.id, messages[place])
            messages[place].toolCalls[number].id = taking(given)
            turn.all.calls.append(number)
            turn.byName[call.name, default: Queue()].calls.append(number)
            guard !call.id.isEmpty else {
                turn.withoutID.calls.append(number)
                turn.withoutIDByName[call.name, default: Queue()].calls.append(number)
                continue
            }
            if byID[call.id]?.turn != place { byID[call.id] = (place, Queue()) }
            byID[call.id]?.calls.calls.append(number)
        }
    }

    private mutating func taking(_ id: String?) -> String {
        if let id, taken.insert(id).inserted { return id }
        while true {
            let local = localIDs[localCount]
            localCount += 1
            if taken.insert(local).inserted { return local }
        }
    }

    // MARK: Results

    private mutating func answer(_ place: Int, in messages: inout [Message]) {
        let id = messages[place].toolCallID ?? ""
        let name = messages[place].name
        guard let (owner, number) = byID[id] == nil ? callInOrder(name, id) : call(withID: id, name, messages) else {
            if !id.isEmpty { messages[place].toolCallID = rule.legal(id, messages[place]) ?? id }
            return
        }
        if owner == turn.place { turn.isAnswered[number] = true }
        let call = messages[owner].toolCalls[number]
        messages[place].toolCallID = call.id
        messages[place].answered = Message.AnsweredCall(turn: owner, number: number, name: call.name)
    }

    /// Finds the call for a result with a known id. A call may have several results.
    private mutating func call(withID id: String, _ name: String?, _ messages: [Message]) -> (Int, Int)? {
        guard let known = byID[id], let last = known.calls.calls.last else { return nil }
        guard known.turn == turn.place, known.calls.calls.count > 1 else { return (known.turn, last) }
        let named = known.calls.calls.first { !turn.isAnswered[$0] && messages[known.turn].toolCalls[$0].name == name }
        return (known.turn, named ?? byID[id]?.calls.first(turn.isAnswered) ?? last)
    }

    private mutating func callInOrder(_ name: String?, _ id: String) -> (Int, Int)? {
        let named =
            name.flatMap { name in
                id.isEmpty
                    ? turn.byName[name]?.first(turn.isAnswered) : turn.withoutIDByName[name]?.first(turn.isAnswered)
            }
        let number = named ?? (id.isEmpty ? turn.all.first(turn.isAnswered) : turn.withoutID.first(turn.isAnswered))
        return number.map { (turn.place, $0) }
    }

    /// Sorts consecutive results of a turn by the order of their calls.
    private static func order(_ messages: inout [Message]) {
        var start = 0
        while start < messages.count {
            guard let turn = messages[start].answered?.turn else {
                start += 1
                continue
            }
            let end = messages[start...].firstIndex { $0.answered?.turn != turn } ?? messages.count
            let ordered = messages[start..<end].enumerated().sorted {
                ($0.element.answered?.number ?? 0, $0.offset) < ($1.element.answered?.number ?? 0, $1.offset)
            }
            messages.replaceSubrange(start..<end, with: ordered.map(\.element))
            start = end
        }
    }
}
