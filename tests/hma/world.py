"""Servers for the conformance suite: Vigil's partner door and edge node as processes, and a site that hands out pictures."""

from __future__ import annotations

import io
import json
import os
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from vigil.installation.folder import DataFolder
from vigil.installation.prepare import Ports, add_hma, write_configuration

PATIENCE = 60.0
PREPARE = """
from pathlib import Path
from vigil.hotline.management import boot
from vigil.hotline.settings import config, keyfiles
keyfiles.create_secrets(Path(config.current().secrets))
boot.start("worker")
boot.migrate()
from vigil.hotline.access.people import OPERATOR
from vigil.hotline.access.roles import Role
from vigil.hotline.audit.people import do_add_user
from vigil.hotline.banks.policy import do_approve_policy, do_propose_policy
one = do_add_user(OPERATOR, "paula", display_name="Paula", password="paula-long-password", roles=[Role.LIST_PUBLISHER])
two = do_add_user(OPERATOR, "sam", display_name="Sam", password="sam-long-password", roles=[Role.SUPERVISOR])
proposed = do_propose_policy(one, purpose="Tests.", legal_basis="None needed.", owner="Tests", retention_days=30)
do_approve_policy(two, proposed)
from vigil.hotline.banks.machines import do_enrol_machine
from vigil.hotline.banks.models import MachineRole
for role in (MachineRole.FOLLOWER, MachineRole.CURATOR):
    print(do_enrol_machine(OPERATOR, f"edge-1-{role}", role)[1])
"""


@dataclass(frozen=True)
class Said:
    """An answer."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body, parse_constant=_refuse)


def _refuse(name: str) -> Any:
    raise AssertionError(f"{name} is no JSON")


class Quiet(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *arguments: Any) -> None:
        return None


OPENER = urllib.request.build_opener(Quiet)


class Server:
    """Any server of these routes, by its base address."""

    def __init__(self, base: str, token: str | None = None) -> None:
        self.base = base.rstrip("/")
        self.token = token

    def ask(self, method: str, path: str, body: bytes | None = None, **headers: str) -> Said:
        """One request; header names with ``_`` for ``-``."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if self.token is not None:
            sent.setdefault("Authorization", f"Bearer {self.token}")
        request = urllib.request.Request(self.base + path, body, sent, method=method)
        try:
            with OPENER.open(request, timeout=30) as answer:
                return Said(answer.status, _lower(answer.headers), answer.read())
        except urllib.error.HTTPError as error:
            return Said(error.code, _lower(error.headers), error.read())

    def get(self, path: str, **headers: str) -> Said:
        return self.ask("GET", path, **headers)

    def send(self, method: str, path: str, document: Any) -> Said:
        return self.ask(method, path, json.dumps(document).encode(), Content_Type="application/json")

    def upload(self, path: str, files: dict[str, bytes], fields: dict[str, str] | None = None) -> Said:
        mark = uuid.uuid4().hex
        body = b"".join(
            f'--{mark}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
            for name, value in (fields or {}).items()
        )
        for name, data in files.items():
            head = f'--{mark}\r\nContent-Disposition: form-data; name="{name}"; filename="f"\r\nContent-Type: image/png\r\n\r\n'
            body += head.encode() + data + b"\r\n"
        body += f"--{mark}--\r\n".encode()
        return self.ask("POST", path, body, Content_Type=f"multipart/form-data; boundary={mark}")

    # ---- steps that many tests take

    def new_bank(self, **more: Any) -> str:
        name = f"ZORBLAT_{uuid.uuid4().hex.upper()}"
        made = self.send("POST", "/c/banks", {"name": name, **more})
        assert made.status == 201, made.body
        return name

    def banked(self, bank: str, **signals: str) -> int:
        made = self.send("POST", f"/c/bank/{bank}/signal", signals)
        assert made.status == 200, made.body
        return int(made.json["id"])

    def lookup(self, kind: str, value: str, more: str = "") -> dict[str, list[dict[str, Any]]]:
        said = self.get(f"/m/lookup?signal_type={kind}&signal={value}{more}")
        assert said.status == 200, said.body
        found: dict[str, list[dict[str, Any]]] = said.json
        return found

    def settled(self) -> None:
        """Wait until the server says that its indexes are up to date."""
        until(lambda: not any(each["index_out_of_date"] for each in self.get("/c/signal_type/index").json.values()))


def until(good: Any) -> None:
    """Wait for something that happens by itself; the bound only ends a broken test."""
    deadline = time.monotonic() + PATIENCE
    while not good():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.05)


def _lower(headers: Any) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


def free_ports() -> int:
    """The first of seven ports that nobody uses."""
    for first in range(21_000 + os.getpid() % 5_000, 60_000, 11):
        with socket.socket() as one, socket.socket() as two, socket.socket() as three:
            try:
                for probe, port in ((one, first + 2), (two, first + 3), (three, first + 6)):
                    probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        return first
    raise RuntimeError("no free ports")


