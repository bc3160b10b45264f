"""Measures the rate limiter beside a client with plain exponential backoff. The server refuses some requests."""

import json
import os
import subprocess
import sys
import urllib.request
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from process import RunError
from refusing import Scenario, as_argument
from table import Table

AT_ONCE = 16
# moonrill is ended after this multiple of the time of the other client, which then counts as its time.
MOST_TIMES = 4
# Maximum seconds of a run.
PATIENCE = 300
# The times of this many runs with different refusals are added, because one late retry determines the time of a run.
ROUNDS = 3
GOAL = 1.3

LIMIT_ITEMS, RATE, BURST = 200, 20, 20
LIMIT_GOAL, REFUSED_GOAL = 1.15, 0.05

MAX_WAIT, AT_ONCE_SECONDS, FORBIDDEN_SECONDS = 5, 1.0, 10


@dataclass
class Race:
    """One row: a scenario, the number of requests, and the number of runs."""

    name: str
    title: str
    items: int
    scenario: Scenario
    rounds: int = ROUNDS


REFUSING = Scenario(shortest=0.1, longest=0.3, refused=0.1)
AFTER = {"Retry-After": "1"}
RACES = [
    Race("none", "none refused", 300, replace(REFUSING, refused=0.0), rounds=1),
    Race("s429", "10 % refused with 429", 300, replace(REFUSING, statuses=[429])),
    Race("s429after", "10 % refused with 429, Retry-After: 1", 300,
         replace(REFUSING, statuses=[429], refusal_headers=AFTER)),
    Race("s529", "10 % refused with 529", 300, replace(REFUSING, statuses=[529])),
    Race("s529after", "10 % refused with 529, Retry-After: 1", 300,
         replace(REFUSING, statuses=[529], refusal_headers=AFTER)),
    Race("mixed", "10 % refused with 429, 503 or 529", 1_000,
         Scenario(shortest=0.05, longest=0.05, refused=0.1, statuses=[429, 503, 529])),
]
LIMIT = Race("limit", f"a rate limit of {RATE} requests/s", LIMIT_ITEMS,
             Scenario(shortest=0.025, longest=0.075, rate=RATE, burst=BURST), rounds=1)
# A wait of an hour or more, which `max_wait` forbids: announced by a refusal, or by the headers of a reply.
FORBIDDEN = {
    "Retry-After: 3600 of a 429": Scenario(refused=1.0, refusal_headers={"Retry-After": "3600"}),
    "remaining 0, reset in 24 h, of a reply": Scenario(reply_headers={
        "x-ratelimit-limit-requests": "200", "x-ratelimit-remaining-requests": "0",
        "x-ratelimit-reset-requests": "24h0m0s"}),
}


@dataclass
class Outcome:
    """The result of a client in a scenario, all rounds together."""

    good: int = 0
    seconds: float = 0.0
    requests: int = 0
    refusals: int = 0

    def __str__(self):
        return f"{self.seconds:.1f} s ({self.refusals} of {self.requests} refused)"


def measure(settings) -> str:
    scenarios = {f"{race.name}-{number}": replace(race.scenario, seed=number + 1)
                 for race in [*RACES, LIMIT] for number in range(race.rounds)}
    scenarios |= {f"forbidden-{number}": scenario for number, scenario in enumerate(FORBIDDEN.values())}
    clients = {"reference": [sys.executable, str(settings.references / "backoff_client.py")]}
    if settings.binary:
        clients["moonrill"] = [settings.binary, "run", str(settings.references / "limits.lua")]
    with refusing(scenarios) as origin:
        tables = [races(origin, clients), true_limit(origin, clients)]
        if settings.binary:
            tables.append(forbidden(origin, clients["moonrill"]))
    return "\n\n".join(map(str, tables))


def races(origin: str, clients: dict[str, list[str]]) -> Table:
    table = Table(
        f"Requests to a server that refuses some at random, {AT_ONCE} at once; the sum of {ROUNDS} runs "
        "(one of the first row)",
        ["refusals", "requests", "plain exponential backoff", "moonrill run", "ratio", f"goal: {GOAL} at most"])
    for race in RACES:
        try:
            found = run(origin, clients, race)
        except RunError as problem:
            table.missing(race.title, f"failed: {problem}")
            continue
        ours, theirs = found.get("moonrill"), found["reference"]
        times = f"{race.scenario.shortest * 1e3:.0f}", f"{race.scenario.longest * 1e3:.0f}"
        cells = [race.title, f"{race.items:,} of {' to '.join(dict.fromkeys(times))} ms", str(theirs)]
        if ours is None:
            table.add(*cells, "not measured", "-", "-")
            continue
        ratio = ours.seconds / theirs.seconds
        table.add(*cells, str(ours), f"{ratio:.2f}", verdict(race, ours, ratio <= GOAL))
    return table


