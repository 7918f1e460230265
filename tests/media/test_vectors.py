"""Files that do not change: an update of a decoder that sees other pixels in them is noticed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.media.drawings import distance

from vigil.media import Decoder, ImageHashes, Mode, Unhashable, VideoHashes

FOLDER = Path(__file__).resolve().parents[1] / "vectors" / "media"
EXPECTED: dict[str, dict[str, Any]] = json.loads((FOLDER / "expected.json").read_text())


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_a_fixed_file_has_its_fixed_hash(decoder: Decoder, name: str) -> None:
    expected = EXPECTED[name]
    found = decoder.hash_file(FOLDER / name, mode=Mode.RGB)
    assert found.sha256.hex() == expected["sha256"]
    if isinstance(found, Unhashable):
        assert found.reason.value == expected["reason"]
        return
    assert [found.width, found.height] == expected["size"]
    if isinstance(found, VideoHashes):
        known = [bytes.fromhex(one) for one in expected["frames"]]
        assert all(distance(one.pdq, other) <= 2 for one, other in zip(found.frames, known, strict=True))
    if isinstance(found, ImageHashes):
        assert distance(found.pdq, bytes.fromhex(expected["pdq"])) <= 2
        assert abs(found.pdq_quality - expected["quality"]) <= 1


def test_every_vector_is_expected() -> None:
    assert {path.name for path in FOLDER.iterdir()} == {*EXPECTED, "expected.json", "PROVENANCE.md"}
