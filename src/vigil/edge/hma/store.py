"""What banks hold, as files that one process writes and any number read: indexes, the state of each content, banks.

Below the node's state folder::

    hma/head            64 bytes, mapped by all: what the readers compare to see that something changed
    hma/place.json      the writer's own: how far in the feed everything is on disk
    hma/<epoch>/        pdq.near, <algorithm>.exact with its .values.npy and .ids.npy, journal, contents, banks.json

A new content is appended to the near index and to the journal of exact values, then its record in ``contents`` appears;
a switch or a deletion rewrites that record in place, and so acts in all processes at once. From time to time everything is
built anew under the next epoch. Whatever a cut leaves behind is applied again from ``place``: applying twice changes nothing.
"""

from __future__ import annotations

import json
import mmap
import os
import shutil
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np
import numpy.typing as npt

from vigil.base.errors import InputError, UnavailableError
from vigil.base.files import write_atomically
from vigil.match.index import DigestTable, HammingIndex
from vigil.match.signal_types import FURTHEST, SIGNAL_TYPES, SignalType

HEAD: Final = struct.Struct("<8sQQQQQd8x")
MAGIC: Final = b"vigilhma"
CONTENT: Final = np.dtype([("until", "<i8"), ("bank", "<u4"), ("furthest", "<u2"), ("types", "<u2")])
JOURNAL: Final = np.dtype([("algorithm", "u1"), ("pad", "u1", 7), ("id", "<u8"), ("value", "u1", 32)])
EXACT: Final = ("md5", "sha1", "sha256")
NEAR: Final = "pdq"
BITS: Final[dict[str, int]] = {name: 1 << place for place, name in enumerate(SIGNAL_TYPES)}
GROW: Final = 4096
NOBODY: Final = 0
JOURNAL_ROWS: Final = 20_000
SEGMENTS: Final = 24


class Row(msgspec.Struct, frozen=True, array_like=True):
    """A content of the feed. ``until``: 0 off, 1 on, else off until then; ``signals``: type and value as text."""

    number: int
    bank: int
    until: int
    furthest: int
    added: int
    signals: tuple[tuple[str, str], ...]


class BankRow(msgspec.Struct, frozen=True, array_like=True):
    """A bank of the feed; ``list`` is its name in counts, where the hotline says it."""

    number: int
    name: str
    ratio: float
    list: str = ""


class Page(msgspec.Struct, frozen=True):
    """A page of the feed (``vigil.hotline.banks.feed``)."""

    after: str
    next: str
    more: bool
    live: int
    banks: tuple[BankRow, ...]
    types: dict[str, float]
    contents: tuple[Row, ...]
    gone: tuple[int, ...]


class Banks(msgspec.Struct, frozen=True):
    """``banks.json``: name and ratio by number, the ratio of types, how many values of each type, and the newest's time.

    ``lists``: under which name the hits of a bank are counted, by number.
    """

    banks: dict[int, tuple[str, float]]
    types: dict[str, float]
    sizes: dict[str, int]
    built_to: dict[str, int]
    lists: dict[int, str] = {}


@dataclass(frozen=True, slots=True)
class Head:
    """What readers compare: ``epoch`` 0 until everything in the feed was taken up once."""

    epoch: int
    near: int
    journal: int
    banks: int
    contents: int
    contact: float


def read_head(raw: bytes | mmap.mmap) -> Head:
    """The head in 64 bytes."""
    magic, *fields = HEAD.unpack(raw[: HEAD.size])
    if magic != MAGIC:
        raise UnavailableError("banks_unreadable", "The state of the banks cannot be read.", mend="Remove the folder hma.")
    return Head(*fields)


