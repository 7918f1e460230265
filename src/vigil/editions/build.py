"""From entries to the files of an edition: pure, and the same bytes for the same entries.

What may not be in an edition is refused here, before anything is signed. Messages name the entry's number, never
what it holds.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from vigil.base.clock import require_utc
from vigil.base.errors import InputError
from vigil.editions.limits import LABEL_SETS, LISTS, ROWS
from vigil.editions.manifest import (
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
    digest_rule,
    encode_manifest,
    whole_second,
)
from vigil.editions.model import (
    ALL_FLAGS,
    LARGEST_ENTRY,
    DigestKey,
    EditionContents,
    HashEntry,
    UrlEntry,
    require_labels,
)
from vigil.editions.order import Keys, in_order, ranks_of, words_of_values
from vigil.editions.state import state_digest
from vigil.editions.wire import COLUMNS, HASHES, HOSTS, URLS, arrow_schema, encode_table
from vigil.match.hashing import algorithm_named
from vigil.match.index.url import UrlRecord, record_of
from vigil.match.urls import CANON, EntryFlag, forms_of_entry

_PORT_EXACT: Final = EntryFlag.PORT_EXACT.value


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
    digest_key: DigestKey | None = None,
) -> BuiltEdition:
    """Build edition ``number``, which follows ``previous`` (None: the first).

    ``valid_hours`` after ``issued_at`` a node raises an alarm; after ``hard_hours`` it stops enforcing whole hosts.
    ``digest_key`` is the secret key of the digests of addresses; without one anybody can test guesses.
    Raises InputError for anything that may not be in an edition.
    """
    _check_numbers(number, previous, valid_hours, hard_hours)
    numbers = _list_numbers(contents)
    entries = [form for entry in contents.urls for form in _forms(entry)]
    secret = digest_key.secret.open() if digest_key else None
    records = [_record(entry, _list_number(entry, numbers), secret) for entry in entries]
    tables = {
        URLS: _url_table(records, entries),
        HOSTS: _host_table(records),
        HASHES: _hash_table(contents.hashes, numbers),
    }
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
        digest=digest_rule(digest_key.key_id if digest_key else None),
        lists=tuple(ListMember(x.name, x.kind, x.jurisdictions, x.max_distance) for x in contents.lists),
        counts=_counts(tables),
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


def _forms(entry: UrlEntry) -> Iterable[UrlEntry]:
    """The entry under each name of its host: clients of old look deviation characters (IDNA 2003) up under another one."""
    if "xn--" not in entry.url.host:
        return (entry,)
    return [replace(entry, url=form) for form in forms_of_entry(entry.url)]


def _record(entry: UrlEntry, number: int, secret: bytes | None) -> UrlRecord:
    place, expires, flags = _entry_number(entry.entry), _seconds(entry.expires), int(entry.flags)
    if flags & _PORT_EXACT and not entry.url.effective_port():
        raise InputError("port_zero", "An entry is bound to port 0, which nothing uses.", where=f"entry {place}")
    if flags & ~ALL_FLAGS:
        raise InputError("flag_unknown", "An entry has a flag that does not exist.", where=f"entry {place}")
    try:
        return record_of(
            entry.url, entry.scope, entry.flags, place, list_number=number, expires=expires, digest_key=secret
        )
    except InputError as error:
        raise InputError(error.code, error.what, where=f"entry {place}", mend=error.mend) from error


def _url_table(records: Sequence[UrlRecord], entries: Sequence[UrlEntry]) -> pa.Table:
    table = _table(
        URLS,
        key=[record.key for record in records],
        scope=[record.scope.value for record in records],
        flags=[record.flags for record in records],
        port=[record.port for record in records],
        scheme=[record.scheme for record in records],
        entry=[record.entry for record in records],
        list=[record.list for record in records],
        expires=[record.expires for record in records],
        labels=[_label_text(entry.labels) for entry in entries],
    )
    return in_order(table, [*words_of_values([record.key for record in records]), *_place(table)])


def _host_table(records: Iterable[UrlRecord]) -> pa.Table:
    """Each host once, with the depth of its deepest folder entry: how far a check has to look."""
    deepest: dict[bytes, int] = {}
    for record in records:
        if deepest.get(record.host_key, -1) < record.depth:
            deepest[record.host_key] = record.depth
    hosts = sorted(deepest)
    return _table(HOSTS, host=hosts, max_depth=[deepest[host] for host in hosts])


def _hash_table(entries: Sequence[HashEntry], numbers: Mapping[str, int]) -> pa.Table:
    names, values = [entry.algorithm for entry in entries], [_value(entry) for entry in entries]
    table = _table(
        HASHES,
        algorithm=names,
        value=values,
        entry=[_entry_number(entry.entry) for entry in entries],
        list=[_list_number(entry, numbers) for entry in entries],
        expires=[_seconds(entry.expires) for entry in entries],
        labels=[_label_text(entry.labels) for entry in entries],
    )
    return in_order(table, [ranks_of(names), *words_of_values(values), *_place(table)])


def _place(table: pa.Table) -> Keys:
    """What decides between rows of one key: the list, then the number of the entry."""
    return [table.column(name).to_numpy() for name in ("list", "entry")]


def _value(entry: HashEntry) -> bytes:
    """The value as it travels: itself, or where values differ in length the digest that stands for it."""
    try:
        return algorithm_named(entry.algorithm).key(entry.value)
    except InputError as error:
        raise InputError(error.code, error.what, where=f"entry {entry.entry}", mend=error.mend) from error


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


def _table(name: str, **columns: list[Any]) -> pa.Table:
    """Columns as a table of the file's schema, still in the order of the entries."""
    schema = arrow_schema(name)
    if len(columns[schema.names[0]]) > ROWS.value:
        raise InputError("rows_many", f"An edition holds at most {ROWS.value} rows in a file.", where=name)
    if len(set(columns.get("labels", ()))) > LABEL_SETS.value:
        raise InputError("labels_many", f"An edition holds at most {LABEL_SETS.value} different sets of labels.")
    return pa.Table.from_arrays([pa.array(columns[field.name], field.type) for field in schema], schema=schema)


def _counts(tables: Mapping[str, pa.Table]) -> Counts:
    values = tables[HASHES].column("value")
    names = tables[HASHES].column("algorithm").to_pylist()
    sizes = dict(zip(names, pc.binary_length(values).to_pylist(), strict=True))
    algorithms = {name: AlgorithmCount(count, sizes[name]) for name, count in sorted(Counter(names).items())}
    return Counts(dict(sorted(Counter(tables[URLS].column("scope").to_pylist()).items())), algorithms)


def _file(name: str, data: bytes, rows: int) -> FileMember:
    return FileMember(rows, len(data), hashlib.sha256(data).hexdigest(), COLUMNS[name])
