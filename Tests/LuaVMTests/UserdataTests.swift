// Userdata that stand for Swift objects: released once, whenever and however Lua lets go of them.

import Testing

@testable import LuaVM

@Suite struct UserdataTests {
    /// An object that notes its release and its end.
    private final class Item {
        let name: Int
        let log: Log
        init(_ name: Int, _ log: Log) {
            self.name = name
            self.log = log
        }
        deinit { log.ended.append(name) }
    }

    private final class Log {
        var released: [Int] = []
        var ended: [Int] = []
    }

    private final class Other {}

    /// A state in which scripts make items with `item(number)` and look at them with `name(item)`.
    private struct Fixture {
        let bench: VMHarness
        let log = Log()
        let type: LuaUserdataType<Item>
        let otherType: LuaUserdataType<Other>

        init(memoryLimit: Int? = nil) throws {
            bench = try VMHarness(memoryLimit: memoryLimit)
            let log = self.log
            let type = LuaUserdataType<Item>(bench.vm, name: "test.item") { log.released.append($0.name) }
            let otherType = LuaUserdataType<Other>(bench.vm, name: "test.other")
            (self.type, self.otherType) = (type, otherType)
            bench.define("item") { call throws(LuaError) in
                call.stack.push(Item(call.stack.int(at: 1) ?? 0, log), as: type)
                return .returned(1)
            }
            bench.define("other") { call throws(LuaError) in
                call.stack.push(Other(), as: otherType)
                return .returned(1)
            }
            bench.define("name") { call throws(LuaError) in
                guard let item = call.stack.object(at: 1, as: type) else {
                    let type = call.stack.type(at: 1)
                    let name = type == .none ? nil : call.stack.metatableName(at: 1)
                    throw .misuse("no item, but \(name ?? type.name)")
                }
                call.stack.push(item.name)
                return .returned(1)
            }
        }

        func close() { bench.vm.close() }
    }

