"""One pool of confined children for the tests of this room: starting a child costs most of a second."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from vigil.media import Decoder


@pytest.fixture(scope="session")
def decoder() -> Iterator[Decoder]:
    with Decoder(2) as shared:
        yield shared
