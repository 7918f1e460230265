"""What all zones of a node share. Apart from the zones: every worker reads the settings, and only one process makes zones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from vigil.edge.dns.answers import packed_addresses
from vigil.edge.dns.wire import Type
from vigil.edge.rpz.wire import Soa, record, relative

NXDOMAIN: Final = b"\0"  # CNAME .
NODATA: Final = b"\x01*\0"  # CNAME *.
Action = Literal["nxdomain", "nodata", "page"]


@dataclass(frozen=True, slots=True)
class Policy:
    """What all zones of a node share: ``ttl`` of its records in seconds, the times of the SOA, what a listed name gets."""

    ttl: int
    refresh: int
    retry: int
    expire: int
    action: Action
    addresses: tuple[str, ...] = ()

    def soa(self, serial: int) -> Soa:
        """The SOA of the version ``serial``."""
        return Soa(serial, self.refresh, self.retry, self.expire, self.ttl)

    def records(self, owner: str) -> tuple[bytes, int]:
        """The records of one owner, and how many they are."""
        wire = relative(owner)
        if self.action != "page":
            return record(wire, Type.CNAME, self.ttl, NXDOMAIN if self.action == "nxdomain" else NODATA), 1
        packed = packed_addresses(self.addresses)
        parts = [record(wire, kind, self.ttl, each) for kind in (Type.A, Type.AAAA) for each in packed[kind]]
        return b"".join(parts), len(parts)
