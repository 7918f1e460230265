"""Whole plain requests told by one look each, as the parser would read it. Pure; its twin is httptools."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from vigil.edge.forward_auth.addresses import Pairs

FIELDS: Final = rb"((?:[!#$%&'*+\-.^_`|~0-9A-Za-z]++:[\t -~\x80-\xff]*+\r\n){1,64}+)\r\n"
WHOLE: Final = re.compile(rb"GET (/[!\"$-~]*) HTTP/1\.1\r\n" + FIELDS)
POSTED: Final = re.compile(rb"POST (/[!\"$-~]*) HTTP/1\.1\r\n" + FIELDS)
LENGTH: Final = b"content-length"
CONNECTION: Final = b"connection"
LENGTH_DIGITS: Final = 12
# Fields that say how a message or a connection goes on: those who understand them are asked.
OTHERS: Final = frozenset({b"content-length", b"transfer-encoding", b"expect", b"connection", b"upgrade", b"te", b"trailer"})
OTHERS_OF_A_POST: Final = OTHERS - {LENGTH, CONNECTION}


class Plain(NamedTuple):
    """What a plain request asks: names of fields in small letters; ``end``: where in the data the next request begins."""

    path: bytes
    query: bytes
    fields: Pairs
    end: int


def plain_request(data: bytes, start: int = 0) -> Plain | None:
    """The request that begins at ``start``, if it is whole and has no body; None where it has to be parsed."""
    found = WHOLE.match(data, start)
    if found is None:
        return None
    pairs = _pairs(found[2], OTHERS)
    if pairs is None:
        return None
    path, _, query = found[1].partition(b"?")
    return Plain(path, query, pairs, found.end())


class PlainPost(NamedTuple):
    """A head that announces a body of ``size`` bytes and nothing else; ``end``: where in the data that body begins."""

    target: bytes
    size: int
    fields: Pairs
    end: int


def plain_post(data: bytes) -> PlainPost | None:
    """The head of a POST with which ``data`` begins, if it is whole; None where it has to be parsed."""
    found = POSTED.match(data)
    if found is None:
        return None
    pairs = _pairs(found[2], OTHERS_OF_A_POST)
    if pairs is None:
        return None
    sizes = []
    for name, value in pairs:
        if name == LENGTH:
            sizes.append(value)
        elif name == CONNECTION and value.lower() != b"keep-alive":
            return None
    if len(sizes) != 1 or not sizes[0].isdigit() or len(sizes[0]) > LENGTH_DIGITS:
        return None
    return PlainPost(found[1], int(sizes[0]), pairs, found.end())


def _pairs(block: bytes, others: frozenset[bytes]) -> Pairs | None:
    """Names in small letters and values of lines that :data:`FIELDS` has matched; None where one is of ``others``."""
    pairs = []
    for line in block[:-2].split(b"\r\n"):
        name, _, value = line.partition(b":")
        name = name.lower()
        if name in others:
            return None
        pairs.append((name, value.strip(b" \t")))
    return pairs
