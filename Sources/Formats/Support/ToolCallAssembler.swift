// Puts tool calls together from their pieces, for Chat Completions and Cohere. Servers number pieces wrongly, change ids
// from piece to piece and repeat what they have sent; the rules for all of that are here.

internal import Base
internal import Chat
internal import JSON

/// The tool calls of one reply, while they come.
///
/// A piece has an index, an id, a name and text of arguments, each of which may be missing. It goes on with a call, or
/// begins one. "Fits" means that its text can stand behind the arguments so far: nothing fits behind whole ones but a
/// repetition of them, and no `{` where no value may begin.
///
/// | piece                              | belongs to                                                            |
/// |------------------------------------|-----------------------------------------------------------------------|
/// | known id, same name                | the id's call, under whatever index, if it fits; else a new call      |
/// | known id, other name               | a new call, unless it is a piece of the name, under the same index    |
/// | known index, new id, same name     | the index's call until its arguments are whole; else a new call       |
/// | known index, new id, other name    | a new call                                                            |
/// | known index, no id, a name         | the index's call if name and arguments fit; else a new call           |
/// | new index or none, a name          | a new call, unless its text can begin no arguments                    |
/// | known id, no name                  | the id's call if it fits, else the index's, else the last open one    |
/// | known index, no name               | the index's call, until its arguments are whole; else the last open one |
/// | new index or none, no name         | the call begun last whose arguments are not whole                     |
///
/// Two pieces of one delta that both have a name are two calls, unless their ids are equal. Arguments may come as
/// snapshots: each piece repeats all before it. A whole call that repeats one that came in pieces is that one.
struct ToolCallAssembler: Equatable {
    /// What one delta says of one call.
    struct Piece {
        var index: Int64?
        var id = ""
        var name = ""
        var arguments = ""

        fileprivate var isBlank: Bool { arguments.utf8.allSatisfy { $0 <= 0x20 } }
    }

    /// One call.
    struct Slot: Equatable {
        fileprivate(set) var index: Int64?
        fileprivate(set) var id = ""
        fileprivate(set) var name = ""
        fileprivate(set) var arguments = ToolCallArguments()
        /// Google's thought signatures: to be sent back untouched.
        var extra: JSONValue?
        /// The index under which the arguments began.
        fileprivate var argumentsIndex: Int64?
        /// The delta that touched it last.
        fileprivate var delta = 0
    }

    /// Id and name that came once more for a call under an index. If arguments follow that do not belong to the call,
    /// they were the begin of another.
    private struct RepeatedHead: Equatable {
        var id: String
        var name: String
    }

    private var slots: [Slot] = []
    /// The last call of each index, and of each id: a stream may hold hundreds of thousands.
    private var lastByIndex: [Int64: Int] = [:]
    private var lastByID: [String: Int] = [:]
    private var repeatedHeads: [Int64: RepeatedHead] = [:]
    /// Calls whose arguments were not whole when they were put here.
    private var open: [Int] = []
    private var delta = 0
    private var localIDs = LocalCallIDs(start: 0)
    /// True if the last delta brought a call's name or id, or a piece of its arguments.
    private(set) var hasGrown = false

    var isEmpty: Bool { slots.isEmpty }

    /// Pieces that are added from here on came together.
    mutating func beginDelta() {
        delta += 1
        hasGrown = false
    }

    /// - Returns: the place of the piece's call.
    @discardableResult
    mutating func add(_ piece: Piece) -> Int {
        let isBlank = piece.isBlank
        if !piece.arguments.isEmpty { hasGrown = true }
        let found = piece.name.isEmpty ? placeOfTail(piece, isBlank) : placeOfNamed(piece, isBlank)
        guard let place = found else { return begin(piece) }
        if !piece.id.isEmpty, lastByID[piece.id] == nil || slots[place].id.isEmpty {
            if slots[place].id.isEmpty {
                hasGrown = true
                slots[place].id = piece.id
            }
            lastByID[piece.id] = place
        }
        join(name: piece.name, to: place)
        if !piece.arguments.isEmpty {
            if slots[place].arguments.isBlank { slots[place].argumentsIndex = piece.index }
            slots[place].arguments.append(piece.arguments)
        }
        slots[place].delta = delta
        return place
    }

