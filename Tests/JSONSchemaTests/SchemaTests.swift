// JSON Schema by value: each supported keyword from the specification, what is refused, and the official test suite where
// it is present (scripts/schema-suite fetches it).

import Foundation
import JSON
import JSONSchema
import Testing

private func json(_ text: String) throws -> JSONValue { try JSONReader.value(text) }

@Suite struct SchemaTests {
    /// Schema, values that fit, values that do not.
    static let cases: [(String, [String], [String])] = [
        ("true", ["1", "null"], []), ("false", [], ["1"]), ("{}", ["{}", "[]"], []),
        (#"{"type":"integer"}"#, ["1", "1.0", "-3", "9007199254740993"], ["1.5", "\"1\"", "null", "true"]),
        (#"{"type":"number"}"#, ["1", "1.5", "1e300"], ["\"1\""]),
        (#"{"type":["string","null"]}"#, ["\"x\"", "null"], ["1", "[]"]),
        (
            #"{"enum":[1,"a",null,{"x":[1]}]}"#, ["1", "1.0", "\"a\"", "null", #"{"x":[1.0]}"#],
            ["2", "\"b\"", #"{"x":[2]}"#]
        ),
        (#"{"const":{"a":1,"b":2}}"#, [#"{"b":2,"a":1}"#], [#"{"a":1}"#]),
        (#"{"enum":[false]}"#, ["false"], ["0", "[]"]),
        (
            #"{"properties":{"a":{"type":"string"}},"required":["a"],"additionalProperties":false}"#,
            [#"{"a":"x"}"#, "7"], ["{}", #"{"a":1}"#, #"{"a":"x","b":1}"#]
        ),
        (
            #"{"patternProperties":{"^x_":{"type":"integer"}},"additionalProperties":{"type":"string"}}"#,
            [#"{"x_1":1,"y":"s"}"#], [#"{"x_1":"s"}"#, #"{"y":1}"#]
        ),
        (#"{"propertyNames":{"maxLength":2}}"#, [#"{"ab":1}"#], [#"{"abc":1}"#]),
        (#"{"minProperties":1,"maxProperties":2}"#, [#"{"a":1}"#], ["{}", #"{"a":1,"b":2,"c":3}"#]),
        (#"{"dependentRequired":{"a":["b"]}}"#, ["{}", #"{"a":1,"b":2}"#], [#"{"a":1}"#]),
        (#"{"dependentSchemas":{"a":{"required":["b"]}}}"#, [#"{"a":1,"b":2}"#], [#"{"a":1}"#]),
        (#"{"items":{"type":"integer"}}"#, ["[]", "[1,2]", "{}"], ["[1,\"x\"]"]),
        (#"{"prefixItems":[{"type":"integer"}],"items":false}"#, ["[]", "[1]"], ["[1,2]", "[\"x\"]"]),
        (#"{"contains":{"const":1}}"#, ["[0,1]"], ["[]", "[0]"]),
        (#"{"contains":{"const":1},"minContains":2,"maxContains":3}"#, ["[1,1]"], ["[1]", "[1,1,1,1]"]),
        (#"{"contains":{"const":1},"minContains":0}"#, ["[]"], []),
        (#"{"minItems":1,"maxItems":2}"#, ["[1]", "\"x\""], ["[]", "[1,2,3]"]),
        (
            #"{"uniqueItems":true}"#, ["[1,2]", "[1,true]", "[[1],[2]]"],
            ["[1,1.0]", #"[{"a":1,"b":2},{"b":2,"a":1}]"#]
        ),
        (#"{"minimum":1,"maximum":2}"#, ["1", "1.5", "2"], ["0.9", "2.1", "-9223372036854775808"]),
        (#"{"exclusiveMinimum":1,"exclusiveMaximum":2}"#, ["1.5"], ["1", "2"]),
        (#"{"multipleOf":0.01}"#, ["4.02", "1"], ["4.021"]), (#"{"multipleOf":3}"#, ["9", "-6", "0"], ["10"]),
        (#"{"minLength":2,"maxLength":3}"#, ["\"ab\"", "\"😀😀\""], ["\"a\"", "\"abcd\""]),
        (#"{"pattern":"^a+$"}"#, ["\"aa\"", "1"], ["\"ab\""]), (#"{"pattern":"b"}"#, ["\"abc\""], ["\"ac\""]),
        (#"{"pattern":"^(a|b)+[(+)]*c{1,3}(de{2})*$"}"#, ["\"abc\"", "\"a+cdee\""], ["\"c\""]),
        (#"{"allOf":[{"minimum":1},{"maximum":2}]}"#, ["1"], ["0", "3"]),
        (#"{"anyOf":[{"type":"string"},{"minimum":5}]}"#, ["\"x\"", "5"], ["1"]),
        (#"{"oneOf":[{"multipleOf":2},{"multipleOf":3}]}"#, ["2", "3"], ["6", "1"]),
        (#"{"not":{"type":"string"}}"#, ["1"], ["\"x\""]),
        (
            #"{"if":{"properties":{"k":{"const":1}}},"then":{"required":["a"]},"else":{"required":["b"]}}"#,
            [#"{"k":1,"a":0}"#, #"{"k":2,"b":0}"#], [#"{"k":1,"b":0}"#, #"{"k":2,"a":0}"#]
        ),
        (
            ##"{"$ref":"#/$defs/node","$defs":{"node":{"type":"object","properties":{"next":{"$ref":"#/$defs/node"}},"additionalProperties":false}}}"##,
            ["{}", #"{"next":{"next":{}}}"#], [#"{"next":{"next":{"x":1}}}"#, "1"]
        ),
        (##"{"$ref":"#here","$defs":{"a":{"$anchor":"here","type":"null"}}}"##, ["null"], ["1"]),
        (
            ##"{"properties":{"a/b":{"type":"null"},"x":{"$ref":"#/properties/a~1b"}}}"##, [#"{"x":null}"#],
            [#"{"x":1}"#]
        ),
        (#"{"title":"t","description":"d","default":1,"format":"email","examples":[]}"#, ["\"no mail\""], []),
    ]

    @Test(arguments: cases) func keywords(schema: String, good: [String], bad: [String]) throws {
        let schema = try JSONSchema(json(schema))
        for value in good { #expect(schema.violations(of: try json(value)) == [], "\(value)") }
        for value in bad { #expect(schema.violations(of: try json(value)) != [], "\(value)") }
    }

    @Test(arguments: [
        (#"{"typ":"string"}"#, "/typ is a keyword that is not supported"),
        (#"{"properties":{"a":{"unevaluatedProperties":false}}}"#, "/properties/a/unevaluatedProperties is a keyword"),
        (#"{"type":"text"}"#, "/type must name a type"), (#"{"type":[]}"#, "/type must name a type"),
        (#"{"required":"a"}"#, "/required must be an array of names"),
        (#"{"minLength":-1}"#, "/minLength must be a whole"),
        (#"{"multipleOf":0}"#, "/multipleOf must be a number above 0"),
        (#"{"allOf":[]}"#, "/allOf must be an array with"),
        (#"{"pattern":"("}"#, "/pattern has a regular expression"), (#"{"items":7}"#, "/items must be an object, true"),
        (##"{"$ref":"#/$defs/x"}"##, "/$ref leads nowhere"),
        (#"{"$ref":"https://example.com/x"}"#, "/$ref leads nowhere"),
        (##"{"$ref":"#"}"##, "/$ref leads nowhere"),
        (##"{"anyOf":[{"$ref":"#"},{"$ref":"#"}]}"##, "the schema leads back to itself"),
        (
            ##"{"$defs":{"a":{"allOf":[{"$ref":"#b"}]},"b":{"$anchor":"b","not":{"$ref":"#/$defs/a"}}}}"##,
            "/$defs/a leads back"
        ),
        (#"{"pattern":"^(a+)+$"}"#, "/pattern repeats a group"), (#"{"pattern":"((a|b)*c{2,})*"}"#, "/pattern repeats"),
        ("7", "the schema must be an object"),
        (#"{"properties":{"a/b":{"type":1}}}"#, "/properties/a~1b/type must"),
        (#"{"enum":1}"#, "/enum must be an array"),
    ]) func problems(schema: String, says: String) throws {
        let problem = #expect(throws: JSONSchema.Problem.self) { try JSONSchema(json(schema)) }
        #expect(problem?.description.hasPrefix(says) == true, "\(problem?.description ?? "")")
    }

    @Test func violationsSayWhereAndWhat() throws {
        let schema = try JSONSchema(
            json(
                #"{"type":"object","required":["name"],"properties":{"people":{"items":{"properties":{"age":{"type":"integer"}}}}}}"#
            ))
        let found = schema.violations(of: try json(#"{"people":[{"age":1},{"age":"x"}]}"#))
        #expect(
            found == [
                .init(path: [], message: "lacks the member \"name\""),
                .init(
                    path: [.member("people"), .element(1), .member("age")], message: "must be an integer, and is \"x\""),
            ])
        let many = try JSONSchema(json(#"{"items":{"type":"null"}}"#)).violations(
            of: .array(Array(repeating: 1, count: 99)))
        #expect(many.count == 8)
    }

    /// A value as deep as any reader allows is judged, not the stack's end.
    @Test func depth() throws {
        let schema = try JSONSchema(json(##"{"properties":{"a":{"$ref":"#"}}}"##))
        var value = JSONValue.null
        for _ in 0..<250 { value = ["a": value] }
        #expect(schema.violations(of: value) == [])
        for _ in 0..<1_000 { value = ["a": value] }
        #expect(schema.violations(of: value).first?.message.contains("too deeply") == true)
    }

    /// The official suite, draft 2020-12: MOONRILL_SCHEMA_SUITE names its folder.
    @Test func officialSuite() throws {
        guard let folder = ProcessInfo.processInfo.environment["MOONRILL_SCHEMA_SUITE"] else {
            print("notice: no JSON Schema test suite (scripts/schema-suite fetches it); skipped")
            return
        }
        var sum = (passed: 0, failed: 0, unsupported: 0)
        for name in try FileManager.default.contentsOfDirectory(atPath: folder).sorted() where name.hasSuffix(".json") {
            let data = try #require(FileManager.default.contents(atPath: folder + "/" + name))
            var (passed, failed, refused) = (0, 0, Set<String>())
            var unsupported = 0
            for group in try JSONReader.value([UInt8](data)).array ?? [] {
                let tests = group["tests"]?.array ?? []
                let schema: JSONSchema
                do {
                    schema = try JSONSchema(group["schema"] ?? .null)
                } catch {
                    unsupported += tests.count
                    refused.insert(
                        String(error.description.split(separator: " ").first?.split(separator: "/").last ?? ""))
                    continue
                }
                for test in tests {
                    let isValid = schema.violations(of: test["data"] ?? .null).isEmpty
                    let isRight = isValid == test["valid"]?.bool
                    if isRight { passed += 1 } else { failed += 1 }
                    let place = [group["description"], test["description"]].compactMap { $0?.string }
                    #expect(isRight, "\(name): \(place.joined(separator: ": "))")
                }
            }
            sum = (sum.passed + passed, sum.failed + failed, sum.unsupported + unsupported)
            let why = refused.isEmpty ? "" : " (\(refused.sorted().joined(separator: ", ")))"
            print("\(name): \(passed) passed, \(failed) failed, \(unsupported) not supported\(why)")
        }
        print("in all: \(sum.passed) passed, \(sum.failed) failed, \(sum.unsupported) not supported")
        #expect(sum.passed > 500)
    }
}
