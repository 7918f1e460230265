"""Where items come from. A source gives tasks in an order that lasts while it is unchanged; a reader gives one item's bytes.

Sources run in the process that leads, readers in the workers. Nothing is skipped: what cannot be listed or read is an item
with a reason.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from itertools import islice
from pathlib import Path
from typing import Final, Protocol
from urllib.parse import urlsplit

from vigil.base.errors import InputError
from vigil.base.limits import MEDIA_BYTES
from vigil.media.fetching import Rules
from vigil.scan import archives, buckets, tables
from vigil.scan.limits import TASK_ITEMS
from vigil.scan.model import Item, Task, Unreadable


class Reader(Protocol):
    """Reads items of one task; made once for each task, in the worker."""

    def read(self, item: Item) -> bytes:
        """The item's bytes, at most MEDIA_BYTES. Raises Unreadable."""
        ...


class FileReader:
    """Files of a folder; links are not followed, so that no other place is read."""

    def __init__(self, place: str) -> None:
        self._folder = Path(place)

    def read(self, item: Item) -> bytes:
        try:
            descriptor = os.open(_path_of(self._folder, item), os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:
            raise Unreadable("unreadable") from error
        with os.fdopen(descriptor, "rb") as stream:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise Unreadable("not_a_file")
            try:
                data = stream.read(MEDIA_BYTES.value + 1)
            except OSError as error:
                raise Unreadable("unreadable") from error
        if len(data) > MEDIA_BYTES.value:
            raise Unreadable("too_large")
        return data


def _path_of(folder: Path, item: Item) -> Path:
    """File names are bytes; as text they go between processes one character a byte."""
    return folder / os.fsdecode(str(item.where[0]).encode("latin-1"))


def _named(path: str) -> tuple[str]:
    return (os.fsencode(path).decode("latin-1"),)


def reader_of(task: Task, rules: Rules) -> AbstractContextManager[Reader]:
    """The reader of a task; closes what it opened."""
    makers: dict[str, Callable[[], AbstractContextManager[Reader]]] = {
        "file": lambda: nullcontext(FileReader(task.place)),
        "zip": lambda: archives.zip_reader(task.place),
        "tar": lambda: archives.tar_reader(task.place),
        "bucket": lambda: nullcontext(buckets.BucketReader(task.place)),
        "parquet": lambda: tables.parquet_reader(task.place),
        "url": lambda: nullcontext(tables.AddressReader(rules)),
    }
    return makers[task.reader]()


def tasks_of(source: str, column: str = "") -> Iterator[Task]:
    """The tasks of a folder, a file, an archive, ``s3://bucket/prefix``, ``FILE.parquet`` or ``urls:FILE``."""
    numbered = enumerate(_batches(source, column))
    return (Task(number, reader, place, items) for number, (reader, place, items) in numbered)


Batch = tuple[str, str, tuple[Item, ...]]
BUCKETS: Final = ("s3", "memory")


def _batches(source: str, column: str) -> Iterator[Batch]:
    if source.startswith("urls:"):
        return _cut("url", "", tables.addresses_in(Path(source.removeprefix("urls:"))))
    if urlsplit(source).scheme in BUCKETS:
        return _cut("bucket", source, buckets.items_in(source))
    path = Path(source)
    if path.is_dir():
        return _folder(path.resolve())
    if not path.is_file():
        raise InputError("source_missing", "There is no such source.", where=source, mend="Name a folder, file or bucket.")
    return _file(path.resolve(), column)


def _file(path: Path, column: str) -> Iterator[Batch]:
    if path.suffix == ".parquet":
        return tables.parquet_batches(path, column)
    kind = archives.kind_of(path)
    if kind is not None:
        return _archive(path, kind, path.name)
    return iter([("file", str(path.parent), (Item(_printable(path.name), _named(path.name), path.stat().st_size),))])


def _folder(folder: Path) -> Iterator[Batch]:
    """Files by their path below ``folder``; archives are opened, each a run of tasks of its own."""
    plain: list[Item] = []
    for item, kind in _walk(folder):
        if kind is not None:
            yield from _archive(_path_of(folder, item), kind, item.name)
            continue
        plain.append(item)
        if len(plain) == TASK_ITEMS.value:
            yield "file", str(folder), tuple(plain)
            plain.clear()
    if plain:
        yield "file", str(folder), tuple(plain)


def _walk(folder: Path) -> Iterator[tuple[Item, str | None]]:
    """Depth first, one open folder a level: what is in memory does not grow with the number of files."""
    levels = [(os.scandir(folder), "")]
    while levels:
        entries, prefix = levels[-1]
        entry = next(entries, None)
        if entry is None:
            entries.close()
            levels.pop()
            continue
        name = _printable(prefix + entry.name)
        try:
            if entry.is_symlink():
                yield Item(name, _named(prefix + entry.name), reason="link"), None
            elif entry.is_dir(follow_symlinks=False):
                levels.append((os.scandir(entry.path), prefix + entry.name + "/"))
            elif not entry.is_file(follow_symlinks=False):
                yield Item(name, _named(prefix + entry.name), reason="not_a_file"), None
            else:
                size = entry.stat(follow_symlinks=False).st_size
                yield Item(name, _named(prefix + entry.name), size), archives.kind_of(Path(entry.path))
        except OSError:
            yield Item(name, _named(prefix + entry.name), reason="unreadable"), None


def _printable(name: str) -> str:
    """A file name whose bytes are no text has a name all the same."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _archive(path: Path, kind: str, name: str) -> Iterator[Batch]:
    return _cut(kind, str(path), archives.items_in(path, kind, name))


def _cut(reader: str, place: str, items: Iterable[Item]) -> Iterator[Batch]:
    each = iter(items)
    while batch := tuple(islice(each, TASK_ITEMS.value)):
        yield reader, place, batch
