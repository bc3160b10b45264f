"""Tests the rules: a clean scratch tree passes, and each planted violation is found where it was planted."""

import subprocess
import sys
import tempfile
from pathlib import Path

import plan
import rules
from source import Tree, blank

HEADER = "// What it is for.\n"

# What a clean tree holds; comments and strings name forbidden things and must not be taken for code.
CLEAN = {
    "Sources/JSON/Frame.swift": HEADER + "internal import CSimdJSON\n",
    "Sources/Formats/Talk.swift": HEADER + 'public import JSON\nlet a = "try! lua_error \\(b != c)" // curl_free\n',
    "Sources/LuaVM/Stack.swift": HEADER + "internal import CLua\nlet t = unsafe lua_gettop(raw)\n",
    "Sources/Transport/Easy.swift": HEADER + "internal import CCurl\nunsafe curl_easy_init()\n",
    "Sources/Engine/Clock.swift": HEADER + "internal import Glibc\n/* lua_error(L) /* try! */ as! */\nlet a = !b\n",
    "Sources/Engine/Loop.swift": HEADER + "// One thread: see the type.\nextension Loop: @unchecked Sendable {}\n",
    "Sources/Engine/Bound.swift": HEADER + "\n@available(*, unavailable)\nextension B: @unchecked Sendable {}\n",
    "Sources/CLuaShim/call.c": HEADER + "#include <lua.h>\nvoid f(lua_State *L) { lua_error(L); }\n",
    "Tests/JSONTests/FrameTests.swift": HEADER + "import Foundation\nimport Testing\n@testable import JSON\n",
    "Tests/EngineTests/LoopTests.swift": HEADER + "import JSON\n@testable import Engine\nlet x = y!\n",
    "Sources/JSON/Long.swift": HEADER + "// Length: one table.\n" + "\n" * 500,
    rules.ALLOW_LIST: "lua_gettop  # reads a field\n",
    "README.md": "See [the map](ARCHITECTURE.md), `Sources/JSON` and [a site](https://example.org).\n",
}

# (rule, path, content, text that the failure must contain)
VIOLATIONS = [
    ("imports", "Sources/JSON/A.swift", "public import Engine\n", "A.swift:2"),
    ("imports", "Sources/Engine/A.swift", "internal import LuaVM\n", "may not import LuaVM"),
    ("imports", "Sources/Script/A.swift", "import Transport\n", "may not import Transport"),
    ("imports", "Sources/Script/A.swift", "@preconcurrency import struct CCurl.X\n", "may not import CCurl"),
    ("imports", "Sources/Moonrill/A.swift", "import Foundation\n", "may not import Foundation"),
    ("imports", "Sources/JSON/A.swift", "import Glibc\n", "may not import Glibc"),
    ("imports", "Sources/Engine/A.swift", "internal import NIOCore\n", "may not import NIOCore"),
    ("imports", "Tests/EngineTests/A.swift", "@testable import Script\n", "may not import Script"),
    ("imports", "Sources/CSimdJSON/a.cpp", "#include <lua.h>\n", "may not include lua.h"),
    ("imports", "Sources/Attic/A.swift", "", "not in the plan"),
    ("c-names", "Sources/Script/A.swift", "lua_pushnil(L)\n", "lua_pushnil"),
    ("c-names", "Sources/Engine/A.swift", 'let a = "\\(curl_version())"\n', "curl_version"),
    ("c-names", "Sources/Script/A.swift", "mr_kill(vm)\n", "mr_kill"),
    ("lua-calls", "Sources/LuaVM/A.swift", "unsafe lua_error(raw)\n", "lua_error"),
    ("lua-calls", rules.ALLOW_LIST, "lua_gettop lua_type\n", "lua_type is listed but nothing calls it"),
    ("pointers", "Sources/Engine/A.swift", "var p: UnsafeMutablePointer<Int>\n", "UnsafeMutablePointer"),
    ("pointers", "Sources/Script/A.swift", "Unmanaged.passRetained(x)\n", "Unmanaged"),
    ("pointers", "Sources/JSON/A.swift", "a.withUnsafeBytes { }\n", "withUnsafeBytes"),
    ("traps", "Sources/JSON/A.swift", "let a = try! f()\n", "try!"),
    ("traps", "Sources/JSON/A.swift", "let a = b as! C\n", "as!"),
    ("traps", "Sources/JSON/A.swift", 'fatalError("x")\n', "fatalError"),
    ("traps", "Sources/JSON/A.swift", "let a = b!.c\n", "force unwrap"),
    ("traps", "Sources/JSON/A.swift", "let a = b[0]! + 1\n", "force unwrap"),
    ("traps", "Sources/JSON/A.swift", "\nextension A: @unchecked Sendable {}\n", "@unchecked Sendable"),
    ("traps", "Sources/JSON/A.swift", '\nlet a = try? f("//")\n', "try?"),
    ("headers", "Sources/JSON/A.swift", None, "A.swift:1"),
    ("length", "Sources/JSON/A.swift", "\n" * plan.LONGEST_FILE, "401 lines"),
    ("length", "Tests/JSONTests/A.swift", "\n// Length: too late\n" + "\n" * 400, "403 lines"),
    ("headers", "examples/a.lua", "local llm = 1\n", "begin with a -- comment"),
    ("length", "types/a.lua", "-- What it is for.\n" + "\n" * plan.LONGEST_FILE, "401 lines"),
    ("tracked", "Package.resolved", "{}\n", "Package.resolved"),
    ("tracked", ".build-asan/x.txt", "x\n", ".build-asan"),
    ("picture", "ARCHITECTURE.md", "JSON -> Engine\n", "arrows of JSON"),
    ("links", "README.md", "[gone](docs/gone.md)\n", "README.md:2"),
    ("links", "README.md", "run `scripts/gone`\n", "scripts/gone"),
    ("manifest", "Package.swift", None, "JSON depends on Engine without an arrow"),
]

