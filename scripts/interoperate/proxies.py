"""Tests `moonrill serve` behind nginx, Caddy and Apache, with the configurations that docs/serve.md shows. Tokens must
arrive one by one."""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import httpx
import websockets.sync.client

import servers
from cases import Differs, case, present, same
from serving import SCRIPT

DOCUMENT = Path(__file__).parents[2] / "docs" / "serve.md"
MODULES = "/usr/lib/apache2/modules"
HOST = "moon.example.org"
PROMPT = "Describe the moon in a few sentences."
MODEL = "moonrill-chat"
# Tokens a second, and the seconds that arrivals must be apart to count as separate.
RATE, APART = 25, 0.008

# The configuration that is tried besides the documented one: nothing but the address. nginx then buffers what does not
# carry X-Accel-Buffering, speaks HTTP/1.0 to the server and passes no WebSocket.
DEFAULT_NGINX = "server { listen 80; location / { proxy_pass http://127.0.0.1:8080; } }"


def program(name: str) -> str | None:
    return shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")


def documented(language: str) -> str:
    """The configuration in the documentation."""
    found = re.search(rf"```{language}\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)
    if not found:
        raise Differs(f"docs/serve.md has no block of {language}")
    return found.group(1)


def replaced(text: str, *pairs: tuple[str, str]) -> str:
    for old, new in pairs:
        if old not in text:
            raise Differs(f"the configuration in docs/serve.md has no {old}")
        text = text.replace(old, new)
    return text


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Nginx:
    name, language = "nginx", "nginx"
    number = r"nginx/(\S+)"
    compression = "gzip on; gzip_min_length 1; gzip_types *; gzip_proxied any;"

    @staticmethod
    def command(folder: Path) -> list[str]:
        return ["nginx", "-p", str(folder), "-c", str(folder / "config"), "-e", "stderr"]

    @staticmethod
    def configuration(folder: Path, text: str, server: str, port: int, compresses: bool) -> str:
        unix = server.startswith("/")
        text = replaced(text, ("listen 80;", f"listen 127.0.0.1:{port};"),
                        ("127.0.0.1:8080", f"unix:{server}" if unix else server))
        user = "user root root;" if os.geteuid() == 0 else ""
        paths = "".join(f"{kind}_temp_path {folder}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        return (f"{user} daemon off; pid {folder}/pid; worker_processes 1; events {{}} http {{ access_log off; {paths} "
                f"{Nginx.compression if compresses else ''}\n{text} }}")


class Caddy:
    name, language = "caddy", "caddyfile"
    number = r"v?(\d\S+)"

    @staticmethod
    def command(folder: Path) -> list[str]:
        return ["caddy", "run", "--config", str(folder / "config"), "--adapter", "caddyfile"]

    @staticmethod
    def configuration(folder: Path, text: str, server: str, port: int, compresses: bool) -> str:
        unix = server.startswith("/")
        # It compresses as documented in all cases.
        site = f"http://{HOST}:{port}, http://127.0.0.1:{port} {{\n bind 127.0.0.1\n"
        text = replaced(text, (HOST + " {", site), ("127.0.0.1:8080", f"unix/{server}" if unix else server))
        return f"{{\n admin off\n auto_https off\n storage file_system {folder}\n}}\n{text}"


class Apache:
    name, language = "apache2", "apache"
    number = r"Apache/(\S+)"
    compression = f"LoadModule filter_module {MODULES}/mod_filter.so\nLoadModule deflate_module {MODULES}/mod_deflate.so\n" \
        "SetOutputFilter DEFLATE"

    @staticmethod
    def command(folder: Path) -> list[str]:
        return ["apache2", "-d", str(folder), "-f", str(folder / "config"), "-D", "FOREGROUND"]

    @staticmethod
    def configuration(folder: Path, text: str, server: str, port: int, compresses: bool) -> str:
        unix = server.startswith("/")
        text = replaced(text, ("*:80", f"127.0.0.1:{port}"), (
            '"http://127.0.0.1:8080/"', f'"unix:{server}|http://127.0.0.1/"' if unix else f'"http://{server}/"'))
        names = ["mpm_event", "authz_core", "proxy", "proxy_http", "proxy_wstunnel"]
        modules = "".join(f"LoadModule {name}_module {MODULES}/mod_{name}.so\n" for name in names)
        user = "User www-data\nGroup root\n" if os.geteuid() == 0 else ""
        return (f"{modules}{user}Listen 127.0.0.1:{port}\nServerName 127.0.0.1\nPidFile {folder}/pid\n"
                f"ErrorLog /dev/stderr\n{Apache.compression if compresses else ''}\n{text}")


PROXIES = [Nginx, Caddy, Apache]


def version(name: str) -> str:
    """The version of an installed proxy."""
    kind = next(each for each in PROXIES if each.name == name)
    flag = "version" if kind is Caddy else "-v"
    done = subprocess.run([program(name), flag], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    found = re.search(kind.number, done.stdout)
    return found.group(1) if found else "?"


@contextmanager
def behind(world, kind, text: str | None = None, unix=False, compresses=False, script: str | None = None):
    """A server behind a proxy. Yields the origin of the proxy and the address of the server."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        options = ["--mock", "--rate", str(RATE), "--allow-host", HOST, "--trust-proxy"]
        options += ["--unix", str(folder / "s")] if unix else ["--port", "0"]
        with servers.child("moonrill serve", [world.binary, "serve", *options, *([script] if script else [])],
                           r"(unix:\S+|http://127\.0\.0\.1:\d+)") as origin:
            port = free_port()
            server = origin.removeprefix("unix:").removeprefix("http://")
            (folder / "config").write_text(kind.configuration(
                folder, text or documented(kind.language), server, port, compresses))
            command = kind.command(folder)
            with servers.child(kind.name, [program(command[0]), *command[1:]], "()", "/healthz",
                               {"HOME": name}, origin=f"http://127.0.0.1:{port}") as proxy:
                yield proxy, server


# MARK: Measures


def one_by_one(what: str, arrivals: list[float], tokens: int):
    """Fails unless most tokens arrive apart from each other."""
    present(f"{what}: more than 15 tokens", tokens > 15)
    apart = 1 + sum(later - earlier > APART for earlier, later in zip(arrivals, arrivals[1:]))
    if apart < 0.6 * tokens:
        raise Differs(f"{what}: {tokens} tokens in {apart} arrivals")


def read(origin: str, method: str, path: str, part: str, compressed: bool, **request) -> httpx.Headers:
    """Reads a stream and checks the arrivals. `part`: what each token has in its text."""
    arrivals, text = [], ""
    with httpx.Client(timeout=60, headers={"Accept-Encoding": "gzip" if compressed else "identity"}) as client:
        with client.stream(method, origin + path, **request) as response:
            same("status", response.status_code, 200)
            for piece in response.iter_bytes():
                arrivals.append(time.monotonic())
                text += piece.decode(errors="replace")
    one_by_one(path.partition("?")[0], arrivals, text.count(part))
    return response.headers


def stream(origin: str, compressed=False):
    return read(origin, "GET", f"/stream?model={MODEL}&prompt={PROMPT}", 'data: {"content":', compressed)


def chat(origin: str, compressed=False, path="/v1/chat/completions"):
    asked = {"model": MODEL, "stream": True, "max_tokens": 100, "messages": [{"role": "user", "content": PROMPT}]}
    part = '"text_delta"' if path == "/v1/messages" else '"delta":{"content":'
    return read(origin, "POST", path, part, compressed, json=asked)


def web_socket(origin: str, site: str | None = None):
    arrivals = []
    with websockets.sync.client.connect(origin.replace("http", "ws") + "/ws", origin=site) as connection:
        connection.send(json.dumps({"type": "ask", "prompt": PROMPT, "model": MODEL}))
        while True:
            event = json.loads(connection.recv(timeout=30))
            if event["event"] == "message":
                arrivals.append(time.monotonic())
            if event["event"] in ("finish", "failure"):
                break
    same("last event", event["event"], "finish")
    one_by_one("/ws", arrivals, len(arrivals))


def metric(origin: str, name: str) -> int:
    return int(re.search(rf"^{name} (\d+)", httpx.get(origin + "/metrics").text, re.MULTILINE).group(1))


def left(origin: str):
    """A client that leaves in the middle ends its stream on the server."""
    for path, body in {"/stream": {"model": MODEL, "prompt": PROMPT},
                       "/v1/chat/completions": {"model": MODEL, "stream": True,
                                                "messages": [{"role": "user", "content": PROMPT}]}}.items():
        with httpx.stream("POST", origin + path, json=body, timeout=30) as response:
            pieces = response.iter_bytes()  # closes the connection when it is collected
            next(pieces)
            same("exchanges", metric(origin, "moonrill_http_exchanges"), 1)
        limit = time.monotonic() + 1
        while metric(origin, "moonrill_http_exchanges"):
            if time.monotonic() > limit:
                raise Differs(f"{path}: the server goes on after the client has left")
            time.sleep(0.02)


def page(origin: str):
    """A page of the proxy's own origin may ask; one of another site may not."""
    port = origin.rpartition(":")[2]
    for site, status in {origin: 200, "https://evil.example": 403}.items():
        found = httpx.post(origin + "/stream", json={"prompt": "x", "model": MODEL}, headers={"Origin": site}, timeout=30)
        same(f"status for {site}", found.status_code, status)
    named = httpx.get(origin + "/v1/models", headers={"Host": f"{HOST}:{port}"})
    same("status for its name", named.status_code, 200)


def reused(origin: str, server: str):
    """The proxy keeps its connections to the server: requests one after the other leave none that was closed."""
    for _ in range(20):
        same("status", httpx.get(origin + "/healthz").status_code, 200)
    port = f":{int(server.rpartition(':')[2]):04X}"
    # remote address and state of each connection (proc(5)): 01 established, 06 TIME_WAIT.
    rows = [line.split()[2:4] for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    states = [state for remote, state in rows if remote.endswith(port)]
    same("closed connections", states.count("06"), 0)
    present("established connections: 1 to 4", 1 <= states.count("01") <= 4)


def address(origin: str):
    """The server sees the client's address, whatever the client says about it."""
    with httpx.Client(transport=httpx.HTTPTransport(local_address="127.0.0.2")) as client:
        seen = client.get(origin + "/client", headers={"X-Forwarded-For": "203.0.113.9"}).text
    same("address of the client", seen, "127.0.0.2")


# MARK: Cases


def plain(world, kind):
    with behind(world, kind) as (origin, _):
        stream(origin)
        chat(origin)
        chat(origin, path="/v1/messages")
        web_socket(origin, site=origin)
        left(origin)
        page(origin)


def connections(world, kind):
    with behind(world, kind, script=SCRIPT) as (origin, server):
        reused(origin, server)
        address(origin)


def unix_socket(world, kind):
    with behind(world, kind, unix=True) as (origin, _):
        stream(origin)
        chat(origin)
        web_socket(origin)


def compressed(world, kind):
    with behind(world, kind, compresses=True) as (origin, _):
        stream(origin, compressed=True)
        chat(origin, compressed=True)
        # The page is compressed, so compression is on.
        same("encoding of the page", httpx.get(origin + "/", headers={"Accept-Encoding": "gzip"}).headers.get(
            "content-encoding"), "gzip")


def default_nginx(world):
    with behind(world, Nginx, DEFAULT_NGINX) as (origin, _):
        stream(origin)
        chat(origin)


def register():
    for kind in PROXIES:
        if program(kind.name) is None:
            print(f"scripts/interop: {kind.name} is not installed; its cases are skipped", file=sys.stderr)
            continue

        def add(name, run, kind=kind):
            case(kind.name, "http", f"proxy: {name}", (), "proxies")(run)

        add("documented configuration", partial(plain, kind=kind))
        add("keep-alive to the server, address of the client", partial(connections, kind=kind))
        add("Unix socket", partial(unix_socket, kind=kind))
        add("compression", partial(compressed, kind=kind))
        if kind is Nginx:
            add("default configuration", default_nginx)