@dataclass(slots=True)
class Values:
    """Values to index: text becomes bytes; what this version cannot compare is counted and left out."""

    near: list[bytes] = field(default_factory=list)
    near_ids: list[int] = field(default_factory=list)
    exact: dict[str, tuple[list[bytes], list[int]]] = field(default_factory=lambda: {name: ([], []) for name in EXACT})
    refused: int = 0

    def add(self, row: Row) -> int:
        """Take the signals of a row; gives the bits of their types."""
        bits = 0
        for name, text in row.signals:
            kind = SIGNAL_TYPES.get(name)
            try:
                value = kind.parse(text) if kind is not None else None
            except InputError:
                value = None
            if kind is None or value is None:
                self.refused += 1
                continue
            bits |= BITS[name]
            self._put(kind, value, row.number)
        return bits

    def _put(self, kind: SignalType, value: bytes, number: int) -> None:
        if kind.near:
            self.near.append(value)
            self.near_ids.append(number)
        else:
            values, ids = self.exact[kind.algorithm.name]
            values.append(value)
            ids.append(number)


def codes_of(values: Sequence[bytes], width: int) -> npt.NDArray[np.uint8]:
    """Values of one width as rows."""
    return np.frombuffer(b"".join(values), np.uint8).reshape(-1, width)


