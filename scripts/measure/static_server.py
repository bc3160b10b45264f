"""Runs nginx as a static server of replies that are files."""

import os
import shutil
import socket
import subprocess
import tempfile
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path

from servers import ServerError

# nginx answers a POST to a static file with 405. error_page replaces this with the file and status 200.
CONFIGURATION = """
daemon off;
master_process off;
pid {home}/pid;
error_log {home}/error.log warn;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    sendfile on;
    tcp_nopush on;
    types {{ }}
    default_type text/event-stream;
    client_max_body_size 0;
    client_body_temp_path {home}/body;
    proxy_temp_path {home}/proxy;
    fastcgi_temp_path {home}/fastcgi;
    uwsgi_temp_path {home}/uwsgi;
    scgi_temp_path {home}/scgi;
    server {{
        listen 127.0.0.1:{port}{tls};
        root {root};
        error_page 405 =200 $uri;
    }}
}}
"""


# TLS and HTTP/2 before another server. The log has the number of the connection of each request.
PROXY = """
daemon off;
worker_processes 1;
pid {home}/pid;
error_log {home}/error.log warn;
events {{ worker_connections 4096; }}
http {{
    log_format connection '$connection';
    access_log {home}/connections.log connection;
    proxy_http_version 1.1;
    proxy_set_header Connection "";
    proxy_buffering off;
    client_body_temp_path {home}/body;
    proxy_temp_path {home}/proxy;
    fastcgi_temp_path {home}/fastcgi;
    uwsgi_temp_path {home}/uwsgi;
    scgi_temp_path {home}/scgi;
    upstream provider {{ server {upstream}; keepalive 512; }}
    server {{
        listen 127.0.0.1:{port} ssl http2;
        ssl_certificate {home}/cert.pem;
        ssl_certificate_key {home}/key.pem;
        keepalive_requests 100000;
        location / {{ proxy_pass http://provider; }}
    }}
}}
"""


@contextmanager
def nginx_proxy(upstream: str):
    """TLS and HTTP/2 in front of the server with the origin `upstream`. Yields the origin, and a function that counts the
    connections since its last call. SSL_CERT_FILE names the certificate in the block."""
    with tempfile.TemporaryDirectory(prefix="moonrill-bench-") as folder, ExitStack() as undo:
        home = Path(folder)
        undo.enter_context(trusted(certified(home)))
        process, port = run_nginx(home, lambda port: PROXY.format(home=home, port=port, upstream=upstream.split("//")[-1]))
        log, seen = home / "connections.log", 0

        def connections() -> int:
            nonlocal seen
            time.sleep(0.2)  # nginx writes the log after the end of a response
            lines = log.read_text().split()
            new, seen = lines[seen:], len(lines)
            return len(set(new))

        try:
            yield f"https://127.0.0.1:{port}", connections
        finally:
            process.terminate()
            process.wait()


@contextmanager
def nginx(replies: dict[str, Path], paths: dict[str, str] | None = None, tls: bool = False, http2: bool = False):
    """Serves each reply at /NAME/v1/chat/completions, or at /NAME/ and its entry of `paths`. Yields the origin,
    "http://127.0.0.1:PORT". With `tls` the scheme is https, and SSL_CERT_FILE names the certificate in the block.
    `http2` offers HTTP/2 in the handshake."""
    with tempfile.TemporaryDirectory(prefix="moonrill-bench-") as folder, ExitStack() as undo:
        home = Path(folder)
        if tls:
            undo.enter_context(trusted(certified(home)))
        for name, path in replies.items():
            place = home / "root" / name / (paths or {}).get(name, "v1/chat/completions")
            place.parent.mkdir(parents=True)
            place.symlink_to(path.resolve())
        process, port = start_nginx(home, tls, http2)
        try:
            yield f"{'https' if tls else 'http'}://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait()


def certified(home: Path) -> Path:
    """Makes a key (key.pem) and a self-signed certificate for 127.0.0.1. Returns the path of the certificate."""
    certificate = home / "cert.pem"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
               "-days", "1", "-subj", "/CN=bench", "-addext", "subjectAltName=IP:127.0.0.1",
               "-keyout", str(home / "key.pem"), "-out", str(certificate)]
    made = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    if made.returncode != 0:
        raise ServerError("openssl did not make a certificate: " + made.stderr.decode(errors="replace")[-500:])
    return certificate


@contextmanager
def trusted(certificate: Path):
    """Sets SSL_CERT_FILE in the block, so that clients trust the certificate and nothing else."""
    before = {name: os.environ.pop(name, None) for name in ("SSL_CERT_FILE", "SSL_CERT_DIR", "CURL_CA_BUNDLE")}
    os.environ["SSL_CERT_FILE"] = str(certificate)
    try:
        yield
    finally:
        del os.environ["SSL_CERT_FILE"]
        os.environ.update({name: value for name, value in before.items() if value is not None})


def start_nginx(home: Path, tls: bool = False, http2: bool = False):
    secure = ""
    if tls:
        protocols = " ssl http2" if http2 else " ssl"
        secure = f"{protocols}; ssl_certificate {home}/cert.pem; ssl_certificate_key {home}/key.pem"
    return run_nginx(home, lambda port: CONFIGURATION.format(home=home, port=port, root=home / "root", tls=secure))


def run_nginx(home: Path, configured):
    program = shutil.which("nginx") or "/usr/sbin/nginx"
    # The kernel chooses a free port. If another program takes it first, nginx ends, and another port is tried.
    for _ in range(5):
        port = free_port()
        configuration = home / "nginx.conf"
        configuration.write_text(configured(port))
        process = subprocess.Popen([program, "-p", str(home), "-e", str(home / "error.log"), "-c", str(configuration)])
        if accepts(port, process):
            return process, port
        process.kill()
        process.wait()
    raise ServerError("nginx does not start: " + (home / "error.log").read_text())


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def accepts(port: int, process: subprocess.Popen, patience: float = 5.0) -> bool:
    limit = time.monotonic() + patience
    while time.monotonic() < limit and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return process.poll() is None
        except OSError:
            time.sleep(0.02)
    return False
