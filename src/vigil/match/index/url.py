"""Is this address on a list? An index of URL entries that holds digests only, in a few dozen bytes an entry.

Order of a check (docs/spec/canonical-url.md §7): canonical form, else the second pass; the host and its suffixes
against the 8-byte host digests, where almost all traffic ends; for a listed host the 16-byte digests of url, page,
prefixes from the longest, host, domain, ip. The most specific match answers; among equals the first list.

The obvious twin, which compares entry by entry, is ``url_twin``.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from secrets import token_hex
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from vigil.base.errors import InputError
from vigil.base.limits import URL_BYTES
from vigil.match.index.columns import open_columns, write_columns
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
from vigil.match.urls.plain import HOST_OF, hosts_of_plain
from vigil.match.urls.scopes import (
    EXACT_HOST,
    HOST_ONLY_SKIPPED,
    PORT_EXACT,
    QUERY_SET,
    SCHEME_EXACT,
    expression,
    host_state,
    key_state,
    query_set_expression,
)

# Spellings of the scheme column in files; position 0 stands for "any".
SCHEMES: Final = ("", "http", "https", "ws", "wss")
_KNOWN_FLAGS: Final = sum(flag.value for flag in EntryFlag)
_CACHED_HOSTS: Final = 65_536
_SALT_BYTES: Final = 16
_UNREAD: Final = frozenset({""})
_FILTER_BITS_LOG2: Final = 6
_SPAN_LOG2: Final = 5
_NOT_FOR_HOSTS: Final = HOST_ONLY_SKIPPED | SCHEME_EXACT | PORT_EXACT
KIND: Final = "urls"
# The arrays of an index, as attributes and as columns of its file; the filter beside them.
_LAID_OUT: Final = (
    "high", "low", "scopes", "schemes", "flags", "ports", "entries", "lists", "expires", "rows", "hosts", "depths",
)  # fmt: skip
_URL, _PAGE, _PREFIX, _HOST, _DOMAIN, _IP = range(len(SCOPES))
_QUERY_SETS: Final = len(SCOPES)
_OF_SUFFIX: Final = (_DOMAIN,)
_OF_HOST: Final = (_HOST, _DOMAIN)
_ENTRY_TYPES: Final[dict[str, tuple[type[np.generic], int]]] = {
    "keys": (np.uint8, KEY_BYTES),
    "scopes": (np.uint8, 0),
    "flags": (np.uint16, 0),
    "ports": (np.uint16, 0),
    "schemes": (np.uint8, 0),
    "entries": (np.uint64, 0),
    "lists": (np.uint16, 0),
    "expires": (np.int64, 0),
}
_HOST_TYPES: Final[dict[str, tuple[type[np.generic], int]]] = {"keys": (np.uint8, HOST_KEY_BYTES), "max_depth": (np.uint8, 0)}
_MOST: Final = {"scopes": len(SCOPES) - 1, "schemes": len(SCHEMES) - 1, "flags": _KNOWN_FLAGS, "max_depth": MAX_DEPTH}


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
    url: CanonicalUrl,
    scope: Scope,
    flags: EntryFlag,
    entry: int,
    *,
    list_number: int,
    expires: int = 0,
    digest_key: bytes | None = None,
) -> UrlRecord:
    """The record of an entry: the one way from an address to its digests. Raises InputError where they do not fit."""
    require_entry(scope, url)
    asked = int(flags)  # a million entries: see the plain numbers of flags
    return UrlRecord(
        key=entry_key(scope, url, digest_key, flags),
        host_key=host_key(url.host, digest_key),
        depth=depth_of(url.path) if scope is Scope.PREFIX else 0,
        scope=scope,
        flags=asked,
        port=url.effective_port() if asked & PORT_EXACT else 0,
        scheme=url.scheme if asked & SCHEME_EXACT else "",
        entry=entry,
        list=list_number,
        expires=expires,
    )


@dataclass(frozen=True, slots=True)
class UrlHit:
    """The entry that answers: numbers only.

    ``row`` is its position in the columns or records the index was built from; ``second_pass`` says that the address
    was refused and only a lax reading of it is listed.
    """

    entry: int
    list: int
    scope: Scope
    flags: EntryFlag
    row: int
    second_pass: bool = False


@dataclass(frozen=True, slots=True)
class UrlUnknown:
    """The address could not be read; ``reason`` is the value of a :class:`vigil.match.urls.Refusal`."""

    reason: str


class EntryArrays(Protocol):
    """The n entries of an edition as arrays, in any order: what ``editions.model.UrlColumns`` is.

    ``keys`` (n, 16) uint8; ``scopes`` (position in SCOPES) and ``schemes`` (position in SCHEMES, 0 = any) uint8;
    ``flags``, ``ports`` (0 = any), ``lists`` uint16; ``entries`` uint64; ``expires`` int64 unix seconds, 0 = never.
    """

    @property
    def keys(self) -> NDArray[np.uint8]: ...
    @property
    def scopes(self) -> NDArray[np.uint8]: ...
    @property
    def flags(self) -> NDArray[np.uint16]: ...
    @property
    def ports(self) -> NDArray[np.uint16]: ...
    @property
    def schemes(self) -> NDArray[np.uint8]: ...
    @property
    def entries(self) -> NDArray[np.uint64]: ...
    @property
    def lists(self) -> NDArray[np.uint16]: ...
    @property
    def expires(self) -> NDArray[np.int64]: ...


class HostArrays(Protocol):
    """The m hosts that have entries: ``keys`` (m, 8) uint8 and ``max_depth`` (m,) uint8 of their deepest prefix entry."""

    @property
    def keys(self) -> NDArray[np.uint8]: ...
    @property
    def max_depth(self) -> NDArray[np.uint8]: ...


@dataclass(frozen=True, slots=True)
class EntryTable:
    """Arrays as :class:`EntryArrays` wants them."""

    keys: NDArray[np.uint8]
    scopes: NDArray[np.uint8]
    flags: NDArray[np.uint16]
    ports: NDArray[np.uint16]
    schemes: NDArray[np.uint8]
    entries: NDArray[np.uint64]
    lists: NDArray[np.uint16]
    expires: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class HostTable:
    """Arrays as :class:`HostArrays` wants them."""

    keys: NDArray[np.uint8]
    max_depth: NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class HostEntries:
    """The n entries for whole hosts of an index.

    ``keys``       (n, 2) uint64, sorted
    ``is_host``    (n,) bool: kept under the digest of scope host, else of scope domain
    ``is_below``   (n,) bool: covers the names below its host too
    ``expires``    (n,) int64 unix seconds, 0 = never
    ``states``     the digests of scope host and of scope domain before the name
    """

    keys: NDArray[np.uint64]
    is_host: NDArray[np.bool_]
    is_below: NDArray[np.bool_]
    expires: NDArray[np.int64]
    states: tuple[blake2b, blake2b]


class UrlIndex:
    """Entries of one edition, ready to answer. Never changes: a new edition is a new index."""

    def __init__(self, entries: EntryArrays, hosts: HostArrays, digest_key: bytes | None = None) -> None:
        require_arrays(entries, hosts)
        self._set_up(digest_key)
        self._lay_out_entries(entries)
        self._lay_out_hosts(hosts)

    def _set_up(self, digest_key: bytes | None) -> None:
        self._host_state = host_state(digest_key)
        self._states = [key_state(scope, digest_key) for scope in SCOPES]
        self._states.append(key_state(Scope.URL, digest_key, query_set_only=True))
        # Hosts that are not listed: two keyed hashes of a name, 128 bits as in the digests of entries, so that no other
        # host is ever taken for it. The names themselves, which somebody asked for, are kept nowhere.
        self._cache: dict[int, int] = {}
        self._salt = token_hex(_SALT_BYTES)

    def _lay_out_entries(self, entries: EntryArrays) -> None:
        """Sorted by key, then by list and number: the first fitting one of a run is the answer."""
        keys = _numbers(entries.keys)
        order = np.lexsort((entries.entries, entries.lists, keys[:, 1], keys[:, 0]))
        self._high, self._low = _view(keys[order, 0]), _view(keys[order, 1])
        self._scopes, self._schemes = _view(entries.scopes[order]), _view(entries.schemes[order])
        self._flags, self._ports = _view(entries.flags[order]), _view(entries.ports[order])
        self._entries, self._lists = _view(entries.entries[order]), _view(entries.lists[order])
        self._expires, self._rows = _view(entries.expires[order]), _view(order.astype(np.uint32))
        reduced = (entries.flags & np.uint16(QUERY_SET) != 0) & (entries.scopes == _URL)
        self._present = frozenset(np.unique(np.where(reduced, _QUERY_SETS, entries.scopes)).tolist())

    def _lay_out_hosts(self, hosts: HostArrays) -> None:
        """Sorted by digest, behind a filter of one bit in 64 or more, which almost all traffic does not pass."""
        numbers = _numbers(hosts.keys)[:, 0]
        order = np.argsort(numbers, kind="stable")
        self._hosts, self._depths = _view(numbers[order]), _view(hosts.max_depth[order])
        bits = max(len(numbers), 1024).bit_length() + _FILTER_BITS_LOG2
        self._shift = 64 - bits
        marks = np.zeros(1 << bits, np.bool_)
        marks[numbers >> np.uint64(self._shift)] = True
        self._filter = np.packbits(marks, bitorder="little")
        self._filter_view = _view(self._filter)
        self._lay_out_spans()

    def _lay_out_spans(self) -> None:
        """Digests are spread evenly: their first bits tell between which places, 32 apart or so, one can only be."""
        self._host_span, self._host_spans = _spans(self._hosts)
        self._key_span, self._key_spans = _spans(self._high)

    @classmethod
    def build(cls, records: Iterable[UrlRecord], digest_key: bytes | None = None) -> UrlIndex:
        """An index of records, keyed as they are. Raises InputError for a record outside the bounds of its fields."""
        rows = list(records)
        return cls(_entry_table(rows), _host_table(rows), digest_key)

    @classmethod
    def from_columns(cls, entries: EntryArrays, hosts: HostArrays, digest_key: bytes | None = None) -> UrlIndex:
        """An index straight from the arrays of an edition: about a second for a million entries."""
        return cls(entries, hosts, digest_key)

    def save(self, path: Path) -> None:
        """Write the index to a file that :meth:`open` maps; the key of its digests is not in it."""
        arrays = {name: np.asarray(getattr(self, f"_{name}")) for name in _LAID_OUT}
        write_columns(path, KIND, {**arrays, "filter": self._filter}, {"present": sorted(self._present), "shift": self._shift})

    @classmethod
    def open(cls, path: Path, digest_key: bytes | None = None) -> UrlIndex:
        """An index whose arrays are mapped from ``path``, shared between processes. Raises InputError for other files."""
        arrays, notes = open_columns(path, KIND)
        index = cls.__new__(cls)
        index._set_up(digest_key)
        if set(arrays) != {*_LAID_OUT, "filter"} or set(notes) != {"present", "shift"}:
            raise InputError("index_corrupt", "The file does not hold the columns of an index.", where=path.name)
        for name in _LAID_OUT:
            setattr(index, f"_{name}", _view(arrays[name]))
        index._shift, index._present = notes["shift"], frozenset(notes["present"])
        index._filter = arrays["filter"]
        index._filter_view = _view(index._filter)
        index._lay_out_spans()
        return index

    def __len__(self) -> int:
        return len(self._high)

    def nbytes(self) -> int:
        """Memory of all arrays, in bytes."""
        return sum(value.nbytes for value in vars(self).values() if isinstance(value, memoryview))

    def lookup(self, url: CanonicalUrl, now: int | None = None) -> UrlHit | None:
        """The most specific entry that covers the address; entries expired at ``now`` (unix seconds) do not count."""
        for host in hosts_of(url):
            row = self._row(host)
            if row >= 0:
                hit = self._lookup_at(row, host, url, now)
                if hit is not None:
                    return hit
        return None

    def _lookup_at(self, row: int, host: str, url: CanonicalUrl, now: int | None) -> UrlHit | None:
        """The most specific entry among those of one listed host: the host itself or a suffix of it."""
        exact = host is url.host
        for kind, text in _expressions(url, self._depths[row], self._present) if exact else ((_DOMAIN, host),):
            for at in self._run(kind, text):
                if self._fits(at, kind, exact, now) and self._fits_client(at, url):
                    return self._hit(at, UrlFlag.SECOND_PASS in url.flags)
        return None

    def lookup_host(self, host: str, now: int | None = None) -> UrlHit | None:
        """The entry that an adapter which sees only the host may enforce (DNS, SNI, CONNECT).

        ``host`` is a canonical one. Only entries of scope host and domain without ``HOST_ONLY_SKIPPED`` count, and
        those whose scheme or port must be exact do not: nothing is known of either.
        """
        at = self.host_place(host, now)
        return self._hit(at, False) if at >= 0 else None

    def host_place(self, host: str, now: int | None = None) -> int:
        """The position of that entry, for :meth:`class_at`; -1 for none. Makes no object; remembers hosts without one."""
        if self._cache.get(hash(host)) == hash(self._salt + host):
            return -1
        name, unlisted = host, len(host) <= NAME_BYTES
        is_address = host[-1:].isdecimal() and host.rpartition(".")[2].isdecimal()
        while True:
            if self._row(name) >= 0:
                unlisted = False
                at = self._host_place(name, name is host, now)
                if at >= 0:
                    return at
            name = name.partition(".")[2]
            if is_address or "." not in name:
                if unlisted:
                    self._remember([host])
                return -1

    def _host_place(self, name: str, exact: bool, now: int | None) -> int:
        """The first entry of a listed host, itself or a suffix of what was asked, that its adapter may enforce; -1 for none."""
        for kind in _OF_HOST if exact else _OF_SUFFIX:
            for at in self._run(kind, name):
                if self._fits(at, kind, exact, now) and not self._flags[at] & _NOT_FOR_HOSTS:
                    return at
        return -1

    def class_at(self, place: int) -> tuple[int, int]:
        """The list of the entry at ``place``, and its row."""
        return self._lists[place], self._rows[place]

    def entry_at(self, place: int) -> int:
        """The number of the entry at ``place``."""
        return int(self._entries[place])

    def entry_numbers(self) -> NDArray[np.uint64]:
        """The numbers of all entries, in the order of the index."""
        return np.asarray(self._entries, np.uint64)

    def host_entries(self) -> HostEntries:
        """The entries for whole hosts that an adapter which sees only the host may enforce."""
        scopes, flags = np.asarray(self._scopes), np.asarray(self._flags)
        rows = np.flatnonzero(np.isin(scopes, _OF_HOST) & (flags & np.uint16(_NOT_FOR_HOSTS) == 0))
        keys = np.stack([np.asarray(self._high)[rows], np.asarray(self._low)[rows]], axis=1)
        is_domain = (scopes[rows] == _DOMAIN) & (flags[rows] & np.uint16(EXACT_HOST) == 0)
        states = self._states[_HOST], self._states[_DOMAIN]
        return HostEntries(keys, scopes[rows] == _HOST, is_domain, np.asarray(self._expires)[rows], states)

    def check(self, address: str | bytes, now: int | None = None) -> UrlHit | UrlUnknown | None:
        """Canonical form or second pass, then lookup. None is "not listed"; an address nobody can read is unknown."""
        if isinstance(address, str) and self.is_unlisted(address):
            return None
        return self._check_fully(address, now)

    def is_unlisted(self, address: str) -> bool:
        """True for a plain address of a host that is not listed, nor any suffix of it; False where it must be checked."""
        found = HOST_OF(address) if len(address) <= URL_BYTES.value else None
        return found is not None and self.is_unlisted_host(found[1])

    def check_many(self, addresses: Sequence[str | bytes], now: int | None = None) -> list[UrlHit | UrlUnknown | None]:
        """The same for a batch, in order; far cheaper where most hosts are not listed."""
        results: list[UrlHit | UrlUnknown | None] = [None] * len(addresses)
        for at in self._doubtful(addresses):
            results[at] = self._check_fully(addresses[at], now)
        return results

    def _check_fully(self, address: str | bytes, now: int | None) -> UrlHit | UrlUnknown | None:
        try:
            return self.lookup(canonical(address), now)
        except UrlRefused as refused:
            reason = refused.code
        for candidate in second_pass(address):
            hit = self.lookup(candidate, now)
            if hit is not None:
                return hit
        return UrlUnknown(reason)

    def is_unlisted_host(self, host: str) -> bool:
        """True for a plain host that is not listed, nor any suffix of it; such hosts are remembered."""
        if self._cache.get(hash(host)) == hash(self._salt + host):
            return True
        name = host
        while "." in name:
            if self._row(name) >= 0:
                return False
            name = name.partition(".")[2]
        if len(host) > NAME_BYTES:
            return False
        self._remember([host])
        return True

    def _remember(self, hosts: list[str]) -> None:
        """Hosts known not to be listed. The index never changes, so nothing remembered ever becomes wrong."""
        if len(self._cache) > _CACHED_HOSTS:
            self._cache.clear()
        salt = self._salt
        self._cache.update([(hash(host), hash(salt + host)) for host in hosts[:_CACHED_HOSTS]])

    def _doubtful(self, addresses: Sequence[str | bytes]) -> list[int]:
        """Positions of the addresses that are not plain, or of whose host or its suffixes one is listed."""
        if not addresses:
            return []
        texts = [address if isinstance(address, str) else text_of(address) for address in addresses]
        hosts = hosts_of_plain(texts)
        known, salt = self._cache.get, self._salt
        asked = [host for host in set(hosts) - _UNREAD if known(hash(host)) != hash(salt + host)]
        doubted = self._maybe_listed(asked) | _UNREAD
        return [at for at, host in enumerate(hosts) if host in doubted]

    def _maybe_listed(self, hosts: list[str]) -> set[str]:
        """The plain hosts that are listed, or a suffix of which is; the others are remembered."""
        if not hosts:
            return set()
        digests: list[bytes] = []
        ends: list[int] = []
        copy, append = self._host_state.copy, digests.append
        for host in hosts:
            name = host.encode()
            while True:
                state = copy()
                state.update(name)
                append(state.digest())
                name = name[name.find(b".") + 1 :]
                if b"." not in name:
                    break
            ends.append(len(digests))
        listed = {hosts[bisect_right(ends, at)] for at in self._passed(digests).tolist()}
        self._remember([host for host in hosts if host not in listed] if listed else hosts)
        return listed

    def _passed(self, digests: list[bytes]) -> NDArray[np.intp]:
        """Positions of the host digests that are listed: first by the filter, then, for the few left, exactly."""
        numbers = np.frombuffer(b"".join(digests), ">u8")
        bits = numbers >> np.uint64(self._shift)
        marks = self._filter[bits >> np.uint64(3)] >> (bits & np.uint64(7)).astype(np.uint8)
        left = np.flatnonzero(marks & np.uint8(1))
        hosts = np.asarray(self._hosts)
        rows = np.searchsorted(hosts, numbers[left])
        known = rows < len(hosts)
        known[known] = hosts[rows[known]] == numbers[left[known]]
        return left[known]

    def _row(self, host: str) -> int:
        """The row of a host, or -1."""
        state = self._host_state.copy()
        state.update(host.encode())
        number = int.from_bytes(state.digest(), "big")
        mark = number >> self._shift
        if not self._filter_view[mark >> 3] >> (mark & 7) & 1:
            return -1
        span, spans = number >> self._host_span, self._host_spans
        row = bisect_left(self._hosts, number, spans[span], spans[span + 1])
        return row if row < len(self._hosts) and self._hosts[row] == number else -1

    def _run(self, kind: int, text: str) -> Sequence[int]:
        """Positions of the entries that have the key of this expression, the first list first."""
        if kind not in self._present:
            return ()
        state = self._states[kind].copy()
        state.update(text.encode("ascii"))
        key = state.digest()
        high, low = int.from_bytes(key[:8], "big"), int.from_bytes(key[8:], "big")
        span, spans = high >> self._key_span, self._key_spans
        at, found = bisect_left(self._high, high, spans[span], spans[span + 1]), []
        while at < len(self._high) and self._high[at] == high:
            if self._low[at] == low:
                found.append(at)
            at += 1
        return found

    def _fits(self, at: int, kind: int, exact: bool, now: int | None) -> bool:
        """The entry has this scope, was listed for this expression and has not expired."""
        flags, expires = self._flags[at], self._expires[at]
        reduced = kind == _QUERY_SETS
        if self._scopes[at] != (_URL if reduced else kind) or (kind == _URL and flags & QUERY_SET):
            return False
        if (reduced and not flags & QUERY_SET) or (not exact and flags & EXACT_HOST):
            return False
        return expires == 0 or now is None or now < expires

    def _fits_client(self, at: int, url: CanonicalUrl) -> bool:
        """Scheme and port are those of the record where the entry insists on them."""
        flags = self._flags[at]
        if flags & SCHEME_EXACT and SCHEMES[self._schemes[at]] not in ("", url.scheme):
            return False
        return not flags & PORT_EXACT or self._ports[at] in (0, url.effective_port())

    def _hit(self, at: int, second_pass: bool) -> UrlHit:
        scope, flags = SCOPES[self._scopes[at]], EntryFlag(self._flags[at])
        return UrlHit(self._entries[at], self._lists[at], scope, flags, self._rows[at], second_pass)


def _expressions(url: CanonicalUrl, deepest: int, present: frozenset[int]) -> Iterator[tuple[int, str]]:
    """What could cover an address of a listed host, from the most specific: the kind of key and its text."""
    host = url.host
    yield _URL, expression(Scope.URL, url)
    if _QUERY_SETS in present:
        yield _QUERY_SETS, query_set_expression(url)
    yield _PAGE, host + url.path
    if _PREFIX in present:
        for prefix in prefixes_of(url.path, deepest):
            yield _PREFIX, host + prefix
    yield _HOST, host
    yield _DOMAIN, host
    yield _IP, host


def _view(array: NDArray[Any]) -> memoryview:
    """One value of a memory view is read in a third of the time of one of an array."""
    return np.ascontiguousarray(array).data


def _spans(sorted_numbers: memoryview) -> tuple[int, memoryview]:
    """How far a 64-bit number is shifted to the right to tell its span, and where each span begins; then where all end."""
    numbers = np.asarray(sorted_numbers, np.uint64)
    bits = max(len(numbers).bit_length() - _SPAN_LOG2, 1)
    starts = np.searchsorted(numbers, np.arange(1 << bits, dtype=np.uint64) << np.uint64(64 - bits))
    return 64 - bits, _view(np.append(starts, len(numbers)).astype(np.uint32))


def _numbers(digests: NDArray[np.uint8]) -> NDArray[np.uint64]:
    """Digests as big-endian numbers, eight bytes each, so that numeric order is the order of the bytes."""
    return np.ascontiguousarray(digests).view(">u8").astype(np.uint64)


def require_arrays(entries: EntryArrays, hosts: HostArrays) -> None:
    """Refuse arrays of the wrong shape, type or range with InputError: a loaded file is a stranger's file."""
    for name, (kind, width) in _ENTRY_TYPES.items():
        _require_array(getattr(entries, name), len(entries.keys), kind, width, name)
    for name, (kind, width) in _HOST_TYPES.items():
        _require_array(getattr(hosts, name), len(hosts.keys), kind, width, f"hosts {name}")
    if len(entries.expires) and int(entries.expires.min()) < 0:
        raise _out_of_range("expires")
    for name, most in _MOST.items():
        column = hosts.max_depth if name == "max_depth" else getattr(entries, name)
        if len(column) and int(column.max()) > most:
            raise _out_of_range(name)


