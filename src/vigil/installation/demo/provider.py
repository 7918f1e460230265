"""Plays an internet provider whose customers browse through a filtering proxy that asks a Vigil edge node.

For every request it asks ``POST /v1/url``; for every picture that comes back, ``POST /v1/match``. What is listed is
answered with the edge node's block page. It is the shape of the real doors (ICAP, forward auth), small enough to read
in one sitting, and meant for the demo only.
"""

from __future__ import annotations

import http.client
import json
from dataclasses import dataclass
from http.server import ThreadingHTTPServer
from typing import Any

from vigil.installation.demo.world import Answer, WorldHandler, asked_site

ASK_SECONDS = 15.0


@dataclass(frozen=True, slots=True)
class Peer:
    """A server of this machine that the provider asks: the edge node, or the outside world."""

    host: str
    port: int

    def ask(self, path: str, body: bytes, kind: str, headers: dict[str, str]) -> dict[str, Any]:
        """One question; a node that cannot answer gives ``unknown``."""
        status, answer = self._request("POST", path, body, {"Content-Type": kind, **headers})
        if status != 200:
            return {"verdict": "unknown", "reason": "edge_unavailable"}
        parsed: dict[str, Any] = json.loads(answer)
        return parsed

    def block_page(self, language: str) -> Answer:
        """The node's block page in the visitor's language."""
        status, body = self._request("GET", "/blocked", b"", {"Accept-Language": language})
        return Answer(status if status in {403, 451} else 451, "text/html; charset=utf-8", body)

    def _request(self, method: str, path: str, body: bytes, headers: dict[str, str]) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection(self.host, self.port, timeout=ASK_SECONDS)
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            return answer.status, answer.read()
        except (OSError, http.client.HTTPException):
            return 503, b""
        finally:
            connection.close()


class ProviderHandler(WorldHandler):
    """Asks the edge before it passes anything on."""

    server_version = "demo-provider"
    edge: Peer
    world: Peer

    def do_GET(self) -> None:  # noqa: N802 - the name that the base class calls
        site = asked_site(self.path)
        if site is None:
            hint = b"Ask for /sites/HOST/PATH, or use this address as a proxy.\n"
            self.answer(Answer(404, "text/plain; charset=utf-8", hint))
            return
        host, path = site
        self.answer(self._filtered(f"http://{host}{path}", host, path))

    do_HEAD = do_GET  # noqa: N815 - likewise

    def _filtered(self, address: str, host: str, path: str) -> Answer:
        hints = {name: self.headers[name] for name in ("Sec-Fetch-Dest", "Sec-Fetch-Mode", "Sec-Purpose") if name in self.headers}
        verdict = self.edge.ask("/v1/url", json.dumps({"url": address}).encode(), "application/json", hints)
        if verdict["verdict"] == "listed":
            return self._block()
        status, kind, body = self._pass_on(f"/sites/{host}{path}")
        if kind.startswith("image/") and self.edge.ask("/v1/match", body, kind, hints)["verdict"] == "listed":
            return self._block()
        return Answer(status, kind, body)

    def _pass_on(self, path: str) -> tuple[int, str, bytes]:
        connection = http.client.HTTPConnection(self.world.host, self.world.port, timeout=ASK_SECONDS)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.getheader("Content-Type", "application/octet-stream"), answer.read()
        except (OSError, http.client.HTTPException):
            return 502, "text/plain; charset=utf-8", b"The demo world does not answer.\n"
        finally:
            connection.close()

    def _block(self) -> Answer:
        return self.edge.block_page(self.headers.get("Accept-Language", "en"))


def serve(host: str, port: int, edge: Peer, world: Peer) -> ThreadingHTTPServer:
    """A server on ``host:port``, not yet running."""
    handler = type("BoundProviderHandler", (ProviderHandler,), {"edge": edge, "world": world})
    ThreadingHTTPServer.daemon_threads = True
    return ThreadingHTTPServer((host, port), handler)
