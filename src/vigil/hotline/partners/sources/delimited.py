"""Delimited files: lines of values, or CSV with a header; from a path of this machine or an address. Always the full state.

Columns of a header, in any order and under any of these names (small or capital letters):

    value          value, hash, hash_value, indicator, url, signal
    type           type, hash_type, algorithm, signal_type; or one column for each type: md5, sha1, sha256, pdq, photodna, url …
    key            id, key, entry, uuid                      otherwise the value itself names the entry, as a digest
    withdrawn      withdrawn, deleted, removed, status       yes, true, 1, withdrawn, deleted, removed, revoked, inactive
    changed        changed, modified, updated, last_updated, timestamp
    labels         labels, tags, classification, category
    member         member, owner, source

Without a header a line is ``TYPE VALUE`` or, with the option ``type``, ``VALUE``; one of the first lines at least holds a
value of a type that is known, else the file is taken for the page of a server and refused. Packed files (gzip, or zip with one
file) are unpacked within limits. A line that cannot be read is set aside by its number.
"""

from __future__ import annotations

import csv
import hashlib
import io
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Final

from vigil.base.errors import InputError
from vigil.hotline.partners.sources.documents import clipped, instant, shown
from vigil.hotline.partners.sources.fingerprints import TRANSLATED, fingerprint
from vigil.hotline.partners.sources.limits import FILE_BYTES, LINE_BYTES, UNPACKED_RATIO
from vigil.hotline.partners.sources.record import (
    Cursor,
    FeedBroken,
    Flaw,
    Item,
    Media,
    Page,
    Record,
    SetAside,
    Vote,
    unreadable,
)
from vigil.hotline.partners.sources.transport import FetchError, Line, unpacked

LINES_A_PAGE: Final = 2000
LOOK: Final = 200
"""Lines of which one at least has to be a record, where no header says what the file is."""
NAMES: Final = {
    "value": ("value", "hash", "hash_value", "indicator", "signal"),
    "type": ("type", "hash_type", "algorithm", "signal_type"),
    "key": ("id", "key", "entry", "uuid"),
    "withdrawn": ("withdrawn", "deleted", "removed", "status"),
    "changed": ("changed", "modified", "updated", "last_updated", "timestamp"),
    "labels": ("labels", "tags", "classification", "category"),
    "member": ("member", "owner", "source"),
}
TYPES: Final = frozenset(TRANSLATED) | {"url", "host", "domain"}
GONE: Final = frozenset({"yes", "true", "1", "withdrawn", "deleted", "removed", "revoked", "inactive"})
_ROLE: Final = {name: role for role, names in NAMES.items() for name in names}
_GZIP: Final = b"\x1f\x8b"
_ZIP: Final = b"PK\x03\x04"
_PACKINGS: Final = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # others let the file say how much memory unpacking takes
_MARKUP: Final = ("<", "{")  # how pages and documents begin, and no list without a header
_ADDRESSES: Final = {"url", "host", "domain"}


class Delimited:
    """One file. ``read`` gives its bytes; ``kind`` the type of its values where no column says it."""

    whole_each_time = True

    def __init__(self, read: Callable[[], bytes], kind: str = "", delimiter: str = "") -> None:
        self._read = read
        self._kind = kind
        self._delimiter = delimiter

    def is_stale(self, cursor: Cursor, now: datetime) -> bool:
        """Never: the file is the full state."""
        return False

    def pages(self, cursor: Cursor | None, now: datetime, *, stuck: bool = False) -> Iterator[Page]:
        """See :class:`.record.Feed`. Goes on at the line where the last run stopped, if the file is still the same."""
        data = opened(self._read())
        digest = hashlib.sha256(data).hexdigest()
        lines = data.split(b"\n")
        if lines and not lines[-1].strip():
            lines.pop()
        if not lines:
            raise FeedBroken("file_empty", "The file is empty: that is taken for a mistake, not for the end of every entry.")
        form = _Form.of(lines[0], self._kind, self._delimiter)
        form.check(lines)
        cut = not data.endswith(b"\n") and isinstance(form.item(lines[-1], len(lines)), SetAside)
        start = form.first
        if cursor and cursor.get("file") == digest and int(cursor.get("line", 0)) < len(lines):
            start = max(int(cursor["line"]), form.first)
        for first in range(start, max(len(lines), start + 1), LINES_A_PAGE):
            some = lines[first : first + LINES_A_PAGE]
            done = first + LINES_A_PAGE >= len(lines)
            onward = {"file": digest, "line": 0 if done else first + LINES_A_PAGE}
            mark = hashlib.sha256(repr(form).encode() + b"\n".join(some)).hexdigest()
            name = f"lines {first + 1} to {first + len(some)}"
            yield Page(name, mark, form.reader(some, first), onward, flawed=done and cut)

    def vote(self, vote: Vote) -> None:
        """A file takes no opinions."""
        raise InputError("vote_nowhere", "A file takes no opinions.", mend="Write to the people who made it.")


