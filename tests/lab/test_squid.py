"""Squid 5 as an operator runs it: ICAP for addresses and files, the external ACL helper; configurations as in the guide."""

from __future__ import annotations

import http.client
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.edge.world import (
    Hotline,
    RunningNode,
    as_jpeg,
    config_text,
    drawn_picture,
    hash_entry,
    running,
    sha256,
    until,
    url_entry,
)
from tests.lab.peers import Origin, free_port, program, started, through, with_access

from vigil.match.urls import Scope

PAGE = "http://quimber.example/zorblat"
OTHER = "http://other.example/page"
PICTURE = drawn_picture(3)
LARGE = drawn_picture(4, 900)
GUIDE = Path(__file__).parents[2] / "docs" / "guides" / "isp-squid.md"

SMALL = """
http_port 127.0.0.1:{port}
cache_peer 127.0.0.1 parent {origin} 0 no-query no-digest originserver
never_direct allow all
cache deny all
cache_mem 1 MB
memory_pools off
max_filedescriptors 256
shutdown_lifetime 0 seconds
pinger_enable off
pid_filename none
netdb_filename none
cache_log {place}/cache.log
visible_hostname lab.example
http_access allow localhost
"""


def block(number: int) -> str:
    """The configuration number ``number`` of the guide."""
    return GUIDE.read_text().split("```squid\n")[number].partition("```")[0]


@contextmanager
def squid(place: Path, origin: Origin, more: str) -> Iterator[int]:
    port = free_port()
    config = place / "squid.conf"
    rules = more.replace("/var/log/squid", str(place)).replace("/etc/squid", str(place))
    config.write_text(rules + SMALL.format(port=port, origin=origin.port, place=place))
    shutil.copytree("/usr/share/squid/errors/templates", place / "vigil-errors")
    (place / "vigil-errors" / "vigil-blocked.html").write_text("<!doctype html><p>This page cannot be opened here.</p>")
    with started(with_access([program("squid"), "-N", "-f", str(config)]), port, place):
        yield port


@contextmanager
def node(hotline: Hotline, state: Path, more: str) -> Iterator[RunningNode]:
    hotline.publish(
        url_entry(1, PAGE),
        url_entry(2, "http://domain.example/", Scope.DOMAIN),
        hash_entry(3, "sha256", sha256(PICTURE)),
        hash_entry(4, "sha256", sha256(LARGE)),
    )
    with running(config_text(hotline, state, more)) as node:
        until(lambda: node.node.state.enforced is not None)
        yield node


@contextmanager
def icap(hotline: Hotline, state: Path, origin: Origin, place: Path) -> Iterator[tuple[int, RunningNode]]:
    with node(hotline, state, "[icap]\nenabled = true\nport = 0\n") as running_node:
        door = running_node.service.icap
        assert door is not None
        until(lambda: door.port)
        with squid(place, origin, block(1).replace(":1344", f":{door.port}")) as port:
            yield port, running_node
        assert running_node.node.traffic.faults == running_node.node.traffic.problems == 0


def assert_soon(condition: Callable[[], bool], place: Path) -> None:
    """As ``until``, with Squid's log where it does not happen."""
    try:
        until(condition, 10)
    except AssertionError:
        raise AssertionError((place / "cache.log").read_text()[-3000:]) from None


def test_addresses_are_blocked_and_a_new_edition_is_enforced(
    hotline: Hotline, state: Path, origin: Origin, place: Path
) -> None:
    with icap(hotline, state, origin, place) as (port, node):
        blocked = through(port, PAGE, Host="quimber.example", Accept_Language="fr", Sec_Fetch_Dest="document")
        assert blocked.status == 451
        assert b'lang="fr"' in blocked.body
        assert "default-src 'none'" in blocked.headers["content-security-policy"]
        assert through(port, OTHER, Host="other.example").body == b"the origin"
        assert through(port, "domain.example:443", "CONNECT", Host="domain.example:443").status == 451
        posted = b"zorblat " * 30_000
        assert through(port, OTHER, "POST", posted, Host="other.example").body == b"the origin" + posted
        assert through(port, PAGE, "POST", posted, Host="quimber.example").status == 451
        hotline.publish(url_entry(1, PAGE), url_entry(4, OTHER))
        until(lambda: through(port, OTHER, Host="other.example").status == 451)
        assert set(origin.seen) == {"/page"}
        assert {kind.value for (_, kind) in node.node.tally.totals()} == {"navigation", "undetermined"}
    written = (place / "access.log").read_text() if (place / "access.log").exists() else ""
    assert "zorblat" not in written + (place / "cache.log").read_text()


def test_files_are_blocked_by_their_hashes(hotline: Hotline, state: Path, origin: Origin, place: Path) -> None:
    large = drawn_picture(5, 700)
    origin.files = {
        "/listed": ("image/png", PICTURE),
        "/mislabelled": ("text/plain", PICTURE),
        "/other": ("image/png", large),
        "/text": ("text/html", b"zorblat " * 20_000),
        "/large": ("image/png", LARGE),
        "/near": ("image/jpeg", as_jpeg(PICTURE)),
    }
    with icap(hotline, state, origin, place) as (port, node):
        for path, status in (("listed", 451), ("mislabelled", 451), ("other", 200), ("text", 200), ("near", 200)):
            answer = through(port, f"http://other.example/{path}", Host="other.example")
            assert answer.status == status, path
            assert status == 451 or answer.body == origin.files["/" + path][1]
        with pytest.raises(http.client.HTTPException):  # Squid has begun: the page comes too late, the file does not come at all
            through(port, "http://other.example/large", Host="other.example")
        assert sum(number for (_, kind), number in node.node.tally.totals().items() if kind.value == "media_match") == 3


def test_when_the_node_is_gone_the_filter_stays_closed(hotline: Hotline, state: Path, origin: Origin, place: Path) -> None:
    rules = block(1).replace(":1344", f":{free_port()}")
    with squid(place, origin, rules) as port:
        assert through(port, OTHER, Host="other.example").status == 500
    assert origin.seen == []


@pytest.mark.parametrize("own", [False, True], ids=["over a node", "over an edition of its own"])
def test_the_external_acl_helper(hotline: Hotline, state: Path, origin: Origin, place: Path, own: bool) -> None:
    with node(hotline, state, '[forward_auth]\nproxies = ["squid"]\n') as running_node:
        source = f"--node http://127.0.0.1:{running_node.port}"
        if own:
            (place / "own").mkdir()
            (place / "own").chmod(0o777)
            text = config_text(hotline, place / "own")
            (place / "helper.toml").write_text(text)
            source = f"--config {place / 'helper.toml'}"
        command = f"{Path(sys.executable).parent / 'vigil'} edge squid-helper {source}"
        rules = block(2).replace("/usr/bin/vigil edge squid-helper --node http://127.0.0.1:8470", command)
        rules = rules.replace("ttl=10 negative_ttl=10", "ttl=1 negative_ttl=1").replace("children-max=2", "children-max=1")
        with squid(place, origin, rules) as port:
            assert_soon(lambda: through(port, OTHER, Host="other.example").status == 200, place)
            blocked = through(port, PAGE, Host="quimber.example")
            assert (blocked.status, b"cannot be opened" in blocked.body) == (451, True)
            assert b"zorblat" not in blocked.body
            assert through(port, "domain.example:443", "CONNECT", Host="domain.example:443").status == 451
            assert through(port, PAGE + "?%20a", Host="quimber.example").status == 200
    assert "/zorblat" not in origin.seen
