"""Scans that are killed at the worst moment, and stores and folders that are not as they should be: no row lost, none twice."""

from __future__ import annotations

import io
import json
import os
import socket
import stat
import threading
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.scan.conftest import Look, Samples

from vigil.base.errors import RefusedError, UnavailableError
from vigil.base.limits import Limit
from vigil.scan import archives, buckets, journal, on_ray, tables
from vigil.scan.journal import Head, Journal
from vigil.scan.run import Summary, Wish, scan
from vigil.scan.sources import tasks_of


def quiet(line: str) -> None:
    """Nobody looks at the progress here."""


def whole(samples: Samples, folder: Path, out: Path) -> tuple[Summary, list[dict[str, Any]]]:
    summary = scan(Wish(str(folder), samples.edition, out, workers=1), quiet)
    return summary, [json.loads(line) for line in out.read_text().splitlines()]


HEAD = Head("x", "", 1, "")
KILLS = (
    "the notes were begun", "the first line was half written", "the results were in their place", "one note was half written",
)  # fmt: skip


def killed(moment: str, folder: Path, samples: Samples, out: Path) -> None:
    """What a kill at this moment leaves behind, from a scan that ended well."""
    kept: dict[str, bytes] = {}
    real = Journal.remove

    def keep(self: Journal) -> None:
        for path in (self._journal_path, self._results_path):
            if path.exists():
                kept[path.name] = path.read_bytes()
        real(self)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Journal, "remove", keep)
        scan(Wish(str(folder), samples.edition, out, workers=1), quiet)
    notes = kept[out.name + journal.JOURNAL]
    results = out.read_bytes()
    left = {
        "the notes were begun": (b"", None),
        "the first line was half written": (notes[:10], None),
        "the results were in their place": (notes, None),
        "one note was half written": (notes[:-5], results),
    }[moment]
    out.unlink()
    out.with_name(out.name + journal.JOURNAL).write_bytes(left[0])
    if left[1] is not None:
        out.with_name(out.name + journal.PARTIAL).write_bytes(left[1])


@pytest.mark.parametrize("moment", KILLS)
def test_a_kill_at_the_worst_moment_loses_no_row_and_gives_none_twice(samples: Samples, tmp_path: Path, moment: str) -> None:
    wanted = samples.spread(tmp_path / "in", more=130)
    out = tmp_path / "out.jsonl"
    killed(moment, tmp_path / "in", samples, out)
    summary, rows = whole(samples, tmp_path / "in", out)
    assert {row["item"]: row["verdict"] for row in rows} == wanted and len(rows) == len(wanted)
    assert (summary.items, summary.listed, summary.unknown) == (len(wanted), 3, 3)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in", "out.jsonl"]


def test_notes_that_are_damaged_are_refused_and_fresh_begins_anew(samples: Samples, tmp_path: Path) -> None:
    samples.spread(tmp_path / "in")
    out = tmp_path / "out.jsonl"
    Journal(out, HEAD, fresh=False).close()
    with out.with_name(out.name + journal.JOURNAL).open("ab") as stream:
        stream.write(b'["zorblat"]\n')
    with pytest.raises(RefusedError) as refused:
        Journal(out, HEAD, fresh=False)
    assert refused.value.code == "scan_notes_damaged" and "--fresh" in refused.value.mend
    assert scan(Wish(str(tmp_path / "in"), samples.edition, out, workers=1, fresh=True), quiet).items == 7


# ---- stores


