"""The rules of the architecture. A rule is a function of a tree and a plan (modules.py) that yields its failures."""

import json
import re
import subprocess
from dataclasses import dataclass

ALLOW_LIST = "scripts/lua-api-allow-list.txt"
PLAN = "scripts/architecture/modules.py"


@dataclass(frozen=True)
class Failure:
    """A violation of a rule at one place, with its fix."""

    place: str
    rule: str
    what: str
    fix: str

    def __str__(self):
        return f"{self.place}: [{self.rule}] {self.what}\n    fix: {self.fix}"


IMPORT = re.compile(
    r"^\s*(?:@\w+(?:\([^)]*\))?\s+)*(?:public |package |internal |fileprivate |private )?import\s+"
    r"(?:(?:struct|class|enum|protocol|typealias|func|let|var)\s+)?(\w+)")


def reach(plan, target: str) -> set[str]:
    """Returns all targets that `target` depends on, directly or indirectly, and `target` itself."""
    found, waiting = set(), [target]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += plan.ARROWS.get(name, [])
    return found


def may_import(plan, file, module: str) -> bool:
    if file.in_tests:
        reached = reach(plan, file.target.removesuffix("Tests"))
        packages = {name for target in reached for name in plan.PACKAGES.get(target, [])}
        return module in reached | packages | {*plan.TEST_MODULES, *plan.TEST_EXTRAS.get(file.target, [])}
    if module in plan.SYSTEM:
        return file.target in plan.SYSTEM[module] or file.name in plan.SYSTEM[module]
    return module in plan.ANYWHERE + plan.ARROWS.get(file.target, []) + plan.PACKAGES.get(file.target, [])


def imports(tree, plan):
    """Swift imports and C includes are allowed by the plan."""
    for file in tree.sources:
        if not file.in_tests and file.target not in plan.ARROWS:
            yield Failure(file.name, "imports", f"target {file.target} is not in the plan",
                          f"add it to the diagram of ARCHITECTURE.md, and its dependencies to {PLAN}")
            continue
        for number, line in enumerate(file.code_lines if file.is_swift else file.lines, 1):
            place = f"{file.name}:{number}"
            if file.is_swift and (found := IMPORT.match(line)) and not may_import(plan, file, found.group(1)):
                yield Failure(place, "imports", f"{file.target} may not import {found.group(1)}",
                              "use a dependency that exists, or change the list in ARCHITECTURE.md and "
                              f"{PLAN}, with the reason")
            elif not file.is_swift and (found := re.match(r'\s*#\s*include\s*[<"]([^>"]+)', line)):
                for prefix, targets in plan.HEADERS.items():
                    if found.group(1).startswith(prefix) and file.target not in targets:
                        yield Failure(place, "imports", f"{file.target} may not include {found.group(1)}",
                                      f"only {' and '.join(targets)} may; add a function to their header")


def c_names(tree, plan):
    """Names of a C library are used only in the targets that wrap it."""
    for file in tree.sources:
        for pattern, targets, what in plan.C_NAMES:
            if file.target.removesuffix("Tests") in targets:
                continue
            for number, match in file.find(pattern):
                yield Failure(f"{file.name}:{number}", "c-names",
                              f"{match.group()} belongs to {what}, which {file.target} may not use",
                              f"use the Swift interface of {targets[-1]}")


def lua_calls(tree, plan):
    """LuaVM calls only Lua functions that cannot raise or yield: longjmp must not cross a Swift frame."""
    allowed = {name: number for number, line in enumerate(tree.read(ALLOW_LIST).splitlines(), 1)
               for name in line.split("#")[0].split()}
    used = set()
    for file in tree.sources:
        if file.target != "LuaVM" or file.in_tests:
            continue
        for number, match in file.find(plan.C_NAMES[0][0]):
            used.add(match.group())
            if match.group() not in allowed:
                yield Failure(f"{file.name}:{number}", "lua-calls",
                              f"{match.group()} is not on the list of Lua functions that cannot raise",
                              f"call it in CLuaShim under protection, or add it to {ALLOW_LIST} with the reason")
    for name in sorted(set(allowed) - used if used else ()):
        yield Failure(f"{ALLOW_LIST}:{allowed[name]}", "lua-calls", f"{name} is listed but nothing calls it",
                      "remove it from the list")


def pointers(tree, plan):
    """Pointers are used only in the targets with strict memory safety and in listed files."""
    words = r"\bunsafe\b|\b[Uu]nsafe\w*|\bUnmanaged\b|\bwithUnsafe\w+|\bOpaquePointer\b|\bCVaListPointer\b"
    for file in tree.sources:
        if (file.in_tests or not file.is_swift or file.target in plan.POINTER_TARGETS
                or file.name in plan.POINTER_FILES):
            continue
        for number, match in file.find(words):
            yield Failure(f"{file.name}:{number}", "pointers", f"{match.group()} outside of "
                          f"{' and '.join(plan.POINTER_TARGETS)}",
                          f"move it there or into a C shim, or list the file with its reason in POINTER_FILES of {PLAN}")


# Allowed with a comment that has the reason.
EXCUSED = r"@unchecked Sendable|nonisolated\(unsafe\)|\btry\?"


