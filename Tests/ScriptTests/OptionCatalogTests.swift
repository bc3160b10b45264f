// OptionCatalog against what uses it: the annotations in types/, the Lua modules and the engine's defaults.

import Chat
import Formats
import Foundation
import ScriptSupport
import Support
import Testing

@testable import Script

@Suite struct OptionCatalogTests {
    private static func annotations(_ file: String) throws -> String {
        try String(contentsOfFile: MoonrillBinary.packageRoot + "/types/" + file, encoding: .utf8)
    }

    @Test func namesAreUnique() {
        #expect(Set(OptionCatalog.all.map(\.name)).count == OptionCatalog.all.count)
        let requests = [OptionCatalog.shared, OptionCatalog.callbacks, OptionCatalog.sampling, OptionCatalog.client]
        let names = requests.flatMap(\.options).map(\.name)
        #expect(Set(names).count == names.count)
    }

    /// Each class of options in types/ is the declaration, rendered.
    @Test(arguments: [
        ("llm.lua", OptionCatalog.timeout.classAnnotation("timeout")),
        ("llm.lua", OptionCatalog.retry.classAnnotation("retry")),
        ("llm.lua", OptionCatalog.cache.classAnnotation("cache")),
        ("llm.lua", OptionCatalog.callbacks.classAnnotation("callbacks")),
        ("llm.lua", OptionCatalog.shared.classAnnotation("shared_options", extending: "callbacks")),
        ("llm.lua", OptionCatalog.sampling.classAnnotation("request_options", extending: "shared_options")),
        ("llm.lua", OptionCatalog.client.classAnnotation("client_options", extending: "shared_options")),
        ("llm.lua", OptionCatalog.provider.classAnnotation("provider_definition")),
        ("flow.lua", OptionCatalog.map.classAnnotation("map_options")),
        ("serve.lua", OptionCatalog.serve.classAnnotation("serve.options")),
        ("serve.lua", OptionCatalog.serveLimit.classAnnotation("serve.limit")),
        ("serve.lua", OptionCatalog.serveBudget.classAnnotation("serve.budget")),
        ("serve.lua", OptionCatalog.serveAnswer.classAnnotation("serve.answer")),
    ])
    func classesAreRendered(file: String, rendered: String) throws {
        let text = try Self.annotations(file)
        #expect(text.contains(rendered + "\n"), "types/\(file) needs:\n\(rendered)")
    }

    /// So is the type of each parameter that has a few options of its own.
    @Test(arguments: [
        ("llm.lua", OptionCatalog.budget, "fun(options: "), ("llm.lua", OptionCatalog.tool, "@param options "),
        ("llm.lua", OptionCatalog.limit, "@param options "), ("llm.lua", OptionCatalog.encode, "@param options? "),
        ("llm.lua", OptionCatalog.rows, "@param options "), ("llm.lua", OptionCatalog.chat, "@param options? "),
        ("serve.lua", OptionCatalog.servePage, "@param options? "),
        ("flow.lua", OptionCatalog.trim, "@param options "),
        ("flow.lua", OptionCatalog.vote, "@param options? "), ("flow.lua", OptionCatalog.judge, "@param options "),
        ("flow.lua", OptionCatalog.loop, "@param options "), ("flow.lua", OptionCatalog.refine, "@param options "),
        ("flow.lua", OptionCatalog.hedge, "@param options? "), ("flow.lua", OptionCatalog.fallback, "@param options? "),
        ("flow.lua", OptionCatalog.flowRetry, "@param options? "),
    ])
    func parametersAreRendered(file: String, group: OptionGroup, prefix: String) throws {
        let wanted = prefix + group.inlineAnnotation
        #expect(try Self.annotations(file).contains(wanted), "types/\(file) needs: \(wanted)")
    }

    /// Every kind refuses a value, in the words of its declaration.
    @Test(arguments: OptionKind.allCases.filter { $0 != .any })
    func kindsAreChecked(kind: OptionKind) throws {
        let option = try #require(
            OptionCatalog.all.filter { ["shared", "callbacks", "sampling", "timeout"].contains($0.name) }
                .flatMap { group in group.options.filter { $0.kind == kind }.map { (group.name, $0.name) } }.first)
        let given =
            option.0 == "timeout" ? "timeout = { \(option.1) = print }" : "\(option.1) = coroutine.create(print)"
        let run = try ScriptHarness.run("client:ask('x', { \(given) })")
        let expected = "option '\(option.1)' must be \(kind.expectation), not a "
        #expect(run.failure.contains(expected), "\(run.failure)")
        #expect(run.requests.isEmpty)
    }

    /// Options that the encoders of the formats know are options of a request.
    @Test func commonOptionsAreDeclared() {
        let names = Set(OptionCatalog.sampling.options.map(\.name))
        #expect(names == Set(CommonOption.allCases.map(\.rawValue)).union(["service_tier"]))
    }

    @Test func afterOutputTakesThePoliciesOfTheEngine() throws {
        let run = try ScriptHarness.run("client:ask('x', { retry = { after_output = 'restar' } })")
        #expect(
            run.failure.hasSuffix(
                "retry.after_output must be \"fail\", \"restart\", \"continue\" or \"auto\", not \"restar\" "
                    + "(did you mean \"restart\"?)"))
        for policy in AfterOutput.allCases {
            #expect(
                try ScriptHarness.run("client:ask('x', { retry = { after_output = '\(policy.rawValue)' } })").failure
                    == "")
        }
    }
}
