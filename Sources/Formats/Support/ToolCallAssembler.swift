// Assembles tool calls from their pieces, for Chat Completions and Cohere. Servers number pieces wrongly, change ids
// between pieces and repeat what they have sent; this file has the rules for all of that.

internal import Base
internal import Chat
internal import JSON

/// The tool calls of one reply, as they arrive.
///
/// A piece has an index, an id, a name and text of arguments, each of which may be missing. It continues a call or
/// begins one. A call is finished once its arguments are complete. A piece fits a call if its text can follow the
/// arguments so far: only a repetition of them can follow complete arguments, `{` can only follow where a value may
/// begin, and a piece without text always fits.
///
/// | piece                           | belongs to (the first row that matches counts)                                |
/// |---------------------------------|-------------------------------------------------------------------------------|
/// | known id, same name             | the id's call if it fits, or has this index and is unfinished; else a new one |
/// | known id, other name            | a new call; the id's, as part of its name, if unfinished and of this index    |
/// | known index, new id, same name  | the index's call if it is unfinished and fits; else a new one                 |
/// | known index, new id, other name | a new call                                                                    |
/// | known index, no id, a name      | the index's call if it is unfinished and fits, or is repeated; else a new one |
/// | no index, a name                | as under the last call's index; if both have ids, as under a new index        |
/// | new index, a name               | the last call if of this name and open, with no `{` in front; else a new one  |
/// | known id, no name               | the id's call if it fits, else the index's, else the last unfinished one      |
/// | known index, no name            | the index's call until it is finished, then the last unfinished one           |
/// | no id, no name                  | the last unfinished call that fits; else the last call                        |
/// | new id, no name                 | with text, the last unfinished call with a name that fits; else a new one     |
///
/// Two pieces of one delta that both have a name are two calls, unless their ids and names are equal. Arguments may
/// arrive as snapshots: each piece repeats all before it. A complete call that repeats one that arrived in pieces is
/// that call.
struct ToolCallAssembler: Equatable {
    /// The part of one call in one delta.
    struct Piece {
        var index: Int64?
        var id = ""
        var name = ""
        var arguments = ""

        fileprivate var isBlank: Bool { arguments.utf8.allSatisfy { $0 <= 0x20 } }
    }

    /// A call as assembled so far.
    struct Slot: Equatable {
        fileprivate(set) var index: Int64?
        fileprivate(set) var id = ""
        fileprivate(set) var name = ""
        fileprivate(set) var arguments = ToolCallArguments()
        /// Google's thought signatures, sent back unchanged.
        var extra: JSONValue?
        /// The index of the piece that began the arguments.
        fileprivate var argumentsIndex: Int64?
        /// The number of the last delta with a piece of the call.
        fileprivate var delta = 0
    }

    /// An id and a name that arrived once more for a call, under an index. If arguments follow that do not fit the
    /// call, these began another call.
    private struct RepeatedHead: Equatable {
        var id: String
        var name: String
    }

    private var slots: [Slot] = []
    /// The last call of each index and of each id, found in constant time: a stream may hold hundreds of thousands of
    /// calls.
    private var lastByIndex: [Int64: Int] = [:]
    private var lastByID: [String: Int] = [:]
    private var repeatedHeads: [Int64: RepeatedHead] = [:]
    /// Calls whose arguments were incomplete when they were added here, oldest first.
    private var open: [Int] = []
    private var delta = 0
    private var localIDs = LocalCallIDs(start: 0)
    /// Whether the last delta held a new name or id of a call, or text of arguments.
    private(set) var hasGrown = false

    var isEmpty: Bool { slots.isEmpty }

    /// Begins a delta. The pieces that follow arrived together.
    mutating func beginDelta() {
        delta += 1
        hasGrown = false
    }