class _Form:
    """How the lines of one file are read."""

    def __init__(self, roles: dict[int, str], delimiter: str, kind: str, first: int, width: int) -> None:
        self.roles, self.delimiter, self.kind, self.first, self.width = roles, delimiter, kind, first, width

    def __repr__(self) -> str:
        return f"{self.roles} {self.delimiter!r} {self.kind} {self.width}"

    @classmethod
    def of(cls, line: bytes, kind: str, delimiter: str) -> _Form:
        """By the first line: a header where at least one column is known and holds values, plain lines otherwise."""
        text = line.decode("utf-8-sig", "replace").strip("\r")
        mark = delimiter or next((each for each in "\t;,|" if each in text), ",")
        try:
            cells = [cell.strip().lower() for cell in next(csv.reader([text], delimiter=mark), [])]
        except csv.Error:
            cells = []
        roles = {place: _ROLE.get(cell, cell) for place, cell in enumerate(cells) if cell in _ROLE or cell in TYPES}
        holds = "value" in roles.values() or any(role in TYPES for role in roles.values())
        if holds:
            return cls(roles, mark, kind, 1, len(cells))
        if kind:
            return cls({0: "value"}, delimiter, kind, 0, 1)
        return cls({0: "type", 1: "value"}, delimiter or " ", kind, 0, 2)

    def check(self, lines: list[bytes]) -> None:
        """Refuse what is no list at all, such as a page of a web server: it is no news of every entry's end."""
        if self.first:
            return
        if lines[0].decode("utf-8-sig", "replace").lstrip().startswith(_MARKUP):
            raise unreadable()
        found = [each for place, line in enumerate(lines[:LOOK], start=1) if (each := self.item(line, place)) is not None]
        if found and not any(self._is_usable(each) for each in found):
            raise unreadable()

    def _is_usable(self, item: Item) -> bool:
        """Whether an item is a record as a list has them. Two words ("Not Found") have the form of a type and a value: without

        a header, a list says one type at least that is known, or the operator said which it is; and its values are of their type.
        """
        if isinstance(item, SetAside):
            return False
        for algorithm, value in item.fingerprints:
            if self.kind or algorithm.lower() in TYPES:
                with suppress(InputError):
                    fingerprint(algorithm, value)
                    return True
        return False

    def reader(self, lines: list[bytes], first: int) -> Callable[[], list[Item]]:
        """What reads some lines later."""
        return lambda: list(self.items(lines, first))

    def items(self, lines: list[bytes], first: int) -> Iterator[Item]:
        """The records of some lines, which begin at line ``first`` (from 0)."""
        for place, line in enumerate(lines, start=first):
            item = self.item(line, place + 1)
            if item is not None:
                yield item

    def item(self, line: bytes, number: int) -> Item | None:
        """The record of a line, numbered from 1; None for an empty one and for remarks."""
        name = f"line {number}"
        if len(line) > LINE_BYTES.value:
            return SetAside(name, Flaw.ENORMOUS, line[:1000].decode("utf-8", "replace"))
        try:
            text = line.decode("utf-8-sig" if number == 1 else "utf-8").strip("\r")
        except UnicodeDecodeError:
            return SetAside(name, Flaw.NOT_UTF8, line.decode("utf-8", "replace"))
        if not text.strip() or text.startswith("#"):
            return None
        try:
            return self._record(text)
        except (InputError, csv.Error):
            return SetAside(name, Flaw.MALFORMED, clipped(text))

    def _record(self, text: str) -> Record:
        cells = self._cells(text)
        found: dict[str, str] = {}
        prints: list[tuple[str, str]] = []
        for place, cell in enumerate(cells):
            role = self.roles.get(place, "")
            if role in TYPES and cell:
                prints.append((role, cell))
            elif role:
                found[role] = cell
        if found.get("value"):
            kind = found.get("type") or self.kind
            if not kind:
                raise InputError("line_type", "A line does not say the type of its value.")
            prints.append((kind, found["value"]))
        key = found.get("key", "")
        if not prints and not key:
            raise InputError("line_empty", "A line holds no value.")
        return Record(
            key=key or "\0".join(f"{name.lower()}\0{value.strip().lower()}" for name, value in prints),
            raw=text,
            fingerprints=tuple(prints),
            withdrawn=found.get("withdrawn", "").lower() in GONE,
            changed_at=instant(found.get("changed", "")),
            media=Media.ADDRESS if prints and prints[0][0].lower() in _ADDRESSES else Media.OTHER,
            member=shown(found.get("member", "")),
            labels=tuple(shown(label, 60) for label in found.get("labels", "").split()),
            key_is_content=not key,
        )

    def _cells(self, text: str) -> list[str]:
        if self.delimiter == " ":
            cells = text.split(None, 1)
        elif not self.delimiter:
            cells = [text.strip()]
        else:
            cells = next(csv.reader([text], delimiter=self.delimiter, strict=True), [])
        if len(cells) != self.width:
            raise InputError("line_width", "A line has another number of columns than the first one.")
        return [cell.strip() for cell in cells]


