"""From entries to the files of an edition: pure, and the same bytes for the same entries.

What may not be in an edition is refused here, before anything is signed. Messages name the entry's number, never
what it holds.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from operator import itemgetter
from typing import Any, Final, NamedTuple

import pyarrow as pa

from vigil.base.clock import require_utc
from vigil.base.errors import InputError
from vigil.editions.limits import LABEL_SETS, LISTS, ROWS
from vigil.editions.manifest import (
    DIGEST,
    FORMAT,
    MANIFEST_NAME,
    PURPOSE,
    SCHEMA,
    AlgorithmCount,
    AnchorMember,
    Counts,
    FileMember,
    ListMember,
    Manifest,
    encode_manifest,
    whole_second,
)
from vigil.editions.model import (
    ALL_FLAGS,
    LARGEST_ENTRY,
    EditionContents,
    HashEntry,
    UrlEntry,
    require_labels,
)
from vigil.editions.state import state_digest
from vigil.editions.wire import COLUMNS, HASHES, HOSTS, URLS, arrow_schema, encode_table
from vigil.match.hashing import algorithm_named
from vigil.match.index.url import UrlRecord, record_of
from vigil.match.urls import CANON, EntryFlag

_PORT_EXACT: Final = EntryFlag.PORT_EXACT.value


class UrlRow(NamedTuple):
    """A row of ``urls.parquet``; the fields are its columns."""

    key: bytes
    scope: str
    flags: int
    port: int
    scheme: str
    entry: int
    list: int
    expires: int
    labels: str


class HostRow(NamedTuple):
    """A row of ``hosts.parquet``."""

    host: bytes
    max_depth: int


class HashRow(NamedTuple):
    """A row of ``hashes.parquet``."""

    algorithm: str
    value: bytes
    entry: int
    list: int
    expires: int
    labels: str


@dataclass(frozen=True, slots=True)
class BuiltEdition:
    """An edition before it is signed. ``files`` by name: ``edition.json`` and the Parquet files."""

    number: int
    files: dict[str, bytes]
    manifest: Manifest


def build_edition(
    contents: EditionContents,
    *,
    number: int,
    previous: int | None,
    issued_at: datetime,
    valid_hours: int = 24,
    hard_hours: int = 168,
) -> BuiltEdition:
    """Build edition ``number``, which follows ``previous`` (None: the first).

    ``valid_hours`` after ``issued_at`` a node raises an alarm; after ``hard_hours`` it stops enforcing whole hosts.
    Raises InputError for anything that may not be in an edition.
    """
    _check_numbers(number, previous, valid_hours, hard_hours)
    numbers = _list_numbers(contents)
    records = _url_records(contents.urls, numbers)
    rows: dict[str, Sequence[Any]] = {
        URLS: _url_rows(records),
        HOSTS: _host_rows(records),
        HASHES: _hash_rows(contents.hashes, numbers),
    }
    tables = {name: _table(name, rows[name]) for name in COLUMNS}
    encoded = {name: encode_table(name, tables[name]) for name in COLUMNS}
    start = whole_second(issued_at)
    manifest = Manifest(
        format=FORMAT,
        schema=SCHEMA,
        number=number,
        previous=previous,
        issued_at=start,
        valid_until=start + timedelta(hours=valid_hours),
        hard_until=start + timedelta(hours=hard_hours),
        canon=CANON,
        digest=DIGEST,
        lists=tuple(ListMember(x.name, x.kind, x.jurisdictions, x.max_distance) for x in contents.lists),
        counts=_counts(rows),
        files={name: _file(name, encoded[name], tables[name].num_rows) for name in COLUMNS},
        state=state_digest(tables),
        audit=AnchorMember(contents.audit.events, contents.audit.head) if contents.audit else None,
        purpose=PURPOSE,
    )
    return BuiltEdition(number, {MANIFEST_NAME: encode_manifest(manifest), **encoded}, manifest)


def _check_numbers(number: int, previous: int | None, valid_hours: int, hard_hours: int) -> None:
    if number < 1 or (previous is not None and not 0 < previous < number):
        raise InputError(
            "number_not_rising",
            "The number of an edition must be above that of the previous one.",
            mend="Take the number after the last published one.",
        )
    if not 0 < valid_hours <= hard_hours:
        raise InputError("hours_order", "An edition must be valid for some hours, and hard_hours be no less.")


def _list_numbers(contents: EditionContents) -> dict[str, int]:
    """The number of each list: its place among the lists."""
    numbers = {info.name: position for position, info in enumerate(contents.lists)}
    if len(numbers) != len(contents.lists):
        raise InputError("list_twice", "Two lists of one edition have the same name.")
    if len(numbers) > LISTS.value:
        raise InputError("lists_many", f"An edition holds at most {LISTS.value} lists.")
    return numbers


def _url_records(entries: Iterable[UrlEntry], numbers: Mapping[str, int]) -> list[tuple[UrlRecord, str]]:
    """Each entry as the record that the matching room makes of it, and its labels."""
    return [(_record(entry, _list_number(entry, numbers)), _label_text(entry.labels)) for entry in entries]


def _record(entry: UrlEntry, number: int) -> UrlRecord:
    place, expires, flags = _entry_number(entry.entry), _seconds(entry.expires), int(entry.flags)
    if flags & _PORT_EXACT and not entry.url.effective_port():
        raise InputError("port_zero", "An entry is bound to port 0, which nothing uses.", where=f"entry {place}")
    if flags & ~ALL_FLAGS:
        raise InputError("flag_unknown", "An entry has a flag that does not exist.", where=f"entry {place}")
    try:
        return record_of(entry.url, entry.scope, entry.flags, place, list_number=number, expires=expires)
    except InputError as error:
        raise InputError(error.code, error.what, where=f"entry {place}", mend=error.mend) from error


def _url_rows(records: Iterable[tuple[UrlRecord, str]]) -> list[UrlRow]:
    rows = sorted((_url_row(record, labels) for record, labels in records), key=_url_order)
    return _without_doubles(rows, _url_order)


def _url_order(row: UrlRow) -> tuple[bytes, int, int]:
    return row.key, row.list, row.entry


def _url_row(record: UrlRecord, labels: str) -> UrlRow:
    return UrlRow(
        key=record.key,
        scope=record.scope.value,
        flags=record.flags,
        port=record.port,
        scheme=record.scheme,
        entry=record.entry,
        list=record.list,
        expires=record.expires,
        labels=labels,
    )


def _host_rows(records: Iterable[tuple[UrlRecord, str]]) -> list[HostRow]:
    """Each host once, with the depth of its deepest folder entry: how far a check has to look."""
    deepest: dict[bytes, int] = {}
    for record, _ in records:
        deepest[record.host_key] = max(deepest.get(record.host_key, 0), record.depth)
    return [HostRow(host, depth) for host, depth in sorted(deepest.items())]


def _hash_rows(entries: Iterable[HashEntry], numbers: Mapping[str, int]) -> list[HashRow]:
    rows = sorted((_hash_row(entry, numbers) for entry in entries), key=_hash_order)
    return _without_doubles(rows, _hash_order)


def _hash_order(row: HashRow) -> tuple[str, bytes, int, int]:
    return row.algorithm, row.value, row.list, row.entry


def _hash_row(entry: HashEntry, numbers: Mapping[str, int]) -> HashRow:
    return HashRow(
        algorithm=entry.algorithm,
        value=_value(entry),
        entry=_entry_number(entry.entry),
        list=_list_number(entry, numbers),
        expires=_seconds(entry.expires),
        labels=_label_text(entry.labels),
    )


def _value(entry: HashEntry) -> bytes:
    """The value as it travels: itself, or where values differ in length the digest that stands for it."""
    try:
        return algorithm_named(entry.algorithm).key(entry.value)
    except InputError as error:
        raise InputError(error.code, error.what, where=f"entry {entry.entry}", mend=error.mend) from error


def _without_doubles(rows: list[Any], order: Any) -> list[Any]:
    """Rows that are wholly equal once; the same place with different contents is an error of the source."""
    if not rows:
        return rows
    kept = rows[:1]
    for row in rows[1:]:
        if row == kept[-1]:
            continue
        if order(row) == order(kept[-1]):
            raise InputError(
                "entry_twice",
                "One entry is given twice with different flags, labels or expiry.",
                where=f"entry {row.entry}",
            )
        kept.append(row)
    return kept


def _entry_number(number: int) -> int:
    if not 0 <= number <= LARGEST_ENTRY:
        raise InputError("entry_number", "The number of an entry is out of range.", where=f"entry {number}")
    return number


def _list_number(entry: UrlEntry | HashEntry, numbers: Mapping[str, int]) -> int:
    if entry.list not in numbers:
        raise InputError(
            "list_unknown", "An entry names a list that the edition does not have.", where=f"entry {entry.entry}"
        )
    return numbers[entry.list]


def _seconds(expires: datetime | None) -> int:
    """Unix seconds, rounded down; 0 for never."""
    if expires is None:
        return 0
    seconds = int(require_utc(expires).timestamp())
    if seconds < 1:
        raise InputError("expires_range", "An entry expires before 1970.", where="expires")
    return seconds


@lru_cache(maxsize=4096)
def _label_text(labels: tuple[str, ...]) -> str:
    return " ".join(require_labels(labels))


def _table(name: str, rows: Sequence[Any]) -> pa.Table:
    if len(rows) > ROWS.value:
        raise InputError("rows_many", f"An edition holds at most {ROWS.value} rows in a file.", where=name)
    schema = arrow_schema(name)
    arrays = [pa.array(list(map(itemgetter(place), rows)), field.type) for place, field in enumerate(schema)]
    table = pa.Table.from_arrays(arrays, schema=schema)
    if "labels" in schema.names and len(table.column("labels").unique()) > LABEL_SETS.value:
        raise InputError("labels_many", f"An edition holds at most {LABEL_SETS.value} different sets of labels.")
    return table


def _counts(rows: Mapping[str, Sequence[Any]]) -> Counts:
    sizes = {row.algorithm: len(row.value) for row in rows[HASHES]}
    found = Counter(row.algorithm for row in rows[HASHES])
    algorithms = {name: AlgorithmCount(found[name], sizes[name]) for name in sorted(found)}
    return Counts(dict(sorted(Counter(row.scope for row in rows[URLS]).items())), algorithms)


def _file(name: str, data: bytes, rows: int) -> FileMember:
    return FileMember(rows, len(data), hashlib.sha256(data).hexdigest(), COLUMNS[name])
