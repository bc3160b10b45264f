// Output of scripts, passed to Swift.

internal import CLua
internal import CLuaShim

/// Takes bytes that a script wrote. Returns false if the output is closed, which stops the script.
package typealias OutputSink = ([UInt8]) -> Bool

final class OutputBox {
    let sink: OutputSink
    init(_ sink: @escaping OutputSink) { self.sink = sink }
}

extension LuaVM {
    /// Sets the sinks. `standard` gets `print`, `io.write` and `io.stdout`, buffered until ``flushOutput()``; `error` gets
    /// `io.stderr`, unbuffered. Call once, before any script runs.
    /// - Throws: ``LuaError`` when memory is out.
    package func setOutput(standard: @escaping OutputSink, error: @escaping OutputSink) throws(LuaError) {
        for (which, sink) in [(Int32(1), standard), (2, error)] {
            let box = OutputBox(sink)
            outputs.append(box)
            let context = unsafe Unmanaged.passUnretained(box).toOpaque()
            if unsafe mr_set_output(machine, which, writeOutput, context) != LUA_OK {
                throw stack.popError(traceback: "")
            }
        }
    }

    /// Passes the buffered standard output to its sink.
    package func flushOutput() { unsafe mr_flush_output(machine) }
}

private func writeOutput(
    _ context: UnsafeMutableRawPointer, _ bytes: UnsafePointer<CChar>, _ count: Int
) -> Int32 {
    let box = unsafe Unmanaged<OutputBox>.fromOpaque(context).takeUnretainedValue()
    let copy = unsafe bytes.withMemoryRebound(to: UInt8.self, capacity: count) {
        unsafe Array(UnsafeBufferPointer(start: $0, count: count))
    }
    return box.sink(copy) ? 1 : 0
}
