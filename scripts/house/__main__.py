"""Runs the rules of the house over a checkout: `python3 scripts/house ROOT`, or `--self-test`."""

import sys
from pathlib import Path

import self_test
from rules import RULES
from source import Tree


def main(arguments: list[str]) -> int:
    if arguments == ["--self-test"]:
        return self_test.run()
    tree = Tree(Path(arguments[0]).resolve())
    failures = [failure for rule in RULES for failure in rule(tree)]
    for failure in failures:
        print(failure, file=sys.stderr)
    if failures:
        print(f"{len(failures)} broken rule(s) of the house", file=sys.stderr)
    return 1 if failures else 0


sys.exit(main(sys.argv[1:]))
