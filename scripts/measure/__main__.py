"""Runs the measurements. Called by scripts/bench, which builds the programs first."""

import argparse
import os
import sys
from pathlib import Path
from types import SimpleNamespace

import calls
import dialects
import flow
import growth
import https
import journal
import limits
import machine
import many
import plain
import serve
import slow
import small
import throughput
import tls
from summary import Summary

MEASUREMENTS = {"https": https, "calls": calls, "growth": growth, "many": many, "plain": plain, "small": small,
                "throughput": throughput, "dialects": dialects, "tls": tls, "serve": serve, "slow": slow, "flow": flow,
                "limits": limits, "journal": journal}


def main() -> int:
    parser = argparse.ArgumentParser(prog="scripts/bench")
    parser.add_argument("what", nargs="?", default="all", choices=[*MEASUREMENTS, "all"])
    parser.add_argument("--long", action="store_true",
                        help="slow: 60 s instead of 10; journal: also a store of a million requests")
    parser.add_argument("--without-moonrill", action="store_true", help="measure only the other clients")
    chosen = parser.parse_args()
    out = Path(".build-bench")
    own_python = out / "venv" / "bin" / "python"
    settings = SimpleNamespace(
        out=out,
        references=Path(__file__).resolve().parent.parent / "bench-reference",
        binary="" if chosen.without_moonrill else os.environ.get("MOONRILL_BENCH_BINARY", ""),
        python=os.environ.get("MOONRILL_BENCH_PYTHON") or str(own_python if own_python.exists() else sys.executable),
        long=chosen.long,
        summary=Summary(),
    )
    print(machine.describe(settings.binary), flush=True)
    for name, measurement in MEASUREMENTS.items():
        if chosen.what in (name, "all"):
            print(f"\n{measurement.measure(settings)}", flush=True)
    if settings.summary.table.rows:
        print(f"\n{settings.summary.table}")
    return 0


sys.exit(main())