def picture(seed: int, side: int = 128) -> bytes:
    """A benign drawing with structure enough for a good PDQ."""
    generator = np.random.default_rng(seed)
    rows, columns = np.mgrid[0:side, 0:side] / side
    canvas = np.zeros((side, side, 3))
    for _ in range(24):
        y, x, width = generator.random(), generator.random(), 0.03 + 0.12 * generator.random()
        blob = np.exp(-((rows - y) ** 2 + (columns - x) ** 2) / width**2)
        canvas += blob[..., None] * generator.random(3)
    return packed((255 * canvas / canvas.max()).astype(np.uint8))


def flat() -> bytes:
    return packed(np.full((128, 128, 3), 120, np.uint8))


def packed(pixels: np.ndarray) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG")
    return stream.getvalue()


class _Site(BaseHTTPRequestHandler):
    """Pictures, and answers that mislead."""

    def log_message(self, *arguments: Any) -> None:
        """Quiet."""

    def do_GET(self) -> None:
        name = self.path.strip("/")
        data = {"flat": flat(), "broken": b"zorblat", "empty": b""}.get(name, picture(7))
        if name == "away":
            self._head(302, {"Location": "http://quimber.example/"})
            return
        if name == "absent":
            self._head(404, {})
            return
        headers = {} if name == "untyped" else {"Content-Type": "text/plain" if name == "text" else "image/png"}
        if name == "liar":
            headers["Content-Length"] = "zorblat"
        self._head(200, headers)
        self.wfile.write(data)

    def _head(self, status: int, headers: dict[str, str]) -> None:
        self.send_response(status)
        for header, value in headers.items():
            self.send_header(header, value)
        self.end_headers()


@contextmanager
def site(port: int = 0) -> Iterator[str]:
    """Its base address on loopback."""
    server = ThreadingHTTPServer(("127.0.0.1", port), _Site)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@dataclass
class Installation:
    """A partner door and an edge node with the routes, two workers, open on loopback."""

    folder: DataFolder
    ports: Ports
    processes: dict[str, subprocess.Popen[bytes]]

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.ports.hma}"

    @property
    def environment(self) -> dict[str, str]:
        return {**os.environ, "VIGIL_HOTLINE_CONFIG": str(self.folder.hotline_config)}

    def vigil(self, *arguments: str) -> str:
        return run([sys.executable, "-m", "vigil.cli", *arguments], self.environment)

    def start(self, name: str) -> None:
        command = {
            "partner": ["hotline", "serve", "partner"],
            "edge": ["edge", "serve", "--config", str(self.folder.edge_config)],
            "worker": ["hotline", "worker"],
        }[name]
        with (self.folder.logs / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(
                [sys.executable, "-m", "vigil.cli", *command], env=self.environment, stdout=log, stderr=log
            )

    def stop(self, name: str) -> None:
        process = self.processes.pop(name)
        process.terminate()
        process.wait(30)


def run(command: list[str], environment: dict[str, str]) -> str:
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@contextmanager
def installation(root: Path, media: str, *, tokens: tuple[str, ...] = ()) -> Iterator[Installation]:
    """Prepared as ``vigil up --hma`` does, less the processes that nobody here asks; ``media``: the site to fetch from.

    ``tokens``  lines of the node's tokens; where there are any, nobody is let in without one.
    """
    folder, ports = DataFolder(root), Ports(free_ports())
    folder.create()
    write_configuration(folder, demo=True, host="127.0.0.1", ports=ports, today=date(2026, 11, 22))
    add_hma(folder, host="127.0.0.1", ports=ports)
    fetching = f'fetch_hosts = ["{media.removeprefix("http://")}"]\nfetch_networks = ["127.0.0.0/8"]\n'
    edge = folder.edge_config.read_text().replace("\n[hma]\n", f"\n[hma]\nworkers = 2\npoll_seconds = 0.1\n{fetching}")
    folder.edge_config.write_text(edge)
    folder.hotline_config.write_text(folder.hotline_config.read_text().replace("\n[banks]\n", f"\n[banks]\n{fetching}"))
    made = Installation(folder, ports, {})
    if tokens:
        _close(folder, tokens)
    folder.root_of_trust.write_bytes(b"{}")  # no edition is ever asked for here
    folder.node_token.write_text("node-token-zorblat-0001\n")
    follower, curator = run([sys.executable, "-c", PREPARE], made.environment).split()
    folder.banks_token.write_text(follower)
    folder.curator_token.write_text(curator)
    try:
        made.start("partner")
        made.start("edge")
        server = Server(made.base)
        until(lambda: _ready(server))
        yield made
    finally:
        for name in list(made.processes):
            made.stop(name)


def _close(folder: DataFolder, tokens: tuple[str, ...]) -> None:
    """Take the openness for this machine out of the node's file."""
    (folder.root / "hma.tokens").write_text("\n".join(tokens) + "\n")
    text = folder.edge_config.read_text().replace("open_on_loopback = true\n", 'tokens_file = "hma.tokens"\n')
    folder.edge_config.write_text(text)


def _ready(server: Server) -> bool:
    try:
        return server.get("/status").status == 200
    except OSError:
        return False
