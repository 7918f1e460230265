"""The public door as a process of its own, on a throw-away installation and a free port."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.hotline.own_database import fresh_database

DOOR = '[doors.{name}]\nhost = "127.0.0.1"\nport = {port}\nurl = "http://127.0.0.1:{port}"\n'
CONFIG = """
name = "Example Hotline"
mode = "demo"
database = "{database}"
secrets = "secrets"
editions = "editions"
{doors}
[[help_lines]]
country = "NL"
name = "Quimber Line"
phone = "0800 555 0101"
url = "https://quimber.example/"
hours = "11:00 to 21:00"
for_whom = "children and young people"
languages = ["nl", "en"]
anonymous = true
free = true
verified_on = "{today}"
verified_by = "test"
"""
PREPARE = """
from pathlib import Path
from vigil.hotline.settings.keyfiles import create_secrets
create_secrets(Path("secrets"))
from vigil.hotline.management import boot
boot.start("worker")
boot.migrate()
"""
SERVE = """
from vigil.hotline.management.serving import serve
serve("public")
"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def public_door(folder: Path) -> Iterator[str]:
    """The address of a door that serves from ``folder`` until the block ends."""
    port = free_port()
    doors = "".join(DOOR.format(name=name, port=port) for name in ("public", "console", "partner"))
    config = folder / "hotline.toml"
    config.write_text(CONFIG.format(database=fresh_database(), doors=doors, today=time.strftime("%Y-%m-%d", time.gmtime())))
    environment = {**os.environ, "VIGIL_HOTLINE_CONFIG": str(config)}
    environment.pop("DJANGO_SETTINGS_MODULE", None)
    subprocess.run([sys.executable, "-c", PREPARE], cwd=folder, env=environment, check=True, timeout=120)
    process = subprocess.Popen([sys.executable, "-c", SERVE], cwd=folder, env=environment, stderr=subprocess.DEVNULL)
    try:
        _wait_until_open(f"http://127.0.0.1:{port}/healthz", process)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(timeout=30)


def _wait_until_open(address: str, process: subprocess.Popen[bytes]) -> None:
    for _ in range(300):
        try:
            with urllib.request.urlopen(address, timeout=5):
                return
        except (urllib.error.URLError, OSError):
            assert process.poll() is None, "the door did not start"
            time.sleep(0.1)
    raise AssertionError("the door did not open")