def true_limit(origin: str, clients: dict[str, list[str]]) -> Table:
    ideal = (LIMIT_ITEMS - BURST) / RATE
    table = Table(
        f"{LIMIT_ITEMS} requests to a server that takes {RATE} a second (a bucket of {BURST}), {AT_ONCE} at once: "
        f"{ideal:.1f} s at best",
        ["client", "time", "ratio to the best", "refused", f"goal: {LIMIT_GOAL} and {REFUSED_GOAL:.0%} at most"])
    try:
        found = run(origin, clients, LIMIT)
    except RunError as problem:
        table.missing(LIMIT.title, f"failed: {problem}")
        return table
    for name, title in {"reference": "plain exponential backoff", "moonrill": "moonrill run"}.items():
        if name not in found:
            table.missing(title, "not measured")
            continue
        outcome = found[name]
        ratio, share = outcome.seconds / ideal, outcome.refusals / max(outcome.requests, 1)
        kept = ratio <= LIMIT_GOAL and share <= REFUSED_GOAL
        table.add(title, f"{outcome.seconds:.2f} s", f"{ratio:.2f}",
                  f"{share:.1%} ({outcome.refusals} of {outcome.requests})",
                  verdict(LIMIT, outcome, kept) if name == "moonrill" else "-")
    return table


def forbidden(origin: str, command: list[str]) -> Table:
    table = Table(f"A wait that `retry.max_wait` forbids ({MAX_WAIT} s) fails at once",
                  ["announced by", "failed after", "kind", "retry_after",
                   f"goal: rate_limit, {AT_ONCE_SECONDS:.0f} s at most"])
    for number, title in enumerate(FORBIDDEN):
        base = f"{origin}/forbidden-{number}/moonrill/v1"
        try:
            _, seconds, kind, retry_after = output(
                [*command, "forbidden", base, str(MAX_WAIT), str(FORBIDDEN_SECONDS)])
        except RunError as problem:
            table.missing(title, f"failed: {problem}")
            continue
        kept = kind == "rate_limit" and float(seconds) <= AT_ONCE_SECONDS and retry_after != "-"
        table.add(title, f"{float(seconds):.2f} s", kind, retry_after, "kept" if kept else "missed")
    return table


def run(origin: str, clients: dict[str, list[str]], race: Race) -> dict[str, Outcome]:
    """Runs all rounds. In each round the clients run one after the other."""
    found = {name: Outcome() for name in clients}
    for number in range(race.rounds):
        most: list[str] = []
        for name, command in clients.items():
            place = f"{origin}/{race.name}-{number}/{name}"
            words = output([*command, place + "/v1", str(race.items), str(AT_ONCE), *most])
            good, seconds = int(words[0]), float(words[1])
            most = [str(MOST_TIMES * seconds)]  # the reference runs first
            requests, refusals = json.loads(fetched(place + "/stats"))
            outcome = found[name]
            outcome.good += good
            outcome.seconds += seconds
            outcome.requests += requests
            outcome.refusals += refusals
    return found


def verdict(race: Race, outcome: Outcome, is_fast: bool) -> str:
    wanted = race.items * race.rounds
    if outcome.good != wanted:
        return f"missed: {outcome.good} of {wanted} replies"
    return "kept" if is_fast else "missed"


def output(command: list[str]) -> list[str]:
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                              timeout=PATIENCE, env=os.environ | {"MOONRILL_BENCH_KEY": "bench"})
    except subprocess.TimeoutExpired as problem:
        raise RunError(f"still running after {problem.timeout} s") from problem
    if done.returncode != 0:
        raise RunError(f"{' '.join(command)} ended with {done.returncode}: {done.stderr[-500:]}")
    return done.stdout.split()


def fetched(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=10) as response:
        return response.read()


@contextmanager
def refusing(scenarios: dict[str, Scenario]):
    """Runs refusing.py in a process and yields its origin."""
    command = [sys.executable, str(Path(__file__).with_name("refusing.py")), as_argument(scenarios)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        yield f"http://127.0.0.1:{int(process.stdout.readline())}"
    finally:
        process.stdin.close()
        process.wait(timeout=10)
        process.stdout.close()
