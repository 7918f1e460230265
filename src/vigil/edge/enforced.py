"""An edition in force: immutable, its indexes built into a folder and mapped; shared by all requests that started under it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Final, Literal

import msgspec
import numpy as np
import numpy.typing as npt

from vigil.base.errors import InputError
from vigil.base.files import write_atomically
from vigil.edge.questions import HashQuestion, Values
from vigil.edge.terms import open_terms, write_terms
from vigil.editions.model import Edition, HashColumns, LabelColumn, ListKind, Secret
from vigil.match.hashing import ALGORITHMS, Kind
from vigil.match.index import DigestTable, HammingIndex
from vigil.match.index.columns import Columns, open_columns, write_columns
from vigil.match.index.host_scopes import HostScopes
from vigil.match.index.url import EntryTable, UrlHit, UrlIndex, UrlUnknown
from vigil.match.urls import Scope, UrlFlag, UrlRefused, canonical, second_pass

NEAR: Final = "pdq"
HOST_LEVEL: Final = frozenset({Scope.HOST, Scope.DOMAIN, Scope.IP})
SIGNAL_UNSUPPORTED: Final = "signal_unsupported"
LAX_READING: Final = UrlFlag.SECOND_PASS.value
ABOUT: Final = "about.json"
WORDS_IN: Final = frozenset({ListKind.KEYWORD.value, ListKind.TEST.value})
ROW_KIND: Final = "rows"
LABEL_KIND: Final = "labels"
Ranks = npt.NDArray[np.int64]
HardExpiry = Literal["keep_urls", "keep_all", "stop"]


@dataclass(frozen=True, slots=True)
class Hit:
    """An entry that matched. ``host_level``: it covers a whole host."""

    list: str
    entry: int
    distance: int
    labels: tuple[str, ...] = ()
    host_level: bool = False


@dataclass(frozen=True, slots=True)
class Unsure:
    """No answer, and the stable reason."""

    reason: str


@dataclass(frozen=True, slots=True)
class _Rows:
    """What stands behind the row numbers that an index returns."""

    entries: npt.NDArray[np.uint64]
    ranks: npt.NDArray[np.uint16]
    expires: npt.NDArray[np.int64]
    labels: LabelColumn
    limits: npt.NDArray[np.uint8]

    def best(self, rows: list[tuple[int, int]], names: tuple[str, ...], now: int) -> Hit | None:
        """Of ``(row, distance)`` the first of those alive and near enough for their list."""
        if not rows:
            return None
        found = self._alive(rows, now)
        return self._hit(min(found), names) if found else None

    def all(self, rows: list[tuple[int, int]], names: tuple[str, ...], now: int) -> list[Hit]:
        """Of ``(row, distance)`` all that are alive and near enough for their list, each entry once, the nearest first."""
        hits = [self._hit(each, names) for each in sorted(self._alive(rows, now), key=lambda each: (each[1], each[0], each[2]))]
        return list({(hit.list, hit.entry): hit for hit in reversed(hits)}.values())[::-1]

    def _alive(self, rows: list[tuple[int, int]], now: int) -> list[tuple[int, int, int, int]]:
        """By list, then distance, then number; and the row."""
        return [
            (int(self.ranks[row]), distance, int(self.entries[row]), row)
            for row, distance in rows
            if distance <= self.limits[row] and (self.expires[row] == 0 or self.expires[row] > now)
        ]

    def _hit(self, found: tuple[int, int, int, int], names: tuple[str, ...]) -> Hit:
        rank, distance, entry, row = found
        return Hit(names[rank], entry, distance, self.labels.of(row))


@dataclass(frozen=True, slots=True)
class _Table:
    rows: _Rows
    exact: DigestTable
    near: HammingIndex | None
    furthest: int

    def holds(self, value: bytes) -> bool:
        """Whether any row is equal to ``value``, or near it where rows are compared so; living or not, on whichever list."""
        return self.exact.holds(value) if self.near is None else self.near.holds(value, self.furthest)


@dataclass(frozen=True, slots=True)
class _Urls:
    index: UrlIndex
    labels: LabelColumn


class About(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a folder of indexes holds, beside the indexes."""

    number: int
    issued_at: datetime
    valid_until: datetime
    hard_until: datetime
    lists: tuple[str, ...]
    missing_lists: tuple[str, ...]
    ignored_signals: tuple[str, ...]
    sizes: tuple[int, int]
    tables: tuple[str, ...]
    url_labels: tuple[tuple[str, ...], ...]
    keyword_lists: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Keys:
    """What opens the indexes of a partner's copy, kept in memory only: the key of its digests, and that of its words."""

    digests: Secret | None = None
    terms: Secret | None = None


