"""HAProxy from Debian in front of an origin, configured as in the guide: blocked, passed, closed when the node is gone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.edge.world import Hotline, config_text, running, until, url_entry
from tests.lab import peers
from tests.lab.peers import Origin, through

from vigil.match.urls import Scope

AGENT = """[vigil]
spoe-agent vigil
  messages check-request
  option var-prefix vigil
  option set-on-error error
  timeout hello 2s
  timeout idle 2m
  timeout processing 500ms
  use-backend vigil-agents
spoe-message check-request
  args method=method target=url host=req.hdr(host) tls=ssl_fc dest=req.hdr(sec-fetch-dest) purpose=req.hdr(sec-purpose)
  event on-frontend-http-request
"""
PROXY = """global
  maxconn 200
defaults
  mode http
  timeout connect 3s
  timeout client 10s
  timeout server 10s
frontend web
  bind 127.0.0.1:{port}{more}
  filter spoe engine vigil config {place}/agent.conf
  acl blocked var(txn.vigil.action) -m str block
  http-request return status 451 content-type "text/html; charset=utf-8" file {place}/blocked.html if blocked
  http-request deny deny_status 403 if {{ var(txn.vigil.action) -m str deny }}
  http-request deny deny_status 400 if {{ var(txn.vigil.action) -m str refuse }}
  http-request deny deny_status 503 unless {{ var(txn.vigil.action) -m str pass }}
  default_backend origin
backend origin
  server origin 127.0.0.1:{origin}
backend vigil-agents
  mode tcp
  timeout connect 5s
  timeout server 3m
  server node 127.0.0.1:{agent}
"""


@contextmanager
def haproxy(place: Path, origin: int, agent: int, more: str = "") -> Iterator[int]:
    port = peers.free_port()
    (place / "agent.conf").write_text(AGENT)
    (place / "blocked.html").write_text("<!doctype html><title>Not available</title>")
    (place / "haproxy.cfg").write_text(PROXY.format(port=port, more=more, place=place, origin=origin, agent=agent))
    with peers.started([peers.program("haproxy"), "-db", "-f", str(place / "haproxy.cfg")], port, place):
        yield port


def test_haproxy(hotline: Hotline, state: Path, origin: Origin, place: Path) -> None:
    hotline.publish(url_entry(1, "http://page.example/quimber"), url_entry(2, "http://domain.example/", Scope.DOMAIN))
    text = config_text(hotline, state, "[spoe]\nenabled = true\nport = 0\n")
    with running(text) as node:
        until(lambda: node.service.spoe is not None and node.service.spoe.port and node.node.state.enforced is not None)
        assert node.service.spoe is not None
        with haproxy(place, origin.port, node.service.spoe.port) as port:
            until(lambda: through(port, "/", Host="other.example").status == 200)
            blocked = through(port, "/quimber", Host="page.example")
            assert blocked.status == 451 and b"Not available" in blocked.body
            assert through(port, "/", Host="www.domain.example").status == 451
            assert through(port, "/zorblat", Host="page.example").body == b"the origin"
            assert through(port, "/quimber", "HEAD", Host="page.example").status == 451
            hotline.publish()
            until(lambda: through(port, "/quimber", Host="page.example").status == 200)
            assert "/quimber" in origin.seen
            node.service.stop()
            until(lambda: through(port, "/", Host="other.example").status == 503)
    assert "page.example" not in node.log.getvalue()
