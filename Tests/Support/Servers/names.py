"""Runs a command where names are looked up by the rules below, and everything else of the network is gone.

    unshare --map-root-user --mount --net python3 names.py COMMAND...

Needs a mount and a network namespace of its own. What the command prints is printed; one line on standard error says
how often each name was asked for.

    nowhere.test   there is no such name (NXDOMAIN)
    textonly.test  the name has no address (an empty answer)
    hiccup.test    the server fails (SERVFAIL) for half a second, then 127.0.0.1
    broken.test    the server fails, always
    silent.test    no answer, ever
    both.test      ::1 and 127.0.0.1

On the ports 80 and 81 of 127.0.0.1 every request is answered with a short chat stream. On ::1, port 80 drops what
comes, and nothing listens on port 81.
"""

import collections
import os
import pathlib
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time

NXDOMAIN, SERVFAIL, NOERROR = 3, 2, 0
asked = collections.Counter()
first = {}


def prepare():
    """Loopback up, and a resolver that asks 127.0.0.1 alone and does not ask twice."""
    os.environ["PATH"] += ":/usr/sbin:/sbin"
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    folder = pathlib.Path(tempfile.mkdtemp())
    files = {
        "resolv.conf": "nameserver 127.0.0.1\noptions timeout:30 attempts:1\n",
        "nsswitch.conf": "hosts: files dns\n",
        "hosts": "127.0.0.1 localhost\n",
    }
    for name, text in files.items():
        (folder / name).write_text(text)
        target = os.path.realpath("/etc/" + name)
        subprocess.run(["mount", "--bind", folder / name, target], check=True)


def answer(query):
    """The answer to a query, or None for silence. RFC 1035 section 4."""
    end, labels = 12, []
    while query[end]:
        labels.append(query[end + 1 : end + 1 + query[end]].decode())
        end += 1 + query[end]
    name = ".".join(labels).lower()
    kind = struct.unpack_from("!H", query, end + 1)[0]
    asked[name] += 1
    age = time.monotonic() - first.setdefault(name, time.monotonic())
    code, address = {
        "nowhere.test": (NXDOMAIN, None),
        "textonly.test": (NOERROR, None),
        "hiccup.test": (SERVFAIL, None) if age < 0.5 else (NOERROR, "127.0.0.1"),
        "broken.test": (SERVFAIL, None),
        "silent.test": (None, None),
        "both.test": (NOERROR, "127.0.0.1"),
    }.get(name, (NXDOMAIN, None))
    if code is None:
        return None
    data = b""
    if address and kind == 1:
        data = socket.inet_aton(address)
    elif name == "both.test" and kind == 28:
        data = socket.inet_pton(socket.AF_INET6, "::1")
    reply = query[:2] + struct.pack("!HHHHH", 0x8180 | code, 1, 1 if data else 0, 0, 0) + query[12 : end + 5]
    if data:
        reply += struct.pack("!HHHIH", 0xC00C, kind, 1, 0, len(data)) + data
    return reply


def drop_connections():
    """A listener on ::1 that accepts nothing and whose queue is full: further SYNs are dropped."""
    listener = socket.socket(socket.AF_INET6)
    listener.bind(("::1", 80))
    listener.listen(0)
    fillers = [socket.socket(socket.AF_INET6) for _ in range(4)]
    for filler in fillers:
        filler.setblocking(False)
        filler.connect_ex(("::1", 80))
    return listener, fillers


def serve_names(server):
    while True:
        query, client = server.recvfrom(4096)
        reply = answer(query)
        if reply:
            server.sendto(reply, client)


def serve_chat(server):
    stream = 'data: {"choices":[{"index":0,"delta":{"content":"found"},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'
    head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"
    while True:
        client = server.accept()[0]
        while (piece := client.recv(65536)) and not piece.endswith(b"}"):  # the body is JSON, and ends the request
            pass
        client.sendall((head + stream).encode())
        client.close()


def main():
    prepare()
    names = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    names.bind(("127.0.0.1", 53))
    dropping = drop_connections()
    threading.Thread(target=serve_names, args=[names], daemon=True).start()
    for port in (80, 81):
        chat = socket.create_server(("127.0.0.1", port))
        threading.Thread(target=serve_chat, args=[chat], daemon=True).start()
    status = subprocess.run(sys.argv[1:], check=False).returncode
    for filler in dropping[1]:
        filler.close()
    print("asked:", dict(asked), file=sys.stderr)
    sys.exit(status)


main()
