"""A node that listens pulls as soon as something is new; without a stream it polls, and says so."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.edge.world import Hotline, config_text, running, until, url_entry

PAGE = "http://quimber.example/zorblat"
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"


class Told:
    """A hotline's event stream, by hand."""

    def __init__(self) -> None:
        self.server = socket.create_server(("127.0.0.1", 0))
        self.peers: list[socket.socket] = []
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server.getsockname()[1]}/v1/events"

    def _accept(self) -> None:
        while True:
            try:
                peer, _ = self.server.accept()
            except OSError:
                return
            peer.recv(65536)
            peer.sendall(HEAD)
            self.peers.append(peer)

    def tell(self) -> None:
        for peer in self.peers:
            peer.sendall(b"event: edition\nid: 1\ndata: 1\n\n")

    def close(self) -> None:
        self.server.shutdown(socket.SHUT_RDWR)
        self.server.close()
        for peer in self.peers:
            peer.close()
        self._thread.join(10)


@contextmanager
def telling() -> Iterator[Told]:
    told = Told()
    try:
        yield told
    finally:
        told.close()


def text(hotline: Hotline, state: Path, events: str) -> str:
    """A node that polls once an hour."""
    return (
        config_text(hotline, state)
        .replace("[editions]\n", f'[editions]\nevents = "{events}"\n')
        .replace("poll_seconds = 0.2", "poll_seconds = 3600")
    )


def test_a_node_that_listens_pulls_at_once(hotline: Hotline, state: Path) -> None:
    hotline.publish(url_entry(1, PAGE))
    with telling() as told:
        config = text(hotline, state, told.address)
        assert "3600" in config
        with running(config) as node:
            until(lambda: node.verdict_on(PAGE)["verdict"] == "listed" and bool(told.peers))
            hotline.publish()
            told.tell()
            until(lambda: node.verdict_on(PAGE)["verdict"] == "not_listed")
            assert not any(reason["code"] == "events_unheard" for reason in node.ask("GET", "/readyz").json["reasons"])


def test_a_node_without_its_stream_says_so_and_goes_on_polling(hotline: Hotline, state: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        port = nobody.getsockname()[1]
    config = config_text(hotline, state).replace("[editions]\n", f'[editions]\nevents = "http://127.0.0.1:{port}/v1/events"\n')
    hotline.publish(url_entry(1, PAGE))
    with running(config) as node:
        until(lambda: node.verdict_on(PAGE)["verdict"] == "listed")
        until(lambda: {"code": "events_unheard", "detail": "unreachable"} in node.ask("GET", "/readyz").json["reasons"])
        hotline.publish()
        until(lambda: node.verdict_on(PAGE)["verdict"] == "not_listed")
