"""The names that a policy zone may hold: a dictionary beside the edition, which itself holds only digests.

The signed edition alone decides. A name in these files is served where the edition in force lists its host or domain
with the right to be enforced by the name; a name that the files lack cannot be served. So the files need not be
trusted to block nothing else, and a withdrawal takes effect although a file still has the name.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from vigil.base.errors import InputError
from vigil.editions.export.names import Names, unwritable
from vigil.match.index.host_scopes import DOMAIN, HOST, Digests, HostScopes

FILE_BYTES: Final = 256 * 1024 * 1024  # ten million names; a file beyond it is refused, not read
WILDCARD: Final = "*."
OWNER_BYTES: Final = 230  # leaves room for "*." before and the zone's name behind (RFC 1035 2.3.4)
Stamp = tuple[tuple[int, int, int], ...]


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class Candidates:
    """Names, sorted; ``malformed``: lines that are no name, ``stamp``: of the files."""

    names: tuple[str, ...] = ()
    malformed: int = 0
    stamp: Stamp = ()


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class Digested:
    """Names with their digests in the same order, under the digest key that ``key_check`` tells."""

    names: tuple[str, ...]
    digests: Digests
    key_check: bytes

    def listed(self, scopes: HostScopes, now: int) -> tuple[Names, int]:
        """The names that the edition of ``scopes`` lists at ``now`` (unix), and when the first of them ends."""
        found, ends = scopes.of(self.digests, now)
        hosts = frozenset(self.names[row] for row in np.flatnonzero(found == HOST).tolist())
        domains = frozenset(self.names[row] for row in np.flatnonzero(found == DOMAIN).tolist())
        return Names(hosts, domains).sparse(), ends


def digested(names: tuple[str, ...], scopes: HostScopes, before: Digested | None) -> Digested:
    """The digests of ``names``; those that ``before`` has already, under the same key, are taken over."""
    if before is None or before.key_check != scopes.key_check:
        return Digested(names, scopes.digests(names), scopes.key_check)
    if before.names is names:
        return before
    places = {name: place for place, name in enumerate(before.names)}
    new = [name for name in names if name not in places]
    places |= {name: place for place, name in enumerate(new, start=len(before.names))}
    both = np.concatenate([before.digests, scopes.digests(new)])
    return Digested(names, both[[places[name] for name in names]], scopes.key_check)


def stamp_of(paths: Iterable[Path]) -> Stamp:
    """What tells that files have changed. Raises InputError where one is not there."""
    found = []
    for path in paths:
        try:
            status = path.stat()
        except OSError as error:
            raise _unreadable(path) from error
        found.append((status.st_mtime_ns, status.st_size, status.st_ino))
    return tuple(found)


def read_candidates(paths: tuple[Path, ...]) -> Candidates:
    """The names in ``paths``. Raises InputError where one cannot be read."""
    stamp = stamp_of(paths)
    found: set[str] = set()
    malformed = 0
    for path in paths:
        for name in names_in(_lines(path)):
            if name is None or unwritable(name, OWNER_BYTES, underscores=True, single_labels=True) or _is_trigger(name):
                malformed += 1
            else:
                found.add(name)
    return Candidates(tuple(sorted(found)), malformed, stamp)


def names_in(lines: Iterable[str]) -> Iterator[str | None]:
    """The name of each line: a plain list, or the lines of an exported ``rpz.zone``; None for what is neither.

    Comments (``#``, ``;``), directives (``$TTL``) and the records of the zone itself (``@``) are passed over.
    """
    for line in lines:
        words = line.split()
        if not words or words[0][0] in "#;$@":
            continue
        is_record = len(words) >= 3 and words[-2].upper() in {"CNAME", "A", "AAAA"}
        if len(words) > 1 and not is_record:
            yield None
            continue
        name = words[0].removesuffix(".").lower()
        yield name.removeprefix(WILDCARD)


def _is_trigger(name: str) -> bool:
    """Names under ``rpz-ip`` and its kin are other triggers (draft-vixie-dns-rpz-02), and never made here."""
    return name.rpartition(".")[2].startswith("rpz-")


def _lines(path: Path) -> Iterator[str]:
    try:
        with path.open("rb") as stream:
            if os.fstat(stream.fileno()).st_size > FILE_BYTES:
                raise InputError("names_too_large", "A file of names is larger than 256 MiB.", where=str(path))
            for line in stream:
                yield line.decode("ascii", "replace")
    except OSError as error:
        raise _unreadable(path) from error


def _unreadable(path: Path) -> InputError:
    return InputError(
        "names_unreadable", "A file of names cannot be read.", where=str(path), mend="Check rpz.names and the file's rights."
    )
