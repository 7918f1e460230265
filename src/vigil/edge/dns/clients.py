"""Who may ask: networks as numbers, so that no address of a client is kept anywhere, not even in a cache."""

from __future__ import annotations

import ipaddress
import socket
from typing import Final

MAPPED: Final = b"\0" * 10 + b"\xff\xff"


class Clients:
    """The networks of ``dns.clients``."""

    def __init__(self, networks: tuple[str, ...]) -> None:
        parsed = [ipaddress.ip_network(each) for each in networks]
        self._four = [(int(each.network_address), int(each.netmask)) for each in parsed if each.version == 4]
        # A network that ends at a dot of its written form is known by how an address begins.
        self._starts = tuple(start for each in parsed if (start := _start(each)))
        self._six = [(int(each.network_address), int(each.netmask)) for each in parsed if each.version == 6]

    def may_ask(self, host: str) -> bool:
        """True for an address in one of the networks; an IPv4 address inside an IPv6 one counts as what it is."""
        if host.startswith(self._starts):
            return True
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        try:
            packed = socket.inet_pton(family, host.partition("%")[0] if family is socket.AF_INET6 else host)
        except OSError:
            return False
        if packed.startswith(MAPPED):
            packed = packed[len(MAPPED) :]
        number = int.from_bytes(packed, "big")
        for network, mask in self._four if len(packed) == 4 else self._six:  # noqa: SIM110  any() costs twice as much
            if number & mask == network:
                return True
        return False


def _start(network: ipaddress.IPv4Network | ipaddress.IPv6Network) -> str:
    """How every address of ``network`` begins, and no other one; empty where that is not so simple."""
    if network.version == 6 or network.prefixlen not in (8, 16, 24):
        return ""
    return ".".join(str(network.network_address).split(".")[: network.prefixlen // 8]) + "."
