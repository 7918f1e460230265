"""Is this address on a list? An index of URL entries that holds digests only, in a few dozen bytes an entry.

Order of a check (docs/spec/canonical-url.md §7): canonical form, else the second pass; the host and its suffixes
against the 8-byte host digests, where almost all traffic ends; for a listed host the 16-byte digests of url, page,
prefixes from the longest, host, domain, ip. The most specific match answers; among equals the first list.

The obvious twin, which compares entry by entry, is ``url_twin``.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Final

import numpy as np
from numpy.typing import NDArray

from vigil.base.errors import InputError
from vigil.base.limits import URL_BYTES
from vigil.match.urls import (
    HOST_KEY_BYTES,
    KEY_BYTES,
    MAX_DEPTH,
    SCOPES,
    CanonicalUrl,
    EntryFlag,
    Scope,
    UrlFlag,
    UrlRefused,
    canonical,
    depth_of,
    entry_key,
    host_key,
    hosts_of,
    prefixes_of,
    require_entry,
    second_pass,
)
from vigil.match.urls.canonical import text_of
from vigil.match.urls.hosts import NAME_BYTES
from vigil.match.urls.plain import HOST_OF
from vigil.match.urls.scopes import HOST_PERSON

# Spellings of the scheme column in files; position 0 stands for "any".
SCHEMES: Final = ("", "http", "https", "ws", "wss")
_KNOWN_FLAGS: Final = int(~EntryFlag(0))
_CACHED_HOSTS: Final = 65_536
_FILTER_BITS_LOG2: Final = 6
_QUERY_SET_BIT: Final = 1 << len(SCOPES)


@dataclass(frozen=True, slots=True, repr=False)
class UrlRecord:
    """One entry as an edition keeps it.

    ``key``      16 bytes, :func:`vigil.match.urls.entry_key`;  ``host_key``  8 bytes.
    ``depth``    components of a prefix entry's path, else 0.
    ``flags``    an :class:`EntryFlag`.
    ``port``     the port a client connects to, for ``PORT_EXACT``; 0 is any.
    ``scheme``   for ``SCHEME_EXACT``; empty is any.
    ``entry``    number of the entry;  ``list``  number of the list in the edition, which is also its rank.
    ``expires``  unix seconds; 0 is never.
    """

    key: bytes
    host_key: bytes
    depth: int
    scope: Scope
    flags: int
    port: int
    scheme: str
    entry: int
    list: int
    expires: int = 0


def record_of(
    url: CanonicalUrl, scope: Scope, flags: EntryFlag, entry: int, *, list_number: int, expires: int = 0, digest_key: bytes | None = None
) -> UrlRecord:
    """The record of an entry: the one way from an address to its digests. Raises InputError where they do not fit."""
    require_entry(scope, url)
    return UrlRecord(
        key=entry_key(scope, url, digest_key, flags),
        host_key=host_key(url.host, digest_key),
        depth=depth_of(url.path) if scope is Scope.PREFIX else 0,
        scope=scope,
        flags=int(flags),
        port=url.effective_port() if flags & EntryFlag.PORT_EXACT else 0,
        scheme=url.scheme if flags & EntryFlag.SCHEME_EXACT else "",
        entry=entry,
        list=list_number,
        expires=expires,
    )


@dataclass(frozen=True, slots=True)
class UrlHit:
    """The entry that answers: numbers only. ``second_pass`` where the address was refused but a lax reading is listed."""

    entry: int
    list: int
    scope: Scope
    flags: EntryFlag
    second_pass: bool = False


@dataclass(frozen=True, slots=True)
class UrlUnknown:
    """The address could not be read; ``reason`` is the value of a :class:`vigil.match.urls.Refusal`."""

    reason: str


@dataclass(frozen=True, slots=True)
class Columns:
    """The entries of one edition as arrays of equal length n, in any order, as they stand in its files.

    ``keys`` (n, 16) uint8; ``host_keys`` (n, 8) uint8; ``depths``, ``scopes`` (position in SCOPES) and ``schemes``
    (position in SCHEMES) uint8; ``flags``, ``ports``, ``lists`` uint16; ``entries`` uint64; ``expires`` int64.
    """

    keys: NDArray[np.uint8]
    host_keys: NDArray[np.uint8]
    depths: NDArray[np.uint8]
    scopes: NDArray[np.uint8]
    flags: NDArray[np.uint16]
    ports: NDArray[np.uint16]
    schemes: NDArray[np.uint8]
    entries: NDArray[np.uint64]
    lists: NDArray[np.uint16]
    expires: NDArray[np.int64]


_TYPES: Final[dict[str, tuple[type[np.generic], int]]] = {
    "keys": (np.uint8, KEY_BYTES),
    "host_keys": (np.uint8, HOST_KEY_BYTES),
    "depths": (np.uint8, 0),
    "scopes": (np.uint8, 0),
    "flags": (np.uint16, 0),
    "ports": (np.uint16, 0),
    "schemes": (np.uint8, 0),
    "entries": (np.uint64, 0),
    "lists": (np.uint16, 0),
    "expires": (np.int64, 0),
}
_MOST: Final = {"depths": MAX_DEPTH, "scopes": len(SCOPES) - 1, "schemes": len(SCHEMES) - 1, "flags": _KNOWN_FLAGS}


class UrlIndex:
    """Entries of one edition, ready to answer. Never changes: a new edition is a new index."""

    def __init__(self, columns: Columns, digest_key: bytes | None = None) -> None:
        _require_columns(columns)
        self._digest_key = digest_key
        self._state = blake2b(digest_size=HOST_KEY_BYTES, key=digest_key or b"", person=HOST_PERSON)
        hosts = _numbers(columns.host_keys)[:, 0]
        keys = _numbers(columns.keys)
        order = np.lexsort((columns.entries, columns.lists, keys[:, 1], keys[:, 0], hosts))
        self._high = memoryview(keys[order, 0])
        self._low = memoryview(keys[order, 1])
        for name in ("scopes", "flags", "ports", "schemes", "entries", "lists", "expires"):
            setattr(self, f"_{name}", memoryview(np.ascontiguousarray(getattr(columns, name)[order])))
        self._lay_out_hosts(hosts[order], columns, order)
        self._cache: dict[str, None] = {}

    _scopes: memoryview
    _flags: memoryview
    _ports: memoryview
    _schemes: memoryview
    _entries: memoryview
    _lists: memoryview
    _expires: memoryview

    def _lay_out_hosts(self, hosts: NDArray[np.uint64], columns: Columns, order: NDArray[np.intp]) -> None:
        """One row a host: where its entries start, its deepest prefix, the scopes it has; and the filter before it."""
        unique, starts = np.unique(hosts, return_index=True)
        count = len(unique)
        scopes = (1 << columns.scopes[order].astype(np.uint8)).astype(np.uint8)
        scopes |= np.where(columns.flags[order] & EntryFlag.QUERY_SET, _QUERY_SET_BIT, 0).astype(np.uint8)
        self._hosts = memoryview(unique)
        self._starts = memoryview(np.append(starts, len(hosts)).astype(np.uint32))
        empty = np.zeros(0, np.uint8)
        self._depths = memoryview(np.maximum.reduceat(columns.depths[order], starts) if count else empty)
        self._masks = memoryview(np.bitwise_or.reduceat(scopes, starts) if count else empty)
        bits = max(count, 1024).bit_length() + _FILTER_BITS_LOG2
        self._shift = 64 - bits
        marks = np.zeros(1 << bits, np.bool_)
        marks[unique >> np.uint64(self._shift)] = True
        self._filter = np.packbits(marks, bitorder="little")

    @classmethod
    def build(cls, records: Iterable[UrlRecord], digest_key: bytes | None = None) -> UrlIndex:
        """An index of records, keyed as they are. Raises InputError for a record outside the bounds of its fields."""
        return cls(_columns_of(list(records)), digest_key)

    @classmethod
    def from_columns(cls, columns: Columns, digest_key: bytes | None = None) -> UrlIndex:
        """An index straight from the arrays of an edition: about a second for a million entries."""
        return cls(columns, digest_key)

    def __len__(self) -> int:
        return len(self._high)

    def nbytes(self) -> int:
        """Memory of all arrays, in bytes."""
        views = [value for value in vars(self).values() if isinstance(value, memoryview)]
        return sum(view.nbytes for view in views) + self._filter.nbytes

    def lookup(self, url: CanonicalUrl, now: int | None = None) -> UrlHit | None:
        """The most specific entry that covers the address; entries expired at ``now`` (unix seconds) do not count."""
        exact = True
        for host in hosts_of(url):
            row = self._row(host)
            if row >= 0:
                hit = self._in_row(row, host, exact, url, now)
                if hit is not None:
                    return hit
            exact = False
        return None

    def lookup_host(self, host: str, now: int | None = None) -> UrlHit | None:
        """The entry that an adapter which sees only the host may enforce (DNS, SNI, CONNECT).

        Entries of scope host and domain without ``HOST_ONLY_SKIPPED``; never an address.
        """
        url = CanonicalUrl("", host, None, "/", None)
        exact = True
        for name in hosts_of(url):
            row = self._row(name)
            if row >= 0:
                for scope in (Scope.HOST, Scope.DOMAIN) if exact else (Scope.DOMAIN,):
                    for at in self._run(row, self._key(scope, CanonicalUrl("", name, None, "/", None))):
                        if self._fits_host(at, scope, exact, now):
                            return self._hit(at, scope, url)
            exact = False
        return None

    def check(self, address: str | bytes, now: int | None = None) -> UrlHit | UrlUnknown | None:
        """Canonical form or second pass, then lookup. None is "not listed"; an address nobody can read is unknown."""
        try:
            return self.lookup(canonical(address), now)
        except UrlRefused as refused:
            reason = refused.code
        for candidate in second_pass(address):
            hit = self.lookup(candidate, now)
            if hit is not None:
                return hit
        return UrlUnknown(reason)

    def check_many(self, addresses: Sequence[str | bytes], now: int | None = None) -> list[UrlHit | UrlUnknown | None]:
        """The same for a batch, in order; far cheaper where most hosts are not listed."""
        results: list[UrlHit | UrlUnknown | None] = [None] * len(addresses)
        texts = [address if isinstance(address, str) else text_of(address) for address in addresses]
        for at in self._doubtful(texts):
            results[at] = self.check(addresses[at], now)
        return results

    def _doubtful(self, texts: list[str]) -> list[int]:
        """Positions of the addresses that are not plain, or whose host or a suffix of it may be listed."""
        matches = list(map(HOST_OF, texts))
        cache = self._cache
        doubtful: list[int] = []
        fresh: list[tuple[int, str]] = []
        for at, found in enumerate(matches):
            if found is None or len(texts[at]) > URL_BYTES.value:
                doubtful.append(at)
            elif (host := found[1]) not in cache:
                fresh.append((at, host))
        if fresh:
            doubtful += self._maybe_listed(fresh)
        return doubtful

    def _maybe_listed(self, fresh: list[tuple[int, str]]) -> list[int]:
        """Of positions and hosts, the positions whose host or a suffix passes the filter; the others are remembered."""
        digests: list[bytes] = []
        owners: list[int] = []
        copy = self._state.copy
        for number, (_, host) in enumerate(fresh):
            name = host
            while True:
                state = copy()
                state.update(name.encode())
                digests.append(state.digest())
                owners.append(number)
                name = name.partition(".")[2]
                if "." not in name:
                    break
        passed = self._passed(digests)
        maybe = {owners[at] for at in np.flatnonzero(passed).tolist()}
        maybe.update(number for number, (_, host) in enumerate(fresh) if len(host) > NAME_BYTES)
        if len(self._cache) > _CACHED_HOSTS:
            self._cache.clear()
        self._cache.update((host, None) for number, (_, host) in enumerate(fresh) if number not in maybe)
        return [fresh[number][0] for number in maybe]

    def _passed(self, digests: list[bytes]) -> NDArray[np.bool_]:
        numbers = np.frombuffer(b"".join(digests), ">u8") >> np.uint64(self._shift)
        return (self._filter[numbers >> np.uint64(3)] >> (numbers & np.uint64(7)).astype(np.uint8) & 1).astype(np.bool_)

    def _row(self, host: str) -> int:
        """The row of a host, or -1."""
        state = self._state.copy()
        state.update(host.encode())
        number = int.from_bytes(state.digest(), "big")
        mark = number >> self._shift
        if not self._filter[mark >> 3] >> (mark & 7) & 1:
            return -1
        row = bisect_left(self._hosts, number)
        return row if row < len(self._hosts) and self._hosts[row] == number else -1

    def _in_row(self, row: int, host: str, exact: bool, url: CanonicalUrl, now: int | None) -> UrlHit | None:
        """The most specific fitting entry of one host; of a suffix, only entries of scope domain count."""
        mask = self._masks[row]
        for scope, query_set, part in _expressions(url, host, exact, mask, self._depths[row]):
            key = self._key(scope, part, EntryFlag.QUERY_SET if query_set else EntryFlag.NONE)
            for at in self._run(row, key):
                if self._fits(at, scope, query_set, exact, url, now):
                    return self._hit(at, scope, url)
        return None

    def _key(self, scope: Scope, url: CanonicalUrl, flags: EntryFlag = EntryFlag.NONE) -> bytes:
        return entry_key(scope, url, self._digest_key, flags)

    def _run(self, row: int, key: bytes) -> Iterator[int]:
        """Positions of the entries of a row that have this key, the first list first."""
        end = self._starts[row + 1]
        high, low = int.from_bytes(key[:8], "big"), int.from_bytes(key[8:], "big")
        at = bisect_left(self._high, high, self._starts[row], end)
        while at < end and self._high[at] == high:
            if self._low[at] == low:
                yield at
            at += 1

    def _fits(self, at: int, scope: Scope, query_set: bool, exact: bool, url: CanonicalUrl, now: int | None) -> bool:
        """The entry has this scope, is alive, and its flags agree with the address."""
        flags = self._flags[at]
        if SCOPES[self._scopes[at]] is not scope or bool(flags & EntryFlag.QUERY_SET) is not query_set:
            return False
        if not exact and flags & EntryFlag.EXACT_HOST:
            return False
        if flags & EntryFlag.SCHEME_EXACT and SCHEMES[self._schemes[at]] != url.scheme:
            return False
        if flags & EntryFlag.PORT_EXACT and self._ports[at] != url.effective_port():
            return False
        return self._is_alive(at, now)

    def _fits_host(self, at: int, scope: Scope, exact: bool, now: int | None) -> bool:
        flags = self._flags[at]
        wanted = SCOPES[self._scopes[at]] is scope and not flags & EntryFlag.HOST_ONLY_SKIPPED
        return wanted and (exact or not flags & EntryFlag.EXACT_HOST) and self._is_alive(at, now)

    def _is_alive(self, at: int, now: int | None) -> bool:
        expires = self._expires[at]
        return expires == 0 or now is None or now < expires

    def _hit(self, at: int, scope: Scope, url: CanonicalUrl) -> UrlHit:
        second = UrlFlag.SECOND_PASS in url.flags
        return UrlHit(self._entries[at], self._lists[at], scope, EntryFlag(self._flags[at]), second)


def _expressions(
    url: CanonicalUrl, host: str, exact: bool, mask: int, deepest: int
) -> Iterator[tuple[Scope, bool, CanonicalUrl]]:
    """What could cover the address, from the most specific, as far as the host's mask of scopes says it exists."""
    if exact:
        if mask & 1:
            yield Scope.URL, False, url
            if mask & _QUERY_SET_BIT:
                yield Scope.URL, True, url
        if mask & 2:
            yield Scope.PAGE, False, url
        if mask & 4:
            for prefix in prefixes_of(url.path, deepest):
                yield Scope.PREFIX, False, CanonicalUrl(url.scheme, host, url.port, prefix, None)
        if mask & 8:
            yield Scope.HOST, False, url
    if mask & 16:
        yield Scope.DOMAIN, False, CanonicalUrl(url.scheme, host, url.port, "/", None)
    if exact and mask & 32:
        yield Scope.IP, False, url