    /// - Returns: the place of the piece's call, for `set(extra:at:)`.
    @discardableResult
    mutating func add(_ piece: Piece) -> Int {
        let isBlank = piece.isBlank
        if !piece.arguments.isEmpty { hasGrown = true }
        let found = piece.name.isEmpty ? placeOfUnnamed(piece, isBlank) : placeOfNamed(piece, isBlank)
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

    /// Sets the value that is sent back unchanged with the call.
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

    /// The call that a piece with a name continues; nil if the piece begins a call.
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
                // Text that begins with a brace may be the arguments of another call.
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

    /// The call that a piece without a name continues; nil if the piece begins a call.
    private mutating func placeOfUnnamed(_ piece: Piece, _ isBlank: Bool) -> Int? {
        let bound = piece.index.flatMap { lastByIndex[$0] }
        guard piece.id.isEmpty else {
            if let known = lastByID[piece.id] {
                let place = bound.flatMap { slots[$0].id == piece.id ? $0 : nil } ?? known
                if hasHead(for: piece, isBlank, besides: place) { return nil }
                if slots[place].arguments.fits(piece, isBlank) { return place }
                if let bound, slots[bound].arguments.fits(piece, isBlank) { return bound }
                return openCall(for: piece, isBlank) ?? place
            }
            return placeOfUnnamedWithNewID(piece, isBlank, bound)
        }
        guard let bound else { return openCall(for: piece, isBlank) ?? slots.indices.last }
        if hasHead(for: piece, isBlank, besides: bound) { return nil }
        let arguments = slots[bound].arguments
        if !arguments.isWhole || arguments.isPlaceholder || arguments.fits(piece, isBlank) { return bound }
        return openCall(for: piece, isBlank) ?? bound
    }

    private mutating func placeOfUnnamedWithNewID(_ piece: Piece, _ isBlank: Bool, _ bound: Int?) -> Int? {
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
        // An id alone begins a call; its name follows in the next piece.
        return isBlank ? nil : openCall(for: piece, isBlank).flatMap { slots[$0].name.isEmpty ? nil : $0 }
    }

    /// Whether arguments belong to a call whose id and name were taken for a repetition (see RepeatedHead).
    private func hasHead(for piece: Piece, _ isBlank: Bool, besides place: Int) -> Bool {
        guard !isBlank, let index = piece.index, repeatedHeads[index]?.name.isEmpty == false else { return false }
        let slot = slots[place]
        if slot.arguments.isBlank { return false }
        return !slot.arguments.fits(piece, isBlank) || (slot.argumentsIndex != index && piece.beginsArguments)
    }

    /// Maximum open calls that are searched for one piece.
    private static let maxOpenCallsSearched = 8

    /// The last unfinished call that the piece fits.
    private mutating func openCall(for piece: Piece, _ isBlank: Bool) -> Int? {
        while let last = open.last, slots[last].arguments.isWhole { open.removeLast() }
        return open.suffix(Self.maxOpenCallsSearched).last {
            !slots[$0].arguments.isWhole && slots[$0].arguments.fits(piece, isBlank)
        }
    }

    /// Names arrive whole, repeatedly, as growing snapshots, or in pieces before the arguments.
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

    // MARK: Results

    /// Whether the arguments of some call end inside a value.
    var hasIncompleteCall: Bool { slots.contains { $0.arguments.isOpen } }

    /// Whether there are calls, all with complete arguments.
    var areAllComplete: Bool { !slots.isEmpty && slots.allSatisfy { $0.arguments.isWhole } }

    /// The calls so far, sorted by index if each has one. Each has a unique id.
    var inOrder: [Slot] {
        var known: Set<String> = []
        let hasNames = slots.contains { !$0.name.isEmpty }
        var calls: [Slot] = []
        calls.reserveCapacity(slots.count)
        var isIndexed = true
        for (place, slot) in slots.enumerated() where !slot.isEmpty || (!hasNames && !slot.id.isEmpty) {
            calls.append(slot)
            if slot.index == nil { isIndexed = false }
            if slot.id.isEmpty || !known.insert(slot.id).inserted { calls[calls.count - 1].id = localIDs[place] }
        }
        guard isIndexed else { return calls }
        return calls.enumerated().sorted { ($0.element.index ?? 0, $0.offset) < ($1.element.index ?? 0, $1.offset) }
            .map(\.element)
    }

    /// The calls, with their arguments decoded.
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
    fileprivate var isEmpty: Bool { name.isEmpty && arguments.isBlank }
}

extension ToolCallAssembler.Piece {
    /// Whether the text begins like an object. Arguments of other types are a mistake of the model.
    fileprivate var beginsArguments: Bool { arguments.utf8.first { $0 > 0x20 } == UInt8(ascii: "{") }
}

/// The arguments of a call as they arrive. Each byte is scanned once.
struct ToolCallArguments: Equatable {
    /// All pieces, concatenated.
    private var joined = ""
    private var boundary = JSONBoundary()
    /// The last piece and the scan up to its end, while each piece repeats all before it.
    private var snapshot: Snapshot?

    private struct Snapshot: Equatable {
        var text: String
        var boundary: JSONBoundary
    }

    private var isDelta = false
    private var isNull = false

    /// The text: the last piece if each piece repeats all before it, unless the concatenated pieces are one complete
    /// value.
    var text: String {
        guard let snapshot, snapshot.boundary.isExact, !boundary.isExact else { return joined }
        return snapshot.text
    }

    var isBlank: Bool { boundary.isBlank }

    /// Whether the arguments are complete, by the brackets outside strings.
    var isWhole: Bool { boundary.isWhole || isNull || snapshot?.boundary.isWhole == true }

    /// Whether the arguments end inside a value.
    var isOpen: Bool { !isWhole && boundary.isInside }

    /// Whether the arguments are an empty object. Some servers send one first, and then the arguments.
    var isPlaceholder: Bool { joined == "{}" }

    /// Whether each piece has repeated all before it.
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

    /// Whether a piece is the complete value that arrived in several pieces. Some servers send a call once more at the
    /// end.
    func isRepeatedWhole(by piece: String) -> Bool {
        guard boundary.isWhole, isDelta || snapshot != nil else { return false }
        return piece.utf8.count == joined.utf8.count && piece.utf8.elementsEqual(joined.utf8)
    }

    /// Whether a piece begins with all arguments so far.
    func repeats(_ piece: String) -> Bool {
        if isRepeatedWhole(by: piece) { return true }
        guard !isDelta, !isBlank else { return false }
        let known = snapshot?.text ?? joined
        return piece.utf8.count >= known.utf8.count && piece.utf8.starts(with: known.utf8)
    }

    /// Whether the piece can follow the arguments so far.
    fileprivate func fits(_ piece: ToolCallAssembler.Piece, _ isBlank: Bool) -> Bool {
        guard !isBlank, let first = piece.arguments.utf8.first(where: { $0 > 0x20 }) else { return true }
        if self.isBlank { return [0x7B, 0x5B, 0x22].contains(first) || piece.arguments.contains("null") }
        if repeats(piece.arguments) { return true }
        return !isWhole && (first != UInt8(ascii: "{") || boundary.mayBeginObject)
    }
}
