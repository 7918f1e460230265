"""Zip and tar. Members are read one by one into memory, each within its bound; nothing is unpacked onto a disk.

A bomb costs one member at most: what unpacks to more than a file may have, or to many times its packed size, is unknown.
Archives inside archives are not opened, and said to be there.
"""

from __future__ import annotations

import io
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final

from vigil.base.limits import MEDIA_BYTES
from vigil.scan.limits import ARCHIVE_BYTES, MEMBERS, RATIO
from vigil.scan.model import Item, Unreadable

ENDINGS: Final = {".zip": "zip", ".tar": "tar", ".tgz": "tar", ".tbz2": "tar", ".txz": "tar"}
PACKED_TAR: Final = (".tar.gz", ".tar.bz2", ".tar.xz")
SMALL: Final = 64 * 1024  # below it a high ratio is no harm
BROKEN: Final = (
    zipfile.BadZipFile, tarfile.TarError, zlib.error, EOFError, OSError, ValueError, NotImplementedError, RuntimeError,
)  # fmt: skip
PLAIN_TAR: Final = 1
PIECE: Final = 256 * 1024


def kind_of(path: Path) -> str | None:
    """``zip``, ``tar``, or None for what is no archive by its name."""
    name = path.name.lower()
    return "tar" if name.endswith(PACKED_TAR) else ENDINGS.get(path.suffix.lower())


def items_in(path: Path, kind: str, name: str) -> Iterator[Item]:
    """The members of an archive, in its own order; one item with a reason where it cannot be read (further)."""
    number, total = 0, 0
    try:
        for item in _zip_items(path, name) if kind == "zip" else _tar_items(path, name):
            number, total = number + 1, total + max(0, item.size)
            if number > MEMBERS.value or total > ARCHIVE_BYTES.value:
                yield Item(f"{name}!", (), reason="archive_bomb")
                return
            yield item
    except BROKEN:
        yield Item(f"{name}!", (), reason="archive_damaged")


def _zip_items(path: Path, name: str) -> Iterator[Item]:
    with zipfile.ZipFile(path) as archive:
        for place, info in enumerate(archive.infolist()):
            if info.is_dir():
                continue
            reason = ""
            if info.flag_bits & 1:
                reason = "encrypted"
            elif info.file_size > MEDIA_BYTES.value:
                reason = "too_large"
            elif info.file_size > SMALL and info.file_size > RATIO.value * max(1, info.compress_size):
                reason = "archive_bomb"
            elif kind_of(Path(info.filename)) is not None:
                reason = "nested_archive"
            yield Item(f"{name}!{_safe(info.filename)}", (place,), info.file_size, reason)


def _tar_items(path: Path, name: str) -> Iterator[Item]:
    """Offsets of members in a plain tar; in a packed one, which has no places, its members are read in order."""
    plain = not _is_packed(path)
    with tarfile.open(path, "r:" if plain else "r|*") as archive:
        for place, member in enumerate(_members(archive)):
            if member.isdir():
                continue
            reason = ""
            if not member.isfile():
                reason = "link" if member.issym() or member.islnk() else "not_a_file"
            elif member.size > MEDIA_BYTES.value:
                reason = "too_large"
            elif kind_of(Path(member.name)) is not None:
                reason = "nested_archive"
            where = (PLAIN_TAR, member.offset_data, member.size) if plain else (0, place)
            yield Item(f"{name}!{_safe(member.name)}", where, member.size, reason)


def _members(archive: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    """One by one; the library would keep all of them."""
    while (member := archive.next()) is not None:
        yield member
        setattr(archive, "members", [])  # noqa: B010  the type stubs do not know the list that grows


def _is_packed(path: Path) -> bool:
    with path.open("rb") as stream:
        head = stream.read(6)
    return head.startswith((b"\x1f\x8b", b"BZh", b"\xfd7zXZ\0"))


def _safe(name: str) -> str:
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


class ZipReader:
    """Members by their place in the directory of the archive."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive
        self._infos = archive.infolist()

    def read(self, item: Item) -> bytes:
        try:
            with self._archive.open(self._infos[int(item.where[0] or 0)]) as stream:
                return _bounded(stream)
        except BROKEN as error:
            raise Unreadable("archive_damaged") from error


class TarReader:
    """Members of a plain tar by their offset; of a packed one by walking on from the member before."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: IO[bytes] | None = None
        self._archive: tarfile.TarFile | None = None
        self._place = -1

    def read(self, item: Item) -> bytes:
        try:
            return self._at(item) if item.where[0] == PLAIN_TAR else self._walked(int(item.where[1] or 0))
        except BROKEN as error:
            raise Unreadable("archive_damaged") from error

    def _at(self, item: Item) -> bytes:
        if self._file is None:
            self._file = self._path.open("rb")
        self._file.seek(int(item.where[1] or 0))
        data = self._file.read(int(item.where[2] or 0))
        if len(data) != item.where[2]:
            raise Unreadable("archive_damaged")
        return data

    def _walked(self, place: int) -> bytes:
        if self._archive is None or place <= self._place:
            self.close()
            self._archive, self._place = tarfile.open(self._path, "r|*"), -1  # noqa: SIM115  closed with the reader
        for member in _members(self._archive):
            self._place += 1
            if self._place == place:
                stream = self._archive.extractfile(member)
                if stream is None:
                    raise Unreadable("not_a_file")
                return _bounded(stream)
        raise Unreadable("archive_damaged")

    def close(self) -> None:
        """Close what is open."""
        for each in (self._file, self._archive):
            if each is not None:
                each.close()
        self._file = self._archive = None


@contextmanager
def zip_reader(place: str) -> Iterator[ZipReader]:
    """A reader of one zip; Unreadable items only where the whole file cannot be opened any more."""
    try:
        archive = zipfile.ZipFile(place)
    except BROKEN:
        archive = zipfile.ZipFile(io.BytesIO(), "w")
    with archive:
        yield ZipReader(archive)


@contextmanager
def tar_reader(place: str) -> Iterator[TarReader]:
    """A reader of one tar."""
    reader = TarReader(Path(place))
    try:
        yield reader
    finally:
        reader.close()


def _bounded(stream: IO[bytes]) -> bytes:
    """All of a member, whatever its head says of its size."""
    parts: list[bytes] = []
    size = 0
    while piece := stream.read(PIECE):
        size += len(piece)
        if size > MEDIA_BYTES.value:
            raise Unreadable("too_large")
        parts.append(piece)
    return b"".join(parts)
