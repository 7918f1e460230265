"""Percent escapes: decoded until nothing changes, in one pass, and written again in one way."""

from __future__ import annotations

import re
from typing import Final

_ESCAPE: Final = re.compile(rb"%([0-9A-Fa-f]{2})")
_HEX: Final = frozenset(b"0123456789abcdefABCDEF")
_VALUE: Final[dict[bytes, bytes]] = {
    f"{high}{low}".encode(): bytes([int(high + low, 16)]) for high in "0123456789abcdefABCDEF" for low in "0123456789abcdefABCDEF"
}
_WRITTEN: Final[dict[bytes, bytes]] = {bytes([number]): b"%%%02X" % number for number in range(256)}
# Rule C5. The path escapes `?` and `\` as well: decoded ones would split the address elsewhere on the next run.
_IN_PATH: Final = re.compile(rb"[\x00-\x20\x7f-\xff#%?\\]")
_IN_QUERY: Final = re.compile(rb"[\x00-\x20\x7f-\xff#%]")


def decode_once(data: bytes) -> bytes:
    """Each escape replaced by its byte, once."""
    if b"%" not in data:
        return data
    return _ESCAPE.sub(lambda found: _VALUE[found[1]], data)


def decode_fully(data: bytes) -> bytes:
    """Each escape replaced until none is left (rules C3, C4).

    One round is enough for almost every address. Where it uncovers new escapes, a stack takes over: it folds
    whenever the last three bytes form an escape, so that nests cost time in proportion to their length.
    """
    once = decode_once(data)
    if b"%" not in once or not _ESCAPE.search(once):
        return once
    return fold_nested(data)


def fold_nested(data: bytes) -> bytes:
    """The same by a stack alone; at most one fold for each three bytes read."""
    out = bytearray()
    for byte in data:
        out.append(byte)
        while len(out) > 2 and out[-3] == 0x25 and out[-2] in _HEX and out[-1] in _HEX:
            value = int(out[-2:], 16)
            del out[-3:]
            out.append(value)
    return bytes(out)


def write_path(path: bytes) -> str:
    """Decoded bytes of a path in the one spelling of rule C5."""
    return _IN_PATH.sub(lambda found: _WRITTEN[found[0]], path).decode("ascii")


def write_query(query: bytes) -> str:
    """Decoded bytes of a query in the one spelling of rule C5."""
    return _IN_QUERY.sub(lambda found: _WRITTEN[found[0]], query).decode("ascii")
