"""The pictures of the guides: each comes from a screen of a browser test and stands in its guide with words."""

from __future__ import annotations

import re
import struct
from pathlib import Path

import pytest
from tests.support.guide_pictures import PICTURES, table

GUIDES = PICTURES.parent
MAIN_PAGES = {"queue", "case", "file", "assessment", "second-look", "publish", "appeal", "wellbeing", "retention", "audit"}


def test_the_main_pages_have_one_and_no_picture_is_left_over() -> None:
    assert set(table()) >= MAIN_PAGES
    assert {path.stem for path in PICTURES.glob("*.png")} == set(table())


@pytest.mark.parametrize("name", sorted(table()))
def test_it_stands_in_its_guide_and_comes_from_a_browser_test(name: str) -> None:
    row = table()[name]
    said = re.findall(rf"!\[([^\]]{{20,}})\]\(pictures/{name}\.png\)", (GUIDES / row["guide"]).read_text("utf-8"))
    assert len(said) == 1, f"{row['guide']} shows {name}.png once, with words for those who cannot see it"
    page = row["screen"].removeprefix("console-light-")
    tests = "".join(path.read_text("utf-8") for path in Path("tests/hotline/console_door").glob("test_*.py"))
    assert f'"{page}"' in tests
    data = (PICTURES / f"{name}.png").read_bytes()
    assert struct.unpack(">I", data[16:20])[0] == 1280 and len(data) < 150_000
