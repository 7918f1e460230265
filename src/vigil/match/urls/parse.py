"""The first layer: read an address as a browser does (WHATWG URL Standard, by can_ada), and say why not (rules B1–B9)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib.metadata import version
from typing import Final

import can_ada

from vigil.match.urls.hosts import is_too_wide, plain_name_of, refusal_of
from vigil.match.urls.model import DEFAULT_PORTS
from vigil.match.urls.refusal import Refusal, UrlRefused

PARSER: Final = f"can_ada-{version('can_ada')}"
ENDS: Final = "".join(map(chr, range(0x21)))
DELETED: Final = str.maketrans("", "", "\t\r\n")
_SCHEME: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.\-]*):")
_HOST: Final = re.compile(r"(?:\[[^\]]*+\]?+|[^:\[])*+")
_AUTHORITY: Final = re.compile(r"[/\\]*([^/\\?]*)")


@dataclass(frozen=True, slots=True, repr=False)
class Parsed:
    """The parts as the browser's parser leaves them; ``invalid_label`` marks a name kept although IDNA refuses it."""

    scheme: str
    host: str
    port: int | None
    path: str
    query: str | None
    invalid_label: bool = False


def without_fragment(text: str) -> str:
    """C0 controls and spaces trimmed at both ends, then cut at ``#``: a space before the ``#`` is part of the address."""
    return text.strip(ENDS).partition("#")[0]


def clean(text: str) -> str:
    """The text without ends and fragment, and without TAB, LF and CR wherever they stand (B1, B3)."""
    return without_fragment(text).translate(DELETED)


def parse(text: str) -> Parsed:
    """Parts of an address that :func:`clean` has seen; raises :class:`UrlRefused`."""
    scheme, rest = split_scheme(text)
    host = host_of(_AUTHORITY.match(rest)[1])  # type: ignore[index]  # the pattern matches the empty text too
    if is_too_wide(host):
        raise UrlRefused(Refusal.HOST_LENGTH)
    parsed = _try(text)
    if parsed is not None:
        return parsed
    return _rescue(scheme, rest)


def split_scheme(text: str) -> tuple[str, str]:
    """The scheme in lower case and what follows its colon (B2)."""
    found = _SCHEME.match(text)
    scheme = found[1].lower() if found else ""
    if found is None or scheme not in DEFAULT_PORTS:
        raise UrlRefused(Refusal.SCHEME)
    return scheme, text[found.end() :]


def host_of(authority: str) -> str:
    """The host inside an authority, as written."""
    return _split_port(authority.rpartition("@")[2])[0]


def _split_port(text: str) -> tuple[str, str]:
    """Host and port: the colon is the first one outside brackets, closed or not."""
    host = _HOST.match(text)[0]  # type: ignore[index]  # the pattern matches the empty text too
    return host, text[len(host) + 1 :]


def _try(text: str) -> Parsed | None:
    """The parser's answer. The ``#`` keeps a space at the end, which it would trim a second time."""
    try:
        url = can_ada.parse(f"{text}#")
    except ValueError:
        return None
    port, search = url.port, url.search
    query = search[1:] if search else ("" if url.href.endswith("?#") else None)
    return Parsed(url.protocol[:-1], url.hostname, int(port) if port else None, url.pathname, query)


def _rescue(scheme: str, rest: str) -> Parsed:
    """A refused address: kept where only an A-label is invalid, else the class of its refusal (first rule first)."""
    found = _AUTHORITY.match(rest)
    authority, tail = (found[1], rest[found.end() :]) if found else ("", rest)
    host, port = _split_port(authority.rpartition("@")[2])
    if port and not (port.isascii() and port.isdigit() and int(port.lstrip("0")[:6] or "0") <= 65535):
        raise UrlRefused(Refusal.PORT)
    name = plain_name_of(host)
    if name is None:
        raise UrlRefused(refusal_of(host))
    parsed = _try(f"{scheme}://kept.invalid:{port}{tail if tail[:1] in {'/', '?', chr(92)} else ''}")
    if parsed is None:
        raise UrlRefused(Refusal.HOST_IDNA)
    return Parsed(parsed.scheme, name, parsed.port, parsed.path, parsed.query, invalid_label=True)
