"""Entries from a file of someone's own: CSV with a header, or JSON lines.

One row is one entry. Columns (members) by name, in any order; an unknown one is refused:

    signal         ``url``, or the name of a hash algorithm                      required
    value          the address as people write it, or the hash as text           required
    list           name of the list                                              required
    kind           kind of the list; on the first row of each list at least      required there
    entry          number of the entry; otherwise the number of the row
    scope          of an address: url (otherwise), page, prefix, host, domain, ip
    flags          of an address: names such as ``scheme_exact``
    labels, jurisdictions    names; jurisdictions belong to the list
    max_distance   of the list, in bits
    expires        such as 2027-01-01T00:00:00Z

Several flags, labels or jurisdictions stand with spaces between them in CSV, as an array in JSON.
Errors name the line, never what stands in it.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import msgspec

from vigil.base.clock import instant_of
from vigil.base.errors import InputError
from vigil.editions.limits import SOURCE_BYTES, SOURCE_LINE_BYTES
from vigil.editions.model import LARGEST_DISTANCE, EditionContents, HashEntry, ListInfo, UrlEntry
from vigil.match.hashing import algorithm_named
from vigil.match.urls import EntryFlag, Scope, canonical_from_person

URL: Final = "url"


class Row(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One row of either form."""

    signal: str
    value: str
    list: str
    kind: str = ""
    entry: int | None = None
    scope: str = ""
    flags: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    jurisdictions: tuple[str, ...] = ()
    max_distance: int | None = None
    expires: str = ""


_MANY: Final = ("flags", "labels", "jurisdictions")
_NUMBERS: Final = ("entry", "max_distance")


def read_source(path: Path) -> EditionContents:
    """The entries of a ``.csv``, ``.jsonl`` or ``.ndjson`` file. Raises InputError with the number of the line."""
    data = _read(path)
    rows = _csv_rows(data) if path.suffix.lower() == ".csv" else _json_rows(data)
    return contents_of(rows)


def contents_of(rows: Iterator[tuple[int, Row]]) -> EditionContents:
    """Lists and entries of numbered rows; lists stand in the order in which they appear."""
    lists: dict[str, ListInfo] = {}
    urls: list[UrlEntry] = []
    hashes: list[HashEntry] = []
    for position, (line, row) in enumerate(rows, start=1):
        try:
            _add_list(lists, row)
            number = position if row.entry is None else row.entry
            if row.signal == URL:
                urls.append(_url_entry(row, number))
            else:
                hashes.append(_hash_entry(row, number))
        except InputError as error:
            raise InputError(error.code, error.what, where=f"line {line}", mend=error.mend) from None
    if not lists:
        raise InputError("source_empty", "There is no entry in the file.", mend="Give at least one row below the header.")
    return EditionContents(tuple(lists.values()), tuple(urls), tuple(hashes))


def _add_list(lists: dict[str, ListInfo], row: Row) -> None:
    known = lists.get(row.list)
    if known is None:
        distance = LARGEST_DISTANCE if row.max_distance is None else row.max_distance
        lists[row.list] = ListInfo(row.list, row.kind, row.jurisdictions, distance)
        return
    differs = (
        row.kind not in ("", known.kind)
        or row.jurisdictions not in ((), known.jurisdictions)
        or row.max_distance not in (None, known.max_distance)
    )
    if differs:
        raise InputError("list_differs", "The row describes its list otherwise than an earlier row did.")


def _url_entry(row: Row, number: int) -> UrlEntry:
    return UrlEntry(
        entry=number,
        list=row.list,
        url=canonical_from_person(row.value),
        scope=_scope(row.scope),
        flags=_flags(row.flags),
        labels=row.labels,
        expires=_expires(row.expires),
    )


def _hash_entry(row: Row, number: int) -> HashEntry:
    if row.scope or row.flags:
        raise InputError("hash_with_scope", "A hash has no scope and no flags.")
    value = algorithm_named(row.signal).parse(row.value)
    return HashEntry(number, row.list, row.signal, value, row.labels, _expires(row.expires))


def _scope(text: str) -> Scope:
    try:
        return Scope(text or Scope.URL)
    except ValueError as error:
        known = ", ".join(scope.value for scope in Scope)
        raise InputError("scope_unknown", "There is no such scope.", mend=f"Use one of: {known}.") from error


def _flags(names: tuple[str, ...]) -> EntryFlag:
    known = {flag.name.lower(): flag for flag in EntryFlag if flag.name}
    if not set(names) <= set(known):
        raise InputError("flag_unknown", "There is no such flag.", mend=f"Use: {', '.join(known)}.")
    flags = EntryFlag.NONE
    for name in names:
        flags |= known[name]
    return flags


def _expires(text: str) -> datetime | None:
    return instant_of(text) if text else None


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as stream:
            data = stream.read(SOURCE_BYTES.value + 1)
    except OSError as error:
        raise InputError("source_unreadable", "The file of entries cannot be read.", where=path.name) from error
    if len(data) > SOURCE_BYTES.value:
        raise InputError("source_large", f"The file of entries is larger than {SOURCE_BYTES.value} bytes.", where=path.name)
    return data


def _csv_rows(data: bytes) -> Iterator[tuple[int, Row]]:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError("source_not_utf8", "The file of entries is not UTF-8.", mend="Save it as UTF-8.") from error
    reader = csv.DictReader(io.StringIO(text, newline=""), strict=True, restkey="\0", restval=None)
    try:
        for cells in reader:
            yield reader.line_num, _csv_row(reader.line_num, cells)
    except csv.Error:
        raise _malformed(reader.line_num + 1) from None


def _csv_row(line: int, cells: dict[str, Any]) -> Row:
    """Empty cells are absent; cells without a column, and columns without a cell, are errors."""
    if "\0" in cells or None in cells.values():
        raise _malformed(line)
    members: dict[str, Any] = {name.strip(): cell.strip() for name, cell in cells.items() if cell.strip()}
    for name in _MANY:
        if name in members:
            members[name] = members[name].split()
    try:
        for name in _NUMBERS:
            if name in members:
                members[name] = int(members[name])
        return msgspec.convert(members, Row)
    except ValueError:
        # Its text would repeat what stands in the row.
        raise _malformed(line) from None


def _json_rows(data: bytes) -> Iterator[tuple[int, Row]]:
    for number, line in enumerate(data.splitlines(), start=1):
        if not line.strip():
            continue
        if len(line) > SOURCE_LINE_BYTES.value:
            raise InputError("source_line_long", "A line of the file of entries is too long.", where=f"line {number}")
        try:
            yield number, msgspec.json.decode(line, type=Row)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise _malformed(number) from None


def _malformed(line: int) -> InputError:
    return InputError(
        "source_row",
        "A row of the file of entries cannot be read.",
        where=f"line {line}",
        mend=f"Columns are: {', '.join(Row.__struct_fields__)}; signal, value and list are required.",
    )
