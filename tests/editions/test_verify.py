"""Every altered, added, removed or truncated byte of an edition folder is noticed."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Thread

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.editions.world import Hotline

from vigil.editions.folder import read_limited
from vigil.editions.keys import create_keys
from vigil.editions.publish import publish
from vigil.editions.verify import VerifyReport, verify


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Hotline:
    """A folder with all there can be: two editions, a refreshed snapshot and timestamp."""
    hotline = Hotline(tmp_path_factory.mktemp("hotline"))
    hotline.publish()
    hotline.publish()
    hotline.clock.advance(hours=40)
    hotline.refresh()
    return hotline


@pytest.fixture
def folder(world: Hotline, tmp_path: Path) -> Path:
    return world.copy(tmp_path / "copy")


def checked(world: Hotline, folder: Path) -> VerifyReport:
    return verify(folder, root=world.keys.root, now=world.now)


def codes(report: VerifyReport) -> set[str]:
    return {problem.code for problem in report.problems}


def files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def test_a_sound_folder_is_sound(world: Hotline) -> None:
    report = checked(world, world.repository)
    assert (report.ok, report.number, report.problems) == (True, 2, ())
    assert len(files(world.repository)) == 14


def test_without_a_root_the_folder_s_own_is_believed_and_that_is_said(world: Hotline) -> None:
    report = verify(world.repository, root=None, now=world.now)
    assert report.ok
    assert "not that the hotline made it" in report.trusted_root_note


def flips(content: bytes, step: int) -> list[bytes]:
    """The content with one bit flipped, at every ``step``-th byte; the bit moves along."""
    places = range(0, len(content), step)
    return [content[:i] + bytes([content[i] ^ (1 << (i // step % 8))]) + content[i + 1 :] for i in places]


def unnoticed(world: Hotline, folder: Path, step: Callable[[Path], int]) -> list[str]:
    missed = []
    for path in files(folder):
        content = path.read_bytes()
        for place, altered in enumerate(flips(content, step(path))):
            path.write_bytes(altered)
            missed += [f"{path.name}:{place}"] if verify(folder, root=None, now=world.now).ok else []
        path.write_bytes(content)
    return missed


def test_flipped_bits_in_every_file_are_noticed(world: Hotline, folder: Path) -> None:
    """Dense in the signed metadata, where bytes have meanings; a sample in targets, which stand under a digest."""
    assert unnoticed(world, folder, lambda path: 13 if path.parent.name == "metadata" else 151) == []
    assert checked(world, folder).ok


@pytest.mark.soak
def test_each_flipped_byte_is_noticed(world: Hotline, folder: Path) -> None:
    assert unnoticed(world, folder, lambda path: 1) == []


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_other_content_of_a_file_is_noticed(world: Hotline, folder: Path, data: st.DataObject) -> None:
    path = data.draw(st.sampled_from(files(folder)))
    content = path.read_bytes()
    start = data.draw(st.integers(0, len(content)))
    end = data.draw(st.integers(start, min(len(content), start + 40)))
    between = data.draw(st.binary(max_size=12) | st.sampled_from([b" ", b"\n", b'"', b"{}", b"0"]))
    other = content[:start] + between + content[end:]
    path.write_bytes(other)
    try:
        assert verify(folder, root=None, now=world.now).ok == (other == content)
    finally:
        path.write_bytes(content)


def test_each_truncated_file_is_noticed(world: Hotline, folder: Path) -> None:
    for path in files(folder):
        content = path.read_bytes()
        for size in (0, len(content) // 2, len(content) - 1):
            path.write_bytes(content[:size])
            assert not checked(world, folder).ok, path.name
        path.write_bytes(content + b"\n")
        assert not checked(world, folder).ok, path.name
        path.write_bytes(content)
    assert checked(world, folder).ok


def test_each_removed_file_is_noticed(world: Hotline, folder: Path) -> None:
    for path in files(folder):
        content = path.read_bytes()
        path.unlink()
        assert "missing" in codes(checked(world, folder)), path.name
        path.write_bytes(content)


@pytest.mark.parametrize(
    "name",
    ["x", "metadata/x", "metadata/3.targets.json", "metadata/02.root.json", "targets/x", "metadata/.part-x", "targets/sub/x"],
)
def test_each_added_file_is_noticed(world: Hotline, folder: Path, name: str) -> None:
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_bytes(b"{}")
    report = checked(world, folder)
    assert not report.ok
    assert name in {problem.file for problem in report.problems}


def test_an_older_file_put_back_is_noticed(hotline: Hotline, tmp_path: Path) -> None:
    hotline.publish()
    old = hotline.copy(tmp_path / "old")
    for _ in range(2):
        hotline.publish()
    shutil.copy(old / "metadata" / "1.targets.json", hotline.repository / "metadata")
    assert codes(checked(hotline, hotline.repository)) == {"stray"}


def test_links_do_not_pass_for_files(world: Hotline, folder: Path, tmp_path: Path) -> None:
    path = files(folder)[-1]
    path.rename(tmp_path / "elsewhere")
    path.symlink_to(tmp_path / "elsewhere")
    assert codes(checked(world, folder)) == {"stray"}


def rewritten(folder: Path, name: str, change: Callable[[dict[str, object]], object]) -> None:
    """Change metadata and write it as JSON of the same style."""
    path = folder / "metadata" / name
    document = json.loads(path.read_bytes())
    change(document)
    path.write_bytes(json.dumps(document, sort_keys=True, separators=(",", ":")).encode())


@pytest.mark.parametrize("name", ["1.root.json", "2.targets.json", "timestamp.json"])
def test_forms_that_mean_the_same_are_noticed(world: Hotline, folder: Path, name: str) -> None:
    """White space, another order, upper-case hex, an unsigned member: a client would take them, this check does not."""
    path = folder / "metadata" / name
    content = path.read_bytes()
    document = json.loads(content)
    assert json.dumps(document, sort_keys=True, separators=(",", ":")).encode() == content
    path.write_bytes(json.dumps(document, indent=1, sort_keys=True).encode())
    assert codes(checked(world, folder)) >= {"not_canonical"}
    path.write_bytes(json.dumps(dict(reversed(document.items())), separators=(",", ":")).encode())
    assert not checked(world, folder).ok
    for change in (
        lambda each: each["signatures"][0].update(sig=each["signatures"][0]["sig"].upper()),
        lambda each: each.update(more=1),
        lambda each: each["signatures"].reverse() if len(each["signatures"]) > 1 else each.update(more=1),
    ):
        path.write_bytes(content)
        rewritten(folder, name, change)
        assert not checked(world, folder).ok


def test_a_signature_too_many_is_noticed(world: Hotline, folder: Path) -> None:
    def add(document: dict[str, list[dict[str, str]]]) -> None:
        document["signatures"].append({"keyid": "f" * 64, "sig": "00" * 64})

    rewritten(folder, "1.root.json", add)
    assert "signature" in codes(verify(folder, root=None, now=world.now))


def test_two_of_three_root_signatures_are_enough_but_one_is_not(world: Hotline, folder: Path) -> None:
    for left, ok in ((2, True), (1, False)):
        rewritten(folder, "1.root.json", lambda document, left=left: document.update(signatures=document["signatures"][:left]))
        assert verify(folder, root=None, now=world.now).ok is ok


def test_another_hotline_s_folder_is_not_believed(world: Hotline, tmp_path: Path) -> None:
    other = create_keys(tmp_path / "other", world.now)
    report = verify(world.repository, root=other.root, now=world.now)
    assert codes(report) == {"signature"}


def test_expiry_is_a_problem_of_its_own(world: Hotline, folder: Path) -> None:
    world_now = world.now
    for days, expired in ((2, {"timestamp.json"}), (4, {"timestamp.json", "3.snapshot.json"})):
        world.clock.advance(days=days)
        report = checked(world, folder)
        assert codes(report) == {"expired"}
        assert {problem.file for problem in report.problems} == expired
        world.clock.advance(days=-days)
    world.clock.advance(days=400)
    assert {problem.file for problem in checked(world, folder).problems} >= {"1.root.json", "2.targets.json"}
    world.clock.advance(days=-400)
    assert world.now == world_now


@pytest.mark.parametrize(
    ("before", "after", "code"),
    [(b'"rows": 6', b'"rows": 7', "counts"), (b'"number": 1', b'"number": 3', "metadata"), (b"canon", b"cannon", "manifest")],
)
def test_what_was_signed_must_also_be_true(hotline: Hotline, before: bytes, after: bytes, code: str) -> None:
    built = hotline.build()
    built.files["edition.json"] = built.files["edition.json"].replace(before, after, 1)
    publish(hotline.repository, built, hotline.keys, hotline.now)
    assert codes(checked(hotline, hotline.repository)) == {code}


def test_a_file_too_many_is_noticed_even_if_signed(hotline: Hotline) -> None:
    built = hotline.build()
    built.files["more.parquet"] = b"x"
    publish(hotline.repository, built, hotline.keys, hotline.now)
    assert not checked(hotline, hotline.repository).ok


def test_an_empty_folder_is_reported_not_raised(tmp_path: Path, world: Hotline) -> None:
    assert not verify(tmp_path, root=None, now=world.now).ok


class Publisher:
    """Someone who holds the lock of an edition folder for a moment, as each publication does."""

    def __init__(self) -> None:
        self._threads: list[Thread] = []

    def works_until(self, folder: Path, last: Callable[[], None]) -> None:
        lock = os.open(folder / "metadata", os.O_RDONLY | os.O_DIRECTORY)
        fcntl.flock(lock, fcntl.LOCK_EX)

        def work() -> None:
            time.sleep(0.3)
            last()
            os.close(lock)

        self._threads.append(Thread(target=work))
        self._threads[-1].start()

    def ends(self) -> None:
        for thread in self._threads:
            thread.join()


@pytest.fixture
def publisher() -> Iterator[Publisher]:
    working = Publisher()
    yield working
    working.ends()


class TestWhileSomeonePublishes:
    def test_what_is_being_written_is_not_taken_for_damage(self, world: Hotline, folder: Path, publisher: Publisher) -> None:
        unfinished = folder / "targets" / ".part-abcdefgh"
        unfinished.write_bytes(b"half")
        publisher.works_until(folder, unfinished.unlink)
        assert checked(world, folder).ok

    def test_an_edition_that_came_into_force_meanwhile_is_the_one_that_is_judged(
        self, world: Hotline, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        hotline = Hotline(tmp_path / "own")
        hotline.publish()
        once = [lambda: hotline.publish() and hotline.publish()]

        def read(path: Path, limit: int) -> bytes:
            if path.name.endswith("targets.json") and once:
                once.pop()()  # the files that the check is about to read are removed by it
            return read_limited(path, limit)

        monkeypatch.setattr("vigil.editions.verify.read_limited", read)
        report = checked(hotline, hotline.repository)
        assert (report.ok, report.number) == (True, 3)

    def test_a_folder_that_cannot_be_locked_is_judged_as_it_lies_there(
        self, world: Hotline, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (folder / "targets" / "x").write_bytes(b"{}")

        def no_locks(descriptor: int, kind: int) -> None:
            raise OSError(errno.ENOLCK, "no locks here")

        monkeypatch.setattr("vigil.editions.publish.fcntl.flock", no_locks)
        assert codes(checked(world, folder)) == {"stray"}

    def test_what_a_cut_left_behind_is_noticed_where_nobody_publishes(self, world: Hotline, folder: Path) -> None:
        (folder / "targets" / ".part-abcdefgh").write_bytes(b"half")
        assert codes(checked(world, folder)) == {"stray"}
