"""Reads Swift and C sources as rules need them: with comments and string contents blanked, lines kept."""

import re
import subprocess
from functools import cached_property
from pathlib import Path


class SourceFile:
    """One tracked source file of a target."""

    def __init__(self, root: Path, path: Path):
        self.path = path
        self.name = path.relative_to(root).as_posix()
        self.text = path.read_text(encoding="utf-8")

    @property
    def is_swift(self) -> bool:
        return self.path.suffix == ".swift"

    @property
    def in_tests(self) -> bool:
        return self.name.startswith("Tests/")

    @property
    def target(self) -> str:
        return self.name.split("/")[1]

    @cached_property
    def lines(self) -> list[str]:
        return self.text.splitlines()

    @cached_property
    def code_lines(self) -> list[str]:
        return blank(self.text, swift=self.is_swift).splitlines()

    def find(self, pattern: str):
        """Yields (line number, match) for each match in code, comments and strings left out."""
        compiled = re.compile(pattern)
        for number, line in enumerate(self.code_lines, 1):
            for match in compiled.finditer(line):
                yield number, match

    def has_comment_beside(self, number: int) -> bool:
        """True when line `number`, or the line above it (attributes passed over), carries a comment of its own."""
        above = number - 2
        while above >= 0 and self.lines[above].lstrip().startswith("@"):
            above -= 1
        return "//" in self.comment_part(number) or (above >= 0 and self.lines[above].lstrip().startswith("//"))

    def comment_part(self, number: int) -> str:
        line, code = self.lines[number - 1], self.code_lines[number - 1]
        return line[len(code.rstrip()):]


def blank(text: str, swift: bool) -> str:
    """`text` with comments and string contents replaced by spaces; interpolated code stays."""
    out: list[str] = []
    position = 0

    def hide(end: int):
        nonlocal position
        out.append(re.sub(r"[^\n]", " ", text[position:end]))
        position = end

    def code(until_parenthesis: bool):
        nonlocal position
        depth = 0
        while position < len(text):
            char = text[position]
            if text.startswith("//", position):
                end = text.find("\n", position)
                hide(len(text) if end < 0 else end)
            elif text.startswith("/*", position):
                hide(end_of_block_comment(text, position, nests=swift))
            elif opening := STRING.match(text, position):
                string(opening.group(1), opening.group(2))
            elif char == "'" and not swift and (quoted := CHARACTER.match(text, position)):
                hide(quoted.end())
            else:
                depth += (char == "(") - (char == ")")
                if until_parenthesis and depth < 0:
                    return
                out.append(char)
                position += 1

    def string(hashes: str, quotes: str):
        nonlocal position
        hide(position + len(hashes) + len(quotes))
        escape, close = "\\" + hashes, quotes + hashes
        while position < len(text):
            if text.startswith(close, position):
                return hide(position + len(close))
            if swift and text.startswith(escape + "(", position):
                hide(position + len(escape) + 1)
                code(until_parenthesis=True)
            elif text.startswith(escape, position):
                hide(position + len(escape) + 1)
            elif text[position] == "\n" and len(quotes) == 1:
                return
            else:
                hide(position + 1)

    code(until_parenthesis=False)
    return "".join(out)


STRING = re.compile(r'(#*)("""|")')
CHARACTER = re.compile(r"'(?:\\.|[^'\\\n])+'")


def end_of_block_comment(text: str, start: int, nests: bool) -> int:
    depth, position = 0, start
    while position < len(text):
        if text.startswith("/*", position) and (nests or depth == 0):
            depth += 1
            position += 2
        elif text.startswith("*/", position):
            depth -= 1
            position += 2
            if depth == 0:
                return position
        else:
            position += 1
    return position


class Tree:
    """The files of one checkout: tracked ones, and new ones that git does not ignore."""

    def __init__(self, root: Path):
        self.root = root
        listing = ["git", "-C", str(root), "ls-files", "-z"]
        self.tracked = self._names(listing)
        everything = self._names(listing + ["--cached", "--others", "--exclude-standard"])
        self.names = sorted(name for name in set(everything) if (root / name).is_file())

    @staticmethod
    def _names(command: list[str]) -> list[str]:
        output = subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout
        return [name for name in output.decode().split("\0") if name]

    @cached_property
    def sources(self) -> list[SourceFile]:
        pattern = re.compile(r"^(Sources|Tests)/[^/]+/.*\.(swift|c|h|cpp)$")
        return [SourceFile(self.root, self.root / name) for name in self.names if pattern.match(name)]

    @cached_property
    def scripts(self) -> list[SourceFile]:
        """Lua: what is built in, the examples, the annotations."""
        return [SourceFile(self.root, self.root / name) for name in self.names if name.endswith(".lua")]

    @cached_property
    def documents(self) -> list[str]:
        return [name for name in self.names if name.endswith(".md")]

    def read(self, name: str) -> str:
        path = self.root / name
        return path.read_text(encoding="utf-8") if path.is_file() else ""
