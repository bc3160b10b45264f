// Parses bytes into JSON values. Decoders read stream frames through JSONNode without copies; other callers request a
// JSONValue. The tape of simdjson is C memory: pointers are not used outside single expressions, and a node that
// outlives its document reads as null (see csj_document in CSimdJSON.h).

internal import CSimdJSON

/// The error for bytes that are not JSON.
package struct JSONError: Error, Sendable, Equatable {
    /// The problem, in English. Never contains a part of the document.
    package var message: String
    /// Byte offset of the problem, if known.
    package var offset: Int?

    /// An error with the given parts.
    package init(message: String, offset: Int? = nil) {
        self.message = message
        self.offset = offset
    }
}

/// Parses JSON documents (RFC 8259) with simdjson. Reuse a reader: after the first few documents a parse allocates
/// nothing. One thread at a time.
///
/// Providers send JSON that a strict parser rejects. If a strict parse fails, the reader repairs documents whose
/// meaning is clear: see `JSONRepair`. Nesting deeper than 1,024 is an error.
package final class JSONReader {
    private let parser: OpaquePointer?

    /// A reader without buffers. The first parse allocates them.
    package init() { parser = csj_parser_create() }

    deinit { csj_parser_free(parser) }

    /// Parses one document. The node, and every node reached from it, is valid until the next parse or the end of the
    /// reader, and reads as null afterwards. Keep the reader in a property: `JSONReader().parse(bytes).value` reads a
    /// node whose reader has been freed.
    /// - Throws: `JSONError` for bytes that are not JSON after repair, and for an empty document.
    package func parse(_ bytes: Span<UInt8>) throws(JSONError) -> JSONNode {
        if let node = strict(bytes).node { return node }
        let mended = try JSONRepair.repaired(bytes)
        let second = strict(mended.span)
        if let node = second.node { return node }
        throw JSONError(message: String(cString: csj_message(second.code)))
    }

    /// Parses one document into a value.
    /// - Throws: `JSONError` as `parse`.
    package static func value(_ bytes: [UInt8]) throws(JSONError) -> JSONValue {
        let reader = JSONReader()
        let value = try reader.parse(bytes.span).value
        return withExtendedLifetime(reader) { value }
    }

    /// Parses one document into a value, without repair: NaN, Infinity, numbers beyond the range of a double and
    /// invalid UTF-8 are errors. Integers beyond 64 bits are doubles; an escape of a lone surrogate is U+FFFD (RFC
    /// 8259 sections 6 and 8.2 allow both); a byte order mark is skipped (section 8.1).
    /// - Throws: `JSONError`.
    package static func strictValue(_ bytes: [UInt8]) throws(JSONError) -> JSONValue {
        try JSONReader().strictValue(bytes)
    }

    /// Parses one document into a value, without repair. As the static function, for many documents.
    /// - Throws: `JSONError`.
    package func strictValue(_ bytes: [UInt8]) throws(JSONError) -> JSONValue {
        if let value = strict(bytes.span).node?.value { return value }
        let plain = try JSONRepair.repaired(bytes.span, isStrict: true)
        let second = strict(plain.span)
        guard let value = second.node?.value else {
            throw JSONError(message: String(cString: csj_message(second.code)))
        }
        return value
    }

    /// Parses one document into a value.
    /// - Throws: `JSONError` as `parse`.
    package static func value(_ text: String) throws(JSONError) -> JSONValue { try value([UInt8](text.utf8)) }

    private func strict(_ bytes: Span<UInt8>) -> (node: JSONNode?, code: Int32) {
        bytes.withUnsafeBufferPointer { buffer in
            var root = csj_node()
            let code = csj_parse(parser, buffer.baseAddress, buffer.count, &root)
            return (code == 0 ? JSONNode(root) : nil, code)
        }
    }
}

extension JSONReader: Equatable {
    /// Whether both are the same reader.
    package static func == (a: JSONReader, b: JSONReader) -> Bool { a === b }
}

/// A node must be used on its reader's thread.
@available(*, unavailable)
extension JSONReader: Sendable {}

/// Up to 16 keys to find in one walk over an object. Make it once, as a `static let`.
package struct JSONKeys: Sendable {
    /// Maximum keys in one walk.
    package static let limit = Int(CSJ_MAX_KEYS)

    /// One table, in an array because C takes its address.
    internal let table: [csj_keys]

    /// A table of the given keys, numbered from 0. Keys beyond the sixteenth are never found.
    package init(_ keys: StaticString...) {
        assert(keys.count <= Self.limit, "JSONKeys holds at most 16 keys")
        assert(keys.allSatisfy(\.hasPointerRepresentation), "JSONKeys takes string literals")
        var made = csj_keys()
        for key in keys where key.hasPointerRepresentation {
            csj_keys_add(&made, key.utf8Start, UInt32(key.utf8CodeUnitCount))
        }
        table = [made]
    }
}

/// The members that `JSONNode.pick` found, by key number. Valid as long as the node.
package struct JSONPicked {
    internal var found: UInt32 = 0
    /// The members that are null, as a mask.
    internal var nulls: UInt32 = 0
    internal var places: InlineArray<16, UInt32>
    internal let object: csj_node

    /// Whether the object has further members whose values are non-empty arrays or objects: extensions of a server. See
    /// ``JSONNode/forEachOther(than:_:)``.
    package var hasOthers: Bool { found & UInt32(CSJ_OTHERS) != 0 }

    /// Whether one of these members was found and is not null: bit k stands for key k.
    package func hasValue(_ keys: UInt32) -> Bool { found & keys & ~nulls & (UInt32(CSJ_OTHERS) - 1) != 0 }

    /// The member of key `index`, or nil.
    @inline(__always)
    package subscript(index: Int) -> JSONNode? {
        guard index >= 0, index < 16, found & (1 << UInt32(index)) != 0 else { return nil }
        return JSONNode(csj_at(object, places[index]))
    }
}
