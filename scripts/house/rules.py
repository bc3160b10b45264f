"""The rules of the house. Each takes a tree and yields the failures it finds."""

import json
import re
import subprocess
from dataclasses import dataclass

import plan
from source import Tree

ALLOW_LIST = "scripts/lua-api-allow-list.txt"


@dataclass(frozen=True)
class Failure:
    """One broken rule at one place, with the way out."""

    place: str
    rule: str
    what: str
    way_out: str

    def __str__(self):
        return f"{self.place}: [{self.rule}] {self.what}\n    way out: {self.way_out}"


IMPORT = re.compile(
    r"^\s*(?:@\w+(?:\([^)]*\))?\s+)*(?:public |package |internal |fileprivate |private )?import\s+"
    r"(?:(?:struct|class|enum|protocol|typealias|func|let|var)\s+)?(\w+)")


def reach(target: str) -> set[str]:
    """Every target that `target` reaches by arrows, itself included."""
    found, waiting = set(), [target]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += plan.ARROWS.get(name, [])
    return found


def may_import(file, module: str) -> bool:
    if file.in_tests:
        tested = file.target.removesuffix("Tests")
        allowed = reach(tested) | set(plan.TEST_MODULES) | set(plan.TEST_EXTRAS.get(file.target, []))
        for target in reach(tested):
            allowed |= set(plan.PACKAGES.get(target, []))
        return module in allowed
    if module in plan.SYSTEM:
        return file.target in plan.SYSTEM[module] or file.name in plan.SYSTEM[module]
    return module in plan.ARROWS.get(file.target, []) + plan.PACKAGES.get(file.target, [])


def imports(tree: Tree):
    """Swift imports and C includes follow the arrows."""
    for file in tree.sources:
        if not file.in_tests and file.target not in plan.ARROWS:
            yield Failure(file.name, "imports", f"target {file.target} is not in the plan of the house",
                          "draw it in ARCHITECTURE.md and list its arrows in scripts/house/plan.py")
            continue
        for number, line in enumerate(file.code_lines if file.is_swift else file.lines, 1):
            place = f"{file.name}:{number}"
            if file.is_swift and (found := IMPORT.match(line)):
                if not may_import(file, found.group(1)):
                    yield Failure(place, "imports", f"{file.target} may not import {found.group(1)}",
                                  "pass a value across the arrow that exists, or change the arrow in "
                                  "ARCHITECTURE.md and scripts/house/plan.py with its reason")
            elif not file.is_swift and (found := re.match(r'\s*#\s*include\s*[<"]([^>"]+)', line)):
                for prefix, targets in plan.HEADERS.items():
                    if found.group(1).startswith(prefix) and file.target not in targets:
                        yield Failure(place, "imports", f"{file.target} may not include {found.group(1)}",
                                      f"only {' and '.join(targets)} may; add a function to their header")


def c_names(tree: Tree):
    """Names of a C library stay inside the targets that wrap it."""
    for file in tree.sources:
        for pattern, targets, what in plan.C_NAMES:
            if file.target in targets or file.target.removesuffix("Tests") in targets:
                continue
            for number, match in file.find(pattern):
                yield Failure(f"{file.name}:{number}", "c-names",
                              f"{match.group(0)} belongs to {what}, which {file.target} does not touch",
                              f"go through the Swift interface of {targets[-1]}")


def lua_calls(tree: Tree):
    """LuaVM calls only those Lua functions that cannot raise or yield: longjmp must not cross a Swift frame."""
    allowed = {}
    for number, line in enumerate(tree.read(ALLOW_LIST).splitlines(), 1):
        for name in line.split("#")[0].split():
            allowed[name] = number
    used = set()
    for file in tree.sources:
        if file.target != "LuaVM" or file.in_tests:
            continue
        for number, match in file.find(plan.C_NAMES[0][0]):
            used.add(match.group(0))
            if match.group(0) not in allowed:
                yield Failure(f"{file.name}:{number}", "lua-calls",
                              f"{match.group(0)} is not on the list of Lua functions that cannot raise",
                              f"call it in CLuaShim under protection, or add it to {ALLOW_LIST} with the reason")
    if used:
        for name in sorted(set(allowed) - used):
            yield Failure(f"{ALLOW_LIST}:{allowed[name]}", "lua-calls", f"{name} is listed but nothing calls it",
                          "remove the line")


def pointers(tree: Tree):
    """Pointers live in the two guarded targets and in listed files."""
    words = r"\bunsafe\b|\b[Uu]nsafe\w*|\bUnmanaged\b|\bwithUnsafe\w+|\bOpaquePointer\b|\bCVaListPointer\b"
    for file in tree.sources:
        if file.in_tests or not file.is_swift:
            continue
        if file.target in plan.POINTER_TARGETS or file.name in plan.POINTER_FILES:
            continue
        for number, match in file.find(words):
            yield Failure(f"{file.name}:{number}", "pointers", f"{match.group(0)} outside the guarded targets",
                          "move it into LuaVM, Transport or a C shim, or list the file with its reason in "
                          "POINTER_FILES of scripts/house/plan.py")


TRAPS = [
    (r"\btry!", "try!", "handle the error, or let it be thrown"),
    (r"\bas!", "as!", "use as? and answer the other case"),
    (r"\bfatalError\(", "fatalError", "throw; a script's mistake must never end the host"),
    (r"(?<=[\w)\]])!(?![=\w])", "a force unwrap", "use guard let and answer the other case"),
]
EXCUSED = [
    (r"@unchecked Sendable", "@unchecked Sendable"),
    (r"nonisolated\(unsafe\)", "nonisolated(unsafe)"),
    (r"\btry\?", "try? (an error swallowed)"),
]