    @Test func readsBackItsObject() throws {
        let fixture = try Fixture()
        #expect(fixture.bench.run("local a, b = item(1), item(2) return name(b), name(a), type(a)") == "2 1 userdata")
        #expect(fixture.bench.run("return tostring(item(3)):match('^[%w.]+')") == "test.item")
        #expect(
            fixture.bench.run("local t = { [item(4)] = 'key' } for k, v in pairs(t) do return name(k), v end")
                == "4 key")
    }

    /// Nothing but an item of this state that is not released is taken for one.
    @Test(arguments: [
        ("name(other())", "test.other"), ("name(io.stdout)", "FILE*"), ("name({})", "table"), ("name(nil)", "nil"),
        ("name()", "no value"), ("name(1)", "number"), ("name('item')", "string"), ("name(print)", "function"),
        ("name(setmetatable({}, { __name = 'test.item' }))", "test.item"),
        ("local i <close> = item(1) getmetatable(i)()", "attempt to call a boolean value"),
    ])
    func refusesOtherValues(source: String, seen: String) throws {
        let result = try Fixture().bench.run(source)
        #expect(result.hasPrefix("error: test.lua:1: ") && result.hasSuffix(seen), "\(result)")
    }

    @Test func anEmptyStackHoldsNoObject() throws {
        let fixture = try Fixture()
        #expect(fixture.bench.vm.stack.object(at: 1, as: fixture.type) == nil)
        #expect(fixture.bench.vm.stack.object(at: -1, as: fixture.type) == nil)
    }

    @Test func closingReleasesAtTheEndOfTheBlock() throws {
        let fixture = try Fixture()
        let source = """
            local kept
            do
                local a <close> = item(1)
                local b <close> = item(2)
                kept = a
            end
            collectgarbage()
            return pcall(name, kept)
            """
        #expect(fixture.bench.run(source) == "false test.lua:8: no item, but test.item")
        #expect(fixture.log.released == [2, 1])
        #expect(fixture.log.ended == [2, 1])
        #expect(fixture.bench.run("pcall(function() local a <close> = item(3) error('x') end) return ''").isEmpty)
        #expect(fixture.log.released == [2, 1, 3])
        fixture.close()
        #expect(fixture.log.ended == [2, 1, 3])
    }

    @Test func collectsInReverseOrderOfMaking() throws {
        let fixture = try Fixture()
        #expect(fixture.bench.run("for i = 1, 3 do item(i) end kept = item(4) collectgarbage() return ''").isEmpty)
        #expect(fixture.log.released == [3, 2, 1])
        #expect(fixture.bench.run("return name(kept)") == "4")
        fixture.close()
        #expect(fixture.log.released == [3, 2, 1, 4])
        #expect(fixture.log.ended == [3, 2, 1, 4])
    }

    /// A finalizer of the script's own gets hold of an item that was released with it.
    @Test func aResurrectedItemIsEmpty() throws {
        let fixture = try Fixture()
        let source = """
            setmetatable({ item(1) }, { __gc = function(self) kept = self[1] end })
            collectgarbage() collectgarbage()
            local first = table.pack(pcall(name, kept))
            kept = nil
            collectgarbage() collectgarbage()
            return first[1], first[2]
            """
        // The table was made last, so its finalizer runs first, and the item is released after it.
        #expect(fixture.bench.run(source) == "false test.lua:3: no item, but test.item")
        #expect(fixture.log.released == [1])
        fixture.close()
        #expect(fixture.log.ended == [1])
    }

    /// Items that finalizers make while the state closes are never collected by Lua.
    @Test func closingTheStateReleasesWhatItsFinalizersMake() throws {
        let fixture = try Fixture()
        let source = """
            kept = item(1)
            setmetatable({}, { __gc = function() late = item(2) seen = name(kept) setmetatable({}, {}) end })
            return ''
            """
        #expect(fixture.bench.run(source).isEmpty)
        fixture.close()
        #expect(fixture.log.released.sorted() == [1, 2])
        #expect(fixture.log.ended.sorted() == [1, 2])
        #expect(fixture.bench.vm.objects.count == 0)
    }

    @Test func scriptsCannotReachTheFinalizer() throws {
        let fixture = try Fixture()
        #expect(fixture.bench.run("local i = item(1) return getmetatable(i), debug.getmetatable(i)") == "false nil")
        #expect(fixture.bench.run("return pcall(setmetatable, item(2), {})").hasPrefix("false bad argument"))
        #expect(fixture.bench.run("return pcall(debug.setmetatable, item(3), {})").hasPrefix("false bad argument"))
        #expect(fixture.bench.run("return pcall(function() return item(4).x end)").contains("attempt to index"))
    }

    /// Wherever the script runs out of memory, each item that was made is released, once.
    @Test func everyFailedAllocationReleasesEachItemOnce() throws {
        let source = """
            local kept = {}
            for i = 1, 10 do
                kept[i] = item(i)
                local closed <close> = item(100 + i)
                setmetatable({ item(200 + i) }, { __gc = function(self) kept[#kept + 1] = { self[1] } end })
                if i % 4 == 0 then collectgarbage() end
            end
            return 'done'
            """
        var failures = 0
        for nth in 1...200 {
            let fixture = try Fixture()
            fixture.bench.vm.failAllocation(nth)
            let result = fixture.bench.run(source)
            #expect(result == "done" || result.contains("not enough memory"), "allocation \(nth): \(result)")
            if result != "done" { failures += 1 }
            fixture.bench.vm.failAllocation(0)
            #expect(fixture.bench.run("return name(item(0))") == "0")
            fixture.close()
            #expect(fixture.log.released.count == Set(fixture.log.released).count)
            #expect(fixture.log.released.sorted() == fixture.log.ended.sorted())
            #expect(fixture.bench.vm.objects.count == 0)
        }
        #expect(failures > 30)
    }

    /// Lua drops a finalizer that it cannot call: with no memory for its stack, or too deep in C calls.
    @Test func whatLuaCannotFinalizeGoesWithTheState() throws {
        let fixture = try Fixture(memoryLimit: 1 << 20)
        let source = """
            local function deep(n)
                for i = 1, 20 do item(n) end
                string.gsub("x", "x", function() deep(n + 1) end)
            end
            local ok, problem = pcall(deep, 1)
            local list = {}
            pcall(function() for i = 1, 1e7 do item(i) list[i] = { i } end end)
            list = nil
            return ok, tostring(problem):match("overflow") or problem
            """
        #expect(fixture.bench.run(source) == "false overflow")
        fixture.close()
        #expect(fixture.log.ended.count > 1000)
        #expect(fixture.log.released.count == fixture.log.ended.count)
        #expect(fixture.bench.vm.objects.count == 0)
    }

    @Test func slotsAreUsedAgain() throws {
        let fixture = try Fixture()
        #expect(fixture.bench.run("for i = 1, 1000 do local a <close> = item(i) end return ''").isEmpty)
        #expect(fixture.bench.vm.objects.count == 0)
        #expect(fixture.log.ended == Array(1...1000))
        #expect(fixture.bench.vm.objects[1] == nil && fixture.bench.vm.objects[2] == nil)
    }
}
