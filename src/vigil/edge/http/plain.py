"""Whole plain requests told by one look each, as the parser would read it. Pure; its twin is httptools."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from vigil.edge.forward_auth.addresses import Pairs

WHOLE: Final = re.compile(rb"GET (/[!\"$-~]*) HTTP/1\.1\r\n((?:[!#$%&'*+\-.^_`|~0-9A-Za-z]++:[\t -~\x80-\xff]*+\r\n){1,64}+)\r\n")
# Fields that say how a message or a connection goes on: those who understand them are asked.
OTHERS: Final = frozenset({b"content-length", b"transfer-encoding", b"expect", b"connection", b"upgrade", b"te", b"trailer"})


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
    pairs = []
    for line in found[2][:-2].split(b"\r\n"):
        name, _, value = line.partition(b":")
        name = name.lower()
        if name in OTHERS:
            return None
        pairs.append((name, value.strip(b" \t")))
    path, _, query = found[1].partition(b"?")
    return Plain(path, query, pairs, found.end())
