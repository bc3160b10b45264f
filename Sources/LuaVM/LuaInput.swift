// Standard input of scripts, given by Swift.

internal import CLua
internal import CLuaShim

/// Gives a script at most that many bytes of standard input: none at its end; nil for an error, with errno set.
package typealias InputSource = (Int) -> [UInt8]?

final class InputBox {
    let source: InputSource
    init(_ source: @escaping InputSource) { self.source = source }
}

extension LuaVM {
    /// Makes `io.stdin` and `io.read` read from `source`. Call once, before any script runs.
    /// - Throws: ``LuaError`` when memory is out.
    package func setInput(_ source: @escaping InputSource) throws(LuaError) {
        let box = InputBox(source)
        input = box
        let context = unsafe Unmanaged.passUnretained(box).toOpaque()
        if unsafe mr_set_input(machine, readInput, context) != LUA_OK { throw stack.popError(traceback: "") }
    }
}

private func readInput(
    _ context: UnsafeMutableRawPointer, _ bytes: UnsafeMutablePointer<CChar>, _ count: Int
) -> Int {
    let box = unsafe Unmanaged<InputBox>.fromOpaque(context).takeUnretainedValue()
    guard let given = box.source(count) else { return -1 }
    let taken = given.prefix(count)
    for (index, byte) in taken.enumerated() { unsafe bytes[index] = CChar(bitPattern: byte) }
    return taken.count
}
