"""The benign test list that ships in every edition: made-up names, one drawn picture, one nonsense word. Known to everybody.

A node, a provider or a hotline asks for these through every door and sees whether what must be blocked is, and what must pass
does. Entries carry the label ``test``, so that they are counted as tests and stand in no total. The numbers are fixed and far
from others.
"""

from __future__ import annotations

import hashlib
import struct
import zlib
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import lru_cache
from typing import Final

from vigil.base.redaction import Sealed
from vigil.editions.model import EditionContents, HashEntry, ListInfo, ListKind, UrlEntry
from vigil.editions.terms import KeywordEntry, encode_terms
from vigil.match.urls import Scope, canonical

LIST: Final = "selftest"
LABEL: Final = "test"
FIRST_ENTRY: Final = 2**62
DOMAIN: Final = "selftest.vigil.test"
PAGE: Final = f"http://page.{DOMAIN}/listed/page"
HOST: Final = f"host.{DOMAIN}"
OTHER_PAGE: Final = f"http://page.{DOMAIN}/listed/other"
OTHER_HOST: Final = f"other.{DOMAIN}"
TERM: Final = "zorblatselftestquimber"
SIDE: Final = 128


class Sees(StrEnum):
    """What a door can see of a request."""

    ADDRESS = "address"
    HOST = "host"
    FILE = "file"
    QUERY = "query"
    BANKS = "banks"
    BANKED_LISTS = "banked_lists"


@dataclass(frozen=True, slots=True)
class Case:
    """One question of the test: what is asked, by which kind of door it can be, and whether it must be stopped."""

    name: str
    sees: Sees
    listed: bool
    address: str = ""


CASES: Final = (
    Case("page", Sees.ADDRESS, True, PAGE),
    Case("page_beside", Sees.ADDRESS, False, OTHER_PAGE),
    Case("page_on_host", Sees.ADDRESS, True, f"http://{HOST}/any/page"),
    Case("host", Sees.HOST, True, f"http://{HOST}/"),
    Case("host_of_page", Sees.HOST, False, f"http://page.{DOMAIN}/"),
    Case("host_beside", Sees.HOST, False, f"http://{OTHER_HOST}/"),
    Case("picture", Sees.FILE, True),
    Case("picture_beside", Sees.FILE, False),
    Case("term", Sees.QUERY, True, TERM),
    Case("term_beside", Sees.QUERY, False, "quimber"),
    Case("picture_in_lists", Sees.BANKED_LISTS, True),
    Case("banks_loaded", Sees.BANKS, False),
)


def url_entries() -> tuple[UrlEntry, ...]:
    """A page and a whole host."""
    return (
        UrlEntry(FIRST_ENTRY, LIST, canonical(PAGE), Scope.URL, labels=(LABEL,)),
        UrlEntry(FIRST_ENTRY + 1, LIST, canonical(f"http://{HOST}/"), Scope.HOST, labels=(LABEL,)),
    )


def hash_entries() -> tuple[HashEntry, ...]:
    """The drawn picture, by its bytes."""
    return (HashEntry(FIRST_ENTRY + 2, LIST, "sha256", hashlib.sha256(picture()).digest(), labels=(LABEL,)),)


def words() -> bytes:
    """The nonsense word as a file of words, which lies beside those of a partner's copy."""
    return encode_terms(LIST, [KeywordEntry(FIRST_ENTRY + 3, LIST, Sealed(TERM), labels=(LABEL,))])


def added_to(contents: EditionContents) -> EditionContents:
    """``contents`` with the test list behind all others; as they are where a list has its name already."""
    if any(info.name == LIST for info in contents.lists):
        return contents
    return replace(
        contents,
        lists=(*contents.lists, ListInfo(LIST, ListKind.TEST.value)),
        urls=(*contents.urls, *url_entries()),
        hashes=(*contents.hashes, *hash_entries()),
    )


@lru_cache(maxsize=2)
def picture(*, listed: bool = True) -> bytes:
    """A PNG of rings drawn by integers, packed without compression: the same bytes with every version of zlib."""
    step = 5 if listed else 9
    rows = b"".join(b"\0" + bytes(((x * x + y * y * step) // 64) % 256 for x in range(SIDE)) for y in range(SIDE))
    packed = zlib.compress(rows, 0)
    head = struct.pack(">IIBBBBB", SIDE, SIDE, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", head) + _chunk(b"IDAT", packed) + _chunk(b"IEND", b"")


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
