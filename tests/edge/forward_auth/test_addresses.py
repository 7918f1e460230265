"""What each proxy asks about: from its own headers only, never from one that came twice."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vigil.edge.forward_auth.addresses import asked_by, single_fields
from vigil.edge.forward_auth.peers import Peers
from vigil.edge.questions import UrlQuestion
from vigil.edge.readings import Unreadable

FORWARDED = {b"x-forwarded-proto": b"https", b"x-forwarded-host": b"a.example:8443", b"x-forwarded-uri": b"/p%2f?q"}


def addresses(proxy: str, fields: dict[bytes, bytes], target: bytes = b"/") -> list[object]:
    return [reading.address for reading in asked_by(proxy, fields, target).readings if isinstance(reading, UrlQuestion)]


@pytest.mark.parametrize(
    ("proxy", "fields", "target", "expected"),
    [
        ("nginx", {b"x-original-uri": b"https://a.example/p?q"}, b"/", ["https://a.example/p?q"]),
        ("nginx", {b"x-original-uri": b"http://a.example/%2e", b"x-forwarded-uri": b"/z"}, b"/", ["http://a.example/%2e"]),
        ("traefik", FORWARDED, b"/", ["https://a.example:8443/p%2f?q"]),
        ("caddy", FORWARDED | {b"x-forwarded-proto": b"http"}, b"/", ["http://a.example:8443/p%2f?q"]),
        ("caddy", FORWARDED | {b"x-original-uri": b"http://z.example/"}, b"/", ["https://a.example:8443/p%2f?q"]),
        ("traefik", FORWARDED | {b"x-forwarded-proto": b"WSS"}, b"/", ["https://a.example:8443/p%2f?q"]),
        ("envoy", {b"host": b"a.example"}, b"/p?q", ["http://a.example/p?q", "https://a.example/p?q"]),
        ("envoy", {b"host": b"a.example", b"x-forwarded-proto": b"https"}, b"/p", ["https://a.example/p"]),
        ("envoy", {b"host": b"a.example"}, b"", ["http://a.example/", "https://a.example/"]),
    ],
)
def test_each_proxy_has_its_way_to_ask(
    proxy: str, fields: dict[bytes, bytes], target: bytes, expected: list[str]
) -> None:
    assert addresses(proxy, fields, target) == expected


@pytest.mark.parametrize(
    ("proxy", "fields", "code"),
    [
        ("nginx", {}, "header_missing"),
        ("nginx", FORWARDED, "header_missing"),
        ("nginx", {b"x-original-uri": b"/p"}, "address_relative"),
        ("traefik", {b"x-original-uri": b"http://a.example/"}, "header_missing"),
        ("traefik", FORWARDED | {b"x-forwarded-host": b""}, "header_missing"),
        ("traefik", FORWARDED | {b"x-forwarded-host": b"a.example, b.example"}, "host_twice"),
        ("caddy", FORWARDED | {b"x-forwarded-host": b"a.example/b"}, "host_malformed"),
        ("caddy", FORWARDED | {b"x-forwarded-proto": b"ftp"}, "scheme"),
        ("envoy", {}, "header_missing"),
    ],
)
def test_what_is_missing_or_has_two_meanings_is_refused(proxy: str, fields: dict[bytes, bytes], code: str) -> None:
    with pytest.raises(Unreadable) as caught:
        asked_by(proxy, fields, b"/")
    assert caught.value.code == code


@pytest.mark.parametrize("name", [b"x-original-uri", b"x-forwarded-host", b"host", b"x-forwarded-proto"])
def test_a_header_that_decides_may_not_come_twice(name: bytes) -> None:
    with pytest.raises(Unreadable):
        single_fields([(name, b"a.example"), (b"accept", b"1"), (name, b"b.example")])
    assert single_fields([(b"accept", b"1"), (b"accept", b"2")]) == {b"accept": b"1"}


def test_head_requests_are_known() -> None:
    assert asked_by("caddy", FORWARDED | {b"x-forwarded-method": b"HEAD"}, b"/").head
    assert not asked_by("caddy", FORWARDED, b"/").head


@given(
    st.sampled_from(["nginx", "traefik", "caddy", "envoy"]),
    st.dictionaries(st.sampled_from([*FORWARDED, b"host", b"x-original-uri"]), st.binary(max_size=20)),
    st.binary(max_size=20),
)
@settings(max_examples=200, deadline=None)
def test_no_bytes_break_it(proxy: str, fields: dict[bytes, bytes], target: bytes) -> None:
    try:
        assert asked_by(proxy, fields, target).readings
    except Unreadable as error:
        assert error.code


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("::ffff:127.0.0.1", True),
        ("192.0.2.7", True),
        ("192.0.3.7", False),
        ("2001:db8::1", False),
        ("zorblat", False),
        ("", False),
    ],
)
def test_only_configured_peers(address: str, expected: bool) -> None:
    peers = Peers(["127.0.0.0/8", "::1", "192.0.2.0/24"])
    assert (address in peers) is expected
    assert (address in peers) is expected
