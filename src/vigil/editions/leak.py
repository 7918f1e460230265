"""Reading a file that leaked, of whatever form: which host names, digests and entry numbers are in it.

Text of any kind (CSV, JSON, zone and hosts files, rules of proxies, lists of digests) is searched for host names, hexadecimal
and base64 digests and long numbers; Parquet is read column by column, a Safe Browsing list by its digests. What is found is
compared with what is wanted; nothing else of the file is kept.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from vigil.base.errors import InputError
from vigil.base.limits import Limit
from vigil.editions.export.hash_list import is_hash_list, read_hash_list
from vigil.editions.opaque import LARGEST

FILE_BYTES: Final = Limit(4 * 1024**3, "bytes", "a leaked list is no larger than an edition")
NUMBERS: Final = Limit(200_000, "numbers", "enough entry numbers to tell whose they are")
BLOCK: Final = 8 * 1024 * 1024
OVERLAP: Final = 4096
WIDE: Final = {b"\xff\xfe": "utf-16-le", b"\xfe\xff": "utf-16-be"}
PARQUET: Final = b"PAR1"
SEALED: Final = (b"age-encryption.org/", b"-----BEGIN AGE")
PACKED: Final = (b"\x1f\x8b", b"PK\x03\x04", b"\x28\xb5\x2f\xfd", b"BZh", b"\xfd7zXZ")

_HOST: Final = re.compile(rb"(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.)+[a-z][a-z0-9-]{1,62}")
_HEX: Final = re.compile(rb"(?<![0-9a-f])[0-9a-f]{16,128}(?![0-9a-f])")
_BASE64: Final = re.compile(rb"(?<![A-Za-z0-9+/_-])[A-Za-z0-9+/_-]{22,43}={0,2}(?![A-Za-z0-9+/_=-])")
_DIGEST_SIZES: Final = frozenset({8, 16, 20, 32})  # 8: hosts of an edition
_NUMBER: Final = re.compile(rb"(?<![0-9a-zA-Z.])[0-9]{10,15}(?![0-9a-zA-Z])")


class LeakForm(StrEnum):
    """How a file was read."""

    TEXT = "text"
    PARQUET = "Parquet"
    SAFE_BROWSING = "Safe Browsing"


@dataclass(slots=True)
class Leak:
    """What a file holds. ``hosts`` of those wanted, ``digests`` of those wanted, ``numbers`` that may be entry numbers.

    ``strange_digests``: whether there are digests that are not wanted; they may have been made under a key that is not here.
    """

    form: LeakForm
    hosts: set[bytes] = field(default_factory=set)
    digests: set[bytes] = field(default_factory=set)
    numbers: set[int] = field(default_factory=set)
    strange_digests: bool = False

    def take(self, value: bytes, digests: frozenset[bytes]) -> None:
        """Keep a digest that is wanted; of others only that there are some."""
        if value in digests:
            self.digests.add(value)
        elif len(value) in _DIGEST_SIZES:
            self.strange_digests = True


def require_leak(path: Path) -> bytes:
    """The first bytes of a file that can be searched. Raises InputError where it cannot be read, is packed or encrypted."""
    try:
        size = path.stat().st_size
        with path.open("rb") as stream:
            start = stream.read(64)
    except OSError as error:
        mend = "It is a folder: trace its files one by one." if path.is_dir() else ""
        raise InputError("leak_unreadable", "The file cannot be read.", where=path.name, mend=mend) from error
    if size > FILE_BYTES.value:
        raise InputError("leak_large", f"The file is larger than {FILE_BYTES.value} bytes.", where=path.name)
    if start.startswith(SEALED):
        raise InputError(
            "leak_encrypted", "The file is encrypted: what is in it cannot be seen.", where=path.name,
            mend="Look for a copy that somebody has opened.",
        )  # fmt: skip
    if start.startswith(PACKED):
        raise InputError("leak_packed", "The file is packed.", where=path.name, mend="Unpack it first.")
    return start


def read_leak(path: Path, hosts: frozenset[bytes], digests: frozenset[bytes]) -> Leak:
    """Search a file for ``hosts`` and ``digests``. Raises InputError as :func:`require_leak` does."""
    start = require_leak(path)
    if start.startswith(PARQUET):
        return _parquet(path, hosts, digests)
    if is_hash_list(start):
        return _hash_list(path, digests)
    return _text(path, hosts, digests, WIDE.get(start[:2]))


def _hash_list(path: Path, digests: frozenset[bytes]) -> Leak:
    try:
        found = read_hash_list(path.read_bytes())
    except InputError as error:
        raise InputError("leak_malformed", "The Safe Browsing list is damaged.", where=path.name) from error
    leak = Leak(LeakForm.SAFE_BROWSING)
    for value in found:
        leak.take(value, digests)
    return leak


def _text(path: Path, hosts: frozenset[bytes], digests: frozenset[bytes], wide: str | None) -> Leak:
    """``wide``: the encoding of text with two bytes a letter, as spreadsheets save it; None for all other text."""
    leak = Leak(LeakForm.TEXT)
    with path.open("rb") as stream:
        tail = b""
        while block := stream.read(BLOCK):
            data = tail + (block.decode(wide, errors="replace").encode() if wide else block)
            _search(data, hosts, digests, leak)
            tail = data[-OVERLAP:]
    return leak


def _search(data: bytes, hosts: frozenset[bytes], digests: frozenset[bytes], leak: Leak) -> None:
    """Names also where a rule escapes their dots, or where a domain stands before or behind further labels."""
    lowered = data.replace(b"\\", b"").lower()
    for found in _HOST.findall(lowered):
        leak.hosts.update(part for part in _suffixes(found) if part in hosts)
    for found in _HEX.findall(lowered):
        if len(found) % 2 == 0:
            leak.take(bytes.fromhex(found.decode()), digests)
    for found in _BASE64.findall(data):
        leak.take(_decoded(found), digests)
    if len(leak.numbers) < NUMBERS.value:
        leak.numbers.update(number for number in map(int, _NUMBER.findall(data)) if number <= LARGEST)


def _suffixes(name: bytes) -> Iterator[bytes]:
    """A name, and the names above it: a zone writes ``name.list.zone``, a rule ``*.name``."""
    labels = name.split(b".")
    for start in range(len(labels) - 1):
        for end in range(start + 2, min(len(labels), start + 8) + 1):
            yield b".".join(labels[start:end])


def _decoded(text: bytes) -> bytes:
    padded = text.rstrip(b"=")
    try:
        return base64.b64decode(padded + b"=" * (-len(padded) % 4), altchars=b"-_" if set(b"-_") & set(padded) else None)
    except binascii.Error:
        return b""


def _parquet(path: Path, hosts: frozenset[bytes], digests: frozenset[bytes]) -> Leak:
    leak = Leak(LeakForm.PARQUET)
    try:
        file = pq.ParquetFile(path, memory_map=True)
        for batch in file.iter_batches(batch_size=65_536, use_threads=False):
            for column in batch.columns:
                _column(column, hosts, digests, leak)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise InputError("leak_malformed", "The Parquet file is damaged.", where=path.name) from error
    return leak


def _column(column: Any, hosts: frozenset[bytes], digests: frozenset[bytes], leak: Leak) -> None:
    kind = column.type
    if pa.types.is_integer(kind):
        if len(leak.numbers) < NUMBERS.value:
            given = np.asarray(column.drop_null().to_numpy(zero_copy_only=False))
            leak.numbers.update(given[(given > 2**31) & (given <= LARGEST)].tolist())
    elif pa.types.is_binary(kind) or pa.types.is_fixed_size_binary(kind) or pa.types.is_large_binary(kind):
        for value in column.to_pylist():
            if value is not None:
                leak.take(value, digests)
    elif pa.types.is_string(kind) or pa.types.is_large_string(kind):
        _search("\n".join(text for text in column.to_pylist() if text).encode(), hosts, digests, leak)