NO_KEYS: Final = Keys()


class Enforced:
    """One edition, ready to answer. Build it with :func:`enforce`, or map one that was built with :func:`open_enforced`."""

    def __init__(
        self, about: About, folder: Path, urls: _Urls, tables: dict[str, _Table], hard_expiry: HardExpiry, keys: Keys
    ) -> None:
        self.folder = folder
        self.keys = keys
        self.screens = open_terms(folder, keys.terms, about.keyword_lists) if keys.terms else ()
        self.number = about.number
        self.issued_at = about.issued_at
        self.valid_until = about.valid_until
        self.hard_until = about.hard_until
        self.lists = about.lists
        self.missing_lists = about.missing_lists
        self.ignored_signals = about.ignored_signals
        self.sizes = about.sizes
        self._urls, self._tables, self._hard_expiry = urls, tables, hard_expiry
        self._host_scopes: HostScopes | None = None

    def stopped(self, now: datetime) -> bool:
        """True where the deployer chose that a hard-expired edition answers nothing."""
        return self._hard_expiry == "stop" and now >= self.hard_until

    def hosts_stopped(self, now: datetime) -> bool:
        """True where entries for whole hosts, the ones that over-block most when stale, are not enforced any more."""
        return self._hard_expiry == "keep_urls" and now >= self.hard_until

    def url_hit(self, address: str | bytes, now: datetime) -> Hit | Unsure | None:
        """The most specific living entry for ``address``; Unsure where the address has no canonical form."""
        found = self._urls.index.check(address, int(now.timestamp()))
        if isinstance(found, UrlUnknown):
            return Unsure(found.reason)
        return self._url_hit(found) if isinstance(found, UrlHit) else None

    def is_unlisted(self, address: str) -> bool:
        """True where one look tells that nothing covers ``address``, at any time; False where it must be decided."""
        return self._hard_expiry != "stop" and self._urls.index.is_unlisted(address)

    def is_unlisted_host(self, host: str) -> bool:
        """The same for every address of ``host``, which an address names that is plain (``match/urls/plain``)."""
        return self._hard_expiry != "stop" and self._urls.index.is_unlisted_host(host)

    def host_hit(self, authority: str | bytes, now: datetime) -> Hit | Unsure | None:
        """The living entry for the whole host of ``authority`` (``host`` or ``host:port``); entries for pages do not count."""
        address = "https://" + authority + "/" if isinstance(authority, str) else b"https://" + authority + b"/"
        try:
            hosts = [canonical(address).host]
            reason = None
        except UrlRefused as refused:
            hosts = [candidate.host for candidate in second_pass(address)]
            reason = refused.code
        seconds = int(now.timestamp())
        for host in hosts:
            if (found := self._urls.index.lookup_host(host, seconds)) is not None:
                return self._url_hit(replace(found, second_pass=reason is not None))
        return Unsure(reason) if reason is not None else None

    def name_hit(self, name: str, now: datetime) -> Hit | None:
        """The living entry for the whole host of a DNS name: ASCII, in small letters, without the final dot."""
        found = self._urls.index.lookup_host(name, int(now.timestamp()))
        return self._url_hit(found) if found is not None else None

    def name_class(self, name: str, second: int) -> tuple[int, int, int] | None:
        """List, set of labels and number of the entry that :meth:`name_hit` finds; the first two decide what is done."""
        place = self._urls.index.host_place(name, second)
        if place < 0:
            return None
        rank, row = self._urls.index.class_at(place)
        return rank, int(self._urls.labels.codes[row]), self._urls.index.entry_at(place)

    def host_scopes(self) -> HostScopes:
        """The entries for whole hosts, for the names of a policy zone all at once; made when first asked for."""
        if self._host_scopes is None:
            self._host_scopes = HostScopes(self._urls.index)
        return self._host_scopes

    def is_unlisted_file(self, values: Values) -> bool:
        """True where one look at each value of a file tells that nothing is near; False where it must be decided."""
        if self._hard_expiry == "stop" or self.ignored_signals:
            return False
        tables = self._tables
        return not any(name in tables and tables[name].holds(value) for name, value in values)

    def hash_hit(self, question: HashQuestion, now: datetime) -> Hit | Unsure | None:
        """The best living entry for a hash."""
        table = self._tables.get(question.algorithm)
        if table is None:
            return self._without_table(question.algorithm)
        return table.rows.best(_found(table, question), self.lists, int(now.timestamp()))

    def hash_hits(self, question: HashQuestion, now: datetime) -> list[Hit]:
        """Every living entry for a hash, the nearest first; none of a kind that this node cannot compare."""
        table = self._tables.get(question.algorithm)
        return [] if table is None else table.rows.all(_found(table, question), self.lists, int(now.timestamp()))

    def entry_numbers(self) -> npt.NDArray[np.uint64]:
        """The numbers of all entries that can match here, sorted, each once."""
        parts = [self._urls.index.entry_numbers(), *(table.rows.entries for table in self._tables.values())]
        return np.unique(np.concatenate(parts))

    def _without_table(self, algorithm: str) -> Unsure | None:
        """Nothing of that kind is listed: the answer is no, unless it is listed in a form this node cannot compare."""
        if algorithm in self.ignored_signals:
            return Unsure(SIGNAL_UNSUPPORTED)
        return None

    def _url_hit(self, found: UrlHit) -> Hit:
        labels = self._urls.labels.of(found.row) + ((LAX_READING,) if found.second_pass else ())
        return Hit(self.lists[found.list], found.entry, 0, labels, found.scope in HOST_LEVEL)


