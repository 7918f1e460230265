"""Fingerprints of imported records: one normal writing, one keyed digest, whatever the source calls the type.

The digests are those of the hotline's own entries (``lists.proposals``), so that a file or an address of a case is looked up
the same way in both. Types that Vigil does not know keep the source's name and are compared by equality.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Final

import msgspec

from vigil.base.errors import InputError
from vigil.hotline.access.sealing import matching_all, matching_bytes
from vigil.hotline.partners.sources.record import DOMAIN, EDITION_KEY, HOST, URL, Flaw
from vigil.match.hashing import ALGORITHMS
from vigil.match.urls import CanonicalUrl, Scope, canonical_from_person
from vigil.match.urls.scopes import entry_key, expression, hosts_of, prefixes_of

DIGEST_BYTES: Final = 16
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9_.:-]{0,39}\Z")
_SCOPES: Final = {URL: Scope.URL, HOST: Scope.HOST, DOMAIN: Scope.DOMAIN}
LONGEST_VALUE: Final = 64 * 1024

TRANSLATED: Final = {
    "md5": "md5",
    "sha1": "sha1",
    "sha-1": "sha1",
    "sha256": "sha256",
    "sha-256": "sha256",
    "pdq": "pdq",
    "pdna": "photodna",
    "photodna": "photodna",
    "vpdq": "vpdq",
    "tmk-pdqf": "tmk_pdqf",
    "tmk_pdqf": "tmk_pdqf",
    "netclean": "netclean",
    "videntifier": "videntifier",
    "url": URL,
}


class Fingerprint(msgspec.Struct, frozen=True, gc=False):
    """A value in its normal writing. ``algorithm`` is ours where we know the type, else the source's own name."""

    algorithm: str
    value: str

    def digest(self) -> bytes:
        """The keyed digest under which it is found."""
        return digest_of(self.algorithm, self.value)


@lru_cache(maxsize=256)
def name_of(algorithm: str) -> str:
    """The name under which a type is kept: ours where we know it, else the source's, in small letters."""
    small = algorithm.strip().lower()
    small = TRANSLATED.get(small, small)
    return small if _NAME.match(small) else re.sub(r"[^a-z0-9_.:-]", "_", small)[:40] or "unnamed"


def fingerprint(algorithm: str, value: str) -> Fingerprint:
    """The fingerprint in its normal writing. Raises InputError; ``hash_constant`` for what every empty file has."""
    name = name_of(algorithm)
    if name in _SCOPES:
        return Fingerprint(name, _address(name, value).text())
    known = ALGORITHMS.get(name)
    if known is not None:
        return Fingerprint(name, known.text(known.parse(value)))
    kept = value.strip()
    if not kept or len(kept) > LONGEST_VALUE or "\x00" in kept:
        raise InputError("fingerprint_empty", "A fingerprint is empty or too long.", where=name)
    return Fingerprint(name, kept)


def flaw_of(error: InputError) -> Flaw:
    """Under which flaw a refused fingerprint is set aside."""
    return Flaw.CONSTANT if error.code == "hash_constant" else Flaw.FINGERPRINT


def digest_of(algorithm: str, value: str) -> bytes:
    """The keyed digest of a fingerprint in its normal writing."""
    if algorithm in _SCOPES:
        return url_digest(_SCOPES[algorithm], canonical_from_person(value))
    return matching_bytes("entry-hash", f"{algorithm}\0{value}")[:DIGEST_BYTES]


def digests_of_all(fingerprints: Sequence[Fingerprint]) -> list[bytes]:
    """:func:`digest_of` of each, for pages of thousands."""
    values = [f"{each.algorithm}\0{each.value}" for each in fingerprints if each.algorithm not in _SCOPES]
    digests = iter(matching_all("entry-hash", values))
    return [each.digest() if each.algorithm in _SCOPES else next(digests)[:DIGEST_BYTES] for each in fingerprints]


def url_digest(scope: Scope, url: CanonicalUrl) -> bytes:
    """The digest of an address as far as ``scope`` looks."""
    return matching_bytes("entry-url", f"{scope.value}\0{expression(scope, url)}")[:DIGEST_BYTES]


def digests_covering(url: CanonicalUrl) -> list[bytes]:
    """Digests of all imported addresses, of whatever scope, that would cover ``url``."""
    found = []
    for scope, covering in _covering(url):
        found.append(url_digest(scope, covering))
        found.append(digest_of(EDITION_KEY, edition_key(scope, entry_key(scope, covering))))
    return found


def edition_key(scope: Scope, key: bytes) -> str:
    """An address of another hotline's edition, as it is kept: by scope and key, never the address."""
    return f"{scope.value}:{key.hex()}"


def digests_of(pairs: Iterable[tuple[str, str]]) -> dict[bytes, str]:
    """Digest to type, for values that can be read; others are left out."""
    found = {}
    for algorithm, value in pairs:
        try:
            found[fingerprint(algorithm, value).digest()] = algorithm
        except InputError:
            continue
    return found


def _covering(url: CanonicalUrl) -> Iterator[tuple[Scope, CanonicalUrl]]:
    yield Scope.URL, url
    yield Scope.PAGE, url
    yield (Scope.IP if url.is_address() else Scope.HOST), url
    for path in prefixes_of(url.path):
        yield Scope.PREFIX, CanonicalUrl(url.scheme, url.host, url.port, path, None)
    for host in () if url.is_address() else hosts_of(url):
        yield Scope.DOMAIN, CanonicalUrl(url.scheme, host, url.port, "/", None)


def _address(name: str, value: str) -> CanonicalUrl:
    url = canonical_from_person(value)
    if name == URL:
        return url
    if url.path not in ("", "/") or url.query is not None:
        raise InputError("fingerprint_host", "A host name has a path.", where=name)
    return CanonicalUrl("http", url.host, None, "/", None)
