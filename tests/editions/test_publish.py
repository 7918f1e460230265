"""Publishing: numbers rise, nothing is half done whenever the power goes, and nothing old piles up."""

from __future__ import annotations

import fcntl
import os
import stat
from datetime import timedelta
from pathlib import Path
from threading import Timer

import pytest
from tests.editions.world import Hotline, client, some_contents

from vigil.base.errors import RefusedError, UnavailableError, VigilError
from vigil.editions.build import build_edition
from vigil.editions.keys import create_keys
from vigil.editions.load import load_edition
from vigil.editions.publish import current_number, publish, recover, refresh
from vigil.editions.verify import verify


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def sound(hotline: Hotline) -> bool:
    return verify(hotline.repository, root=hotline.keys.root, now=hotline.now).ok


class PowerCut(BaseException):
    """Nothing of the process runs after it."""


class Power:
    """Cuts the power at the n-th step that reaches the disk; a file that was just written keeps only half its bytes."""

    def __init__(self, patch: pytest.MonkeyPatch, steps: int) -> None:
        self.left = steps
        patch.setattr(os, "fsync", self.sync)
        for name in ("replace", "unlink"):
            patch.setattr(Path, name, self.step(getattr(Path, name)))

    def count(self) -> None:
        self.left -= 1
        if self.left < 0:
            raise PowerCut

    def sync(self, descriptor: int) -> None:
        try:
            self.count()
        except PowerCut:
            found = os.fstat(descriptor)
            if stat.S_ISREG(found.st_mode):
                os.ftruncate(descriptor, found.st_size // 2)
            raise

    def step(self, really):  # type: ignore[no-untyped-def]
        def stepped(path: Path, *arguments: object, **options: object) -> object:
            self.count()
            return really(path, *arguments, **options)

        return stepped


def test_a_power_cut_at_any_step_leaves_the_old_or_the_new(
    hotline: Hotline, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(3):
        hotline.publish()
    outcomes = []
    for steps in range(1000):
        before = current_number(hotline.repository)
        built = hotline.build(some_contents(first=steps))
        try:
            with monkeypatch.context() as patch:
                Power(patch, steps)
                publish(hotline.repository, built, hotline.keys, hotline.now)
        except PowerCut:
            outcomes.append(current_number(hotline.repository) == built.number)
            assert current_number(hotline.repository) in {before, built.number}
            # A node may come before the office is back.
            pulled = client(hotline.repository, hotline, tmp_path / f"node-{steps}").pull(hotline.now)
            assert pulled.number == current_number(hotline.repository)
            recover(hotline.repository)
            assert sound(hotline)
            assert load_edition(hotline.repository).number == pulled.number
        else:
            break
    assert len(outcomes) > 12
    assert outcomes == sorted(outcomes), "there is one commit point"
    assert {True, False} == set(outcomes)


def test_a_power_cut_in_the_first_publication_leaves_nothing_or_all(
    hotline: Hotline, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outcomes = []
    for steps in range(1000):
        hotline.repository = tmp_path / f"published-{steps}"
        try:
            with monkeypatch.context() as patch:
                Power(patch, steps)
                hotline.publish()
        except PowerCut:
            recover(hotline.repository)
            outcomes.append(current_number(hotline.repository))
            assert outcomes[-1] is None or sound(hotline)
        else:
            break
    assert set(outcomes) == {None, 1}


def test_a_power_cut_while_refreshing_changes_no_edition(hotline: Hotline, monkeypatch: pytest.MonkeyPatch) -> None:
    hotline.publish()
    for steps in range(1000):
        hotline.clock.advance(hours=40)
        try:
            with monkeypatch.context() as patch:
                Power(patch, steps)
                refresh(hotline.repository, hotline.keys, hotline.now)
        except PowerCut:
            recover(hotline.repository)
            hotline.refresh()
            assert sound(hotline)
            assert current_number(hotline.repository) == 1
        else:
            break
    assert steps > 5, "snapshot and timestamp were both signed"


def test_two_editions_are_kept(hotline: Hotline) -> None:
    for _ in range(5):
        hotline.publish()
    assert names(hotline.repository / "metadata") == [
        "1.root.json",
        "4.snapshot.json",
        "4.targets.json",
        "5.snapshot.json",
        "5.targets.json",
        "timestamp.json",
    ]
    assert sum(name.endswith(".edition.json") for name in names(hotline.repository / "targets")) == 2
    assert sound(hotline)


def test_a_node_that_began_before_a_publication_can_finish(hotline: Hotline, tmp_path: Path) -> None:
    hotline.publish()
    old = hotline.copy(tmp_path / "old")
    hotline.publish()
    for folder in ("metadata", "targets"):
        kept = set(names(hotline.repository / folder))
        assert {name for name in names(old / folder) if name != "timestamp.json"} <= kept


def test_numbers_may_leave_gaps_but_never_fall(hotline: Hotline) -> None:
    def published(number: int, previous: int | None) -> None:
        built = build_edition(some_contents(), number=number, previous=previous, issued_at=hotline.now)
        publish(hotline.repository, built, hotline.keys, hotline.now)

    published(7, None)
    published(12, 7)
    assert current_number(hotline.repository) == 12
    assert sound(hotline)
    for number, previous, code in ((12, 7, "number_not_rising"), (11, 7, "number_not_rising"), (13, 7, "previous_differs")):
        with pytest.raises(RefusedError) as found:
            published(number, previous)
        assert found.value.code == code
    assert current_number(hotline.repository) == 12
    assert sound(hotline)


def test_there_is_no_number_before_the_first(hotline: Hotline) -> None:
    assert current_number(hotline.repository) is None
    recover(hotline.repository)
    assert not hotline.refresh()


def test_other_keys_cannot_take_a_folder_over(hotline: Hotline, tmp_path: Path) -> None:
    hotline.publish()
    hotline.keys = create_keys(tmp_path / "other", hotline.now)
    with pytest.raises(RefusedError) as found:
        hotline.publish()
    assert found.value.code == "root_differs"


def test_a_clock_that_went_back_signs_nothing(hotline: Hotline) -> None:
    hotline.publish()
    hotline.clock.advance(minutes=-4)
    hotline.publish()
    hotline.clock.advance(hours=-1)
    for act in (hotline.publish, hotline.refresh):
        with pytest.raises(RefusedError) as found:
            act()
        assert found.value.code == "clock_backwards"


def test_refreshing_does_nothing_until_half_the_life_is_over(hotline: Hotline) -> None:
    hotline.publish()
    hotline.clock.advance(hours=11)
    assert not hotline.refresh()
    hotline.clock.advance(hours=1)
    assert hotline.refresh()
    assert not hotline.refresh()


def test_refreshing_keeps_a_folder_sound_for_weeks(hotline: Hotline) -> None:
    hotline.publish()
    start = hotline.now
    while hotline.now - start < timedelta(days=29):
        hotline.clock.advance(hours=13)
        assert hotline.refresh()
        assert sound(hotline)
    assert len(names(hotline.repository / "metadata")) == 5
    hotline.clock.advance(days=2)
    with pytest.raises(RefusedError) as found:
        hotline.refresh()
    assert found.value.code == "edition_old"
    hotline.publish()
    assert sound(hotline)


def test_one_publisher_at_a_time(hotline: Hotline, monkeypatch: pytest.MonkeyPatch) -> None:
    hotline.publish()
    codes = []

    def meanwhile(descriptor: int) -> None:
        monkeypatch.setattr(os, "fsync", lambda descriptor: None)
        with pytest.raises(UnavailableError) as found:
            hotline.publish()
        codes.append(found.value.code)

    monkeypatch.setattr(os, "fsync", meanwhile)
    assert hotline.publish() == 2
    assert codes == ["publishing_busy"]


def test_someone_who_only_looks_does_not_stop_a_publication(hotline: Hotline) -> None:
    hotline.publish()
    lock = os.open(hotline.repository / "metadata", os.O_RDONLY | os.O_DIRECTORY)
    fcntl.flock(lock, fcntl.LOCK_SH)
    leaves = Timer(0.1, os.close, [lock])
    leaves.start()
    assert hotline.publish() == 2
    leaves.join()


def test_a_damaged_folder_is_named_and_left_alone(hotline: Hotline) -> None:
    hotline.publish()
    (hotline.repository / "metadata" / "1.snapshot.json").write_bytes(b"{}")
    before = names(hotline.repository / "metadata")
    with pytest.raises(VigilError) as found:
        hotline.publish()
    assert found.value.code == "repository_broken"
    assert names(hotline.repository / "metadata") == before


def test_snapshot_and_timestamp_say_length_and_digest(hotline: Hotline) -> None:
    hotline.publish()
    for name in ("timestamp.json", "1.snapshot.json"):
        text = (hotline.repository / "metadata" / name).read_text()
        assert '"length":' in text
        assert '"sha256":' in text
