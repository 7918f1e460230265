"""Which host names an adapter may act on that sees nothing but the host (facts of scope and ``https_effect``)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from vigil.editions.export.model import SCHEME_OR_PORT, Leftover, Reason, left
from vigil.editions.model import UrlEntry
from vigil.match.urls import EntryFlag, Scope

# Letters, digits, hyphens inside; the underscore is common in DNS though no host name by RFC 952. Anything else that a
# canonical host may hold (`*`, `;`, `$`, …) means something else in one of the formats.
_LABEL: Final = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
DNS_NAME: Final = re.compile(rf"(?:{_LABEL}\.)*(?=[a-z0-9-]*[a-z])[a-z0-9](?:[a-z0-9-]{{0,61}}[a-z0-9])?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Names:
    """``hosts`` cover themselves; ``domains`` themselves and every name below them."""

    hosts: frozenset[str]
    domains: frozenset[str]

    def sparse(self) -> Names:
        """The same cover without names that a domain above them covers already.

        Needed, not only tidy: in a DNS zone a name below a wildcard hides the wildcard for the names between
        (RFC 4592, closest encloser), and Squid refuses such pairs.
        """
        domains = frozenset(name for name in self.domains if not _is_below(name, self.domains))
        hosts = frozenset(name for name in self.hosts if name not in domains and not _is_below(name, domains))
        return Names(hosts, domains)


def covers_below(entry: UrlEntry) -> bool:
    """True where the entry covers the names below its host; a single label covers itself alone."""
    return entry.scope is Scope.DOMAIN and EntryFlag.EXACT_HOST not in entry.flags and "." in entry.url.host


def names_of_all(entries: Iterable[UrlEntry]) -> Names:
    """The names of entries of scope host and domain, whatever their rights."""
    hosts: set[str] = set()
    domains: set[str] = set()
    for entry in entries:
        (domains if covers_below(entry) else hosts).add(entry.url.host)
    return Names(frozenset(hosts), frozenset(domains))


def names_of(
    entries: Iterable[UrlEntry], *, longest: int = 253, underscores: bool = True, single_labels: bool = True
) -> tuple[Names, list[Leftover]]:
    """The names of entries with the right to be enforced by host alone, and the report on all others."""
    allowed: list[UrlEntry] = []
    missing: list[Leftover] = []
    for entry in entries:
        reason = _no_right(entry) or unwritable(entry.url.host, longest, underscores, single_labels)
        if reason is not None:
            missing.append(left(entry, reason))
        else:
            allowed.append(entry)
    return names_of_all(allowed), missing


def unwritable(name: str, longest: int, underscores: bool, single_labels: bool) -> Reason | None:
    """Why a name cannot stand in a list of names, if so."""
    if len(name) > longest:
        return Reason.NAME_TOO_LONG
    plain = DNS_NAME.fullmatch(name) and (underscores or "_" not in name) and (single_labels or "." in name)
    return None if plain else Reason.NAME_CHARACTERS


def _no_right(entry: UrlEntry) -> Reason | None:
    if entry.scope is Scope.IP or entry.url.is_address():
        return Reason.IP_ADDRESS
    if entry.scope not in (Scope.HOST, Scope.DOMAIN):
        return Reason.NARROWER_THAN_HOST
    if EntryFlag.HOST_ONLY_SKIPPED in entry.flags:
        return Reason.HOST_ONLY_SKIPPED
    return Reason.SCHEME_OR_PORT if entry.flags & SCHEME_OR_PORT else None


def _is_below(name: str, domains: frozenset[str]) -> bool:
    """True where one of ``domains`` covers ``name`` from above. Asked for each name of a zone at each change: no list is made."""
    dot = name.find(".")
    while dot >= 0:
        if name[dot + 1 :] in domains:
            return True
        dot = name.find(".", dot + 1)
    return False
