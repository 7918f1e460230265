"""The Hamming index against comparing with every code; what it refuses; and what it survives."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from tests.match.index import codes as made_up

from vigil.base.errors import InputError, RefusedError, VigilError
from vigil.match import _kernel
from vigil.match.index import HammingIndex
from vigil.match.index.hamming_twin import Found, HammingTwin
from vigil.match.index.storage import Status, demand

MEMORY = Path("/dev/shm")

ISAS = [isa for isa in (_kernel.Isa.PORTABLE, _kernel.Isa.AVX2, _kernel.Isa.NEON) if _kernel.has_isa(isa)]
SIZES = (1, 2, 3, 4, 5, 8, 16, 17, 31, 32, 33, 64, 65, 256, 257, 1024, 1025, 4096)


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    """A folder in memory where there is one: these tests wait for the disk hundreds of times otherwise."""
    with tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as folder:
        yield Path(folder)


def same(first: Found, second: Found) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))


def stored(tmp_path: Path, count: int, kind: str = "random", seed: int = 1, bands: int | None = 16) -> HammingIndex:
    generator = np.random.default_rng(seed)
    codes = made_up.made(kind, count, generator)
    return HammingIndex.build(codes, made_up.numbers(count, generator), tmp_path / "codes.idx", bands=bands)


@pytest.mark.parametrize("kind", made_up.KINDS)
@pytest.mark.parametrize("bands", [None, 16, 32])
def test_finds_exactly_what_comparing_with_every_code_finds(kind: str, bands: int | None) -> None:
    generator = np.random.default_rng(2)
    for count in SIZES:
        codes, ids = made_up.made(kind, count, generator), made_up.numbers(count, generator)
        index, twin = HammingIndex.build(codes, ids, bands=bands), HammingTwin(codes, ids)
        for distance in (0, 1, 8, 15, 16, 30, 31):
            asked = made_up.queries(codes, distance, generator)
            expected = twin.search(asked, distance)
            assert all(same(index._search(asked, distance, 1, isa), expected) for isa in ISAS), (count, distance)
            assert [index.holds(code.tobytes(), distance) for code in asked] == (np.diff(expected[0]) > 0).tolist()
        index.verify()


@pytest.mark.parametrize("distance", range(32))
def test_is_exact_at_every_distance(distance: int) -> None:
    """With the layouts that are chosen for a hundred thousand codes and more, on real bit positions."""
    generator = np.random.default_rng(3)
    codes = made_up.made("biased", 2000, generator)
    ids = made_up.numbers(2000, generator)
    index = HammingIndex.build(codes, ids, bands=14 + distance % 9)
    asked = made_up.queries(codes, distance, generator)
    assert same(index.search(asked, distance), HammingTwin(codes, ids).search(asked, distance))


def test_a_large_index_is_exact_with_the_layout_of_its_size() -> None:
    generator = np.random.default_rng(4)
    codes = np.concatenate([made_up.made(kind, 40_000, generator) for kind in ("random", "families", "biased")])
    ids = np.arange(len(codes), dtype=np.uint64)
    index = HammingIndex.build(codes, ids)
    assert len(index.segments()[0].widths) >= 10
    asked = np.concatenate([made_up.queries(codes, 31, generator) for _ in range(4)])
    assert same(index.search(asked), HammingTwin(codes, ids).search(asked))
    index.verify()


@settings(max_examples=60, deadline=None)
@given(data=st.data(), bands=st.sampled_from([None, 0, 16, 20, 32]), distance=st.integers(0, 31))
def test_any_codes(data: st.DataObject, bands: int | None, distance: int) -> None:
    """Codes over a small alphabet of bytes, so that equal and near ones are common."""
    code = st.lists(st.sampled_from([0, 1, 3, 255]), min_size=32, max_size=32)
    codes = np.array(data.draw(st.lists(code, min_size=1, max_size=40)), np.uint8)
    asked = np.array(data.draw(st.lists(code, min_size=1, max_size=5)), np.uint8)
    ids = np.array(data.draw(st.lists(st.integers(0, 2**64 - 1), min_size=len(codes), max_size=len(codes))), np.uint64)
    index = HammingIndex.build(codes, ids, bands=bands)
    assert same(index.search(asked, distance), HammingTwin(codes, ids).search(asked, distance))


def test_no_codes_and_no_queries(tmp_path: Path) -> None:
    empty = HammingIndex.build(np.empty((0, 32), np.uint8), np.empty(0, np.uint64), tmp_path / "empty.idx")
    empty.verify()
    offsets, ids, distances = empty.search(np.zeros((2, 32), np.uint8))
    assert (offsets.tolist(), len(ids), len(distances)) == ([0, 0, 0], 0, 0)
    index = stored(tmp_path, 100)
    assert index.search(np.empty((0, 32), np.uint8))[0].tolist() == [0]


def test_hits_have_the_promised_types(tmp_path: Path) -> None:
    index = stored(tmp_path, 100)
    offsets, ids, distances = index.search(index.rows()[0][:3])
    assert (offsets.dtype, ids.dtype, distances.dtype) == (np.int64, np.uint64, np.uint8)


# ---- appending and removing ----


def test_append_and_remove_are_as_in_the_twin(tmp_path: Path) -> None:
    """Withdraw, return, withdraw: a later word overrules an earlier one."""
    generator = np.random.default_rng(5)
    codes, ids = made_up.made("families", 600, generator), np.arange(600, dtype=np.uint64)
    index, twin = HammingIndex.build(codes, ids, tmp_path / "codes.idx", bands=16), HammingTwin(codes, ids)
    for step in range(6):
        gone = generator.choice(ids, 40, replace=False)
        index.remove(gone)
        twin.remove(gone)
        more, back = made_up.made("families", 50, generator), generator.choice(ids, 50)
        index.append(more, back, bands=(None, 16)[step % 2])
        twin.append(more, back)
        asked = np.concatenate([made_up.queries(codes, 31, generator), more[:5], codes[gone[:5].astype(int)]])
        assert same(index.search(asked), twin.search(asked)), step
    index.verify()
    assert [segment.kind for segment in index.segments()] == ["codes"] + ["removals", "codes"] * 6
    smaller = index.compact(tmp_path / "smaller.idx")
    assert same(smaller.search(asked), twin.search(asked))
    assert len(smaller.segments()) == 1


def test_a_reader_sees_changes_when_it_refreshes(tmp_path: Path) -> None:
    index = stored(tmp_path, 50)
    reader = HammingIndex.open(tmp_path / "codes.idx")
    code = np.full((1, 32), 7, np.uint8)
    index.append(code, np.array([77], np.uint64))
    assert reader.search(code)[1].tolist() == []
    assert reader.refresh()
    assert reader.search(code)[1].tolist() == [77]
    assert not reader.refresh()


def test_an_append_that_was_cut_off_counts_for_nothing(tmp_path: Path) -> None:
    """Power lost between the segment and the commit: the old state stands, and the next append overwrites the rest."""
    path = tmp_path / "codes.idx"
    index = stored(tmp_path, 50)
    with path.open("ab") as stream:
        stream.write(os.urandom(5000))
    reopened = HammingIndex.open(path)
    reopened.verify()
    assert len(reopened) == 50
    code = np.full((1, 32), 7, np.uint8)
    reopened.append(code, np.array([77], np.uint64))
    reopened.verify()
    assert reopened.search(code)[1].tolist() == [77]
    assert index.file_bytes < reopened.file_bytes


def test_a_rebuild_does_not_disturb_those_who_read_the_old_file(tmp_path: Path) -> None:
    index = stored(tmp_path, 500, seed=6)
    asked = index.rows()[0][:20]
    before = index.search(asked)
    stored(tmp_path, 10, seed=7)
    assert same(index.search(asked), before)
    assert index.refresh()
    assert len(index) == 10


def test_a_failed_build_leaves_the_old_file_and_no_rest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stored(tmp_path, 50)

    def fail(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        HammingIndex.build(np.zeros((9, 32), np.uint8), np.zeros(9, np.uint64), tmp_path / "codes.idx", progress=fail)
    assert [path.name for path in tmp_path.iterdir()] == ["codes.idx"]
    assert len(HammingIndex.open(tmp_path / "codes.idx")) == 50


def test_progress_is_told_to_its_end(tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    HammingIndex.build(
        np.zeros((9, 32), np.uint8),
        np.zeros(9, np.uint64),
        tmp_path / "codes.idx",
        progress=lambda *step: told.append(step),
        bands=16,
    )
    total = told[-1][1]
    assert told == [(step, total) for step in range(total + 1)]


def test_an_index_in_memory_cannot_be_changed() -> None:
    index = HammingIndex.build(np.zeros((9, 32), np.uint8), np.zeros(9, np.uint64))
    index.verify()
    for change in (lambda: index.remove(np.zeros(1, np.uint64)), index.refresh):
        with pytest.raises(InputError) as caught:
            change()
        assert caught.value.code == "index_in_memory"


# ---- several at once ----


def test_batches_on_threads_give_the_answers_of_one(tmp_path: Path) -> None:
    index = stored(tmp_path, 3000, "families")
    asked = index.rows()[0][:1000]
    assert same(index.search(asked, threads=4), index.search(asked, threads=1))


def test_searching_lets_other_threads_run(tmp_path: Path) -> None:
    """The GIL is released: a thread of ours moves on while a search is under way. Nothing is timed."""
    index = stored(tmp_path, 20_000, bands=0)
    asked = np.repeat(index.rows()[0][:1], 3000, axis=0)
    started, moved = threading.Event(), threading.Event()
    answers: list[Found] = []

    def search() -> None:
        started.set()
        while not moved.is_set():
            answers.append(index.search(asked, 0, threads=1))

    worker = threading.Thread(target=search)
    worker.start()
    started.wait()
    moved.set()
    worker.join()
    assert answers
    assert all(same(answer, answers[0]) for answer in answers)


def test_readers_in_threads_beside_a_writer_see_whole_states(tmp_path: Path) -> None:
    index = stored(tmp_path, 500)
    code = np.full((1, 32), 9, np.uint8)
    failures: list[BaseException] = []

    def read() -> None:
        try:
            reader = HammingIndex.open(tmp_path / "codes.idx")
            last = 0
            while last < 8:
                reader.refresh()
                seen = reader.search(code)[1].tolist()
                if seen != list(range(len(seen))) or len(seen) < last:
                    raise ValueError(f"{seen} after {last}")
                last = len(seen)
        except (VigilError, ValueError) as error:
            failures.append(error)

    readers = [threading.Thread(target=read) for _ in range(3)]
    for reader in readers:
        reader.start()
    for number in range(8):
        index.append(code, np.array([number], np.uint64))
    for reader in readers:
        reader.join()
    assert not failures


READER = """
import sys, numpy as np
from vigil.match.index import HammingIndex
index = HammingIndex.open(sys.argv[1])
index.verify()
codes, ids = index.rows()
offsets, found, apart = index.search(codes[:50])
print(len(index), int(found.sum(dtype=np.uint64)))
"""


def test_processes_share_one_file(tmp_path: Path) -> None:
    index = stored(tmp_path, 2000)
    found = index.search(index.rows()[0][:50])[1]
    command = [sys.executable, "-c", READER, str(tmp_path / "codes.idx")]
    readers = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    answers = {reader.communicate()[0].strip() for reader in readers}
    assert [reader.returncode for reader in readers] == [0, 0, 0]
    assert answers == {f"2000 {int(found.sum(dtype=np.uint64))}"}


def test_a_thousand_reloads_leave_no_mapping_behind(tmp_path: Path) -> None:
    index = stored(tmp_path, 2000)
    asked = index.rows()[0][:2]
    for _ in range(1000):
        index.refresh()
        index.search(asked)
    maps = Path("/proc/self/maps").read_text()
    assert maps.count("codes.idx") <= 2


# ---- what is refused ----

BAD_QUERIES: list[object] = [
    np.zeros((2, 31), np.uint8),
    np.zeros(32, np.uint8),
    np.zeros((2, 32), np.float32),
    np.zeros((2, 32), np.int8),
    np.zeros((1, 2, 32), np.uint8),
    [[0] * 32],
    None,
]


@pytest.mark.parametrize("queries", BAD_QUERIES)
def test_other_shapes_and_types_are_refused(tmp_path: Path, queries: NDArray[np.uint8]) -> None:
    index = stored(tmp_path, 10)
    with pytest.raises(InputError):
        index.search(queries)
    with pytest.raises(InputError):
        HammingIndex.build(queries, np.zeros(2, np.uint64), tmp_path / "bad.idx")


@pytest.mark.parametrize("distance", [-1, 32, 256, 3.0, "31", True, None])
def test_other_distances_are_refused(tmp_path: Path, distance: int) -> None:
    with pytest.raises(InputError):
        stored(tmp_path, 10).search(np.zeros((1, 32), np.uint8), distance)


def test_ids_must_fit(tmp_path: Path) -> None:
    index = stored(tmp_path, 10)
    for ids in (np.zeros(3, np.uint64), np.zeros(2, np.int64), np.zeros((2, 1), np.uint64)):
        with pytest.raises(InputError):
            index.append(np.zeros((2, 32), np.uint8), ids)
    with pytest.raises(InputError):
        index.remove(np.zeros(2, np.int32))
    with pytest.raises(InputError):
        HammingIndex.build(np.zeros((2, 32), np.uint8), np.zeros(2, np.uint64), tmp_path / "bad.idx", bands=9)


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    (tmp_path / "text").write_text("zorblat" * 1000)
    for name in ("missing", "empty", "text", "."):
        with pytest.raises(InputError):
            HammingIndex.open(tmp_path / name)


def test_cut_files_are_refused_wherever_they_are_cut(tmp_path: Path) -> None:
    index = stored(tmp_path, 300)
    index.append(np.zeros((1, 32), np.uint8), np.array([1], np.uint64))
    whole = (tmp_path / "codes.idx").read_bytes()
    cut = tmp_path / "cut.idx"
    for length in [*range(0, 9000, 61), *range(9000, len(whole), 4099), len(whole) - 1]:
        cut.write_bytes(whole[:length])
        with pytest.raises(InputError):
            HammingIndex.open(cut)


def test_every_altered_byte_is_noticed(tmp_path: Path) -> None:
    """Each byte of the heads and a sample of the body: opening or verifying refuses, searching never crashes."""
    index = stored(tmp_path, 300, "families")
    index.remove(index.rows()[1][:5])
    asked = index.rows()[0][:5]
    whole = bytearray((tmp_path / "codes.idx").read_bytes())
    altered = tmp_path / "altered.idx"
    generator = np.random.default_rng(8)
    places = [*range(0, 2200, 7), *range(4096, 8192, 13), *generator.integers(8192, len(whole), 300).tolist()]
    for place in places:
        whole[place] ^= 1 << int(generator.integers(8))
        altered.write_bytes(whole)
        with pytest.raises((InputError, RefusedError)):
            opened = HammingIndex.open(altered)
            survive(lambda opened=opened: opened.search(asked))
            opened.verify()
        whole[place] = (tmp_path / "codes.idx").read_bytes()[place]


def survive(work: Callable[[], object]) -> None:
    """It may answer or refuse with an error of ours; anything else is a fault."""
    try:
        work()
    except (InputError, RefusedError):
        return


def test_nonsense_behind_a_good_head_never_crashes_a_search(tmp_path: Path) -> None:
    """The body is overwritten after the file was opened; every number in it is checked before it is used."""
    path = tmp_path / "codes.idx"
    index = stored(tmp_path, 400, "families", bands=16)
    asked = np.concatenate([index.rows()[0][:20], np.zeros((5, 32), np.uint8)])
    size = path.stat().st_size
    generator = np.random.default_rng(9)
    with path.open("r+b") as stream:
        for fill in (b"\xff", b"\x00", b"\x7f", b"\x80", None):
            for _ in range(12):
                start = int(generator.integers(8192, size - 1))
                count = int(generator.integers(1, size - start))
                stream.seek(start)
                stream.write(generator.bytes(count) if fill is None else fill * count)
                stream.flush()
                for isa in ISAS:
                    survive(lambda isa=isa: index._search(asked, 31, 2, isa))
                survive(index.rows)
                with pytest.raises((InputError, RefusedError)):
                    index.verify()


def test_each_status_of_the_kernel_becomes_an_error_of_ours() -> None:
    for status in Status:
        if status is Status.OK:
            demand(status)
            continue
        with pytest.raises(VigilError) as caught:
            demand(status, "zorblat.idx")
        assert caught.value.where == "zorblat.idx"


def test_a_code_of_another_length_or_distance_is_refused_and_not_called_far() -> None:
    index = HammingIndex.build(np.zeros((1, 32), np.uint8), np.zeros(1, np.uint64))
    for code, distance in ((b"", 31), (bytes(31), 31), (bytes(33), 31), (bytes(32), 32)):
        with pytest.raises(InputError):
            index.holds(code, distance)
