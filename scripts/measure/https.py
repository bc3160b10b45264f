"""Measures a whole process whose one call is the first to an https origin, with the system's store of certificates."""

import os
import shutil
import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path

from process import RunError, Timing, located, run_checked
from servers import ServerError
from static_server import nginx
from stream import make
from table import Table
from throughput import BODY

DELTAS = 25
ROUNDS = 40
GOAL = 0.8
CURL, MOONRILL = "curl", "moonrill run"
# The store of Debian: a bundle, and beside it links to single files by hash.
STORE, BUNDLE = Path("/etc/ssl/certs"), "ca-certificates.crt"
SYSTEM, ONE = "the system's store", "one certificate"


def measure(settings) -> Table:
    path = settings.out / f"stream-{DELTAS}.sse"
    stream = make(path, DELTAS)
    table = Table(f"One reply of {DELTAS} deltas over https and HTTP/2 on loopback, the whole process; medians of {ROUNDS} "
                  "runs in turn", ["client", "trusts", "CPU", "against curl", "median", "against curl"])
    try:
        with nginx({"small": path}, tls=True, http2=True) as origin, store(Path(os.environ["SSL_CERT_FILE"])) as inside:
            timings = timed(settings, f"{origin}/small/v1", inside, stream.report)
    except (RunError, ServerError, OSError) as problem:
        table.missing("failed", str(problem))
        return table
    for trusts in (SYSTEM, ONE):
        curl = timings[CURL, trusts]
        for (name, other), timing in timings.items():
            if other == trusts:
                table.add(name, trusts, f"{timing.median_processor * 1e3:.1f} ms",
                          f"{timing.median_processor / curl.median_processor:.2f}", f"{timing.median * 1e3:.1f} ms",
                          f"{timing.median / curl.median:.2f}")
    if not settings.binary:
        table.missing(MOONRILL, "not measured")
        return table
    ours, theirs = timings[MOONRILL, SYSTEM].median_processor, timings[CURL, SYSTEM].median_processor
    settings.summary.ratio("the first https call, CPU of the process", f"{ours * 1e3:.1f} ms", f"curl: {theirs * 1e3:.1f} ms",
                           ours / theirs, GOAL)
    return table


def timed(settings, base: str, inside: list[str], report: list[str]) -> dict[tuple[str, str], Timing]:
    """Runs all clients in turn. `inside` begins a command that sees the server's certificate in the system's store."""
    commands = {CURL: [located("curl"), "-N", "-s", "--fail", "-X", "POST", "-d", BODY, f"{base}/chat/completions"]}
    if settings.binary:
        commands[MOONRILL] = [settings.binary, "run", str(settings.references / "count.lua"), base]
    timings = {(name, trusts): Timing() for trusts in (SYSTEM, ONE) for name in commands}
    for number in range(ROUNDS + 1):
        for (name, trusts), timing in timings.items():
            cost = run_checked(settings.out / "launch", commands[name], None if name == CURL else report,
                               inside if trusts == SYSTEM else [])
            # The first round is a warm-up.
            if number > 0:
                timing.add(cost)
    return timings


@contextmanager
def store(certificate: Path):
    """Makes a copy of the system's store with one more certificate. Yields the beginning of a command that has the copy in
    place of the store, in a mount namespace of its own, and no SSL_CERT_FILE."""
    if not (STORE / BUNDLE).is_file() or not list(STORE.glob("*.0")):
        raise RunError(f"{STORE} has no bundle {BUNDLE} with links by hash beside it")
    with tempfile.TemporaryDirectory(prefix="moonrill-bench-") as folder:
        copy = Path(folder) / "certs"
        shutil.copytree(STORE, copy, symlinks=True)
        with (copy / BUNDLE).open("ab") as bundle:
            bundle.write(certificate.read_bytes())
        shutil.copy(certificate, copy / "bench.pem")
        hashed = subprocess.run(["openssl", "x509", "-hash", "-noout", "-in", str(certificate)], capture_output=True, text=True,
                                check=True)
        (copy / f"{hashed.stdout.strip()}.0").symlink_to("bench.pem")
        yield [*namespace(), "sh", "-c", 'mount --bind "$0" "$1" && unset SSL_CERT_FILE && shift && exec "$@"', str(copy),
               str(STORE)]


def namespace() -> list[str]:
    """A command that runs another in a new mount namespace."""
    for command in (["unshare", "-m"], ["unshare", "-rm"]):
        if subprocess.run([*command, "true"], stderr=subprocess.DEVNULL).returncode == 0:
            return command
    raise RunError("no mount namespace (unshare -m)")
