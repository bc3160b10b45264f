"""Tests the rules: a clean scratch tree passes, and each planted violation is found where it was planted."""

import subprocess
import sys
import tempfile
from pathlib import Path
from types import SimpleNamespace

import rules
from source import Tree, blank

# The plan of the scratch tree.
PLAN = SimpleNamespace(
    ARROWS={"CLua": [], "CSimdJSON": [], "CLuaShim": ["CLua"], "Wire": ["CSimdJSON"], "LuaVM": ["CLua", "CLuaShim"],
            "Engine": ["Wire"], "Library": ["Engine", "Wire"]},
    PACKAGES={"Library": ["Logging"]},
    ANYWHERE=["FoundationEssentials"],
    SYSTEM={"Glibc": {"Engine": "clocks"}, "Foundation": {}},
    TEST_MODULES=["Testing", "Foundation"], TEST_EXTRAS={},
    HEADERS={"lua": ["CLua", "CLuaShim"]},
    C_NAMES=[(r"\b(?:lua|luaL)_\w+", ["CLua", "CLuaShim", "LuaVM"], "the Lua C API"),
             (r"\bmr_\w+", ["CLuaShim", "LuaVM"], "the Lua shim")],
    POINTER_TARGETS=["LuaVM"], POINTER_FILES={"Sources/Wire/Bytes.swift": "spans"},
    PUBLIC_TARGETS=["Library"], EXPORTS="Sources/Library/Exports.swift", SPECIALIZED={"Specialized"},
)

# Comments and strings contain forbidden names. They must not be read as code.
CLEAN = {
    "Sources/Wire/Frame.swift": "internal import CSimdJSON\nimport FoundationEssentials\n",
    "Sources/Wire/Reply.swift": "public import CSimdJSON\npublic struct Reply {\n    public var a = 1\n}\n"
                                "extension Reply {\n    public func f() {}\n}\n",
    "Sources/Wire/Bytes.swift": "a.withUnsafeBytes { }\n",
    "Sources/Library/Talk.swift": 'public import Wire\nlet a = "fatalError( lua_error \\(b != c)" // mr_free\n',
    "Sources/Library/Exports.swift": "@_exported public import struct Wire.Reply\n",
    "Sources/LuaVM/Stack.swift": "internal import CLua\nlet t = unsafe lua_gettop(raw)\n",
    "Sources/Engine/Clock.swift": "internal import Glibc\n/* lua_error(L) */\nlet a = !b\n",
    "Sources/Engine/Loop.swift": "// One thread: see the type.\nextension Loop: @unchecked Sendable {}\n",
    "Sources/Engine/Bound.swift": "\n@available(*, unavailable)\nextension B: @unchecked Sendable {}\n",
    "Sources/CLuaShim/call.c": "#include <lua.h>\nvoid f(lua_State *L) { lua_error(L); }\n",
    "Tests/WireTests/FrameTests.swift": "import Foundation\nimport Testing\n@testable import Wire\n",
    rules.ALLOW_LIST: "lua_gettop  # reads a field\n",
    "README.md": "See [the map](ARCHITECTURE.md#top), `Sources/Wire` and [a site](https://example.org).\n",
    "ARCHITECTURE.md": "".join(f"  {target}/  a target\n" for target in PLAN.ARROWS) + "\n" + "".join(
        f"{target} -> {', '.join(to)}\n" for target, to in PLAN.ARROWS.items() if to),
}

