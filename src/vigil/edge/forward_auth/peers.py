"""Who may ask: the headers that name an address are believed from configured peers only."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable


class Peers:
    """Networks; answers are remembered for a few addresses, because proxies are few."""

    def __init__(self, networks: Iterable[str]) -> None:
        self._networks = tuple(ipaddress.ip_network(network) for network in networks)
        self._known: dict[str, bool] = {}

    def __contains__(self, address: str) -> bool:
        """True where ``address`` is in one of the networks; an IPv4 address inside IPv6 counts as itself."""
        known = self._known.get(address)
        if known is None:
            if len(self._known) > 256:
                self._known.clear()
            known = self._known[address] = self._holds(address)
        return known

    def _holds(self, address: str) -> bool:
        try:
            found = ipaddress.ip_address(address)
        except ValueError:
            return False
        if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped:
            return any(found.ipv4_mapped in network for network in self._networks)
        return any(found in network for network in self._networks)