@contextmanager
def store(answer: bytes) -> Iterator[str]:
    """Answers each request with these bytes and ends the connection, whatever the head of them promises."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                line, _ = listener.accept()
            except OSError:
                return
            with line:
                line.settimeout(5)
                try:
                    line.recv(65536)
                    line.sendall(answer)
                except OSError:
                    continue

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(10)


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    def point(endpoint: str) -> None:
        keys = {"AWS_ACCESS_KEY_ID": "zorblat", "AWS_SECRET_ACCESS_KEY": "zorblat", "AWS_DEFAULT_REGION": "us-east-1"}
        for name, value in {**keys, "AWS_ENDPOINT_URL": endpoint, "AWS_MAX_ATTEMPTS": "1"}.items():
            monkeypatch.setenv(name, value)
        buckets._store.cache_clear()

    yield point
    buckets._store.cache_clear()


BROKEN = {
    "breaks off": b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\nzorblat",
    "refuses": b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n",
}


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("how", ["breaks off", "refuses"])
def test_an_object_that_cannot_be_read_has_a_result(look: Look, at: Any, how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from vigil.scan.model import Item

    monkeypatch.setattr(buckets, "items_in", lambda source: iter([Item("media/a.png", ("zorblat/media/a.png",), 5000)]))
    with store(BROKEN[how]) as endpoint:
        at(endpoint)
        found = look("s3://zorblat/media/")
    assert found["media/a.png"].reason == "unreadable"


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("how", ["refuses", "breaks off"])
def test_a_bucket_that_cannot_be_listed_is_said_so(at: Any, how: str) -> None:
    with store(BROKEN[how]) as endpoint:
        at(endpoint)
        with pytest.raises(UnavailableError) as refused:
            list(tasks_of("s3://zorblat/media/"))
    assert refused.value.code == "bucket_unreadable"


def test_an_object_that_grew_since_it_was_listed_is_not_read_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    from vigil.scan.model import Item, Unreadable

    asked: list[int | None] = []

    class Grown:
        def cat_file(self, path: str, end: int | None = None) -> bytes:
            asked.append(end)
            return bytes(10_000 if end is None else end)

    monkeypatch.setattr(buckets, "_store", lambda scheme, process: Grown())
    monkeypatch.setattr(buckets, "MEDIA_BYTES", Limit(100, "bytes", "test"))
    with pytest.raises(Unreadable, match="too_large"):
        buckets.BucketReader("s3://zorblat/").read(Item("a", ("zorblat/a",), 5))
    assert asked == [101]


# ---- the folder of listed hashes on a machine of a cluster


def test_a_folder_that_somebody_else_put_there_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(on_ray.tempfile, "gettempdir", lambda: str(tmp_path))
    files = {"about.json": b"ours"}
    own = on_ray._written(files, "digest")
    assert on_ray._written(files, "digest") == own and stat.S_IMODE(own.stat().st_mode) == 0o700
    theirs = tmp_path / f"vigil-scan-{os.getuid()}-other"
    theirs.mkdir()
    (theirs / "about.json").write_bytes(b"theirs")
    theirs.chmod(0o777)
    made = on_ray._written(files, "other")
    assert made != theirs and (made / "about.json").read_bytes() == b"ours"
    (tmp_path / f"vigil-scan-{os.getuid()}-linked").symlink_to(theirs)
    linked = on_ray._written(files, "linked")
    assert (linked / "about.json").read_bytes() == b"ours" and (theirs / "about.json").read_bytes() == b"theirs"


# ---- readers that are asked in another way than a scan asks


def test_a_member_is_read_to_the_bound_and_no_further() -> None:
    """A member that grew since it was listed, in a kind of archive that does not say how long it is."""
    from vigil.scan.model import Unreadable

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(archives, "MEDIA_BYTES", Limit(100, "bytes", "test"))
        assert archives._bounded(io.BytesIO(bytes(100))) == bytes(100)
        endless = io.BytesIO(bytes(10_000_000))
        with pytest.raises(Unreadable, match="too_large"):
            archives._bounded(endless)
        assert endless.tell() <= 2 * archives.PIECE


def test_rows_of_a_table_are_found_in_any_order(tmp_path: Path) -> None:
    from vigil.scan.model import Item

    path = tmp_path / "x.parquet"
    pq.write_table(pa.table({"file": pa.array([b"%d" % row for row in range(300)], pa.binary())}), path, row_group_size=150)
    with tables.parquet_reader(str(path)) as reader:
        for row in (140, 3, 149, 0, 299, 160, 151, 5):
            assert reader.read(Item("x", (row // 150, row % 150, "file"))) == b"%d" % row


def test_many_rows_of_one_large_value_are_in_memory_one_at_a_time(tmp_path: Path) -> None:
    from vigil.scan.model import Item

    path, size = tmp_path / "x.parquet", 5_000_000
    values = pa.DictionaryArray.from_arrays(pa.array([0] * 64, pa.int32()), pa.array([b"x" * size], pa.binary()))
    pq.write_table(pa.table({"file": values}), path, compression="zstd", store_schema=False)
    assert path.stat().st_size < size // 10
    with tables.parquet_reader(str(path)) as reader:
        tracemalloc.start()
        try:
            for row in range(64):
                assert len(reader.read(Item("x", (0, row, "file")))) == size
            assert tracemalloc.get_traced_memory()[1] < 3 * size
        finally:
            tracemalloc.stop()
