"""A running installation for stories: started by the command that a newcomer types, in a folder of its own."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vigil.installation.demo import people

READY = "Ctrl-C stops everything"


def free_ports() -> int:
    """The first of eight ports in a row that nobody uses."""
    for first in range(20_000 + os.getpid() % 5_000, 60_000, 9):
        probes = []
        try:
            for port in range(first, first + 8):
                probe = socket.socket()
                probes.append(probe)
                probe.bind(("127.0.0.1", port))
        except OSError:
            continue
        finally:
            for probe in probes:
                probe.close()
        return first
    raise RuntimeError("no free ports")


@dataclass
class Running:
    """A demo installation and what a test wants to know of it."""

    data: Path
    port: int
    process: subprocess.Popen[str]
    said: list[str] = field(default_factory=list)
    listener: threading.Thread | None = None

    @property
    def public(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    @property
    def console(self) -> str:
        return f"http://127.0.0.1:{self.port + 1}/"

    @property
    def partner(self) -> str:
        return f"http://127.0.0.1:{self.port + 2}/"

    @property
    def edge(self) -> str:
        return f"http://127.0.0.1:{self.port + 3}/"

    @property
    def world(self) -> str:
        return f"http://127.0.0.1:{self.port + 4}/"

    @property
    def provider(self) -> str:
        return f"http://127.0.0.1:{self.port + 5}/"

    @property
    def environment(self) -> dict[str, str]:
        return {**os.environ, "VIGIL_HOTLINE_CONFIG": str(self.data / "hotline.toml")}

    def login(self, name: str) -> people.Login:
        return next(login for login in people.load(self.data / "demo.json") if login.username == name)

    def code(self, name: str) -> str:
        """The one-time code of this moment; near the end of its half minute, that of the next."""
        left = people.PERIOD_SECONDS - time.time() % people.PERIOD_SECONDS
        if left < 6:
            time.sleep(left + 0.2)
        return people.code(self.login(name).totp_secret, time.time())

    def vigil(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """The command line, against this installation."""
        command = [sys.executable, "-m", "vigil.cli", *arguments]
        return subprocess.run(command, env=self.environment, capture_output=True, text=True, timeout=120, check=False)

    def ask_edge(self, address: str) -> dict[str, Any]:
        """The edge node's verdict on an address; ``unknown`` while the node is away."""
        body = json.dumps({"url": address}).encode()
        request = urllib.request.Request(self.edge + "v1/url", body, {"Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=5) as answer:
                return json.loads(answer.read())
        except (OSError, ValueError):
            return {"verdict": "unknown", "reason": "away"}

    def match_media(self, content: bytes) -> dict[str, Any]:
        """The edge node's verdict on a file."""
        request = urllib.request.Request(self.edge + "v1/match", content, {"Content-Type": "image/jpeg"})
        with urllib.request.urlopen(request, timeout=20) as answer:
            return json.loads(answer.read())

    def readiness(self) -> dict[str, Any]:
        """What the edge node says of itself; empty while it is away."""
        try:
            with urllib.request.urlopen(self.edge + "readyz", timeout=5) as answer:
                return json.loads(answer.read())
        except (OSError, ValueError):
            return {}

    def edition(self) -> int:
        """Number of the edition that the edge node enforces."""
        return int(self.readiness()["edition"])

    def answers(self) -> bool:
        """Do all doors answer, and is the edge node ready?"""
        doors = [self.public + "healthz", self.console + "healthz", self.partner + "healthz", self.edge + "readyz"]
        try:
            for door in doors:
                urllib.request.urlopen(door, timeout=5).close()
        except OSError:
            return False
        return True

    def wait_for_verdict(self, address: str, verdict: str, seconds: float = 30.0) -> float:
        """Seconds until the edge gives this verdict."""
        started = time.monotonic()
        while time.monotonic() - started < seconds:
            if self.ask_edge(address)["verdict"] == verdict:
                return time.monotonic() - started
            time.sleep(0.05)
        raise AssertionError(f"the edge did not say {verdict} within {seconds} s")

    def children(self) -> dict[str, int]:
        """Process numbers of the installation's processes, by name."""
        return {name: pid for pid in _children_of(self.process.pid) if (name := _role_of(pid))}

    def stop(self) -> int:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        try:
            return self.process.wait(60)
        finally:
            self.process.kill()
            if self.listener is not None:
                self.listener.join()
            if self.process.stdout is not None:
                self.process.stdout.close()


def start(data: Path, port: int | None = None, seconds: float = 300.0) -> Running:
    """Type ``vigil up --demo`` and wait until it says that it is ready."""
    port = port or free_ports()
    command = [sys.executable, "-m", "vigil.cli", "up", "--demo", "--data", str(data), "--port", str(port)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, stdin=subprocess.DEVNULL)
    running = Running(data, port, process)
    ready = threading.Event()
    running.listener = threading.Thread(target=_listen, args=(running, ready), daemon=True)
    running.listener.start()
    if not ready.wait(seconds) or process.poll() is not None:
        process.kill()
        raise AssertionError("vigil up did not become ready:\n" + "\n".join(running.said) + _logs(data))
    return running


def _listen(running: Running, ready: threading.Event) -> None:
    for line in running.process.stdout or ():
        running.said.append(line.rstrip())
        if READY in line:
            ready.set()
    ready.set()


def _logs(data: Path) -> str:
    return "".join(f"\n--- {log.name}\n{log.read_text()[-1500:]}" for log in sorted((data / "logs").glob("*.log")))


def _children_of(parent: int) -> list[int]:
    tasks = Path(f"/proc/{parent}/task/{parent}/children")
    return [int(word) for word in tasks.read_text().split()] if tasks.exists() else []


def _role_of(pid: int) -> str:
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().decode().split("\0")
    except OSError:
        return ""
    for name in ("public", "console", "partner", "worker", "office"):
        if name in words:
            return name
    if "edge" in words:
        return "edge"
    return "world" if "vigil.installation.demo" in words else ""
