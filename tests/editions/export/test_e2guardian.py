"""e2guardian itself decides with the exported list, in front of a web server that answers for every name."""

from __future__ import annotations

import grp
import http.client
import os
import pwd
import re
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from tests.editions.export.world import is_covered, made, some_contents, whole_entries

from vigil.match.urls import canonical

PACKAGED = Path("/etc/e2guardian")
OURS = b"answered behind the filter"


class Answer(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(OURS)))
        self.end_headers()
        self.wfile.write(OURS)

    def log_message(self, *arguments: object) -> None:
        pass


def configured(folder: Path, sites: bytes, port: int, parent: int) -> Path:
    """The packaged configuration, moved into a folder of its own, with our list as its banned sites."""
    home = folder / "e2guardian"
    shutil.copytree(PACKAGED, home, ignore=shutil.ignore_patterns("private"))
    for path in [*home.glob("*.conf"), *home.glob("*.story"), *(home / "lists").rglob("*")]:
        if path.is_file():
            path.write_bytes(path.read_bytes().replace(b"/etc/e2guardian", str(home).encode()))
    (home / "lists" / "bannedsitelist").write_bytes(sites)
    settings = {
        "filterip": "127.0.0.1", "filterports": port, "proxyip": "127.0.0.1", "proxyport": parent, "httpworkers": 20,
        "nodaemon": "on", "nologger": "on", "pidfilename": f"'{folder}/pid'", "loglocation": f"'{folder}/access.log'",
        "daemonuser": f"'{pwd.getpwuid(os.getuid()).pw_name}'", "daemongroup": f"'{grp.getgrgid(os.getgid()).gr_name}'",
        "filecachedir": f"'{folder}'",
    }  # fmt: skip
    chosen = home / "e2guardian.conf"
    dropped = re.compile(rf"^#?({'|'.join(settings)}|transparenthttpsport|checkip)\s*=")
    kept = [line for line in chosen.read_text().splitlines() if not dropped.match(line)]
    chosen.write_text("\n".join([*kept, *(f"{name} = {value}" for name, value in settings.items())]) + "\n")
    return chosen


def free_port() -> int:
    """e2guardian cannot choose a port by itself."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


@contextmanager
def e2guardian(folder: Path, sites: bytes) -> Iterator[Callable[[str], bytes]]:
    """A running filter; gives the answer to a request for the first page of a host."""
    behind = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    threading.Thread(target=behind.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    port = free_port()
    command = ["e2guardian", "-N", "-c", str(configured(folder, sites, port, behind.server_port))]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def ask(host: str) -> bytes:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        connection.request("GET", f"http://{host}/", headers={"Host": host})
        answer = connection.getresponse().read()
        connection.close()
        return answer

    try:
        wait_for(port, process)
        yield ask
    finally:
        process.kill()  # it takes a minute over a polite request
        process.wait(60)
        behind.shutdown()
        behind.server_close()


def wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    for _ in range(600):
        assert process.poll() is None, "e2guardian ended at its start"
        with socket.socket() as tried:
            if tried.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise AssertionError("e2guardian does not listen")


def test_e2guardian_blocks_what_the_entries_cover_before_and_after_a_withdrawal(tmp_path: Path) -> None:
    source = some_contents()
    fewer = replace(source, urls=tuple(entry for entry in source.urls if entry.entry != 10))
    asked = ("quimber.test", "deep.www.quimber.test", "xquimber.test", "quimber.test.zorblat.test", "skipped.test")
    for place, kept in enumerate((source, fewer)):
        export = made("e2guardian", kept)
        (tmp_path / str(place)).mkdir()
        with e2guardian(tmp_path / str(place), export.files["bannedsitelist"]) as ask:
            blocked = {host for host in asked if ask(host) != OURS}
        whole = whole_entries(kept, export)
        assert blocked == {host for host in asked if is_covered(whole, canonical(f"http://{host}/"))}
        assert bool(blocked) is (kept is source)
