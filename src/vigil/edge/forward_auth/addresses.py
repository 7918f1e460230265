"""What a proxy asks about, from the request it sends us. Pure; each proxy has one way to say it, and no other is read.

nginx    ``X-Original-URI``: the whole address, from ``$request_uri``, which is raw; ``X-Original-Method`` where it is sent
Traefik  ``X-Forwarded-Proto``, ``-Host``, ``-Uri``, ``-Method``
Caddy    the same four
Envoy    our own path behind the prefix, and ``Host``; ``X-Forwarded-Proto`` where it is allowed through
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from vigil.edge.questions import UrlQuestion
from vigil.edge.readings import ABSOLUTE, Reading, Unreadable, readings, text

Pairs = Sequence[tuple[bytes, bytes]]
ORIGINAL_URI: Final = b"x-original-uri"
ORIGINAL_METHOD: Final = b"x-original-method"
PROTO: Final = b"x-forwarded-proto"
HOST: Final = b"x-forwarded-host"
URI: Final = b"x-forwarded-uri"
METHOD: Final = b"x-forwarded-method"
OURS: Final = frozenset({b"host", ORIGINAL_URI, ORIGINAL_METHOD, PROTO, HOST, URI, METHOD})
SCHEMES: Final = frozenset({b"http", b"https", b"ws", b"wss"})


@dataclass(frozen=True, slots=True)
class Asked:
    """A request at the proxy: its readings, and whether it is a HEAD request."""

    readings: tuple[Reading, ...] = field(repr=False)
    head: bool


def single_fields(pairs: Pairs) -> dict[bytes, bytes]:
    """Headers by name. Raises Unreadable where one that we decide by came twice: a visitor may have added it."""
    fields: dict[bytes, bytes] = {}
    for name, value in pairs:
        if name in OURS and name in fields:
            raise Unreadable("header_twice", "A header that says what is asked for came twice.")
        fields.setdefault(name, value)
    return fields


def asked_by(proxy: str, fields: dict[bytes, bytes], target: bytes) -> Asked:
    """The request at ``proxy``; ``target`` is our own raw target behind the prefix. Raises Unreadable."""
    if proxy == "nginx":
        return _nginx(fields)
    if proxy == "envoy":
        return _envoy(fields, target)
    return _forwarded(fields)


def _nginx(fields: dict[bytes, bytes]) -> Asked:
    address = _needed(fields, ORIGINAL_URI)
    if ABSOLUTE.fullmatch(address) is None:
        raise Unreadable("address_relative", "X-Original-URI does not hold a whole address.")
    return Asked((UrlQuestion(text(address)),), fields.get(ORIGINAL_METHOD, b"").upper() == b"HEAD")


def _forwarded(fields: dict[bytes, bytes]) -> Asked:
    return _put_together(_needed(fields, PROTO), _needed(fields, HOST), _needed(fields, URI), fields.get(METHOD, b"GET"))


def _envoy(fields: dict[bytes, bytes], target: bytes) -> Asked:
    host = _needed(fields, b"host")
    if PROTO in fields:
        return _put_together(fields[PROTO], host, target, b"GET")
    return Asked(readings(b"GET", _origin_form(target), (host,)), head=False)


def _put_together(proto: bytes, host: bytes, target: bytes, method: bytes) -> Asked:
    """One address of three parts; with more than one value in a part it could not be told which proxy wrote which."""
    scheme = proto.lower()
    if scheme not in SCHEMES:
        raise Unreadable("scheme", "The scheme that was asked for is not http or https.")
    if b"," in host:
        raise Unreadable("host_twice", "The request has two hosts.")
    both = readings(b"GET", _origin_form(target), (host,))
    wanted = b"http://" if scheme in (b"http", b"ws") else b"https://"
    chosen = both[0] if wanted == b"http://" else both[-1]
    return Asked((chosen,), method.upper() == b"HEAD")


def _origin_form(target: bytes) -> bytes:
    return target if target.startswith(b"/") else b"/" + target


def _needed(fields: dict[bytes, bytes], name: bytes) -> bytes:
    value = fields.get(name)
    if not value:
        raise Unreadable("header_missing", "A header that says what is asked for is missing.")
    return value