def _found(table: _Table, question: HashQuestion) -> list[tuple[int, int]]:
    """Rows and distances of what is equal or near."""
    code = np.frombuffer(ALGORITHMS[question.algorithm].key(question.value), np.uint8).reshape(1, -1)
    if table.near is not None and question.by_distance:
        _, near, distances = table.near.search(code, table.furthest, threads=1)
        return list(zip(near.tolist(), distances.tolist(), strict=True)) if len(near) else []
    _, rows = table.exact.search(code)
    return [(row, 0) for row in rows.tolist()]


def enforce(
    edition: Edition, folder: Path, order: tuple[str, ...], hard_expiry: HardExpiry, words: Sequence[bytes] | None = None
) -> Enforced:
    """Build the indexes of ``edition`` into ``folder``, and map them.

    ``order`` names the lists to enforce, first one first; empty means all, in the order of the edition. ``words`` are the files
    of its keyword lists; None where the node screens no queries.
    """
    build(edition, folder, order)
    terms = write_terms(folder, words) if words is not None else None
    return open_enforced(folder, hard_expiry, Keys(edition.digest_key.secret if edition.digest_key else None, terms))


def build(edition: Edition, folder: Path, order: tuple[str, ...]) -> None:
    """Write the indexes of ``edition`` into ``folder``; :data:`ABOUT` comes last, so that a folder that has it is whole."""
    known = {info.name: place for place, info in enumerate(edition.lists)}
    names = tuple(name for name in (order or tuple(known)) if name in known)
    ranks = np.full(max(len(known), 1), -1, np.int64)
    for rank, name in enumerate(names):
        ranks[known[name]] = rank
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    kept = [name for name, columns in edition.hashes.items() if _write_table(name, columns, edition, ranks, folder)]
    about = About(
        number=edition.number,
        issued_at=edition.issued_at,
        valid_until=edition.valid_until,
        hard_until=edition.hard_until,
        lists=names,
        missing_lists=tuple(name for name in order if name not in known),
        ignored_signals=tuple(sorted(set(edition.hashes) - set(kept))),
        sizes=(len(edition.urls.entries), sum(len(columns.entries) for columns in edition.hashes.values())),
        tables=tuple(kept),
        url_labels=_write_urls(edition, ranks, folder),
        keyword_lists=_keyword_lists(edition, names),
    )
    write_atomically(folder / ABOUT, msgspec.json.encode(about), mode=0o600)


