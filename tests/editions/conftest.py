"""Fixtures of the editions room. Time is handed in; nothing sleeps; the only network is loopback."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.editions.world import Host, Hotline, hosted


@pytest.fixture(autouse=True)
def quick_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody cuts the power here, and waiting for the disk is most of the time; test_publish puts its own in place."""
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)


@pytest.fixture
def hotline(tmp_path: Path) -> Hotline:
    """A hotline with keys; nothing is published yet."""
    return Hotline(tmp_path)


@pytest.fixture
def host(hotline: Hotline) -> Iterator[Host]:
    """A web server in front of the hotline's edition folder."""
    with hosted(hotline) as host:
        yield host


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """The state folder of a node."""
    return tmp_path / "state"
