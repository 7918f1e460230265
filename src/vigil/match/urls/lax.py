"""The second pass: byte-level readings of an address that no browser would fetch (docs/spec/canonical-url.md §6).

Other clients do fetch such addresses, so a listed page must not hide behind one. Total: it never raises, and it
returns at most four candidates. A candidate is only ever compared with entries; it is never stored as one.
"""

from __future__ import annotations

import re
from typing import Final

import can_ada

from vigil.base.limits import CANONICAL_URL_BYTES
from vigil.match.urls.escapes import decode_fully, write_path, write_query
from vigil.match.urls.fold import fold_address, resolve_dots
from vigil.match.urls.hosts import is_too_wide
from vigil.match.urls.model import DEFAULT_PORTS, CanonicalUrl, UrlFlag

_CONTROLS: Final = bytes([*range(0x20), 0x7F])
_SCHEME: Final = re.compile(rb"([a-z][a-z0-9+.\-]{0,31}):")
_PARTS: Final = re.compile(rb"([^/?#]*)([^?]*)(?:\?(.*))?", re.DOTALL)
_ADDRESS: Final = re.compile(r"(?:0x[0-9a-f]*|[0-9]+)(?:\.(?:0x[0-9a-f]*|[0-9]+)){0,3}\Z")
_NOT_IN_HOST: Final = re.compile(rb"[^a-z0-9._~!$&'()*+,;=\-]")
_DIGITS: Final = 64
_FLAGS: Final[frozenset[str]] = frozenset({UrlFlag.SECOND_PASS.value})


def second_pass(address: str | bytes) -> tuple[CanonicalUrl, ...]:
    """At most four readings of a refused address: after the last and the first ``@``, as a name or a lax IPv4 address.

    Empty where no host can be found or the address is beyond three times the limit of rule A2.
    """
    raw = address.encode("utf-8", "surrogatepass") if isinstance(address, str) else bytes(address)
    raw = _shortened(raw.partition(b"#")[0])
    scheme, authority, path, query = _take_apart(raw)
    written_path = write_path(resolve_dots(path or b"/"))
    written_query = None if query is None else write_query(query)
    readings: dict[tuple[str, int | None], CanonicalUrl] = {}
    for place in (authority.rpartition(b"@")[2], authority.partition(b"@")[2] or authority):
        host_text, port = _split_port(place, scheme)
        for host in _hosts(host_text):
            url = CanonicalUrl(scheme, host, port, written_path, written_query, _FLAGS)
            readings.setdefault((host, port), url)
    return tuple(readings.values())


def _shortened(raw: bytes) -> bytes:
    """A query that does not fit is dropped; a place that does not fit leaves nothing to read."""
    if len(raw) <= CANONICAL_URL_BYTES.value:
        return raw
    place = raw.partition(b"?")[0]
    return place if len(place) <= CANONICAL_URL_BYTES.value else b""


def _take_apart(raw: bytes) -> tuple[str, bytes, bytes, bytes | None]:
    data = decode_fully(raw).translate(None, _CONTROLS).replace(b"\\", b"/").strip(b" ")
    found = _SCHEME.match(data[:33].lower())
    scheme = found[1].decode("ascii") if found and not _is_port(data[found.end() :]) else ""
    rest = data[len(scheme) + 1 :] if scheme else data
    parts = _PARTS.fullmatch(rest.lstrip(b"/"))
    if parts is None:
        return scheme, b"", b"", None
    authority, path, query = parts.groups()
    path = b"" if path.startswith(b"#") else path
    return scheme or "http", authority.lower(), path, query


def _is_port(rest: bytes) -> bool:
    """What follows the first colon is a port: the text has no scheme."""
    return re.match(rb"[0-9]{1,5}(?:[/?#]|\Z)", rest) is not None


def _split_port(place: bytes, scheme: str) -> tuple[bytes, int | None]:
    """The host text, and the port where it is a number other than the scheme's own."""
    start = max(place.find(b"]"), 0) if place.startswith(b"[") else 0
    colon = place.find(b":", start)
    if colon < 0:
        return place, None
    digits = place[colon + 1 :].lstrip(b"0")
    port = int(digits) if digits.isdigit() and len(digits) < 6 else None
    return place[:colon], None if port is None or port == DEFAULT_PORTS.get(scheme) or port > 65535 else port


def _hosts(text: bytes) -> list[str]:
    """The readings of one host text: an IPv6 address, or a lax IPv4 address and a name."""
    trimmed = text.strip(b" .")
    if trimmed.startswith(b"["):
        six = _address6(trimmed)
        return [] if six is None else [six]
    four = _address4(trimmed.partition(b" ")[0].rstrip(b".").decode("latin-1"))
    name = _name(b".".join(label for label in trimmed.split(b".") if label))
    return [host for host in (four, name) if host]


def _address4(text: str) -> str | None:
    """Octal, hex and short forms, each part modulo its room, as Safe Browsing clients read them."""
    if not _ADDRESS.match(text):
        return None
    parts = text.split(".")
    if any(len(part) > _DIGITS for part in parts):
        return None
    numbers = [_number(part) for part in parts]
    room = 5 - len(numbers)
    data = bytes(number & 0xFF for number in numbers[:-1]) + (numbers[-1] % (1 << 8 * room)).to_bytes(room, "big")
    return ".".join(map(str, data))


def _number(part: str) -> int:
    """Hex after ``0x``, octal after ``0`` unless it holds an 8 or a 9, else decimal."""
    if part.startswith("0x"):
        return int(part[2:] or "0", 16)
    octal = part.startswith("0") and not set(part) & {"8", "9"}
    return int(part, 8 if octal else 10)


def _address6(text: bytes) -> str | None:
    """An IPv6 literal without its zone identifier, in the canonical spelling."""
    inner = text[1:].partition(b"]")[0].partition(b"%")[0].decode("latin-1")
    host = _parsed_host(f"[{inner}]")
    return None if host is None or not host.startswith("[") else fold_address(host)


def _name(text: bytes) -> str | None:
    """The name as IDNA has it; where IDNA refuses, its bytes with everything unusual escaped."""
    if not text:
        return None
    host = None if text.isalnum() else _parsed_host(text.decode("utf-8", "replace"))
    if host is not None and not host.startswith("["):
        return host.strip(".") or None
    return _NOT_IN_HOST.sub(lambda found: b"%%%02X" % found[0][0], text).decode("ascii")


def _parsed_host(name: str) -> str | None:
    if is_too_wide(name) or any(mark in name for mark in "/?#@\\"):
        return None
    try:
        return str(can_ada.parse(f"http://{name}/").hostname)
    except ValueError:
        return None
