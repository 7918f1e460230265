"""Starts real proxies from Debian on loopback, unprivileged, with little memory, over a node and an origin of our own.

A program that is missing fails the test: ``make system`` installs what requirements/system-packages.txt names.
"""

from __future__ import annotations

import http.client
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from tests.edge.world import Answer

USER = "proxy"
SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def program(name: str) -> str:
    """Its whole path."""
    found = shutil.which(name, path=SYSTEM_PATH)
    if found is None:
        raise AssertionError(f"{name} is missing: run 'make system'; it is in requirements/system-packages.txt")
    return found


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def other_user() -> str | None:
    """Root runs proxies as somebody else, as an operator does."""
    return USER if os.geteuid() == 0 else None


@contextmanager
def folder() -> Iterator[Path]:
    """A folder that the proxy's user may use."""
    with tempfile.TemporaryDirectory(prefix="vigil-lab-") as name:
        path = Path(name)
        if other_user():
            entry = pwd.getpwnam(USER)
            os.chown(path, entry.pw_uid, entry.pw_gid)
        yield path


def with_access(command: list[str]) -> list[str]:
    """For a proxy that starts programs of this checkout, which may lie in root's own folders: another user who may still read."""
    if not other_user():
        return command
    rights = ["--inh-caps=+dac_override", "--ambient-caps=+dac_override"]
    return [program("setpriv"), "--reuid", USER, "--regid", USER, "--clear-groups", *rights, *command]


@contextmanager
def started(command: Sequence[str], port: int, place: Path) -> Iterator[None]:
    """A server, until the block ends; ready when its port answers."""
    user = None if command[0].endswith("/setpriv") else other_user()
    environment = {"PATH": SYSTEM_PATH, "HOME": str(place), "XDG_DATA_HOME": str(place), "XDG_CONFIG_HOME": str(place)}
    with (place / "output").open("wb") as output:
        process = subprocess.Popen(
            command, cwd=place, env=environment, stdout=output, stderr=output, stdin=subprocess.DEVNULL,
            user=user, group=user, extra_groups=[] if user else None,
        )  # fmt: skip
    try:
        await_port(process, port, place / "output")
        yield
    finally:
        process.terminate()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def await_port(process: subprocess.Popen[bytes], port: int, output: Path) -> None:
    pause = threading.Event()
    for _ in range(200):
        if process.poll() is not None:
            break
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            pause.wait(0.05)
        else:
            return
    raise AssertionError(f"the proxy did not start: {output.read_text()[-2000:]}")


@dataclass
class Origin:
    """A web server that notes what reaches it."""

    port: int
    handler: type[BaseHTTPRequestHandler] | None = None
    seen: list[str] = field(default_factory=list)
    files: dict[str, tuple[str, bytes]] = field(default_factory=dict)


@contextmanager
def origin() -> Iterator[Origin]:
    """Answers every path: with a file, or with ``the origin``."""
    site = Origin(0)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *args: object) -> None:
            """Quiet."""

        def do_GET(self) -> None:
            site.seen.append(self.path)
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            kind, data = site.files.get(self.path, ("text/plain", b"the origin"))
            self.send_response(200)
            self.send_header("content-type", kind)
            self.send_header("content-length", str(len(data + body)))
            self.end_headers()
            self.wfile.write(data + body)

        def do_POST(self) -> None:
            self.do_GET()

    site.handler = Handler
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    site.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield site
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def through(port: int, target: str, method: str = "GET", body: bytes | None = None, **headers: str) -> Answer:
    """One request to a proxy or a site; ``target`` as it stands in the request line."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.putrequest(method, target, skip_host=True, skip_accept_encoding=True)
        for name, value in headers.items():
            connection.putheader(name.replace("_", "-"), value)
        if body is not None:
            connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body)
        answer = connection.getresponse()
        return Answer(answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read())
    finally:
        connection.close()
