"""Forward auth on a running node: what each proxy is answered, who may ask, what is counted."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.edge.world import Hotline, RunningNode, config_text, running, until, url_entry

from vigil.match.urls import Scope

PAGE = "http://quimber.example/zorblat?q=%2F"
OTHER = "http://other.example/"
ALL = '[forward_auth]\nproxies = ["nginx", "traefik", "caddy", "envoy", "squid"]\n'
HEADERS = {
    "nginx": lambda scheme, host, path: {"X_Original_URI": f"{scheme}://{host}{path}"},
    "traefik": lambda scheme, host, path: {"X_Forwarded_Proto": scheme, "X_Forwarded_Host": host, "X_Forwarded_Uri": path},
    "envoy": lambda scheme, host, path: {"Host": host, "X_Forwarded_Proto": scheme},
}
HEADERS["caddy"] = HEADERS["traefik"]
PROXIES = sorted(HEADERS)


@pytest.fixture
def node(hotline: Hotline, state: Path) -> Iterator[RunningNode]:
    hotline.publish(url_entry(1, PAGE), url_entry(2, "http://domain.example/", Scope.DOMAIN))
    with running(config_text(hotline, state, ALL)) as node:
        until(lambda: node.node.state.enforced is not None)
        yield node
        assert node.node.traffic.faults == 0
        assert "zorblat" not in node.log.getvalue()


def ask(node: RunningNode, proxy: str, address: str, method: str = "GET", **more: str):  # type: ignore[no-untyped-def]
    scheme, _, rest = address.partition("://")
    host, slash, path = rest.partition("/")
    target = f"/auth/{proxy}" + (slash + path if proxy == "envoy" else "")
    return node.ask(method, target, None, **HEADERS[proxy](scheme, host, slash + path), **more)


def counted(node: RunningNode) -> dict[str, int]:
    return {kind.value: number for (_, kind), number in node.node.tally.totals().items()}


@pytest.mark.parametrize("proxy", PROXIES)
def test_listed_is_blocked_and_the_rest_is_allowed(node: RunningNode, proxy: str) -> None:
    allowed = ask(node, proxy, OTHER)
    assert (allowed.status, allowed.body) == (200, b"")
    blocked = ask(node, proxy, PAGE, Accept_Language="nl", Sec_Fetch_Dest="document")
    assert blocked.status == (403 if proxy == "nginx" else 451)
    assert b'lang="nl"' in blocked.body
    assert blocked.headers["cache-control"] == "no-store"
    assert "default-src 'none'" in blocked.headers["content-security-policy"]
    assert b"zorblat" not in blocked.body
    assert ask(node, proxy, "https://deep.domain.example:8443/x").status == blocked.status
    assert ask(node, proxy, PAGE.replace("q=", "r=")).status == 200  # the query is part of the address
    assert counted(node) == {"navigation": 1, "undetermined": 1}


@pytest.mark.parametrize("proxy", PROXIES)
def test_what_cannot_be_read_is_refused_and_counted(node: RunningNode, proxy: str) -> None:
    assert ask(node, proxy, "http://276.2.3/").status == (403 if proxy == "nginx" else 400)
    if proxy != "envoy":
        assert node.ask("GET", f"/auth/{proxy}").status == (403 if proxy == "nginx" else 400)
    assert counted(node)["unknown"] >= 1


def test_parts_of_a_page_get_no_body(node: RunningNode) -> None:
    assert ask(node, "caddy", PAGE, Sec_Fetch_Dest="image").body == b""
    assert ask(node, "caddy", PAGE, X_Forwarded_Method="HEAD").body == b""


def test_any_method_is_answered_because_envoy_sends_them_all(node: RunningNode) -> None:
    for method in ("POST", "DELETE", "PROPFIND", "HEAD"):
        assert ask(node, "envoy", PAGE, method).status == 451
        assert ask(node, "envoy", OTHER, method).status == 200


def test_a_header_that_a_visitor_added_is_refused(node: RunningNode) -> None:
    with socket.create_connection(("127.0.0.1", node.port), timeout=20) as connection:
        lines = ["GET /auth/nginx HTTP/1.1", "Host: a", "Connection: close"]
        lines += [f"X-Original-URI: {address}" for address in (OTHER, PAGE)]
        connection.sendall("\r\n".join(lines).encode() + b"\r\n\r\n")
        assert connection.recv(65536).startswith(b"HTTP/1.1 403")


def test_only_configured_proxies_and_peers_are_answered(hotline: Hotline, state: Path) -> None:
    hotline.publish(url_entry(1, PAGE))
    with running(config_text(hotline, state, '[forward_auth]\nproxies = ["caddy"]\npeers = ["192.0.2.1"]\n')) as node:
        assert ask(node, "nginx", PAGE).status == 404
        assert node.ask("GET", "/auth/caddy/more").status == 404
        refused = ask(node, "caddy", PAGE)
        assert (refused.status, refused.json["code"]) == (403, "peer_refused")
        assert counted(node) == {}
    with running(config_text(hotline, state)) as node:
        assert ask(node, "caddy", PAGE).status == 404


@pytest.mark.parametrize(("choice", "status"), [("refuse", 503), ("pass", 200)])
def test_without_an_edition_it_does_as_was_chosen(hotline: Hotline, state: Path, choice: str, status: int) -> None:
    with running(config_text(hotline, state, ALL + f'on_unknown = "{choice}"\n')) as node:
        assert ask(node, "caddy", PAGE).status == status
        assert ask(node, "nginx", PAGE).status == status
        words = node.ask("POST", "/auth/squid", f"GET {PAGE}\n".encode()).body
        assert words == (b"ERR\n" if choice == "pass" else b"OK tag=unknown\n")
        assert counted(node) == {"unknown": 3} | ({"bypassed": 3} if choice == "pass" else {})


def test_squid_lines_are_answered_in_order(node: RunningNode) -> None:
    lines = [
        f"GET {PAGE.replace('%', '%25')} -",
        f"GET {OTHER} other.example",
        f"GET {OTHER} domain.example -",
        "CONNECT domain.example:443 -",
        "CONNECT quimber.example:443 -",
        "GET http://276.2.3/ -",
        "",
        "a b c d",
        f"{OTHER}",
        "domain.example:443",
    ]
    answer = node.ask("POST", "/auth/squid", "\n".join(lines).encode())
    words = answer.body.decode().splitlines()
    assert words == ["OK", "ERR", "OK", "OK", "ERR", "OK tag=unknown", "OK tag=unknown", "OK tag=unknown", "ERR", "OK"]
    assert node.ask("GET", "/auth/squid").status == 405
    assert node.ask("POST", "/auth/squid", b"GET http://other.example/\n" * 1001).status == 413
    assert node.ask("POST", "/auth/squid", b"").body == b""
