"""What an entry would match: how wide it is for its reason, popular and protected hosts, examples, harmless addresses it meets.

Pure but for the operator's two files, which are read once. Nothing here leaves the process but counts and the examples that a
person who may see the entry asks for.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final

from django.conf import settings

from vigil.base.errors import InputError
from vigil.base.limits import Limit
from vigil.hotline.lists.enumerations import EntryReason, Guard
from vigil.match.index.url import UrlHit, UrlIndex
from vigil.match.index.url import record_of as record_of_entry
from vigil.match.urls import CanonicalUrl, EntryFlag, Scope, UrlRefused, canonical_from_person, hosts_of

FILE_BYTES: Final = Limit(64 * 1024 * 1024, "bytes", "the operator's file of hosts or of sample addresses")
SHOWN: Final = 5
WHOLE: Final = frozenset({Scope.HOST, Scope.DOMAIN, Scope.IP})
WIDEST: Final[dict[EntryReason, frozenset[Scope]]] = {
    EntryReason.ASSESSED_CRIMINAL: frozenset({Scope.URL, Scope.PAGE, Scope.PREFIX}),
    EntryReason.NP_CRIMINAL: frozenset({Scope.URL, Scope.PAGE, Scope.PREFIX}),
    EntryReason.PARTNER_ASSESSED: frozenset({Scope.URL, Scope.PAGE, Scope.PREFIX}),
    EntryReason.DEDICATED_DOMAIN: frozenset(Scope),
    EntryReason.LINKS_DEDICATED: frozenset(Scope),
    EntryReason.TEST: frozenset(Scope),
    EntryReason.EVIDENCE_OF_NEED: frozenset(),
}
"""The widest an entry may be for its reason without a second look: one assessed page says nothing about a host."""


@dataclass(frozen=True, slots=True)
class Preview:
    """What an entry would match. ``hits`` and ``misses`` are addresses near it; confidential, like the entry itself.

    ``popular_rank``  position in the operator's file; None where it is not there or there is no file.
    ``sample_hits``   harmless addresses of the operator's sample that it would block, the first few of ``sample_count``.
    """

    guards: tuple[Guard, ...]
    hits: tuple[str, ...]
    misses: tuple[str, ...]
    popular_rank: int | None
    sample_hits: tuple[str, ...]
    sample_count: int
    sample_size: int


def preview(url: CanonicalUrl, scope: Scope, flags: EntryFlag, reason: EntryReason, partner_hosts: Iterable[str]) -> Preview:
    """Everything a person should know before an address is listed in this width."""
    index = _index(url, scope, flags)
    sample = _sample(settings.CONFIG.lists.benign_sample)
    met = _met(index, sample)
    near = examples(url)
    return Preview(
        guards_of(url, scope, flags, reason, partner_hosts),
        tuple(text for text in near if isinstance(index.check(text, 0), UrlHit)),
        tuple(text for text in near if not isinstance(index.check(text, 0), UrlHit)),
        popular_rank(url),
        tuple(met[:SHOWN]),
        len(met),
        len(sample),
    )


def guards_of(
    url: CanonicalUrl, scope: Scope, flags: EntryFlag, reason: EntryReason, partner_hosts: Iterable[str]
) -> tuple[Guard, ...]:
    """Why a second approver has to look at it; empty where nothing speaks for that."""
    hosts = set(hosts_of(url))
    whole = scope in WHOLE or (scope is Scope.PREFIX and url.path == "/") or EntryFlag.HOST_APPROVED in flags
    index = _index(url, scope, flags)
    found = {
        Guard.WHOLE_HOST: whole,
        Guard.POPULAR_HOST: popular_rank(url) is not None,
        Guard.OWN_SPACE: reason is not EntryReason.TEST
        and not hosts.isdisjoint(settings.CONFIG.lists.own_hosts + settings.CONFIG.lists.canary_domains),
        Guard.PARTNER_SPACE: not hosts.isdisjoint(partner_hosts),
        Guard.WIDER_THAN_REASON: scope not in WIDEST[reason] or (whole and reason in OF_PAGES),
        Guard.BENIGN_SAMPLE: bool(_met(index, _sample(settings.CONFIG.lists.benign_sample))),
    }
    return tuple(guard for guard, holds in found.items() if holds)


OF_PAGES: Final = frozenset({EntryReason.ASSESSED_CRIMINAL, EntryReason.NP_CRIMINAL, EntryReason.PARTNER_ASSESSED})


def examples(url: CanonicalUrl) -> list[str]:
    """Addresses at and around ``url``: itself, another query, a page beside and below it, the front page, names around it."""
    base, folder = f"{url.scheme}://{url.host}", url.path.rpartition("/")[0]
    around = [
        url.text(),
        f"{base}{url.path}?page=2",
        f"{base}{url.path.rstrip('/')}/below",
        f"{base}{folder}/beside",
        f"{base}/",
        f"{base}/elsewhere",
    ]
    if not url.is_address():
        parent = url.host.partition(".")[2]
        around.append(f"{url.scheme}://www.{url.host}/")
        around += [f"{url.scheme}://{parent}/"] if "." in parent else []
    return list(dict.fromkeys(around))


def popular_rank(url: CanonicalUrl) -> int | None:
    """The best rank of the host, or of a name above it, in the operator's file."""
    ranks = _ranks(settings.CONFIG.lists.popular_hosts)
    return min((ranks[host] for host in hosts_of(url) if host in ranks), default=None)


def _index(url: CanonicalUrl, scope: Scope, flags: EntryFlag) -> UrlIndex:
    return UrlIndex.build([record_of_entry(url, scope, flags, 1, list_number=0, expires=0)])


def _met(index: UrlIndex, sample: tuple[str, ...]) -> list[str]:
    """The harmless addresses that the entry would block."""
    found = index.check_many(sample, 0)
    return [text for text, hit in zip(sample, found, strict=True) if isinstance(hit, UrlHit)]


@lru_cache(maxsize=4)
def _ranks(path: str) -> dict[str, int]:
    """Rank by host; the number of the line where the file has no ranks."""
    ranks: dict[str, int] = {}
    for place, line in enumerate(_lines(path), start=1):
        rank, _, host = line.rpartition(",")
        name = host.strip().lower().rstrip(".")
        if name:
            ranks.setdefault(name, int(rank) if rank.strip().isdigit() else place)
    return ranks


@lru_cache(maxsize=4)
def _sample(path: str) -> tuple[str, ...]:
    """The addresses of the operator's sample that have a canonical form."""
    found = []
    for line in _lines(path):
        try:
            found.append(canonical_from_person(line).text())
        except UrlRefused:
            continue
    return tuple(found)


def _lines(path: str) -> list[str]:
    if not path:
        return []
    try:
        with Path(path).open("rb") as stream:
            data = stream.read(FILE_BYTES.value + 1)
        if len(data) > FILE_BYTES.value:
            raise InputError("operator_file_large", f"The file has more than {FILE_BYTES.value} bytes.", where=Path(path).name)
        return [line.strip() for line in data.decode("utf-8").splitlines() if line.strip() and not line.startswith("#")]
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            "operator_file_unreadable", "A file that the configuration names cannot be read.", where=Path(path).name,
            mend="See lists.popular_hosts and lists.benign_sample in docs/reference/settings.md.",
        ) from error