def traps(tree: Tree):
    """Nothing in Sources may end the process or hide an error without saying why."""
    for file in tree.sources:
        if file.in_tests or not file.is_swift:
            continue
        for pattern, name, way_out in TRAPS:
            for number, match in file.find(pattern):
                before = file.code_lines[number - 1][:match.start()]
                if name == "a force unwrap" and re.search(r"\b(?:try|as)$", before):
                    continue
                yield Failure(f"{file.name}:{number}", "traps", f"{name} in Sources", way_out)
        for pattern, name in EXCUSED:
            for number, _ in file.find(pattern):
                # An unavailable conformance promises nothing: it forbids.
                if number > 1 and "unavailable" in file.code_lines[number - 2]:
                    continue
                if not file.has_comment_beside(number):
                    yield Failure(f"{file.name}:{number}", "traps", f"{name} without its reason",
                                  "write the reason in a comment on this line or the line above")


def headers(tree: Tree):
    """Each source file says first what it is for; a long one says why it is long."""
    for file in tree.sources + tree.scripts:
        mark = "--" if file.path.suffix == ".lua" else "//"
        if not file.lines or not file.lines[0].startswith(mark):
            yield Failure(f"{file.name}:1", "headers", "the file does not begin with what it is for",
                          f"begin with a {mark} comment: its purpose, who may call it, what it must never touch")
        header = []
        for line in file.lines:
            if not line.startswith(mark):
                break
            header.append(line)
        if len(file.lines) > plan.LONGEST_FILE and not any(
                re.match(mark + r" Length: \S+", line) for line in header):
            yield Failure(f"{file.name}:{plan.LONGEST_FILE + 1}", "length",
                          f"{len(file.lines)} lines, more than {plan.LONGEST_FILE}",
                          f"cut it along its capabilities, or give the reason in its header: {mark} Length: ...")


def tracked(tree: Tree):
    """What a build writes is not committed."""
    for name in tree.tracked:
        if re.search(r"(^|/)\.build[^/]*/|(^|/)Package\.resolved$|\.(o|profraw|pyc)$", name):
            yield Failure(name, "tracked", "a build product is committed", f"git rm -r --cached {name}")


def manifest(tree: Tree):
    """Package.swift gives each target the dependencies that the plan gives it, no more."""
    if not (tree.root / "Package.swift").is_file():
        return
    dump = subprocess.run(["swift", "package", "--package-path", str(tree.root), "dump-package"],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    if dump.returncode != 0:
        yield Failure("Package.swift", "manifest", dump.stderr.decode().strip(), "make Package.swift readable")
        return
    for target in json.loads(dump.stdout)["targets"]:
        if target["type"] == "test" or target["name"] == "Support":
            continue
        named = {next(iter(each.values()))[0] for each in target["dependencies"]}
        planned = set(plan.ARROWS.get(target["name"], []) + plan.PACKAGES.get(target["name"], []))
        for name in sorted(named - planned):
            yield Failure("Package.swift", "manifest", f"{target['name']} depends on {name} without an arrow",
                          "remove the dependency, or draw the arrow in ARCHITECTURE.md and scripts/house/plan.py")


ARROW_LINE = re.compile(r"^(\w+) +-> +([\w, ]+)$", re.MULTILINE)


def picture(tree: Tree):
    """The arrows drawn in ARCHITECTURE.md are the arrows that are enforced, and every target is in the picture."""
    document = "ARCHITECTURE.md"
    text = tree.read(document)
    drawn = {left: set(re.findall(r"\w+", right)) for left, right in ARROW_LINE.findall(text)}
    for target, arrows in plan.ARROWS.items():
        if set(arrows) != drawn.get(target, set()):
            yield Failure(document, "picture",
                          f"the arrows of {target} are drawn as {sorted(drawn.get(target, set()))}, "
                          f"and enforced as {sorted(arrows)}",
                          "make the arrow list there and ARROWS in scripts/house/plan.py agree")
    for name in sorted({file.target for file in tree.sources if not file.in_tests}):
        if not re.search(rf"^ *{name}/", text, re.MULTILINE):
            yield Failure(document, "picture", f"Sources/{name} is not in the picture",
                          "add a line for it, with what it is for")


LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
MENTION = re.compile(r"(?<![\w./-])((?:scripts|examples|types|Sources|Tests)/[\w./+-]*\w)")


def links(tree: Tree):
    """Relative links and paths named in documents lead somewhere."""
    known = set(tree.names)
    for name in list(known):
        parts = name.split("/")
        known |= {"/".join(parts[:end]) for end in range(1, len(parts))}
    for document in tree.documents:
        for number, line in enumerate(tree.read(document).splitlines(), 1):
            folder = document.rpartition("/")[0]
            targets = [(link, f"{folder}/{link}" if folder else link) for link in LINK.findall(line)
                       if not re.match(r"[a-z]+:|#", link)]
            targets += [(path, path) for path in MENTION.findall(line)]
            for shown, path in targets:
                if normal(path.split("#")[0]) not in known:
                    yield Failure(f"{document}:{number}", "links", f"{shown} does not exist",
                                  "correct the path, or remove the mention")


def normal(path: str) -> str:
    parts: list[str] = []
    for part in path.split("/"):
        if part == "..":
            parts = parts[:-1]
        elif part not in ("", "."):
            parts.append(part)
    return "/".join(parts)


RULES = [imports, c_names, lua_calls, pointers, traps, headers, tracked, manifest, picture, links]
