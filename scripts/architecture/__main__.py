"""Checks the rules on a checkout: `python3 scripts/architecture ROOT`; `--self-test` tests the rules."""

import sys
from pathlib import Path

import modules
import self_test
from rules import RULES
from source import Tree


def main(argument: str) -> int:
    if argument == "--self-test":
        return self_test.run()
    tree = Tree(Path(argument).resolve())
    failures = [failure for rule in RULES for failure in rule(tree, modules)]
    for failure in failures:
        print(failure, file=sys.stderr)
    if failures:
        print(f"{len(failures)} failures of the architecture rules", file=sys.stderr)
    return 1 if failures else 0


sys.exit(main(sys.argv[1]))