def open_enforced(folder: Path, hard_expiry: HardExpiry, keys: Keys = NO_KEYS) -> Enforced:
    """Map what :func:`build` wrote into ``folder``, and compile its words. Raises VigilError for anything else."""
    try:
        about = msgspec.json.decode((folder / ABOUT).read_bytes(), type=About)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InputError("index_unreadable", "The indexes of an edition cannot be read.", where=ABOUT) from error
    columns, _ = open_columns(folder / "url.labels", LABEL_KIND)
    index = UrlIndex.open(folder / "url.index", keys.digests.open() if keys.digests else None)
    urls = _Urls(index, LabelColumn(columns["codes"], about.url_labels))
    return Enforced(about, folder, urls, {name: _open_table(name, folder) for name in about.tables}, hard_expiry, keys)


def _keyword_lists(edition: Edition, names: tuple[str, ...]) -> tuple[str, ...]:
    """Of the enforced lists, those that can hold words: where there is a keyword list, the test list can too."""
    kinds = {info.name: info.kind for info in edition.lists}
    found = tuple(name for name in names if kinds[name] in WORDS_IN)
    return found if any(kinds[name] == ListKind.KEYWORD.value for name in found) else ()


def _write_table(name: str, columns: HashColumns, edition: Edition, ranks: Ranks, folder: Path) -> bool:
    """The table of one algorithm; False for one whose comparison this node does not know."""
    algorithm = ALGORITHMS.get(name)
    if algorithm is None or (algorithm.kind is Kind.PERCEPTUAL and name != NEAR):
        return False
    kept = np.flatnonzero(ranks[columns.lists] >= 0)
    values = np.ascontiguousarray(columns.values[kept])
    if values.shape[1] != algorithm.key_bytes:
        raise InputError(
            "hash_wrong_length", "The edition holds hashes of a length that their algorithm does not have.", where=name
        )
    near = algorithm.kind is Kind.PERCEPTUAL
    lists = columns.lists[kept]
    distances = np.array([info.max_distance for info in edition.lists] or [0], np.uint8)
    rows: Columns = {
        "entries": columns.entries[kept],
        "ranks": ranks[lists].astype(np.uint16),
        "expires": columns.expires[kept],
        "codes": columns.labels.codes[kept],
        "limits": distances[lists] if near else np.zeros(len(kept), np.uint8),
    }
    ids = np.arange(len(kept), dtype=np.uint64)
    DigestTable.build(values, ids, folder / f"{name}.exact")
    if near:
        HammingIndex.build(values, ids, folder / f"{name}.near")
    write_columns(folder / f"{name}.rows", ROW_KIND, rows, {"labels": columns.labels.sets})
    return True


def _open_table(name: str, folder: Path) -> _Table:
    columns, notes = open_columns(folder / f"{name}.rows", ROW_KIND)
    labels = LabelColumn(columns["codes"], tuple(tuple(labels) for labels in notes["labels"]))
    rows = _Rows(columns["entries"], columns["ranks"], columns["expires"], labels, columns["limits"])
    near = HammingIndex.open(folder / f"{name}.near") if name == NEAR else None
    return _Table(rows, DigestTable.open(folder / f"{name}.exact"), near, int(rows.limits.max(initial=0)))


def _write_urls(edition: Edition, ranks: Ranks, folder: Path) -> tuple[tuple[str, ...], ...]:
    """The addresses of the enforced lists, whose numbers become their ranks: among equals the first list answers."""
    columns = edition.urls
    kept = np.flatnonzero(ranks[columns.lists] >= 0)
    entries = EntryTable(
        keys=columns.keys[kept],
        scopes=columns.scopes[kept],
        flags=columns.flags[kept],
        ports=columns.ports[kept],
        schemes=columns.schemes[kept],
        entries=columns.entries[kept],
        lists=ranks[columns.lists[kept]].astype(np.uint16),
        expires=columns.expires[kept],
    )
    UrlIndex.from_columns(entries, edition.hosts).save(folder / "url.index")
    write_columns(folder / "url.labels", LABEL_KIND, {"codes": columns.labels.codes[kept]})
    return columns.labels.sets
