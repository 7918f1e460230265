"""c-icap's own client against both services, with and without previews and 204."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.edge.world import Hotline, RunningNode, config_text, drawn_picture, hash_entry, running, sha256, until, url_entry
from tests.lab.peers import program

PAGE = "http://quimber.example/zorblat"
PICTURE = drawn_picture(3)


@pytest.fixture
def node(hotline: Hotline, state: Path) -> Iterator[RunningNode]:
    hotline.publish(url_entry(1, PAGE), hash_entry(3, "sha256", sha256(PICTURE)))
    with running(config_text(hotline, state, "[icap]\nenabled = true\nport = 0\n")) as node:
        until(lambda: node.node.state.enforced is not None and node.service.icap is not None and node.service.icap.port)
        yield node
        assert node.node.traffic.faults == node.node.traffic.problems == 0


def client(node: RunningNode, service: str, *options: str) -> str:
    assert node.service.icap is not None
    place = ["-i", "127.0.0.1", "-p", str(node.service.icap.port), "-s", service]
    finished = subprocess.run([program("c-icap-client"), *place, *options], capture_output=True, timeout=20, check=False)
    return (finished.stdout + finished.stderr).decode("latin-1")


def test_options(node: RunningNode) -> None:
    for service, preview in (("reqmod", 0), ("respmod", 1024)):
        said = client(node, service)
        assert "Allow 204: Yes" in said
        assert f"Preview: {preview}\n" in said
        assert "Keep alive: Yes" in said


def test_addresses(node: RunningNode) -> None:
    assert "No modification needed" in client(node, "reqmod", "-req", "http://quimber.example/other", "-v")
    assert "This page cannot be opened" in client(node, "reqmod", "-req", PAGE)


@pytest.mark.parametrize("options", [(), ("-nopreview",), ("-no204",), ("-nopreview", "-no204")])
def test_files(node: RunningNode, tmp_path: Path, options: tuple[str, ...]) -> None:
    files = {"listed.png": PICTURE, "other.png": drawn_picture(8), "long.txt": b"zorblat\n" * 50_000}
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
        out = tmp_path / ("out-" + name)
        said = client(node, "respmod", "-f", str(tmp_path / name), "-o", str(out), "-v", *options)
        if name == "listed.png":
            assert "451 Unavailable For Legal Reasons" in said
            assert b"<html" in out.read_bytes()
        elif "No modification needed" not in said:
            assert out.read_bytes() == data