class Writer:
    """The one process that writes. Not thread-safe."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._folder = folder
        self._head = _mapped_head(folder / "head")
        self.place, epoch = self._kept()
        self._banks = Banks({}, {}, {}, {})
        self._version = read_head(self._head).banks
        self._pending: list[Page] = []
        self.refused = 0
        if epoch:
            self._banks = msgspec.json.decode((self._path(epoch) / "banks.json").read_bytes(), type=Banks)
        else:
            self._set(epoch=0)

    def _kept(self) -> tuple[str, int]:
        """The place and epoch of the last run; the beginning where anything of them is missing."""
        try:
            kept = json.loads((self._folder / "place.json").read_bytes())
            epoch = int(kept["epoch"])
            whole = read_head(self._head).epoch == epoch and (self._path(epoch) / "banks.json").exists()
            return (str(kept["place"]), epoch) if whole else ("0.0", 0)
        except (OSError, ValueError, KeyError, TypeError):
            return "0.0", 0

    def _path(self, epoch: int) -> Path:
        return self._folder / str(epoch)

    @property
    def epoch(self) -> int:
        return read_head(self._head).epoch

    def _set(self, **changes: float) -> None:
        """Rewrite the head; the last step of every change."""
        head = read_head(self._head)
        fields = {name: changes.get(name, getattr(head, name)) for name in Head.__slots__}
        self._head[: HEAD.size] = HEAD.pack(MAGIC, *fields.values())

    def contact(self, moment: float) -> None:
        """Note that the feed answered."""
        self._set(contact=moment)

    def begin_anew(self) -> None:
        """Forget how far we are: the whole feed is read again, while what is loaded stays in force."""
        self.place, self._pending = "0.0", []
        write_atomically(self._folder / "place.json", json.dumps({"place": "0.0", "epoch": 0}).encode(), mode=0o600)
        self._anew = True

    _anew = False

    def apply(self, page: Page) -> bool:
        """Take up a page; False where the pages are over and the number of contents is not that of the hotline."""
        if self.epoch == 0 or self._anew:
            return self._collect(page)
        folder = self._path(self.epoch)
        self._append(folder, page)
        return self._close(page)

    def _collect(self, page: Page) -> bool:
        """The first time: everything is gathered, then built in one go."""
        self._pending.append(page)
        self.place = page.next
        if page.more:
            return True
        rows: dict[int, Row] = {}
        for each in self._pending:
            for row in each.contents:
                rows[row.number] = row
            for number in each.gone:
                rows.pop(number, None)
        self._pending, self._anew = [], False
        self._build(list(rows.values()), page)
        return self._close(page)

    def _build(self, rows: Sequence[Row], page: Page) -> None:
        values = Values()
        contents = np.zeros(_room(max((row.number for row in rows), default=0)), CONTENT)
        for row in rows:
            bits = values.add(row)
            contents[row.number] = (row.until, row.bank, min(row.furthest, FURTHEST), bits)
        self.refused += values.refused
        near = (codes_of(values.near, 32), np.array(values.near_ids, np.uint64))
        exact = {
            name: (codes_of(found, SIGNAL_TYPES[name].algorithm.key_bytes), np.array(ids, np.uint64))
            for name, (found, ids) in values.exact.items()
        }
        self._epoch(contents, near, exact, page, _newest({}, rows))

    def _epoch(
        self,
        contents: npt.NDArray[Any],
        near: tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint64]],
        exact: Mapping[str, tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint64]]],
        page: Page | None,
        built_to: dict[str, int],
    ) -> None:
        """Write everything under the next epoch, and let readers have it."""
        before = self.epoch
        epoch = max([before, *(int(each.name) for each in self._folder.iterdir() if each.name.isdigit())]) + 1
        folder = self._path(epoch)
        folder.mkdir(mode=0o700)
        HammingIndex.build(*near, folder / "pdq.near")
        for name, (values, ids) in exact.items():
            if len(ids):
                DigestTable.build(values, ids, folder / f"{name}.exact")
            np.save(folder / f"{name}.values.npy", values)
            np.save(folder / f"{name}.ids.npy", ids)
        (folder / "journal").touch(mode=0o600)
        (folder / "contents").write_bytes(contents.tobytes())
        self._save_banks(folder, page, built_to)
        self._set(epoch=epoch, near=0, journal=0, banks=self._version, contents=len(contents))
        self._keep(self.place)
        for each in self._folder.iterdir():
            if each.name.isdigit() and int(each.name) not in {epoch, before}:
                shutil.rmtree(each, ignore_errors=True)

    def _append(self, folder: Path, page: Page) -> None:
        contents = self._contents(folder, max((row.number for row in page.contents), default=0))
        values, fresh = Values(), []
        bits = {}
        for row in page.contents:
            if contents["bank"][row.number] == NOBODY:
                bits[row.number] = values.add(row)
                fresh.append(row)
        self.refused += values.refused
        self._append_values(folder, values)
        for row in page.contents:
            kept = bits.get(row.number, int(contents["types"][row.number]))
            contents[row.number] = (row.until, row.bank, min(row.furthest, FURTHEST), kept)
        gone = np.array([number for number in page.gone if number < len(contents)], np.uint64)
        gone = gone[contents["bank"][gone] != NOBODY] if len(gone) else gone
        if len(gone):
            contents["bank"][gone] = NOBODY
            self._near(folder).remove(gone)
        contents.flush()
        head = read_head(self._head)
        self._save_banks(folder, page, _newest(self._banks.built_to, fresh))
        self._set(near=head.near + 1, journal=_size(folder / "journal"), banks=self._version, contents=len(contents))
        self._keep(page.next)
        self._removed = self._removed or bool(len(gone))

    _removed = False

    def _append_values(self, folder: Path, values: Values) -> None:
        if values.near:
            self._near(folder).append(codes_of(values.near, 32), np.array(values.near_ids, np.uint64))
        rows = [(place, ids[n], value) for place, name in enumerate(EXACT) for ids, found in [values.exact[name][::-1]]
                for n, value in enumerate(found)]  # fmt: skip
        if rows:
            made = np.zeros(len(rows), JOURNAL)
            for n, (place, number, value) in enumerate(rows):
                made[n]["algorithm"], made[n]["id"] = place, number
                made[n]["value"][: len(value)] = np.frombuffer(value, np.uint8)
            with (folder / "journal").open("ab") as stream:
                stream.write(made.tobytes())
                stream.flush()
                os.fsync(stream.fileno())

    @staticmethod
    def _near(folder: Path) -> HammingIndex:
        return HammingIndex.open(folder / "pdq.near")

    @staticmethod
    def _contents(folder: Path, highest: int) -> np.memmap[Any, np.dtype[Any]]:
        """The records, with room for ``highest``."""
        path = folder / "contents"
        if highest >= _size(path) // CONTENT.itemsize:
            os.truncate(path, _room(highest) * CONTENT.itemsize)
        return np.memmap(path, CONTENT, "r+")

    def _save_banks(self, folder: Path, page: Page | None, built_to: dict[str, int]) -> None:
        contents = np.memmap(folder / "contents", CONTENT, "r")
        banks = self._banks.banks if page is None else {bank.number: (bank.name, bank.ratio) for bank in page.banks}
        types = self._banks.types if page is None else page.types
        lists = self._banks.lists if page is None else {bank.number: bank.list for bank in page.banks if bank.list}
        alive = np.isin(contents["bank"], np.array([*banks], np.uint32))
        held = contents["types"][alive]
        sizes = {name: int(np.count_nonzero(held & bit)) for name, bit in BITS.items()}
        self._banks = Banks(banks, types, sizes, built_to, lists)
        self._live = int(np.count_nonzero(alive))
        self._version += 1
        write_atomically(folder / "banks.json", msgspec.json.encode(self._banks), mode=0o600)

    _live = 0

    def _keep(self, place: str) -> None:
        self.place = place
        text = json.dumps({"place": place, "epoch": self.epoch})
        write_atomically(self._folder / "place.json", text.encode(), mode=0o600)

    def _close(self, page: Page) -> bool:
        return page.more or self._live == page.live

    def must_compact(self, *, old: bool) -> bool:
        """Whether building anew is due: much was appended, or (where ``old``) something deleted is still in the files."""
        if not self.epoch:
            return False
        folder = self._path(self.epoch)
        much = _size(folder / "journal") > JOURNAL_ROWS * JOURNAL.itemsize or len(self._near(folder).segments()) > SEGMENTS
        return much or (old and self._removed)

    def compact(self) -> None:
        """Build everything anew without what is deleted: afterwards no file holds a deleted value."""
        folder = self._path(self.epoch)
        contents = np.fromfile(folder / "contents", CONTENT)
        alive = np.isin(contents["bank"], np.array([*self._banks.banks], np.uint32))
        contents[~alive] = np.zeros(1, CONTENT)[0]
        codes, ids = self._near(folder).rows()
        kept = alive[ids]
        exact = {}
        tail = np.fromfile(folder / "journal", JOURNAL)
        for place, name in enumerate(EXACT):
            width = SIGNAL_TYPES[name].algorithm.key_bytes
            more = tail[tail["algorithm"] == place]
            values = np.concatenate([np.load(folder / f"{name}.values.npy"), more["value"][:, :width]])
            numbers = np.concatenate([np.load(folder / f"{name}.ids.npy"), more["id"]])
            exact[name] = (np.ascontiguousarray(values[alive[numbers]]), numbers[alive[numbers]])
        near = (np.ascontiguousarray(codes[kept]), ids[kept])
        self._epoch(contents, near, exact, None, self._banks.built_to)
        self._removed = False
        for each in self._folder.iterdir():
            if each.name.isdigit() and int(each.name) != self.epoch:
                shutil.rmtree(each, ignore_errors=True)


def _newest(before: Mapping[str, int], rows: Sequence[Row]) -> dict[str, int]:
    found = dict(before)
    for row in rows:
        for name, _ in row.signals:
            found[name] = max(found.get(name, -1), row.added)
    return found


def _room(highest: int) -> int:
    return (highest // GROW + 1) * GROW


def _size(path: Path) -> int:
    return path.stat().st_size


def _mapped_head(path: Path, *, writing: bool = True) -> mmap.mmap:
    if writing and (not path.exists() or _size(path) != HEAD.size):
        write_atomically(path, HEAD.pack(MAGIC, 0, 0, 0, 0, 0, 0.0), mode=0o600)
    with path.open("r+b" if writing else "rb") as stream:
        return mmap.mmap(stream.fileno(), HEAD.size, access=mmap.ACCESS_WRITE if writing else mmap.ACCESS_READ)


class Reader:
    """What one process matches with. ``refresh`` before each question costs one comparison while nothing changes."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._head = _mapped_head(folder / "head", writing=False)
        self._seen = b""
        self.head = Head(0, 0, 0, 0, 0, 0.0)
        self.banks = Banks({}, {}, {}, {})
        self._near: HammingIndex | None = None
        self._exact: dict[str, DigestTable] = {}
        self._tail: dict[str, dict[bytes, list[int]]] = {}
        self._until: npt.NDArray[np.int64] = np.zeros(0, np.int64)
        self._records: Any = np.zeros(0, CONTENT)

    @property
    def ready(self) -> bool:
        """Whether everything that was banked has been taken up."""
        return self.head.epoch != 0

    def refresh(self) -> None:
        """Take up what the writer has let readers have since."""
        raw = self._head[: HEAD.size]
        if raw == self._seen:
            return
        for _ in range(10):
            head = read_head(raw)
            try:
                self._take(head)
            except FileNotFoundError:  # built anew in between: the head has moved on
                raw = self._head[: HEAD.size]
                continue
            self._seen, self.head = raw, head
            return

    def _take(self, head: Head) -> None:
        if not head.epoch:
            return
        folder, before = self._folder / str(head.epoch), self.head
        fresh = head.epoch != before.epoch
        if fresh:
            self._near = HammingIndex.open(folder / "pdq.near")
            self._exact = {name: DigestTable.open(path) for name, path in _tables(folder)}
            self._tail = {name: {} for name in EXACT}
        elif head.near != before.near and self._near is not None:
            self._near.refresh()
        if fresh or head.contents != before.contents:
            self._records = np.memmap(folder / "contents", CONTENT, "r")
        if fresh or head.journal != before.journal:
            self._read_journal(folder / "journal", 0 if fresh else before.journal, head.journal)
        if fresh or head.banks != before.banks:
            self.banks = msgspec.json.decode((folder / "banks.json").read_bytes(), type=Banks)

    def _read_journal(self, path: Path, start: int, end: int) -> None:
        with path.open("rb") as stream:
            stream.seek(start)
            rows = np.frombuffer(stream.read(end - start), JOURNAL)
        for row in rows:
            name = EXACT[int(row["algorithm"])]
            value = row["value"].tobytes()[: SIGNAL_TYPES[name].algorithm.key_bytes]
            self._tail[name].setdefault(value, []).append(int(row["id"]))

    def search(self, kind: SignalType, value: bytes) -> Iterator[tuple[int, int, int, int]]:
        """Contents near or equal: number, distance, number of its bank, ``until``; each once, the deleted never."""
        for number, distance in self._found(kind, value):
            record = self._records[number]
            bank = int(record["bank"])
            if bank in self.banks.banks and distance <= int(record["furthest"]):
                yield number, distance, bank, int(record["until"])

    def _found(self, kind: SignalType, value: bytes) -> list[tuple[int, int]]:
        code = np.frombuffer(value, np.uint8).reshape(1, -1)
        if kind.near:
            if self._near is None:
                return []
            _, ids, distances = self._near.search(code, FURTHEST, threads=1)
            return _once(zip(ids.tolist(), distances.tolist(), strict=True)) if len(ids) else []
        name = kind.algorithm.name
        table = self._exact.get(name)
        ids_list = table.search(code)[1].tolist() if table is not None else []
        return _once((number, 0) for number in [*ids_list, *self._tail.get(name, {}).get(value, ())])

    def search_many(self, codes: npt.NDArray[np.uint8]) -> list[list[tuple[int, int, int, int]]]:
        """The same for many PDQ values at once, (q, 32) uint8."""
        if self._near is None:
            return [[] for _ in codes]
        offsets, ids, distances = self._near.search(codes, FURTHEST)
        found: list[list[tuple[int, int, int, int]]] = [[] for _ in codes]
        for place in np.flatnonzero(np.diff(offsets)):
            part = slice(offsets[place], offsets[place + 1])
            for number, distance in _once(zip(ids[part].tolist(), distances[part].tolist(), strict=True)):
                record = self._records[number]
                bank = int(record["bank"])
                if bank in self.banks.banks and distance <= int(record["furthest"]):
                    found[place].append((number, distance, bank, int(record["until"])))
        return found


def _tables(folder: Path) -> list[tuple[str, Path]]:
    return [(name, path) for name in EXACT if (path := folder / f"{name}.exact").exists()]


def _once(pairs: Any) -> list[tuple[int, int]]:
    """Each content with its least distance, in order of distance."""
    best: dict[int, int] = {}
    for number, distance in pairs:
        if distance < best.get(number, 1 << 30):
            best[number] = distance
    return sorted(best.items(), key=lambda item: (item[1], item[0]))