MANIFEST = """// swift-tools-version: 6.2
import PackageDescription
let package = Package(name: "scratch", targets: [.target(name: "Engine"), .target(name: "JSON", dependencies: ["Engine"])])
"""


def write(root: Path, files: dict[str, str]):
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")


def drawn() -> str:
    """An ARCHITECTURE.md that agrees with the plan."""
    picture = "".join(f"  {target}/  a room\n" for target in plan.ARROWS)
    arrows = "".join(f"{target} -> {', '.join(to)}\n" for target, to in plan.ARROWS.items() if to)
    return picture + "\n" + arrows


def failures(files: dict[str, str], using=rules.RULES) -> list[rules.Failure]:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        write(root, files)
        for command in (["init", "--quiet"], ["add", "--force", "--all"]):
            subprocess.run(["git", "-C", folder, *command], check=True)
        tree = Tree(root)
        return [failure for rule in using for failure in rule(tree)]


def planted(rule: str, path: str, content: str | None) -> dict[str, str]:
    files = dict(CLEAN) | {"ARCHITECTURE.md": drawn()}
    if rule == "manifest":
        content = MANIFEST
    elif content is None:
        content = "let noHeader = 1\n"
    elif path.startswith(("Sources", "Tests")) or path == "README.md":
        content = HEADER + content
    return files | {path: content}


def run() -> int:
    problems = []
    clean = failures(dict(CLEAN) | {"ARCHITECTURE.md": drawn()})
    problems += [f"a clean tree fails: {failure}" for failure in clean]
    without_manifest = [rule for rule in rules.RULES if rule is not rules.manifest]
    for rule, path, content, expected in VIOLATIONS:
        using = rules.RULES if rule == "manifest" else without_manifest
        found = failures(planted(rule, path, content), using)
        if not any(each.rule == rule and expected in str(each) for each in found):
            problems.append(f"[{rule}] did not find '{expected}' planted in {path}; found {found}")
    if blank('a("\\(f("//"))") // b\n"""\n x\n"""\nc', swift=True).split() != ["a(", 'f(', ')', ')', "c"]:
        problems.append("strings and comments are not blanked as they should be")
    for problem in problems:
        print(f"scripts/house/self_test.py: {problem}", file=sys.stderr)
    if not problems:
        print(f"scripts/check: self-test found all {len(VIOLATIONS)} planted violations")
    return 1 if problems else 0
