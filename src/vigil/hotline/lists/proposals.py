"""What somebody proposes to list, before it is an entry: an address with a scope, or a hash. Confidential values."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

from vigil.base.errors import InputError
from vigil.base.redaction import Sealed
from vigil.hotline.access.sealing import matching_digest
from vigil.hotline.lists.enumerations import Signal
from vigil.hotline.reports.models import Url
from vigil.hotline.reports.models.capture import Media
from vigil.match.hashing import algorithm_named
from vigil.match.urls import CanonicalUrl, EntryFlag, Scope, canonical_from_person, hosts_of, prefixes_of, require_entry
from vigil.match.urls.scopes import expression

LEAST_QUALITY: Final = 50  # below it a perceptual hash says too little about the picture (PDQ's own advice)
EXACT: Final = ("md5", "sha1", "sha256")


@dataclass(frozen=True, slots=True)
class UrlProposal:
    """An address as a person gives it, and how much of it is to be covered."""

    address: Sealed[str]
    scope: Scope = Scope.URL
    flags: EntryFlag = EntryFlag.NONE
    labels: tuple[str, ...] = ()

    signal: Signal = field(default=Signal.URL, init=False)

    def canonical(self) -> CanonicalUrl:
        """The canonical address; raises InputError where there is none or the scope does not fit."""
        url = canonical_from_person(self.address.open())
        require_entry(self.scope, url)
        if EntryFlag.QUERY_SET in self.flags:
            raise InputError("flag_not_offered", "Entries by set of query parameters are not offered here.", where="flags")
        return url

    def content(self) -> str:
        return self.canonical().text()

    def digest(self) -> str:
        return url_digest(self.scope, self.canonical())


@dataclass(frozen=True, slots=True)
class HashProposal:
    """A hash as text. ``quality`` 0 to 100 where the algorithm gives one; ``media`` the file it is of, where that is known."""

    algorithm: str
    value: Sealed[str]
    quality: int | None = None
    labels: tuple[str, ...] = ()
    media: UUID | None = None

    signal: Signal = field(default=Signal.HASH, init=False)

    def content(self) -> str:
        """The hash in its normal writing; raises InputError where it is none."""
        if self.quality is not None and self.quality < LEAST_QUALITY:
            raise InputError("hash_quality", f"A hash of quality below {LEAST_QUALITY} is not listed.", where=self.algorithm)
        algorithm = algorithm_named(self.algorithm)
        return algorithm.text(algorithm.parse(self.value.open()))

    def digest(self) -> str:
        return matching_digest("entry-hash", f"{self.algorithm}\0{self.content()}")


Proposal = UrlProposal | HashProposal


def url_digest(scope: Scope, url: CanonicalUrl) -> str:
    """The keyed digest of what an entry covers: its scope, and the address as far as that looks."""
    return matching_digest("entry-url", f"{scope.value}\0{expression(scope, url)}")


def digests_covering(url: CanonicalUrl) -> list[str]:
    """Digests of every entry, of whatever scope, that would cover ``url``."""
    return [url_digest(scope, covering) for scope, covering in _covering(url)]


def _covering(url: CanonicalUrl) -> Iterator[tuple[Scope, CanonicalUrl]]:
    host_alone = Scope.IP if url.is_address() else Scope.HOST
    yield Scope.URL, url
    yield Scope.PAGE, url
    yield host_alone, url
    for path in prefixes_of(url.path):
        yield Scope.PREFIX, CanonicalUrl(url.scheme, url.host, url.port, path, None)
    for host in () if url.is_address() else hosts_of(url):
        yield Scope.DOMAIN, CanonicalUrl(url.scheme, host, url.port, "/", None)


def of_url(url: Url, scope: Scope = Scope.URL) -> UrlProposal:
    """The proposal to list a reported address."""
    return UrlProposal(url.canonical, scope)


def of_media(files: Iterable[Media]) -> list[HashProposal]:
    """The proposals to list files seen in a case: their digests, and perceptual hashes good enough to be listed."""
    proposals: list[HashProposal] = []
    for media in files:
        proposals += [HashProposal(name, Sealed(getattr(media, name)), media=media.pk) for name in EXACT]
        proposals += [
            HashProposal(row.algorithm, row.value, row.quality, media=media.pk)
            for row in media.hashes.all()
            if row.quality is None or row.quality >= LEAST_QUALITY
        ]
    return proposals
