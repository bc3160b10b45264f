"""Reads a checkout for the rules: Swift and C sources, with comments and string contents replaced by spaces."""

import re
import subprocess
from functools import cached_property
from pathlib import Path

# Code inside `\(` of a string: parentheses to a depth of four.
NESTED = r"[^()]"
for _ in range(4):
    NESTED = rf"(?:[^()]|\({NESTED}*\))"
# A comment, a string (multi-line, raw, plain), a character of C.
HIDDEN = re.compile(
    r'//[^\n]*|/\*.*?\*/|(#*)""".*?"""\1|#"(?:[^"\n]|"(?!#))*"#'
    rf'|"(?:\\\({NESTED}*\)|\\.|[^"\\\n])*"' + r"|'(?:\\[^']+|[^'\\\n])'", re.DOTALL)
INTERPOLATION = re.compile(rf"\\#*\(({NESTED}*)\)")


def blank(text: str) -> str:
    """Returns `text` with comments and string contents replaced by spaces. Interpolated code stays."""
    return HIDDEN.sub(_hide, text)


def _hide(match: re.Match) -> str:
    hidden = re.sub(r"[^\n]", " ", match.group())
    if '"' in match.group()[:4]:
        for code in INTERPOLATION.finditer(match.group()):
            hidden = hidden[:code.start(1)] + blank(code.group(1)) + hidden[code.end(1):]
    return hidden


class SourceFile:
    """A source file of a target."""

    def __init__(self, root: Path, name: str):
        self.name = name
        self.text = (root / name).read_text(encoding="utf-8")
        self.is_swift = name.endswith(".swift")
        self.in_tests = name.startswith("Tests/")
        self.target = name.split("/")[1]

    @cached_property
    def lines(self) -> list[str]:
        return self.text.splitlines()

    @cached_property
    def code_lines(self) -> list[str]:
        return blank(self.text).splitlines()

    def find(self, pattern: str):
        """Yields (line number, match) for each match in code, not in comments and strings."""
        for number, line in enumerate(self.code_lines, 1):
            for match in re.finditer(pattern, line):
                yield number, match

    def has_comment_beside(self, number: int) -> bool:
        """Whether line `number` has a comment at its end, or the line above it (attributes skipped) is a comment."""
        above = number - 2
        while above >= 0 and self.lines[above].lstrip().startswith("@"):
            above -= 1
        line, code = self.lines[number - 1], self.code_lines[number - 1]
        return "//" in line[len(code.rstrip()):] or (above >= 0 and self.lines[above].lstrip().startswith("//"))


class Tree:
    """The files of a checkout: tracked files, and untracked files that git does not ignore."""

    def __init__(self, root: Path):
        self.root = root
        self.tracked = self._names()
        self.names = sorted(name for name in set(self._names("--cached", "--others", "--exclude-standard"))
                            if (root / name).is_file())

    def _names(self, *options: str) -> list[str]:
        command = ["git", "-C", str(self.root), "ls-files", "-z", *options]
        return [name for name in subprocess.check_output(command).decode().split("\0") if name]

    @cached_property
    def sources(self) -> list[SourceFile]:
        pattern = re.compile(r"^(Sources|Tests)/[^/]+/.*\.(swift|c|h|cpp)$")
        return [SourceFile(self.root, name) for name in self.names if pattern.match(name)]

    @property
    def documents(self) -> list[str]:
        return [name for name in self.names if name.endswith(".md")]

    def read(self, name: str) -> str:
        path = self.root / name
        return path.read_text(encoding="utf-8") if path.is_file() else ""
