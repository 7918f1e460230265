"""Fixtures of the edge room. Nothing here needs Django, scikit-image or a browser."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.edge.world import Hotline, RunningNode, config_text, running, served

from vigil.base.clock import SystemClock


@pytest.fixture
def hotline(tmp_path: Path) -> Iterator[Hotline]:
    """A hotline whose door is open; nothing is published yet."""
    hotline = Hotline(tmp_path, SystemClock().now())
    with served(hotline):
        yield hotline


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state"


@pytest.fixture
def node(hotline: Hotline, state: Path) -> Iterator[RunningNode]:
    """A node of a hotline that has published an empty edition, already in force."""
    if hotline.number == 0:
        hotline.publish()
    with running(config_text(hotline, state)) as node:
        yield node