def _numbers(digests: NDArray[np.uint8]) -> NDArray[np.uint64]:
    """Digests as big-endian numbers, eight bytes each, so that numeric order is the order of the bytes."""
    return np.ascontiguousarray(digests).view(">u8").astype(np.uint64)


def _require_columns(columns: Columns) -> None:
    """Refuse arrays of the wrong shape, type or range: a loaded file is a stranger's file."""
    count = len(columns.keys)
    for name, (kind, width) in _TYPES.items():
        column = getattr(columns, name)
        if column.dtype != kind or column.shape != ((count, width) if width else (count,)):
            raise InputError("url_columns", "A column of URL entries has the wrong type or length.", where=name)
        most = _MOST.get(name)
        if most is not None and count and int(column.max()) > most:
            raise InputError("url_columns", "A column of URL entries holds a value out of range.", where=name)
    if count and int(columns.expires.min()) < 0:
        raise InputError("url_columns", "A column of URL entries holds a value out of range.", where="expires")


def _columns_of(records: list[UrlRecord]) -> Columns:
    """Records as columns."""
    for record in records:
        if len(record.key) != KEY_BYTES or len(record.host_key) != HOST_KEY_BYTES or record.scheme not in SCHEMES:
            raise InputError("url_record", "A URL record has a field of the wrong size or kind.", where=f"entry {record.entry}")
    scopes = {scope: number for number, scope in enumerate(SCOPES)}
    try:
        return Columns(
            keys=np.frombuffer(b"".join(r.key for r in records), np.uint8).reshape(-1, KEY_BYTES),
            host_keys=np.frombuffer(b"".join(r.host_key for r in records), np.uint8).reshape(-1, HOST_KEY_BYTES),
            depths=np.array([r.depth for r in records], np.uint8),
            scopes=np.array([scopes[r.scope] for r in records], np.uint8),
            flags=np.array([r.flags for r in records], np.uint16),
            ports=np.array([r.port for r in records], np.uint16),
            schemes=np.array([SCHEMES.index(r.scheme) for r in records], np.uint8),
            entries=np.array([r.entry for r in records], np.uint64),
            lists=np.array([r.list for r in records], np.uint16),
            expires=np.array([r.expires for r in records], np.int64),
        )
    except OverflowError as error:
        raise InputError("url_record", "A URL record has a number out of range.") from error
