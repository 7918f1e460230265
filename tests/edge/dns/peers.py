"""Real DNS software from Debian, run unprivileged on loopback for the length of a test."""

from __future__ import annotations

import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.edge.world import until


def program(name: str, package: str) -> str:
    """Where a program is; the test fails, and says what is missing, where it is not installed."""
    found = shutil.which(name, path="/usr/bin:/usr/sbin:/usr/local/bin:/usr/local/sbin")
    assert found, f"This test needs {name}: apt-get install {package}"
    return found


def said(*command: str) -> str:
    """What a program prints."""
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    return done.stdout + done.stderr


def dig(port: int, *arguments: str) -> str:
    """What dig prints, one try and no waiting for another."""
    return said(program("dig", "bind9-dnsutils"), "@127.0.0.1", "-p", str(port), "+tries=1", "+timeout=20", *arguments)


def free_port() -> int:
    """A port that is free for TCP and UDP."""
    for _ in range(20):
        with socket.socket() as tcp, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
            tcp.bind(("127.0.0.1", 0))
            port = int(tcp.getsockname()[1])
            try:
                udp.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise AssertionError("no port is free for both")


class Peer:
    """A running server and what it printed."""

    def __init__(self, port: int, process: subprocess.Popen[str]) -> None:
        self.port, self.process = port, process
        self.lines: list[str] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        self.lines.extend(self.process.stdout)

    def is_up(self) -> bool:
        """It answers questions about itself, or any other."""
        assert self.process.poll() is None, "".join(self.lines)
        return "status:" in dig(self.port, "ready.invalid", "+timeout=1")

    def end(self) -> None:
        """Stop it."""
        self.process.terminate()
        self.process.wait(20)
        self._reader.join()
        assert self.process.stdout is not None
        self.process.stdout.close()


@contextmanager
def peer(port: int, *command: str) -> Iterator[Peer]:
    """A server, from the moment it answers to the end of the block."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    server = Peer(port, process)
    try:
        until(server.is_up)
        yield server
    finally:
        server.end()


@contextmanager
def unbound(folder: Path, upstream: int) -> Iterator[Peer]:
    """Unbound that forwards everything there, with random capital letters (0x20)."""
    port = free_port()
    conf = folder / "unbound.conf"
    conf.write_text(
        f"""server:
  interface: 127.0.0.1@{port}
  do-daemonize: no
  use-syslog: no
  logfile: ""
  username: ""
  chroot: ""
  directory: "{folder}"
  pidfile: ""
  num-threads: 1
  module-config: "iterator"
  do-not-query-localhost: no
  use-caps-for-id: yes
  local-zone: "example." transparent
  cache-max-ttl: 60
remote-control:
  control-enable: no
forward-zone:
  name: "."
  forward-addr: 127.0.0.1@{upstream}
"""
    )
    with peer(port, program("unbound", "unbound"), "-d", "-p", "-c", str(conf)) as server:
        yield server


@contextmanager
def bind(folder: Path, options: str, zones: str = "", port: int = 0) -> Iterator[Peer]:
    """BIND on loopback with these options and zones."""
    port = port or free_port()
    conf = folder / "named.conf"
    conf.write_text(
        f"""options {{
  directory "{folder}";
  pid-file none;
  session-keyfile none;
  listen-on port {port} {{ 127.0.0.1; }};
  listen-on-v6 {{ none; }};
  dnssec-validation no;
  empty-zones-enable no;
  {options}
}};
controls {{ }};
{zones}
"""
    )
    with peer(port, program("named", "bind9"), "-g", "-n", "1", "-c", str(conf)) as server:
        yield server
