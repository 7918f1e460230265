"""Fuzz target: a request that httptools reads is read the same by us, or not at all; one look never sees more than care does."""

from __future__ import annotations

from contextlib import suppress
from urllib.parse import urlsplit

import httptools

from vigil.edge.dns.https import HttpRefused, question_in
from vigil.edge.questions import UrlQuestion
from vigil.edge.readings import Unreadable, plain_address, readings_of, request_head


class Heard:
    """What httptools hears of one request."""

    def __init__(self) -> None:
        self.url, self.hosts, self.whole = b"", list[bytes](), False

    def on_url(self, part: bytes) -> None:
        self.url += part

    def on_header(self, name: bytes, value: bytes) -> None:
        if name.lower() == b"host":
            self.hosts.append(value.strip(b" \t"))

    def on_headers_complete(self) -> None:
        self.whole = True


def TestOneInput(data: bytes) -> None:
    """Raises where a promise is broken."""
    check_one_look(data)
    check_twin(data)
    with suppress(HttpRefused):
        question_in(b"GET", data, None, b"", b"/dns-query")


def check_one_look(block: bytes) -> None:
    address = plain_address(block)
    if address is not None and readings_of(request_head(block)) != (UrlQuestion(address),):
        raise AssertionError("one look sees something else")


def check_twin(block: bytes) -> None:
    """The server behind a proxy may read as httptools does: none of its hosts may be one that we did not ask about."""
    heard = Heard()
    parser = httptools.HttpRequestParser(heard)
    try:
        parser.feed_data(block)
    except (httptools.HttpParserError, httptools.HttpParserUpgrade):
        return
    if not heard.whole or not block.endswith(b"\r\n\r\n") or parser.get_method() == b"CONNECT":
        return
    try:
        head = request_head(block)
        asked = b" ".join(
            repr(each.address if isinstance(each, UrlQuestion) else each.authority).encode() for each in readings_of(head)
        )
    except Unreadable:
        return
    if len(heard.hosts) > 1:
        raise AssertionError("two hosts were passed on")
    for host in heard.hosts:
        if host.isalnum() and host not in asked:
            raise AssertionError("a host was not asked about")
    with suppress(ValueError):
        named = urlsplit(heard.url.decode("latin-1")).hostname
        if named is not None and named.isalnum() and named.isascii() and named.lower().encode() not in asked.lower():
            raise AssertionError("the host of the target was not asked about")