def _require_array(column: NDArray[Any], count: int, kind: type[np.generic], width: int, name: str) -> None:
    if column.dtype != kind or column.shape != ((count, width) if width else (count,)):
        raise InputError("url_columns", "A column of URL entries has the wrong type or length.", where=name)


def _out_of_range(name: str) -> InputError:
    return InputError("url_columns", "A column of URL entries holds a value out of range.", where=name)


def _entry_table(records: list[UrlRecord]) -> EntryTable:
    for record in records:
        sizes = (len(record.key), len(record.host_key))
        if sizes != (KEY_BYTES, HOST_KEY_BYTES) or record.scheme not in SCHEMES or not 0 <= record.depth <= MAX_DEPTH:
            raise InputError("url_record", "A URL record has a field out of its bounds.", where=f"entry {record.entry}")
    scopes = {scope: number for number, scope in enumerate(SCOPES)}
    try:
        return EntryTable(
            keys=np.frombuffer(b"".join(r.key for r in records), np.uint8).reshape(-1, KEY_BYTES),
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


def _host_table(records: list[UrlRecord]) -> HostTable:
    deepest: dict[bytes, int] = {}
    for record in records:
        deepest[record.host_key] = max(deepest.get(record.host_key, 0), record.depth)
    keys = np.frombuffer(b"".join(deepest), np.uint8).reshape(-1, HOST_KEY_BYTES)
    return HostTable(keys, np.array(list(deepest.values()), np.uint8))