    /// Sets what goes back with the call untouched.
    mutating func set(extra: JSONValue, at place: Int) { slots[place].extra = extra }

    private mutating func begin(_ piece: Piece) -> Int {
        var piece = piece
        if let head = piece.index.flatMap({ repeatedHeads.removeValue(forKey: $0) }) {
            if piece.id.isEmpty, head.name.isEmpty || piece.name.isEmpty || head.name == piece.name {
                piece.id = head.id
            }
            if piece.name.isEmpty { piece.name = head.name }
        }
        if !piece.id.isEmpty || !piece.name.isEmpty { hasGrown = true }
        let place = slots.count
        if place == 0 { localIDs = LocalCallIDs() }
        slots.append(Slot(index: piece.index, id: piece.id, name: piece.name, delta: delta))
        slots[place].arguments.append(piece.arguments)
        slots[place].argumentsIndex = piece.index
        if let index = piece.index { lastByIndex[index] = place }
        if !piece.id.isEmpty { lastByID[piece.id] = place }
        open.append(place)
        return place
    }

    // MARK: Pieces with a name

    /// The call that a piece with a name goes on with; nil where it begins one.
    private mutating func placeOfNamed(_ piece: Piece, _ isBlank: Bool) -> Int? {
        let bound = piece.index.flatMap { lastByIndex[$0] }
        let place: Int
        if !piece.id.isEmpty, let known = lastByID[piece.id] {
            let own = bound.flatMap { slots[$0].id == piece.id ? $0 : nil }
            place = own ?? known
            guard continues(piece, isBlank, withCallOfItsID: place) else { return nil }
        } else if let bound {
            place = bound
            guard continues(piece, isBlank, withCallOfItsIndex: place) else { return nil }
        } else if let last = slots.indices.last {
            place = last
            if piece.index == nil, piece.id.isEmpty || slots[last].id.isEmpty {
                guard continues(piece, isBlank, withCallOfItsIndex: place) else { return nil }
            } else {
                // What begins with a brace may be a call of its own.
                let slot = slots[last]
                guard piece.name == slot.name, slot.arguments.isOpen, !isBlank, !piece.beginsArguments else {
                    return nil
                }
            }
        } else {
            return nil
        }
        if let index = piece.index {
            lastByIndex[index] = place
            if isBlank, !slots[place].arguments.isBlank {
                repeatedHeads[index] = RepeatedHead(id: piece.id, name: piece.name)
            }
        }
        return place
    }

    private func continues(_ piece: Piece, _ isBlank: Bool, withCallOfItsID place: Int) -> Bool {
        let slot = slots[place]
        let isOfIndex = piece.index == nil || slot.index == nil || slot.index == piece.index
        if piece.name != slot.name, !slot.name.isEmpty {
            return isOfIndex && !slot.arguments.isWhole && slot.delta != delta
        }
        if isOfIndex, slot.arguments.isPlaceholder { return true }
        return slot.arguments.fits(piece, isBlank) || (isOfIndex && !slot.arguments.isWhole)
    }

    /// For a piece whose id is new or missing.
    private func continues(_ piece: Piece, _ isBlank: Bool, withCallOfItsIndex place: Int) -> Bool {
        let slot = slots[place]
        if slot.name.isEmpty { return slot.arguments.fits(piece, isBlank) }
        if slot.delta == delta { return false }
        let isSameName = piece.name == slot.name
        if !piece.id.isEmpty, !slot.id.isEmpty {
            return isSameName && !slot.arguments.isWhole && slot.arguments.fits(piece, isBlank)
        }
        if slot.arguments.isWhole {
            return isSameName
                && (isBlank || slot.arguments.isRepeatedWhole(by: piece.arguments)
                    || (slot.arguments.isCumulative && slot.arguments.repeats(piece.arguments)))
        }
        if isSameName || (slot.arguments.isBlank && piece.name.hasPrefix(slot.name)) {
            return slot.arguments.fits(piece, isBlank)
        }
        return piece.id.isEmpty && slot.arguments.fits(piece, isBlank)
    }

    // MARK: Pieces without a name

