// Divides a streamed JSON array into its elements. Tracks only brackets, strings and separators.

internal import Base

/// An incremental parser of a top-level JSON array (RFC 8259 section 5). Bytes before and after the array are ignored.
package struct JSONArrayParser: Sendable {
    private enum State: Sendable { case before, between, element, scalar, over }

    private let limit: Int
    private var state = State.before
    /// Open brackets inside the element.
    private var depth = 0
    private var isInString = false
    private var isEscaped = false
    /// Bytes of earlier chunks.
    private var offset = 0
    /// The beginning of an element whose end has not been received.
    private var held: [UInt8] = []

    /// A parser at the start of a body.
    /// - Parameter maxElementBytes: maximum length of an element, in bytes.
    package init(maxElementBytes: Int = 16 * 1024 * 1024) { limit = maxElementBytes }

    /// True after the closing bracket of the array.
    package var isOver: Bool { state == .over }

    /// Reads the next chunk, which may begin and end anywhere, and emits each completed element in order.
    /// - Throws: `FramingError.tooLong` for an element longer than the limit; `FramingError.consumer` with the error
    ///   that `emit` threw.
    package mutating func feed<E: Error>(
        _ bytes: Span<UInt8>, _ emit: (Span<UInt8>) throws(E) -> Void
    ) throws(FramingError<E>) {
        var start = 0
        var index = 0
        while index < bytes.count, state != .over {
            let byte = bytes[index]
            switch state {
            case .before:
                if byte == UInt8(ascii: "[") { state = .between }
                index += 1
            case .between:
                guard begins(with: byte) else {
                    index += 1
                    continue
                }
                start = index
                if state == .element { index += 1 }
            case .element:
                index += 1
                guard closes(byte) else { continue }
                try emitElement(bytes.extracting(start..<index), from: start, emit)
                state = .between
            case .scalar:
                guard byte == UInt8(ascii: ",") || byte == UInt8(ascii: "]") || Self.isBlank(byte) else {
                    index += 1
                    continue
                }
                try emitElement(bytes.extracting(start..<index), from: start, emit)
                state = .between
            case .over: break
            }
        }
        if state == .element || state == .scalar {
            let rest = bytes.extracting(start..<bytes.count)
            if held.count + rest.count > limit { throw .tooLong(excess(from: start)) }
            held.append(rest)
        }
        offset += bytes.count
    }

    /// Reads a byte between elements.
    /// - Returns: whether an element begins here.
    private mutating func begins(with byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "]"):
            state = .over
            return false
        case UInt8(ascii: "{"), UInt8(ascii: "["):
            state = .element
            depth = 1
            return true
        case UInt8(ascii: "\""):
            state = .element
            depth = 0
            isInString = true
            return true
        case UInt8(ascii: ","): return false
        default:
            guard !Self.isBlank(byte) else { return false }
            state = .scalar
            return true
        }
    }

    /// Reads a byte inside an element.
    /// - Returns: whether the element ends here.
    private mutating func closes(_ byte: UInt8) -> Bool {
        if isInString {
            if isEscaped {
                isEscaped = false
            } else if byte == UInt8(ascii: "\\") {
                isEscaped = true
            } else if byte == UInt8(ascii: "\"") {
                isInString = false
                return depth == 0
            }
            return false
        }
        switch byte {
        case UInt8(ascii: "\""): isInString = true
        case UInt8(ascii: "{"), UInt8(ascii: "["): depth += 1
        case UInt8(ascii: "}"), UInt8(ascii: "]"):
            depth -= 1
            return depth == 0
        default: break
        }
        return false
    }

    private mutating func emitElement<E: Error>(
        _ rest: Span<UInt8>, from place: Int, _ emit: (Span<UInt8>) throws(E) -> Void
    ) throws(FramingError<E>) {
        if held.count + rest.count > limit { throw .tooLong(excess(from: place)) }
        guard !held.isEmpty else {
            do throws(E) { try emit(rest) } catch { throw .consumer(error) }
            return
        }
        held.append(rest)
        var whole: [UInt8] = []
        swap(&whole, &held)
        do throws(E) { try emit(whole.span) } catch { throw .consumer(error) }
        whole.drain()
        swap(&whole, &held)
    }

    private func excess(from place: Int) -> FrameTooLong {
        FrameTooLong(limit: limit, position: offset + place - held.count)
    }

    private static func isBlank(_ byte: UInt8) -> Bool {
        byte == 0x20 || byte == 0x09 || byte == 0x0A || byte == 0x0D
    }
}
