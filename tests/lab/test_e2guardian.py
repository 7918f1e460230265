"""e2guardian from Debian asks the node about files: its own ICAP client (``icapscan``) sends them to ``/respmod``."""

from __future__ import annotations

import http.client
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.edge.world import Hotline, config_text, drawn_picture, hash_entry, running, sha256, until
from tests.editions.export.proxies import proxy
from tests.editions.export.test_e2guardian import configured
from tests.lab.peers import Origin, free_port, program

SITE = "http://other.example"  # e2guardian asks the proxy behind it by whole addresses
PICTURE, HARMLESS = drawn_picture(3), drawn_picture(8)


@contextmanager
def e2guardian(folder: Path, parent: int, icap: int) -> Iterator[int]:
    """The packaged configuration, with the node as the scanner of what comes back."""
    port = free_port()
    chosen = configured(folder, b"", port, parent)
    scanner = folder / "e2guardian" / "contentscanners" / "icapscan.conf"
    scanner.write_text(f"plugname = 'icapscan'\nicapurl = 'icap://127.0.0.1:{icap}/respmod'\n")
    chosen.write_text(chosen.read_text() + f"contentscanner = '{scanner}'\n")
    with proxy([program("e2guardian"), "-N", "-c", str(chosen)], port):
        yield port


def asked(port: int, path: str) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("GET", f"{SITE}{path}", headers={"Connection": "close"})
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return answer.status, body


def test_listed_files_do_not_pass(hotline: Hotline, state: Path, origin: Origin, tmp_path: Path) -> None:
    origin.files |= {f"{SITE}/listed.png": ("image/png", PICTURE), f"{SITE}/other.png": ("image/png", HARMLESS)}
    hotline.publish(hash_entry(1, "sha256", sha256(PICTURE)))
    with running(config_text(hotline, state, "[icap]\nenabled = true\nport = 0\n")) as node:
        door = node.service.icap
        assert door is not None
        until(lambda: door.port and node.node.state.enforced is not None)
        with e2guardian(tmp_path, origin.port, door.port) as port:
            assert asked(port, "/other.png") == (200, HARMLESS)
            assert asked(port, "/page") == (200, b"the origin")
            status, body = asked(port, "/listed.png")
            assert (status, body[:6]) == (200, b"GIF89a"), "a picture of one point stands in its place"
        assert node.node.traffic.requests > 2 and node.node.traffic.faults == 0
