"""Digest tables against a dictionary; what they refuse."""

from __future__ import annotations

import contextlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from vigil.base.errors import InputError, RefusedError
from vigil.match import _kernel
from vigil.match.index import DigestTable
from vigil.match.index.exact_twin import DigestTwin


def same(table: DigestTable, twin: DigestTwin, asked: NDArray[np.uint8]) -> bool:
    found = twin.search(asked)
    held = [table.holds(digest.tobytes()) for digest in asked]
    return (
        all(np.array_equal(a, b) for a, b in zip(table.search(asked), found, strict=True))
        and held == (np.diff(found[0]) > 0).tolist()
    )


@pytest.mark.parametrize("width", [1, 7, 8, 9, 16, 20, 32, 144, 256])
def test_finds_what_a_dictionary_finds(tmp_path: Path, width: int) -> None:
    generator = np.random.default_rng(width)
    for count in (1, 2, 3, 15, 16, 17, 128, 129, 3000):
        digests = generator.integers(0, 256, (count, width), dtype=np.uint8)
        digests[generator.integers(0, count, count // 3)] = digests[0]
        ids = generator.integers(0, 2**63, count, dtype=np.uint64)
        other = generator.integers(0, 256, (50, width), dtype=np.uint8)
        asked = np.concatenate([digests[generator.integers(0, count, 50)], other, np.full((1, width), 255, np.uint8)])
        twin = DigestTwin(digests, ids)
        assert same(DigestTable.build(digests, ids), twin, asked)
    written = DigestTable.build(digests, ids, tmp_path / "digests.idx")
    assert same(written, twin, asked)
    written.verify()
    assert (len(written), written.width) == (count, width)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.binary(min_size=3, max_size=3), max_size=60), st.lists(st.binary(min_size=3, max_size=3), max_size=9))
def test_any_digests(stored: list[bytes], asked: list[bytes]) -> None:
    digests = np.frombuffer(b"".join(stored), np.uint8).reshape(len(stored), 3)
    queries = np.frombuffer(b"".join(asked + stored), np.uint8).reshape(-1, 3)
    ids = np.arange(len(stored), dtype=np.uint64)
    assert same(DigestTable.build(digests, ids), DigestTwin(digests, ids), queries)


def test_digests_that_share_their_first_bytes_are_told_apart() -> None:
    digests = np.zeros((2000, 32), np.uint8)
    digests[:, 30] = np.arange(2000) // 256
    digests[:, 31] = np.arange(2000) % 256
    ids = np.arange(2000, dtype=np.uint64)
    assert DigestTable.build(digests, ids).search(digests)[1].tolist() == ids.tolist()


def test_cut_and_altered_files_are_refused(tmp_path: Path) -> None:
    generator = np.random.default_rng(1)
    digests = generator.integers(0, 256, (200, 16), dtype=np.uint8)
    path, altered = tmp_path / "digests.idx", tmp_path / "altered.idx"
    DigestTable.build(digests, np.arange(200, dtype=np.uint64), path)
    whole = path.read_bytes()
    for length in (*range(0, 300, 7), *range(300, len(whole), 97)):
        altered.write_bytes(whole[:length])
        with pytest.raises(InputError):
            DigestTable.open(altered)
    altered.write_bytes(whole + b"\0")
    with pytest.raises(InputError):
        DigestTable.open(altered)
    for place in (*range(256), *generator.integers(256, len(whole), 300).tolist()):
        changed = bytearray(whole)
        changed[place] ^= 1 << int(generator.integers(8))
        altered.write_bytes(changed)
        with pytest.raises((InputError, RefusedError)):
            opened = DigestTable.open(altered)
            with contextlib.suppress(InputError):
                opened.search(digests)
            opened.verify()


@pytest.mark.parametrize("shape", [(4, 15), (4, 17), (16,), (1, 4, 16)])
def test_other_shapes_are_refused(shape: tuple[int, ...]) -> None:
    table = DigestTable.build(np.zeros((1, 16), np.uint8), np.zeros(1, np.uint64))
    with pytest.raises(InputError):
        table.search(np.zeros(shape, np.uint8))


def test_widths_and_ids_are_checked() -> None:
    for digests, ids in (
        (np.zeros((2, 0), np.uint8), np.zeros(2, np.uint64)),
        (np.zeros((2, 257), np.uint8), np.zeros(2, np.uint64)),
        (np.zeros((2, 16), np.int32), np.zeros(2, np.uint64)),
        (np.zeros((2, 16), np.uint8), np.zeros(3, np.uint64)),
        (np.zeros((2, 16), np.uint8), np.zeros(2, np.float64)),
    ):
        with pytest.raises(InputError):
            DigestTable.build(digests, ids)


# Test values of the xxHash specification and of its reference program.
XXH64 = {b"": 0xEF46DB3751D8E999, b"a": 0xD24EC4F1A98C6E5B, b"abc": 0x44BC2CF5AD770999}


@pytest.mark.parametrize("data", list(XXH64))
def test_checksum_is_xxh64(data: bytes) -> None:
    assert _kernel.checksum(data) == XXH64[data]


def test_checksum_notices_every_bit() -> None:
    data = bytes(range(101))
    sums = {_kernel.checksum(data)}
    for bit in range(len(data) * 8):
        altered = bytearray(data)
        altered[bit // 8] ^= 1 << (bit % 8)
        sums.add(_kernel.checksum(bytes(altered)))
    assert len(sums) == len(data) * 8 + 1


def test_a_digest_of_another_length_is_refused_and_not_called_absent() -> None:
    table = DigestTable.build(np.zeros((1, 16), np.uint8), np.zeros(1, np.uint64))
    for digest in (b"", bytes(15), bytes(17)):
        with pytest.raises(InputError):
            table.holds(digest)
