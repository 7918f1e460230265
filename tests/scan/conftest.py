"""An edition of drawn pictures, and workers for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.edge.world import Hotline, as_jpeg, drawn_picture, flat_picture, hash_entry, sha256

from vigil.base.clock import SystemClock
from vigil.editions.load import load_edition
from vigil.media import ImageHashes, hash_image
from vigil.scan.listed import write_listed
from vigil.scan.model import Result
from vigil.scan.sources import tasks_of
from vigil.scan.worker import Setup, Worker


@dataclass(frozen=True)
class Samples:
    """Bytes of items, and the edition folder that lists some of them."""

    edition: Path
    listed: bytes
    near: bytes
    exact: bytes
    other: bytes
    flat: bytes

    def spread(self, folder: Path, more: int = 0) -> dict[str, str]:
        """Put one of each into ``folder``, and ``more`` others; the verdicts they must get."""
        folder.mkdir(parents=True, exist_ok=True)
        kinds = {"listed.png": "listed", "near.jpg": "listed", "exact": "listed", "other.png": "not_listed",
                 "flat.png": "unknown", "text": "unknown", "empty": "unknown"}  # fmt: skip
        data = {"listed.png": self.listed, "near.jpg": self.near, "exact": self.exact, "other.png": self.other,
                "flat.png": self.flat, "text": b"quimber", "empty": b""}  # fmt: skip
        for name, content in data.items():
            (folder / name).write_bytes(content)
        for number in range(more):
            (folder / f"more-{number:04}.png").write_bytes(self.other)
        return kinds | {f"more-{number:04}.png": "not_listed" for number in range(more)}


@pytest.fixture(scope="session")
def samples(tmp_path_factory: pytest.TempPathFactory) -> Samples:
    """The samples, and the edition published."""
    hotline = Hotline(tmp_path_factory.mktemp("hotline"), SystemClock().now())
    listed, exact = drawn_picture(3, 96), b"zorblat"
    found = hash_image(listed)
    assert isinstance(found, ImageHashes)
    hotline.publish(hash_entry(5, "pdq", found.pdq), hash_entry(6, "sha256", sha256(exact)))
    return Samples(hotline.repository, listed, as_jpeg(listed), exact, drawn_picture(4, 96), flat_picture())


@pytest.fixture(scope="session")
def listed_folder(samples: Samples, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("listed")
    write_listed(load_edition(samples.edition), folder)
    return folder


Look = Callable[..., dict[str, Result]]


@pytest.fixture(scope="session")
def look(listed_folder: Path) -> Iterator[Look]:
    """Results of a source by item, in this process: ``look(source, column="", hosts=…, networks=…)``."""
    workers: list[Worker] = []

    def run(source: object, column: str = "", hosts: tuple[str, ...] = (), networks: tuple[str, ...] = ()) -> dict[str, Result]:
        worker = Worker(Setup(str(listed_folder), hosts, networks))
        workers.append(worker)
        results = [result for task in tasks_of(str(source), column) for result in worker.work(task).results]
        found = {result.item: result for result in results}
        assert len(found) == len(results), "an item has two results"
        return found

    yield run
    for worker in workers:
        worker.close()
