"""The server under test: Vigil, or any other that ``VIGIL_HMA_URL`` names (``VIGIL_HMA_TOKEN``: its token, if it asks for one).

    VIGIL_HMA_URL=http://127.0.0.1:5100 python -m pytest tests/hma/test_conformance.py

Another server must be allowed to fetch from ``http://127.0.0.1:VIGIL_HMA_MEDIA_PORT`` (5199), where the suite hands out pictures.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.hma.world import Installation, Server, installation, site

OTHER = os.environ.get("VIGIL_HMA_URL")


@pytest.fixture(scope="session")
def media() -> Iterator[str]:
    """A site that hands out drawn pictures, and misleads where asked to."""
    with site(int(os.environ.get("VIGIL_HMA_MEDIA_PORT", "5199")) if OTHER else 0) as base:
        yield base


@pytest.fixture(scope="session")
def vigil(tmp_path_factory: pytest.TempPathFactory, media: str) -> Iterator[Installation]:
    """Vigil's own processes."""
    folder: Path = tmp_path_factory.mktemp("hma")
    with installation(folder, media) as made:
        yield made


@pytest.fixture(scope="session")
def server(request: pytest.FixtureRequest) -> Server:
    """The server under test."""
    if OTHER:
        return Server(OTHER, os.environ.get("VIGIL_HMA_TOKEN"))
    made: Installation = request.getfixturevalue("vigil")
    return Server(made.base)
