"""A response policy zone as a value, what changed between two, and both as the records of a transfer. Pure.

Query-name triggers only: a host is one owner, a domain itself and ``*.`` below it. What a listed name gets is the same
for all owners. Names covered by a domain above them are left out, since in DNS they would make holes in its wildcard.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from vigil.edge.dns.wire import Type
from vigil.edge.rpz.policy import Policy
from vigil.edge.rpz.wire import ZONE_POINTER, is_newer, record, soa_record
from vigil.editions.export.names import Names

MESSAGE_BYTES: Final = 16_384  # small enough for one round of the loop, and for offsets that pointers can reach
Batch = tuple[bytes, int]


@dataclass(frozen=True, slots=True, repr=False)
class Zone:
    """One version. ``names`` is sparse (:meth:`vigil.editions.export.names.Names.sparse`)."""

    serial: int
    names: Names

    def owners(self) -> list[str]:
        """All owners, sorted."""
        return sorted(owners_of(self.names))


@dataclass(frozen=True, slots=True, repr=False)
class Step:
    """What leads from version ``before`` to version ``after``."""

    before: int
    after: int
    removed: tuple[str, ...]
    added: tuple[str, ...]


def owners_of(names: Names) -> Iterator[str]:
    """The owners of ``names`` in no order."""
    yield from names.hosts
    for name in names.domains:
        yield name
        yield "*." + name


def step_between(before: Zone, after: Zone) -> Step:
    """The difference of two versions. A name that turned from a host into a domain is in both and only gains ``*.``."""
    old, new = set(owners_of(_less(before.names, after.names))), set(owners_of(_less(after.names, before.names)))
    return Step(before.serial, after.serial, tuple(sorted(old - new)), tuple(sorted(new - old)))


def _less(names: Names, others: Names) -> Names:
    return Names(names.hosts - others.hosts, names.domains - others.domains)


def next_serial(last: int | None, now: int) -> int:
    """A serial that only rises: the time in seconds, or one more than the last."""
    if last is None or is_newer(now % 2**32, last):
        return now % 2**32
    return (last + 1) % 2**32


class History:
    """The steps between the last versions, ``most`` of them at most. The newest ends at the zone in force."""

    def __init__(self, most: int, steps: Iterable[Step] = ()) -> None:
        self._steps: deque[Step] = deque(steps, maxlen=most)

    @property
    def steps(self) -> tuple[Step, ...]:
        """Oldest first."""
        return tuple(self._steps)

    def add(self, step: Step) -> None:
        """Note one more."""
        self._steps.append(step)

    def since(self, serial: int) -> tuple[Step, ...] | None:
        """The steps from version ``serial`` to the newest; None where they are not known any more."""
        steps = tuple(self._steps)
        for place, step in enumerate(steps):
            if step.before == serial:
                return steps[place:]
        return None


def whole(zone: Zone, policy: Policy) -> Iterator[Batch]:
    """The records of an AXFR (RFC 5936 2.2) in batches for messages: bytes and number."""
    yield from _batches(_whole(zone, policy))


def incremental(zone: Zone, steps: tuple[Step, ...], policy: Policy) -> Iterator[Batch]:
    """The records of an IXFR (RFC 1995 4)."""
    yield from _batches(_incremental(zone, steps, policy))


def is_worth_it(zone: Zone, steps: tuple[Step, ...]) -> bool:
    """True where the steps are smaller than the zone."""
    moves = sum(len(step.removed) + len(step.added) for step in steps)
    return moves + 2 * len(steps) <= len(zone.names.hosts) + 2 * len(zone.names.domains) + 2


def _whole(zone: Zone, policy: Policy) -> Iterator[Batch]:
    soa = soa_record(policy.soa(zone.serial), policy.ttl), 1
    yield soa
    yield name_server(policy), 1
    for owner in zone.owners():
        yield policy.records(owner)
    yield soa


def _incremental(zone: Zone, steps: tuple[Step, ...], policy: Policy) -> Iterator[Batch]:
    newest = soa_record(policy.soa(zone.serial), policy.ttl), 1
    yield newest
    for step in steps:
        yield soa_record(policy.soa(step.before), policy.ttl), 1
        yield from map(policy.records, step.removed)
        yield soa_record(policy.soa(step.after), policy.ttl), 1
        yield from map(policy.records, step.added)
    yield newest


def name_server(policy: Policy) -> bytes:
    """Nobody is told of the hidden primary."""
    return record(ZONE_POINTER, Type.NS, policy.ttl, b"\x09localhost\0")


def _batches(records: Iterable[Batch]) -> Iterator[Batch]:
    parts: list[bytes] = []
    size = count = 0
    for part, number in records:
        if size + len(part) > MESSAGE_BYTES and parts:
            yield b"".join(parts), count
            parts, size, count = [], 0, 0
        parts.append(part)
        size, count = size + len(part), count + number
    yield b"".join(parts), count


def zone_text(zone: Zone, policy: Policy, comment: str) -> str:
    """The zone as a master file with relative owners, for resolvers that read files."""
    soa = policy.soa(zone.serial)
    head = f"; {comment}\n$TTL {policy.ttl}\n@ SOA localhost. hostmaster.invalid. "
    head += f"{soa.serial} {soa.refresh} {soa.retry} {soa.expire} {soa.minimum}\n@ NS localhost.\n"
    data = _texts(policy)
    return head + "".join(f"{owner} {each}\n" for owner in zone.owners() for each in data)


def _texts(policy: Policy) -> list[str]:
    if policy.action != "page":
        return ["CNAME ." if policy.action == "nxdomain" else "CNAME *."]
    return [f"{'AAAA' if ':' in address else 'A'} {address}" for address in policy.addresses]
