"""Runs the measurements. Called by scripts/bench, which builds the programs first."""

import argparse
import os
import sys
from pathlib import Path
from types import SimpleNamespace

import calls
import curves
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
from process import RunError
from servers import ServerError
from summary import Summary

MEASUREMENTS = {"https": https, "calls": calls, "growth": growth, "many": many, "plain": plain, "small": small,
                "throughput": throughput, "dialects": dialects, "tls": tls, "serve": serve, "slow": slow, "flow": flow,
                "limits": limits, "journal": journal}


def main() -> int:
    parser = argparse.ArgumentParser(prog="scripts/bench")
    parser.add_argument("what", nargs="?", choices=[*MEASUREMENTS, "all"], help="default: all; with --plot, none")
    parser.add_argument("--long", action="store_true",
                        help="slow: 60 s instead of 10; journal: also a store of a million requests")
    parser.add_argument("--plot", action="store_true", help="measure how costs grow, and draw .build-bench/growth.svg")
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
    described = machine.describe(settings.binary)
    print(described, flush=True)
    what = chosen.what or ("all" if not chosen.plot else None)
    for name, measurement in MEASUREMENTS.items():
        if what in (name, "all"):
            try:
                result = measurement.measure(settings)
            except (RunError, ServerError) as problem:
                result = f"{name} failed: {problem}"
            print(f"\n{result}", flush=True)
    if settings.summary.table.rows:
        print(f"\n{settings.summary.table}", flush=True)
    return draw(settings, described) if chosen.plot else 0


def draw(settings, described: str) -> int:
    """Draws the page, and keeps its numbers beside it. Returns the exit status."""
    import plot  # needs matplotlib, which scripts/bench installs for --plot

    try:
        page = curves.measure(settings, described)
    except (RunError, ServerError) as problem:
        print(f"scripts/bench: {problem}", file=sys.stderr)
        return 1
    page.save(settings.out / "growth.json")
    plot.draw(page, settings.out / "growth.svg")
    print(f"Drawn: {settings.out / 'growth.svg'}")
    return 0


sys.exit(main())