def traps(tree, plan):
    """Sources do not end the process, and hide no error without a reason. Swift-format finds `try!` and `!`."""
    for file in tree.sources:
        if file.in_tests or not file.is_swift:
            continue
        for number, _ in file.find(r"\bfatalError\("):
            yield Failure(f"{file.name}:{number}", "traps", "fatalError in Sources",
                          "throw an error; an error in a script must never end the host")
        for number, match in file.find(EXCUSED):
            # A conformance that is marked unavailable forbids Sendable.
            forbids = number > 1 and "unavailable" in file.code_lines[number - 2]
            if not forbids and not file.has_comment_beside(number):
                yield Failure(f"{file.name}:{number}", "traps", f"{match.group()} without its reason",
                              "write the reason in a comment on this line or the line above")


def public_api(tree, plan):
    """Below the public library, only types that the library exports are public, and those that must be specialized."""
    exported = plan.SPECIALIZED | {match.group(1) for file in tree.sources if file.name == plan.EXPORTS
                for _, match in file.find(r"\.(\w+)$")}
    for file in tree.sources:
        if file.in_tests or not file.is_swift or file.target in plan.PUBLIC_TARGETS:
            continue
        owner = ""
        for number, line in enumerate(file.code_lines, 1):
            if declared := re.match(r"(?:@\w+(?:\([^)]*\))? )*(?:[a-z()]+ )*?"
                                    r"(?:struct|class|enum|actor|protocol|extension|typealias) (\w+)", line):
                owner = declared.group(1)
            elif line[:1].strip() and line[0] not in "{})@#":
                owner = ""
            if re.search(r"\bpublic\b(?!\s+import\b)|\bopen class\b", line) and owner not in exported:
                yield Failure(f"{file.name}:{number}", "public-api", f"public, but {owner or 'this'} is not exported by "
                              f"{plan.EXPORTS}", "use `package`, or export the type there")


def names(tree, plan):
    """The name of a file or folder states what it holds."""
    for name in tree.names:
        if found := re.search(r"(?i)(?:(?<=[a-z/_-])|^)(utils?|utilit(?:y|ies)|common|helpers?)(?=/|\.|$)", name):
            yield Failure(name, "names", f"'{found.group()}' names nothing", "name it by what it holds")


def tracked(tree, plan):
    """Build products are not committed."""
    for name in tree.tracked:
        if re.search(r"(^|/)\.build[^/]*/|(^|/)Package\.resolved$|\.(o|profraw|pyc)$", name):
            yield Failure(name, "tracked", "a build product is committed", f"git rm -r --cached {name}")


def manifest(tree, plan):
    """The dependencies of each target in Package.swift are allowed by the plan."""
    if "Package.swift" not in tree.names:
        return
    # A separate scratch folder, because a running build locks .build.
    command = ["swift", "package", "--package-path", str(tree.root), "--scratch-path", str(tree.root / ".build-check"),
               "dump-package"]
    dump = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if dump.returncode != 0:
        yield Failure("Package.swift", "manifest", dump.stderr.strip(), "correct Package.swift")
        return
    for target in json.loads(dump.stdout)["targets"]:
        if target["type"] == "test" or (target.get("path") or "").startswith("Tests/"):
            continue
        named = {next(iter(each.values()))[0] for each in target["dependencies"]}
        for name in sorted(named - {*plan.ARROWS.get(target["name"], []), *plan.PACKAGES.get(target["name"], [])}):
            yield Failure("Package.swift", "manifest", f"{target['name']} depends on {name}, which the plan does not allow",
                          f"remove the dependency, or add it to ARCHITECTURE.md and {PLAN}")


def diagram(tree, plan):
    """ARCHITECTURE.md lists every target and the same dependencies as the plan."""
    document = "ARCHITECTURE.md"
    text = tree.read(document)
    drawn = {left: set(re.findall(r"\w+", right))
             for left, right in re.findall(r"^(\w+) +-> +([\w, ]+)$", text, re.MULTILINE)}
    for target, arrows in plan.ARROWS.items():
        if set(arrows) != drawn.get(target, set()):
            yield Failure(document, "diagram", f"the dependencies of {target} are {sorted(drawn.get(target, set()))} "
                          f"there, and {sorted(arrows)} in the plan", f"make the list there and ARROWS of {PLAN} agree")
    for name in sorted({file.target for file in tree.sources if not file.in_tests}):
        if not re.search(rf"^ *{name}/", text, re.MULTILINE):
            yield Failure(document, "diagram", f"Sources/{name} is not in the diagram", "add a line for it")


LINK = re.compile(r"\[[^\]]*\]\((?![a-z]+:|#)([^)\s#]+)")
MENTION = re.compile(r"(?<![\w./-])((?:scripts|examples|types|docs|Sources|Tests)/[\w./+-]*\w)")


def links(tree, plan):
    """Relative links and paths in documents exist."""
    known = {"/".join(parts[:end]) for name in tree.names for parts in [name.split("/")]
             for end in range(1, len(parts) + 1)}
    for document in tree.documents:
        folder = document.split("/")[:-1]
        for number, line in enumerate(tree.read(document).splitlines(), 1):
            targets = {path: path.split("/") for path in MENTION.findall(line)}
            targets |= {link: folder + link.split("/") for link in LINK.findall(line)}
            for shown, parts in targets.items():
                if normal(parts) not in known:
                    yield Failure(f"{document}:{number}", "links", f"{shown} does not exist",
                                  "correct the path, or remove it")


def normal(parts: list[str]) -> str:
    kept: list[str] = []
    for part in parts:
        if part == "..":
            kept = kept[:-1]
        elif part not in ("", "."):
            kept.append(part)
    return "/".join(kept)


RULES = [imports, c_names, lua_calls, pointers, traps, public_api, names, tracked, manifest, diagram, links]
