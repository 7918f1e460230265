"""Reading an address that somebody gave. What cannot be read is kept as it is; no report is lost over its address."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import TYPE_CHECKING, Final

from publicsuffixlist import PublicSuffixList

from vigil.match.urls import CanonicalUrl, UrlRefused, canonical_from_person

if TYPE_CHECKING:
    from collections.abc import Iterable

URL_PURPOSE: Final = "url"


class Doubt(StrEnum):
    """Why we ask the reporter to look again, beside the classes of :class:`vigil.match.urls.Refusal`."""

    SEVERAL_LINES = "several_lines"
    NO_DOT = "no_dot"


@dataclass(frozen=True, slots=True, repr=False)
class Reading:
    """An address as given: its canonical form, or the class why there is none (``refusal``)."""

    url: CanonicalUrl | None
    refusal: str = ""


def read_address(text: str) -> Reading:
    """What ``text`` names. Total: every text has a reading."""
    if len([line for line in text.splitlines() if line.strip()]) > 1:
        return Reading(None, Doubt.SEVERAL_LINES)
    try:
        url = canonical_from_person(text)
    except UrlRefused as error:
        return Reading(None, error.code)
    if "." not in url.host and not url.is_address():
        return Reading(None, Doubt.NO_DOT)
    return Reading(url)


def bare_text(data: bytes) -> str:
    """The text of what a form sent: UTF-8, and where it is not, the stray bytes written as ``%XX``, as a browser would."""
    return data.decode("utf-8", "surrogateescape").translate(_ESCAPES)


def _stray_bytes() -> Iterable[tuple[int, str]]:
    return ((0xDC00 + byte, f"%{byte:02X}") for byte in range(0x80, 0x100))


_ESCAPES: Final = dict(_stray_bytes())


@cache
def _suffixes() -> PublicSuffixList:
    return PublicSuffixList()


def registrable_domain(url: CanonicalUrl) -> str:
    """The part of the host that somebody registered; the host itself where there is no such part."""
    if url.is_address():
        return url.host
    return _suffixes().privatesuffix(url.host) or url.host


def top_level(url: CanonicalUrl) -> str:
    """The last label of the host; empty for an IP address."""
    return "" if url.is_address() else url.host.rpartition(".")[2]