    /// The call that a piece without a name goes on with; nil where it begins one.
    private mutating func placeOfTail(_ piece: Piece, _ isBlank: Bool) -> Int? {
        let bound = piece.index.flatMap { lastByIndex[$0] }
        guard piece.id.isEmpty else {
            if let known = lastByID[piece.id] {
                let place = bound.flatMap { slots[$0].id == piece.id ? $0 : nil } ?? known
                if hasHead(for: piece, isBlank, besides: place) { return nil }
                if slots[place].arguments.fits(piece, isBlank) { return place }
                if let bound, slots[bound].arguments.fits(piece, isBlank) { return bound }
                return openCall(for: piece, isBlank) ?? place
            }
            return placeOfTailWithNewID(piece, isBlank, bound)
        }
        guard let bound else { return openCall(for: piece, isBlank) ?? slots.indices.last }
        if hasHead(for: piece, isBlank, besides: bound) { return nil }
        let arguments = slots[bound].arguments
        if !arguments.isWhole || arguments.isPlaceholder || arguments.fits(piece, isBlank) { return bound }
        return openCall(for: piece, isBlank) ?? bound
    }

    private mutating func placeOfTailWithNewID(_ piece: Piece, _ isBlank: Bool, _ bound: Int?) -> Int? {
        if let bound {
            if hasHead(for: piece, isBlank, besides: bound) { return nil }
            if !slots[bound].arguments.isWhole { return bound }
            if isBlank, let index = piece.index {
                repeatedHeads[index] = RepeatedHead(id: piece.id, name: "")
                return bound
            }
            return openCall(for: piece, isBlank) ?? bound
        }
        if piece.index == nil, let last = slots.indices.last, slots[last].id.isEmpty { return last }
        // An id alone is a begin; the name comes in the next piece.
        return isBlank ? nil : openCall(for: piece, isBlank).flatMap { slots[$0].name.isEmpty ? nil : $0 }
    }

    /// Whether a piece of arguments belongs to a head that was taken for a repetition of the call's.
    private func hasHead(for piece: Piece, _ isBlank: Bool, besides place: Int) -> Bool {
        guard !isBlank, let index = piece.index, repeatedHeads[index]?.name.isEmpty == false else { return false }
        let slot = slots[place]
        if slot.arguments.isBlank { return false }
        return !slot.arguments.fits(piece, isBlank) || (slot.argumentsIndex != index && piece.beginsArguments)
    }

    /// How many open calls are looked at for a piece that may belong to any.
    private static let mostLookedAt = 8

    /// The call begun last whose arguments are not whole and that the piece fits.
    private mutating func openCall(for piece: Piece, _ isBlank: Bool) -> Int? {
        while let last = open.last, slots[last].arguments.isWhole { open.removeLast() }
        return open.suffix(Self.mostLookedAt).last {
            !slots[$0].arguments.isWhole && slots[$0].arguments.fits(piece, isBlank)
        }
    }

    /// Names come whole, repeated, growing, or in pieces before the arguments.
    private mutating func join(name: String, to place: Int) {
        if name.isEmpty || name == slots[place].name { return }
        if name.hasPrefix(slots[place].name) {
            slots[place].name = name
        } else if slots[place].arguments.isBlank {
            slots[place].name += name
        } else {
            return
        }
        hasGrown = true
    }

    // MARK: What came of it

    /// Whether the text of some call's arguments ends inside a value.
    var hasCutCall: Bool { slots.contains { $0.arguments.isOpen } }

    /// Whether there are calls, and the arguments of each are a whole value.
    var areAllWhole: Bool { !slots.isEmpty && slots.allSatisfy { $0.arguments.isWhole } }

    /// The calls so far, by index where they have one. Each has an id of its own.
    var inOrder: [Slot] {
        var known: Set<String> = []
        let hasNames = slots.contains { !$0.name.isEmpty }
        var calls: [Slot] = []
        calls.reserveCapacity(slots.count)
        var isIndexed = true
        for (place, slot) in slots.enumerated() where !slot.saysNothing || (!hasNames && !slot.id.isEmpty) {
            calls.append(slot)
            if slot.index == nil { isIndexed = false }
            if slot.id.isEmpty || !known.insert(slot.id).inserted { calls[calls.count - 1].id = localIDs[place] }
        }
        guard isIndexed else { return calls }
        return calls.enumerated().sorted { ($0.element.index ?? 0, $0.offset) < ($1.element.index ?? 0, $1.offset) }
            .map(\.element)
    }

