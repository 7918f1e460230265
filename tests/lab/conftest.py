"""Fixtures of the lab: a hotline, an origin, a folder for a proxy."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.edge.world import Hotline, served
from tests.lab import peers

from vigil.base.clock import SystemClock


@pytest.fixture
def hotline(tmp_path: Path) -> Iterator[Hotline]:
    hotline = Hotline(tmp_path, SystemClock().now())
    with served(hotline):
        yield hotline


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state"


@pytest.fixture
def origin() -> Iterator[peers.Origin]:
    with peers.origin() as site:
        yield site


@pytest.fixture
def place() -> Iterator[Path]:
    with peers.folder() as place:
        yield place
