"""What marks look like in files of whatever form: host names and digests, each with the mark it stands for. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from hashlib import md5, sha1, sha256
from typing import Final

from vigil.editions import selftest
from vigil.editions.cipher import digest_key_id
from vigil.editions.leak import Leak
from vigil.editions.marks import ADDRESSES, MARKED_ALGORITHMS, Mark, MarkBook, MarkKind, private_marks
from vigil.match.urls import SCOPES, Scope, entry_key, host_key

KEYED_PLACES: Final = 64

DigestKeys = Mapping[str, Iterable[bytes]]


@dataclass(frozen=True, slots=True)
class Signs:
    """``hosts`` and ``digests`` of marks; ``keyed`` what only a partner's digest key gives, with its mark where it is one."""

    hosts: dict[bytes, Mark]
    digests: dict[bytes, Mark]
    keyed: dict[bytes, tuple[str, Mark | None]]

    @classmethod
    def of(cls, book: MarkBook, digest_keys: DigestKeys) -> Signs:
        return cls(*_of_marks(book), dict(_keyed(book, digest_keys)))

    def marks_in(self, leak: Leak) -> set[Mark]:
        """The marks that are in a leak."""
        plain = {self.digests[value] for value in leak.digests if value in self.digests}
        keyed = {mark for _, mark in self._keyed_in(leak) if mark is not None}
        return {self.hosts[name] for name in leak.hosts} | plain | keyed

    def keys_in(self, leak: Leak) -> set[str]:
        """The partners under whose own digest keys something in the leak was made."""
        return {partner for partner, _ in self._keyed_in(leak)}

    def _keyed_in(self, leak: Leak) -> set[tuple[str, Mark | None]]:
        return {self.keyed[value] for value in leak.digests if value in self.keyed}


@lru_cache(maxsize=2)
def _of_marks(book: MarkBook) -> tuple[dict[bytes, Mark], dict[bytes, Mark]]:
    """Host names and digests of every mark; kept, because one book is used for many files."""
    hosts: dict[bytes, Mark] = {}
    digests: dict[bytes, Mark] = {}
    for name, kind in book.lists:
        if book.carries(kind):
            for mark in _all(book, name):
                if kind in ADDRESSES:
                    hosts[book.address_of(mark).host.encode()] = mark
                digests.update(dict.fromkeys(_digests(book, mark, kind), mark))
    return hosts, digests


def _all(book: MarkBook, name: str) -> Iterator[Mark]:
    yield from (Mark(name, MarkKind.SHARED, place) for place in range(book.positions))
    for partner in book.partners:
        yield from private_marks(partner, name)


def _keyed(book: MarkBook, digest_keys: DigestKeys) -> Iterator[tuple[bytes, tuple[str, Mark | None]]]:
    """What was digested under a partner's own keys: the name of the key itself, the addresses that every edition tests
    with, and marks. A few marks will do: such a file is one partner's as it is."""
    for partner, keys in digest_keys.items():
        for key in keys:
            yield bytes.fromhex(digest_key_id(key)), (partner, None)
            for entry in selftest.url_entries():
                yield entry_key(entry.scope, entry.url, key), (partner, None)
                yield host_key(entry.url.host, key), (partner, None)
            for name in (name for name, kind in book.lists if kind in ADDRESSES and book.carries(kind)):
                for mark in book.marks_of(partner, name, KEYED_PLACES):
                    for value in _keyed_digests(book, mark, key):
                        yield value, (partner, mark)


def _keyed_digests(book: MarkBook, mark: Mark, key: bytes) -> Iterator[bytes]:
    yield from (entry_key(scope, book.address_of(mark, scope), key) for scope in SCOPES if scope is not Scope.IP)
    yield host_key(book.address_of(mark).host, key)


def _digests(book: MarkBook, mark: Mark, kind: str) -> Iterator[bytes]:
    """Keys of an edition, and what others usually make of an address: its digests, with and without scheme."""
    if kind not in ADDRESSES:
        yield from (book.value_of(mark, algorithm) for algorithm in MARKED_ALGORITHMS)
        return
    addresses = {scope: book.address_of(mark, scope) for scope in SCOPES if scope is not Scope.IP}
    yield from (entry_key(scope, address) for scope, address in addresses.items())
    host = addresses[Scope.URL].host
    yield host_key(host)
    for text in {host, *(address.text() for address in addresses.values())}:
        yield from _plain_digests(text)


def _plain_digests(text: str) -> Iterator[bytes]:
    for form in (text, text.partition("://")[2]):
        if form:
            yield from (make(form.encode(), usedforsecurity=False).digest() for make in (md5, sha1, sha256))
