"""nginx and Caddy ask the node before they pass a request on; configurations as in the guide."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.edge.world import Hotline, RunningNode, config_text, running, until, url_entry
from tests.lab.peers import Origin, free_port, program, started, through
from tests.support.nginx import configured

from vigil.match.urls import Scope

GUIDE = (Path(__file__).parents[2] / "docs" / "guides" / "forward-auth.md").read_text()
NGINX = """
  server {{
    listen 127.0.0.1:{port};
    {rules}
  }}
"""
CADDY = """
{{
  admin off
  auto_https off
}}
http://:{port} {{
  {rules}
}}
"""


@contextmanager
def node(hotline: Hotline, state: Path, proxy: str) -> Iterator[RunningNode]:
    hotline.publish(url_entry(1, "http://quimber.example/zorblat?q"), url_entry(2, "http://domain.example/", Scope.DOMAIN))
    with running(config_text(hotline, state, f'[forward_auth]\nproxies = ["{proxy}"]\n')) as node:
        until(lambda: node.node.state.enforced is not None)
        yield node
        assert node.node.traffic.faults == 0


def rules(language: str, origin: Origin, node_port: int, place: Path) -> str:
    """The block of the guide, with the ports and the folder of this test."""
    text = GUIDE.split(f"```{language}\n")[1].partition("```")[0]
    return text.replace(":8470", f":{node_port}").replace(":8080", f":{origin.port}").replace("/etc/nginx", str(place))


def proxy(name: str, place: Path, origin: Origin, node_port: int) -> tuple[list[str], int]:
    port = free_port()
    inside = rules(name, origin, node_port, place)
    if name == "nginx":
        return configured(program("nginx"), place, NGINX.format(port=port, rules=inside)), port
    config = place / name
    config.write_text(CADDY.format(port=port, rules=inside))
    return [program("caddy"), "run", "--config", str(config), "--adapter", "caddyfile"], port


def test_nginx(hotline: Hotline, state: Path, origin: Origin, place: Path) -> None:
    (place / "vigil-blocked.html").write_text("<!doctype html><title>Blocked</title>")
    with node(hotline, state, "nginx") as asked:
        command, port = proxy("nginx", place, origin, asked.port)
        with started(command, port, place):
            blocked = through(port, "/zorblat?q", Host="quimber.example")
            assert (blocked.status, blocked.body[:15], blocked.headers["cache-control"]) == (451, b"<!doctype html>", "no-store")
            assert through(port, "/zorblat?r", Host="quimber.example").body == b"the origin"
            assert through(port, "/%7aorblat?q", Host="quimber.example:80").status == 451
            assert through(port, "/x", "POST", b"zorblat", Host="deep.domain.example").status == 451
            assert through(port, "/x", "POST", b"zorblat", Host="other.example").body == b"the originzorblat"
            assert through(port, "http://quimber.example/zorblat?q", Host="other.example").status == 400
            added = through(port, "/zorblat?q", Host="quimber.example", X_Original_URI="http://other.example/")
            assert added.status == 451
            assert "zorblat" not in (place / "error.log").read_text()
        assert sum(asked.node.tally.totals().values()) == 4
    with started(command, port, place):
        assert through(port, "/zorblat?r", Host="quimber.example").status == 500  # the node is gone
    assert origin.seen == ["/zorblat?r", "/x"]


def test_caddy(hotline: Hotline, state: Path, origin: Origin, place: Path) -> None:
    with node(hotline, state, "caddy") as asked:
        command, port = proxy("caddy", place, origin, asked.port)
        with started(command, port, place):
            blocked = through(port, "/zorblat?q", Host="quimber.example", Accept_Language="ar")
            assert blocked.status == 451
            assert b'dir="rtl"' in blocked.body
            assert "default-src 'none'" in blocked.headers["content-security-policy"]
            assert through(port, "/zorblat?r", Host="quimber.example").body == b"the origin"
            assert through(port, "/x", "POST", b"zorblat", Host="deep.domain.example").status == 451
            assert through(port, "/x", "POST", b"zorblat", Host="other.example").body == b"the originzorblat"
            added = {"X_Forwarded_Uri": "/", "X_Forwarded_Host": "other.example", "X_Forwarded_Proto": "http"}
            assert through(port, "/zorblat?q", Host="quimber.example", **added).status == 451
        assert sum(asked.node.tally.totals().values()) == 3
    with started(command, port, place):
        assert through(port, "/zorblat?r", Host="quimber.example").status == 502  # the node is gone
    assert origin.seen == ["/zorblat?r", "/x"]
