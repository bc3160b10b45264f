"""Measures the cost of the combinators of llm.flow with chains of steps that do nothing."""

import subprocess

from table import Table


def measure(settings) -> Table:
    table = Table("Chains of steps that do nothing, in one process", ["chain", "in all", "each"])
    if not settings.binary:
        table.missing("moonrill run", "not measured")
        return table
    ran = subprocess.run([settings.binary, "run", "--mock", str(settings.references / "flow.lua")],
                         capture_output=True, text=True, timeout=60)
    if ran.returncode != 0:
        table.missing("moonrill run", f"failed: {ran.stderr}")
        return table
    for line in ran.stdout.splitlines():
        name, count, seconds = line.split("\t")
        table.add(name, f"{float(seconds) * 1e3:.1f} ms", f"{float(seconds) / int(count) * 1e6:.2f} µs")
    return table
