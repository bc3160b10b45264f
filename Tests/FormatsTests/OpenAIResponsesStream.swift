// Builds Responses streams: numbered events of a small reply, and their decoding.

import Formats

/// Events of a reply, numbered in order.
struct ResponsesStream {
    private(set) var payloads: [String] = []
    private var number = 0

    /// Adds an event.
    /// - Parameter members: JSON members without braces, apart from type and number.
    mutating func add(_ type: String, _ members: String = "") {
        let rest = members.isEmpty ? "" : ",\(members)"
        payloads.append(#"{"type":"response.\#(type)","sequence_number":\#(number)\#(rest)}"#)
        number += 1
    }

    /// Adds the events of one part of an item: its pieces and its end.
    mutating func part(_ kind: String, _ type: String, of item: Int, _ pieces: [String], index: String) {
        let place = #""output_index":\#(item),"item_id":"i\#(item)",\#(index)"#
        for piece in pieces { add("\(kind).delta", #"\#(place),"delta":"\#(piece)""#) }
        let whole = pieces.joined()
        let member = type == "refusal" ? "refusal" : "text"
        add("\(kind).done", #"\#(place),"\#(member)":"\#(whole)""#)
        let event = kind.hasPrefix("reasoning_summary") ? "reasoning_summary_part.done" : "content_part.done"
        add(event, #"\#(place),"part":{"type":"\#(type)","\#(member)":"\#(whole)"}"#)
    }

    /// Adds all events of an item.
    mutating func item(_ index: Int, _ begun: String, _ done: String, _ inside: (inout ResponsesStream) -> Void) {
        add("output_item.added", #""output_index":\#(index),"item":\#(begun)"#)
        inside(&self)
        add("output_item.done", #""output_index":\#(index),"item":\#(done)"#)
    }

    static let reasoning =
        #"{"id":"i0","type":"reasoning","summary":[{"type":"summary_text","text":"Let me see."},"#
        + #"{"type":"summary_text","text":"Yes."}],"encrypted_content":"E=="}"#
    static let message =
        #"{"id":"i1","type":"message","role":"assistant","status":"completed","content":["#
        + #"{"type":"output_text","text":"Hello, 世界!","annotations":[]},"#
        + #"{"type":"output_text","text":" Bye.","annotations":[]}]}"#
    static let call =
        #"{"id":"i2","type":"function_call","status":"completed","call_id":"c1","name":"f","arguments":"{\"a\":1}"}"#

    /// Reasoning in two parts, a message in two parts, a call.
    static let usual: ResponsesStream = {
        var stream = ResponsesStream()
        stream.add("created", #""response":{"id":"r1","model":"m1","status":"in_progress","output":[]}"#)
        stream.add("in_progress", #""response":{"id":"r1","model":"m1","status":"in_progress","output":[]}"#)
        stream.item(0, #"{"id":"i0","type":"reasoning","summary":[]}"#, reasoning) {
            let kind = "reasoning_summary_text"
            $0.part(kind, "summary_text", of: 0, ["Let ", "me", " see."], index: #""summary_index":0"#)
            $0.part(kind, "summary_text", of: 0, ["Yes", "."], index: #""summary_index":1"#)
        }
        stream.item(1, #"{"id":"i1","type":"message","role":"assistant","content":[]}"#, message) {
            $0.part("output_text", "output_text", of: 1, ["Hel", "lo", ", 世", "界!"], index: #""content_index":0"#)
            $0.part("output_text", "output_text", of: 1, [" ", "Bye."], index: #""content_index":1"#)
        }
        stream.item(2, #"{"id":"i2","type":"function_call","call_id":"c1","name":"f","arguments":""}"#, call) {
            let place = #""output_index":2,"item_id":"i2""#
            $0.add("function_call_arguments.delta", #"\#(place),"delta":"{\"a\"""#)
            $0.add("function_call_arguments.delta", #"\#(place),"delta":":1}""#)
            $0.add("function_call_arguments.done", #"\#(place),"arguments":"{\"a\":1}""#)
        }
        stream.add(
            "completed",
            #""response":{"id":"r1","model":"m1","status":"completed","output":[\#(reasoning),\#(message),\#(call)],"#
                + #""usage":{"input_tokens":1,"output_tokens":2,"total_tokens":3,"#
                + #""input_tokens_details":{"cached_tokens":4},"output_tokens_details":{"reasoning_tokens":5}}}"#)
        return stream
    }()

    static func run(_ payloads: [String]) -> StreamOutcome {
        StreamHarness.run(frames: payloads.map { (.data, "", $0) }, dialect: WireFormat.openAIResponses)
    }

    static func run(_ payloads: String...) -> StreamOutcome { run(payloads) }
}
