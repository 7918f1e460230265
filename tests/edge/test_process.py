"""The node as a process of its own: ``vigil edge serve``, SIGTERM, kill -9; and the other verbs of the command line."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.edge.world import (
    Hotline,
    as_jpeg,
    config_text,
    drawn_picture,
    hash_entry,
    sha256,
    until,
    url_entry,
)
from typer.testing import CliRunner

from vigil.base.errors import InputError
from vigil.cli import match
from vigil.cli.edge import unreviewed

PAGE = "http://quimber.example/zorblat"


def vigil(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "vigil.cli", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


class Process:
    """``vigil edge serve`` and what it logs."""

    def __init__(self, config: Path) -> None:
        command = [sys.executable, "-m", "vigil.cli", "edge", "serve", "--config", str(config)]
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        self.events: list[dict[str, object]] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        until(lambda: any(event["event"] == "listening" for event in self.events) or self.process.poll() is not None)

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:  # a process that ends with an error says it in words
            self.events.append(json.loads(line) if line.startswith("{") else {"event": "said", "words": line})

    @property
    def port(self) -> int:
        return next(int(str(event["port"])) for event in self.events if event["event"] == "listening")

    def ask(self, method: str, path: str, body: bytes = b"", **headers: str) -> tuple[int, bytes]:
        import http.client

        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            return answer.status, answer.read()
        except OSError:
            return 0, b""
        finally:
            connection.close()

    def verdict(self) -> str:
        body = json.dumps({"url": PAGE}).encode()
        status, answer = self.ask("POST", "/v1/url", body, **{"Content-Type": "application/json"})
        return str(json.loads(answer)["verdict"]) if status == 200 else str(status)


@contextmanager
def serving(config: Path) -> Iterator[Process]:
    process = Process(config)
    try:
        yield process
    finally:
        process.process.kill()
        process.process.wait()
        process._reader.join()
        assert process.process.stderr is not None
        process.process.stderr.close()


@pytest.fixture
def config(hotline: Hotline, state: Path, tmp_path: Path) -> Path:
    hotline.publish(url_entry(1, PAGE))
    path = tmp_path / "edge.toml"
    path.write_text(config_text(hotline, state))
    return path


def test_sigterm_finishes_what_runs_and_writes_the_counts(hotline: Hotline, config: Path, state: Path) -> None:
    hotline.counts_status = 503  # so that everything stays on the node
    body = json.dumps({"url": PAGE}).encode()
    head = b"POST /v1/url HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body)
    with serving(config) as node:
        until(lambda: node.verdict() == "listed")
        with socket.create_connection(("127.0.0.1", node.port), timeout=20) as slow:
            slow.sendall(head + body[:5])
            until(lambda: node.ask("GET", "/healthz")[0] == 200)
            node.process.send_signal(signal.SIGTERM)
            until(lambda: node.ask("GET", "/healthz")[0] == 0)  # nobody new is let in
            slow.sendall(body[5:])
            assert b'"listed"' in b"".join(iter(lambda: slow.recv(65536), b""))
        assert node.process.wait(20) == 0
        until(lambda: node.events[-1]["event"] == "stopped")
    told = [event for event in node.events if event["event"] == "page_texts_unreviewed"]
    assert [event["languages"] for event in told] == [len(unreviewed())], "one line, however many languages"
    written = json.loads((state / "counts" / "open.json").read_bytes())
    [row] = [row for row in written if row["list"] == "urls" and row["edition"] == 1]
    assert row["counts"]["undetermined"] >= 2


def test_kill_9_loses_neither_edition_nor_counts(hotline: Hotline, config: Path) -> None:
    asked = 0
    for _ in range(3):
        with serving(config) as node:
            until(lambda node=node: node.verdict() in {"listed", "unknown"})
            until(lambda node=node: node.ask("GET", "/readyz")[0] == 200)
            before = hotline.total("undetermined")
            assert node.verdict() == "listed"
            asked += 1
            until(lambda before=before: hotline.total("undetermined") > before)
            node.process.kill()
            node.process.wait()
    assert hotline.total("undetermined") >= asked
    assert hotline.conflicts == 0


def test_a_taken_port_is_said_plainly(config: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        text = config.read_text().replace("port = 0", f"port = {other.getsockname()[1]}")
        config.write_text(text)
        done = vigil("edge", "serve", "--config", str(config))
    assert done.returncode == 2
    assert "[port_taken]" in done.stderr


def test_check_config(config: Path, tmp_path: Path) -> None:
    done = vigil("edge", "check-config", str(config))
    assert (done.returncode, done.stderr) == (0, "")
    assert "configuration of node n-1 is valid" in done.stdout
    as_json = json.loads(vigil("edge", "check-config", str(config), "--json").stdout)
    assert (as_json["valid"], as_json["node"]) == (True, "n-1")
    assert any("has not been reviewed" in note for note in as_json["notes"])
    wrong = tmp_path / "wrong.toml"
    wrong.write_text(config.read_text() + "\n[zorblat]\n")
    done = vigil("edge", "check-config", str(wrong))
    assert done.returncode == 2
    assert "zorblat" in done.stderr and "[config_malformed]" in done.stderr


def test_match_gives_a_verdict_for_each_file(hotline: Hotline, tmp_path: Path) -> None:
    picture = drawn_picture()
    hotline.publish(hash_entry(3, "sha256", sha256(picture)))
    listed, other, broken = tmp_path / "listed.png", tmp_path / "other.jpg", tmp_path / "broken.png"
    listed.write_bytes(picture)
    other.write_bytes(as_jpeg(drawn_picture(2)))
    broken.write_bytes(picture[:1000])
    edition = ("--edition", str(hotline.repository))
    run = CliRunner().invoke
    done = run(match.app, [str(listed), str(other), str(broken), *edition, "--json"])
    assert done.exit_code == 0, done.output
    found = [json.loads(line) for line in done.output.splitlines()]
    assert [(row["verdict"], row["entry"]) for row in found] == [("listed", 3), ("not_listed", None), ("unknown", None)]
    assert found[2]["reason"] == "truncated"
    assert run(match.app, [str(other), *edition]).exit_code == 1
    assert run(match.app, [str(listed), *edition]).output.split("\t")[:4] == ["listed", "pictures", "3", "sha256"]
    for arguments, code in (
        ([str(tmp_path / "absent"), *edition], "file_unreadable"),
        ([str(listed), "--edition", str(tmp_path)], "not_an_edition"),
    ):
        error = run(match.app, arguments).exception
        assert isinstance(error, InputError)
        assert error.code == code


def test_the_node_starts_without_the_case_system(config: Path) -> None:
    code = (
        "import sys; sys.modules['django'] = None; "
        "import vigil.cli.edge, vigil.cli.match, vigil.edge.http.server, vigil.edge.http.openapi; "
        "print([name for name in sys.modules if name.startswith('vigil.hotline')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, env=dict(os.environ))
    assert (done.stdout.strip(), done.returncode) == ("[]", 0), done.stderr
