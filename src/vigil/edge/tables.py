"""The base of all tables of the node's file, and rules that several of them share."""

from __future__ import annotations

import ipaddress

import msgspec

Rule = tuple[str, bool, str]  # the field, whether it holds, what to do


class Table(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A table of the file."""


def is_loopback(host: str) -> bool:
    """True where only this machine can connect."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def is_address(host: str) -> bool:
    """True for an IP address."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def are_networks(peers: tuple[str, ...]) -> bool:
    """True for addresses and networks."""
    try:
        return all(ipaddress.ip_network(peer) for peer in peers)
    except ValueError:
        return False


def endpoint_of(server: str, port: int = 53) -> tuple[str, int] | None:
    """Address and port of ``address``, ``address:port`` or ``[address]:port``; ``port`` where none is named; None for others."""
    host, text = server, str(port)
    if server.startswith("["):
        host, _, rest = server[1:].partition("]")
        text = rest.removeprefix(":") if rest else text
    elif server.count(":") == 1:
        host, _, text = server.partition(":")
    good = is_address(host) and text.isascii() and text.isdigit() and len(text) <= 5 and 0 < int(text) <= 65535
    return (host, int(text)) if good else None
