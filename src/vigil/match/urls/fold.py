"""The second layer: folds of the Safe Browsing kind, on what the browser's parser left (rules C1–C5)."""

from __future__ import annotations

from ipaddress import IPv6Address
from typing import Final

from vigil.match.urls.escapes import decode_fully, write_path, write_query

_NAT64: Final = int(IPv6Address("64:ff9b::")) >> 32
_MAPPED: Final = int(IPv6Address("::ffff:0:0")) >> 32


def fold_path(path: str) -> str:
    """Decode, resolve dot segments, collapse slashes, escape again."""
    return write_path(resolve_dots(decode_fully(path.encode("utf-8", "surrogatepass"))))


def fold_query(query: str) -> str:
    """Decode and escape again; no dot or slash work."""
    return write_query(decode_fully(query.encode("utf-8", "surrogatepass")))


def resolve_dots(path: bytes) -> bytes:
    """``.`` and ``..`` segments resolved, then runs of ``/`` collapsed; a final ``/`` stays.

    The order matters: in ``/a//../b`` the two dots take the empty segment away, not the ``a``.
    """
    if b"/." not in path and b"//" not in path:
        return path
    segments = path.split(b"/")[1:]
    kept: list[bytes] = []
    for segment in segments:
        if segment == b"..":
            del kept[-1:]
        elif segment != b".":
            kept.append(segment)
    if segments[-1] in {b".", b".."}:
        kept.append(b"")
    names = b"/".join(segment for segment in kept if segment)
    return b"/" + names + (b"/" if names and kept[-1] == b"" else b"")


def fold_dots_of_host(host: str) -> str:
    """Dots at both ends dropped, runs of dots made one (rule C1)."""
    if ".." not in host and host[:1] != "." and host[-1:] != ".":
        return host
    return ".".join(label for label in host.split(".") if label)


def fold_address(host: str) -> str:
    """An IPv6 literal in brackets that stands for an IPv4 address becomes that address (rule C2; RFC 4291, RFC 6052)."""
    number = int(IPv6Address(host[1:-1]))
    if number >> 32 not in {_NAT64, _MAPPED}:
        return host
    return ".".join(str(byte) for byte in (number & 0xFFFFFFFF).to_bytes(4, "big"))