    /// The calls as scripts see them.
    func calls(reader: JSONReader) -> [ToolCall] {
        inOrder.map { slot in
            let text = slot.arguments.text
            return ToolCall(
                id: slot.id, name: slot.name, argumentsJSON: text,
                arguments: ToolCall.arguments(text, reader: reader))
        }
    }
}

extension ToolCallAssembler.Slot {
    fileprivate var saysNothing: Bool { name.isEmpty && arguments.isBlank }
}

extension ToolCallAssembler.Piece {
    /// Whether the text begins as an object does. (Arguments of another kind are the model's mistake.)
    fileprivate var beginsArguments: Bool { arguments.utf8.first { $0 > 0x20 } == UInt8(ascii: "{") }
}

/// A call's arguments as they grow, scanned once.
struct ToolCallArguments: Equatable {
    /// The pieces, one behind the other.
    private var joined = ""
    private var boundary = JSONBoundary()
    /// The last piece, while each one repeats all before it, and its end.
    private var snapshot: Snapshot?

    private struct Snapshot: Equatable {
        var text: String
        var boundary: JSONBoundary
    }

    private var isDelta = false
    private var isNull = false

    /// The text. Pieces that repeat each other are snapshots, unless they make a whole value one behind the other.
    var text: String {
        guard let snapshot, snapshot.boundary.isExact, !boundary.isExact else { return joined }
        return snapshot.text
    }

    var isBlank: Bool { boundary.isBlank }

    /// Whether they are a whole value so far, by its brackets outside of strings.
    var isWhole: Bool { boundary.isWhole || isNull || snapshot?.boundary.isWhole == true }

    /// Whether they end inside a value.
    var isOpen: Bool { !isWhole && boundary.isInside }

    /// Whether they are an empty object: servers begin with one, and send the arguments then.
    var isPlaceholder: Bool { joined == "{}" }

    /// Whether pieces have repeated what came before them, and added to it.
    var isCumulative: Bool { snapshot != nil }

    mutating func append(_ piece: String) {
        guard !piece.isEmpty, !isRepeatedWhole(by: piece) else { return }
        if isPlaceholder, piece.utf8.first == UInt8(ascii: "{"), piece != joined {
            self = ToolCallArguments()
        }
        if !joined.isEmpty, !isDelta {
            if repeats(piece) {
                grow(to: piece)
            } else {
                isDelta = true
                snapshot = nil
            }
        }
        joined += piece
        boundary.append(piece.utf8)
        isNull = joined.utf8.count <= 8 && Snippet.trimmed(joined) == "null"
    }

    private mutating func grow(to piece: String) {
        let known = snapshot?.text.utf8.count ?? joined.utf8.count
        var boundary = snapshot?.boundary ?? self.boundary
        boundary.append(piece.utf8.dropFirst(known))
        snapshot = Snapshot(text: piece, boundary: boundary)
    }

    /// Whether a piece is the whole value that came in several pieces: servers send a call once more in the end.
    func isRepeatedWhole(by piece: String) -> Bool {
        guard boundary.isWhole, isDelta || snapshot != nil else { return false }
        return piece.utf8.count == joined.utf8.count && piece.utf8.elementsEqual(joined.utf8)
    }

    /// Whether a piece begins with all that has come.
    func repeats(_ piece: String) -> Bool {
        if isRepeatedWhole(by: piece) { return true }
        guard !isDelta, !isBlank else { return false }
        let known = snapshot?.text ?? joined
        return piece.utf8.count >= known.utf8.count && piece.utf8.starts(with: known.utf8)
    }

    /// Whether the piece can stand behind what has come.
    fileprivate func fits(_ piece: ToolCallAssembler.Piece, _ isBlank: Bool) -> Bool {
        guard !isBlank, let first = piece.arguments.utf8.first(where: { $0 > 0x20 }) else { return true }
        if self.isBlank { return [0x7B, 0x5B, 0x22].contains(first) || piece.arguments.contains("null") }
        if repeats(piece.arguments) { return true }
        return !isWhole && (first != UInt8(ascii: "{") || boundary.mayBeginObject)
    }
}
