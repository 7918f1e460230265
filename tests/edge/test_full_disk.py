"""No room left while a delta is taken in or its indexes are written: the good edition stays in force and readiness says why.

The system itself refuses the bytes (RLIMIT_FSIZE): nothing is patched.
"""

from __future__ import annotations

import io
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.editions.world import Hotline, many, picture

from vigil.edge.enforced import Enforced, enforce
from vigil.edge.journal import journal
from vigil.edge.puller import Puller
from vigil.edge.questions import HashQuestion
from vigil.edge.state import State, readiness
from vigil.editions.client import EditionClient, number_in_force
from vigil.editions.load import load_edition
from vigil.editions.model import EditionContents
from vigil.match.index.storage import NewFile, new_file

COUNT = 3000


@contextmanager
def room_for(size: int) -> Iterator[None]:
    """No file of this process can grow beyond ``size`` bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


class Node:
    """The part of a node that renews its edition, with the real client and real indexes."""

    def __init__(self, hotline: Hotline, folder: Path) -> None:
        self.hotline, self.kept, self.indexes, self.state = hotline, folder / "state", folder / "indexes", State()
        client = EditionClient(str(hotline.repository), self.kept, hotline.keys.root)
        self.pulled: list[Any] = []
        pull = client.pull

        class Noted:
            @staticmethod
            def pull(now: Any) -> Any:
                self.pulled.append(pull(now))
                return self.pulled[-1]

        self.puller = Puller(Noted(), self.build, self.kept, self.indexes, self.state, _nothing, journal("n-1", io.StringIO()))

    def build(self, folder: Path) -> Enforced:
        edition = load_edition(folder)
        return enforce(edition, self.indexes / str(edition.number), (), "keep_urls")

    def round(self) -> bool:
        return self.puller.round(self.hotline.now)

    def reasons(self) -> dict[str, str]:
        found = readiness(self.state, self.hotline.now, [])
        assert found.ready
        return {concern.value: detail for concern, detail in found.reasons}

    def finds(self, number: int, algorithm: str = "md5") -> bool:
        enforced = self.state.enforced
        assert enforced is not None
        return enforced.hash_hit(HashQuestion(algorithm, picture(number, algorithm).value), self.hotline.now) is not None


def _nothing(*_: object) -> None:
    """Nobody waits for the swap."""


def largest(folder: Path) -> int:
    return max(path.stat().st_size for path in folder.resolve().rglob("*") if path.is_file())


@pytest.fixture
def hotline(tmp_path: Path) -> Hotline:
    made = Hotline(tmp_path)
    made.repository.mkdir()
    return made


@pytest.fixture
def node(hotline: Hotline, tmp_path: Path) -> Node:
    """A node with edition 1 in force, while edition 2 lies ready at the hotline, with a delta to it."""
    made = Node(hotline, tmp_path / "node")
    hotline.publish(many(COUNT))
    assert made.round() and made.finds(1) and not made.finds(COUNT + 1)
    hotline.publish(many(COUNT, first=3))
    return made


def stays_good(node: Node) -> None:
    """Edition 1 enforces as before; who asks the node is told why it is not the newest."""
    assert node.state.enforced is not None and node.state.enforced.number == 1
    assert node.finds(1) and not node.finds(COUNT + 1)
    assert node.reasons() == {"edition_unreachable": "state_unwritable"}


def heals(node: Node) -> None:
    assert node.round()
    assert node.state.enforced is not None and node.state.enforced.number == 2
    assert node.finds(COUNT + 1) and not node.finds(1)
    assert node.reasons() == {}


def test_while_a_delta_is_put_together(node: Node) -> None:
    with room_for(16 * 1024):
        assert not node.round()
        assert not node.round()
    assert number_in_force(node.kept) == 1
    stays_good(node)
    heals(node)
    assert node.pulled[-1].deltas == 1


def test_after_a_restart_with_the_disk_still_full_the_good_edition_is_enforced(node: Node, tmp_path: Path) -> None:
    again = Node(node.hotline, tmp_path / "node")
    with room_for(16 * 1024):
        assert not node.round()
    assert again.puller.restore(again.hotline.now)
    with room_for(16 * 1024):
        assert not again.round()
    stays_good(again)
    heals(again)


@pytest.mark.parametrize("algorithm", ["md5", "pdq"])
def test_while_the_indexes_are_written(hotline: Hotline, tmp_path: Path, algorithm: str) -> None:
    """The new edition is pulled and proven, but there is no room for what it is searched by."""
    node = Node(hotline, tmp_path / "node")
    hotline.publish(of(algorithm, 1))
    assert node.round()
    hotline.publish(of(algorithm, 3))
    files, index = largest(node.kept / "current"), largest(node.indexes)
    assert files + 4096 < index
    with room_for(files + 4096):
        assert not node.round()
    assert number_in_force(node.kept) == 2
    assert node.state.enforced is not None and node.state.enforced.number == 1
    assert node.finds(1, algorithm) and not node.finds(COUNT + 1, algorithm)
    assert node.reasons() == {"edition_unreachable": "state_unwritable"}
    assert node.round() and node.finds(COUNT + 1, algorithm) and node.reasons() == {}


def test_an_index_takes_its_room_before_it_is_mapped(tmp_path: Path) -> None:
    """A mapped page without room on the disk ends the process: it could answer nobody any more."""
    with new_file(tmp_path / "index", 8 << 20) as made:
        (part,) = tmp_path.iterdir()
        assert part.stat().st_blocks * 512 >= 8 << 20
        assert not made.bytes.any()
    with room_for(1 << 20), pytest.raises(OSError, match="large"):
        NewFile(tmp_path / "index", 8 << 20)
    assert not list(tmp_path.iterdir())


def of(algorithm: str, first: int) -> EditionContents:
    hashes = tuple(picture(number, algorithm) for number in range(first, first + COUNT))
    return replace(many(1, first=first), hashes=hashes)
