"""HTTP/2 at a real front: what stands in ``:authority`` is what is judged, also beside another ``Host``."""

from __future__ import annotations

import socket
from pathlib import Path

import h2.config
import h2.connection
import h2.events
from tests.edge.world import Hotline, config_text, running, until, url_entry
from tests.lab.peers import Origin
from tests.lab.test_haproxy import haproxy

from vigil.match.urls import Scope

REFUSED = 400
RESET = 0


def status_of(port: int, authority: str, path: str, *more: tuple[str, str]) -> int:
    """The status of one request over HTTP/2 without TLS; :data:`RESET` where the front ends the stream instead."""
    connection = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True, validate_outbound_headers=False))
    connection.initiate_connection()
    head = [(":method", "GET"), (":scheme", "http"), (":authority", authority), (":path", path), *more]
    connection.send_headers(1, head, end_stream=True)
    with socket.create_connection(("127.0.0.1", port), timeout=20) as stream:
        stream.sendall(connection.data_to_send())
        while data := stream.recv(65536):
            for event in connection.receive_data(data):
                if isinstance(event, h2.events.ResponseReceived):
                    return int(dict(event.headers or [])[b":status"])
                if isinstance(event, (h2.events.StreamReset, h2.events.ConnectionTerminated)):
                    return RESET
            stream.sendall(connection.data_to_send())
    return RESET


def test_the_authority_of_http2_is_judged(hotline: Hotline, state: Path, origin: Origin, place: Path) -> None:
    hotline.publish(url_entry(1, "http://page.example/quimber"), url_entry(2, "http://domain.example/", Scope.DOMAIN))
    with running(config_text(hotline, state, "[spoe]\nenabled = true\nport = 0\n")) as node:
        until(lambda: node.service.spoe is not None and node.service.spoe.port and node.node.state.enforced is not None)
        assert node.service.spoe is not None
        with haproxy(place, origin.port, node.service.spoe.port, " proto h2") as port:
            until(lambda: status_of(port, "other.example", "/") == 200)
            assert status_of(port, "page.example", "/quimber") == 451
            assert status_of(port, "www.domain.example", "/") == 451
            assert status_of(port, "page.example", "/zorblat") == 200
            # Two that disagree: the front refuses them, or either one that is listed blocks.
            assert status_of(port, "page.example", "/quimber", ("host", "other.example")) in (451, REFUSED, RESET)
        assert node.node.traffic.faults == 0
