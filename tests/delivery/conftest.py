"""Editions on the hosts, stores, signers and readers of others: nginx, an S3 server, SoftHSM, a key service, DuckDB."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.editions.world import Host, Hotline, hosted

from vigil.base.clock import SystemClock


@pytest.fixture(autouse=True)
def quick_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody cuts the power here."""
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)


@pytest.fixture
def hotline(tmp_path: Path) -> Hotline:
    """A hotline with keys, whose clock is that of the machine: readers of others ask no other one."""
    hotline = Hotline(tmp_path)
    hotline.clock.advance(seconds=(SystemClock().now() - hotline.now).total_seconds())
    return hotline


@pytest.fixture
def host(hotline: Hotline) -> Iterator[Host]:
    with hosted(hotline) as host:
        yield host


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state"