def opened(data: bytes) -> bytes:
    """The file as it is: unpacked within limits where it is packed. Raises FetchError."""
    if data.startswith(_GZIP):
        return unpacked(data, FILE_BYTES)
    if data.startswith(_ZIP):
        return _unzipped(data)
    return data


def _unzipped(data: bytes) -> bytes:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = [each for each in archive.infolist() if not each.is_dir()]
            if len(members) != 1:
                raise FetchError("source_packing", "An archive has exactly one file in it.")
            if members[0].compress_type not in _PACKINGS:
                raise FetchError("source_packing", "A file in an archive is stored or deflated, and packed in no other way.")
            most = min(FILE_BYTES.value, max(1 << 20, len(data) * UNPACKED_RATIO.value))
            with archive.open(members[0]) as stream:
                plain = stream.read(most + 1)
    except (zipfile.BadZipFile, zlib.error, OSError, NotImplementedError, RuntimeError, EOFError, ValueError) as error:
        raise FetchError("source_packing", "A packed file of the source is damaged.") from error
    if len(plain) > most:
        what = f"A packed file of {len(data)} bytes unpacks into more than {most} bytes, which is the limit for it."
        raise FetchError("source_bomb", what)
    return plain


def reader_of(address: str, line: Line | None) -> Callable[[], bytes]:
    """What reads the file: over the line, or from this machine."""
    if line is not None:
        return lambda: line.get(line.path or "/", limit=FILE_BYTES).body
    return lambda: read_file(Path(address))


def read_file(path: Path) -> bytes:
    """A file of this machine, within the limit."""
    try:
        with path.open("rb") as stream:
            data = stream.read(FILE_BYTES.value + 1)
    except OSError as error:
        raise FetchError("source_unreachable", "The file of the source cannot be read.") from error
    if len(data) > FILE_BYTES.value:
        raise FetchError("source_too_large", f"The file of the source is larger than the limit of {FILE_BYTES.value} bytes.")
    return data
