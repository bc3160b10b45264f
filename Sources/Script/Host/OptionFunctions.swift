// Host primitives for the checks of options: the groups of OptionCatalog as tables.

internal import Chat
internal import LuaVM

extension ScriptRuntime {
    func setOptions(_ stack: LuaStack) {
        // options(group) -> { name = kind }
        stack.set("options") { call throws(LuaError) in
            let name = call.stack.string(at: 1) ?? ""
            guard let group = OptionCatalog.group(name) else { throw .misuse("there are no options of '\(name)'") }
            call.stack.pushTable(fields: group.options.count)
            for option in group.options {
                call.stack.push(option.kind.rawValue)
                call.stack.setField(named: option.name, of: -2)
            }
            return .returned(1)
        }
        // expectations: kind -> the end of "option 'x' must be ..."
        stack.pushTable(fields: OptionKind.allCases.count)
        for kind in OptionKind.allCases {
            stack.push(kind.expectation)
            stack.setField(named: kind.rawValue, of: -2)
        }
        stack.setField("expectations", of: -2)
        // after_output: the values of retry.after_output
        stack.pushTable(array: AfterOutput.allCases.count)
        for (index, policy) in AfterOutput.allCases.enumerated() {
            stack.push(policy.rawValue)
            stack.setElement(index + 1, of: -2)
        }
        stack.setField("after_output", of: -2)
    }
}
