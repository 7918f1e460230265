"""Starts a throw-away PostgreSQL on loopback, runs a command against it, and removes it again.

Usage: python tools/postgres.py run -- COMMAND…      (the command finds VIGIL_TEST_DATABASE in its environment)
       with postgres.running() as address: …         (from Python)

The server's binaries are looked for below /usr/lib/postgresql, on the PATH, or where VIGIL_POSTGRESQL_BIN points. As
root the server runs as the user ``postgres``, because it refuses to run as root. Nothing of it outlives the command.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

USER = "vigil"
DATABASE = "vigil"
START_SECONDS = 30.0
# Durability is for data that matters; these die with the command.
FAST = ["-c", "fsync=off", "-c", "synchronous_commit=off", "-c", "full_page_writes=off"]
CONNECTIONS = ["-c", "max_connections=60"]


class NoServerError(RuntimeError):
    """PostgreSQL is not installed; says how to get it."""


def binaries() -> Path:
    """The folder with ``initdb`` and ``postgres``."""
    named = os.environ.get("VIGIL_POSTGRESQL_BIN")
    if named:
        return Path(named)
    versions = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3].split(".")[0]))
    if versions:
        return versions[-1].parent
    found = shutil.which("initdb")
    if found:
        return Path(found).parent
    raise NoServerError("PostgreSQL is missing. Install it (Debian: apt-get install postgresql) or set VIGIL_POSTGRESQL_BIN.")


def as_server_user(command: list[str]) -> list[str]:
    """The command, run as ``postgres`` where we are root."""
    return ["runuser", "-u", "postgres", "--", *command] if os.geteuid() == 0 else command


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


@contextmanager
def running(*, durable: bool = False) -> Iterator[str]:
    """A server for the time of the block; gives the address of its empty database. ``durable``: a commit is on the disk."""
    programs = binaries()
    folder = Path(tempfile.mkdtemp(prefix="vigil-postgresql-"))
    if os.geteuid() == 0:
        owner = pwd.getpwnam("postgres")
        os.chown(folder, owner.pw_uid, owner.pw_gid)
    server = None
    try:
        data, port = folder / "data", free_port()
        initdb = [str(programs / "initdb"), "-D", str(data), "-U", USER, "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "-N"]
        subprocess.run(as_server_user(initdb), check=True, stdout=subprocess.DEVNULL, cwd=folder)
        postgres = [str(programs / "postgres"), "-D", str(data), "-h", "127.0.0.1", "-p", str(port), "-k", str(folder)]
        postgres += CONNECTIONS if durable else [*CONNECTIONS, *FAST]
        with (folder / "log").open("wb") as log:
            server = subprocess.Popen(as_server_user(postgres), stdout=log, stderr=log, cwd=folder)
        wait_until_ready(server, port, folder / "log")
        address = f"postgresql://{USER}@127.0.0.1:{port}/{DATABASE}"
        createdb = [str(programs / "createdb"), "-h", "127.0.0.1", "-p", str(port), "-U", USER, DATABASE]
        subprocess.run(createdb, check=True, cwd=folder)
        yield address
    finally:
        if server is not None:
            stop(server, folder / "data")
        shutil.rmtree(folder, ignore_errors=True)


def wait_until_ready(server: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    ready = [str(binaries() / "pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(port)]
    while subprocess.run(ready, check=False).returncode != 0:
        if server.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError("PostgreSQL did not start:\n" + log.read_text(errors="replace"))
        time.sleep(0.05)


def stop(server: subprocess.Popen[bytes], data: Path) -> None:
    """Stop the server at once; its data are not needed any more."""
    command = [str(binaries() / "pg_ctl"), "stop", "-D", str(data), "-m", "immediate", "-s"]
    subprocess.run(as_server_user(command), check=False, cwd=data.parent)
    try:
        server.wait(10)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()


def main(arguments: list[str]) -> int:
    if arguments[:2] != ["run", "--"] or len(arguments) < 3:
        print(__doc__)
        return 2
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the server goes too when we are told to go
    try:
        with running() as address:
            environment = {**os.environ, "VIGIL_TEST_DATABASE": address}
            return subprocess.run(arguments[2:], env=environment, check=False).returncode
    except NoServerError as error:
        print(error, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