# (rule, path, content, text that the failure must contain)
VIOLATIONS = [
    ("imports", "Sources/Wire/A.swift", "\npublic import Engine\n", "A.swift:2"),
    ("imports", "Sources/Engine/A.swift", "internal import LuaVM\n", "may not import LuaVM"),
    ("imports", "Sources/Engine/A.swift", "@preconcurrency import struct CSimdJSON.X\n", "may not import CSimdJSON"),
    ("imports", "Sources/Library/A.swift", "import Foundation\n", "may not import Foundation"),
    ("imports", "Sources/Wire/A.swift", "import Glibc\n", "may not import Glibc"),
    ("imports", "Sources/Engine/A.swift", "internal import NIOCore\n", "may not import NIOCore"),
    ("imports", "Tests/WireTests/A.swift", "@testable import Engine\n", "may not import Engine"),
    ("imports", "Sources/CSimdJSON/a.cpp", "#include <lua.h>\n", "may not include lua.h"),
    ("imports", "Sources/Attic/A.swift", "", "not in the plan"),
    ("c-names", "Sources/Engine/A.swift", "lua_pushnil(L)\n", "lua_pushnil"),
    ("c-names", "Sources/Engine/A.swift", 'let a = "\\(mr_kill(vm))"\n', "mr_kill"),
    ("lua-calls", "Sources/LuaVM/A.swift", "unsafe lua_error(raw)\n", "lua_error"),
    ("lua-calls", rules.ALLOW_LIST, "lua_gettop lua_type\n", "lua_type is listed but nothing calls it"),
    ("pointers", "Sources/Engine/A.swift", "var p: UnsafeMutablePointer<Int>\n", "UnsafeMutablePointer"),
    ("pointers", "Sources/Wire/A.swift", "a.withUnsafeBytes { }\n", "withUnsafeBytes"),
    ("traps", "Sources/Wire/A.swift", 'fatalError("x")\n', "fatalError"),
    ("traps", "Sources/Wire/A.swift", "\nextension A: @unchecked Sendable {}\n", "@unchecked Sendable"),
    ("traps", "Sources/Wire/A.swift", '\nlet a = try? f("//")\n', "try?"),
    ("public-api", "Sources/Wire/A.swift", "@frozen public struct Hidden {\n}\n", "Hidden is not exported"),
    ("public-api", "Sources/Wire/A.swift", "struct A {\n    public var a = 1\n}\n", "A.swift:2"),
    ("public-api", "Sources/Wire/A.swift", "struct Reply {\n}\npublic func f() {}\n", "A.swift:3"),
    ("names", "Sources/Wire/StringUtils.swift", "", "'Utils'"),
    ("names", "Sources/Wire/Common/A.swift", "", "'Common'"),
    ("names", "scripts/helpers.py", "", "'helpers'"),
    ("tracked", "Package.resolved", "{}\n", "Package.resolved"),
    ("tracked", ".build-asan/x.txt", "x\n", ".build-asan"),
    ("diagram", "ARCHITECTURE.md", "Wire -> Engine\n", "the dependencies of Wire"),
    ("links", "README.md", "\n[gone](docs/gone.md)\n", "README.md:2"),
    ("links", "README.md", "run `scripts/gone`\n", "scripts/gone"),
    ("manifest", "Package.swift", """// swift-tools-version: 6.2
import PackageDescription
let package = Package(name: "scratch", targets: [.target(name: "Engine"), .target(name: "Wire", dependencies: ["Engine"])])
""", "Wire depends on Engine"),
]


def failures(files: dict[str, str]) -> list[rules.Failure]:
    with tempfile.TemporaryDirectory() as folder:
        for name, content in files.items():
            path = Path(folder, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content, encoding="utf-8")
        for command in (["init", "--quiet"], ["add", "--force", "--all"]):
            subprocess.run(["git", "-C", folder, *command], check=True)
        tree = Tree(Path(folder))
        return [failure for rule in rules.RULES for failure in rule(tree, PLAN)]


def run() -> int:
    problems = [f"a clean tree fails: {failure}" for failure in failures(CLEAN)]
    for rule, path, content, expected in VIOLATIONS:
        found = failures(CLEAN | {path: content})
        if not any(each.rule == rule and expected in str(each) for each in found):
            problems.append(f"[{rule}] did not find '{expected}' planted in {path}; found {found}")
    if blank('a("\\(f("//"))") // b\n"""\n x\n"""\nc' + ' #"a"b"# d').split() != ["a(", "f(", ")", ")", "c", "d"]:
        problems.append("strings and comments are not blanked correctly")
    for problem in problems:
        print(f"scripts/architecture/self_test.py: {problem}", file=sys.stderr)
    if not problems:
        print(f"scripts/check: self-test found all {len(VIOLATIONS)} planted violations")
    return 1 if problems else 0
