"""The tables in docs/explain/recall.md are what the tool measures."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.peer


@pytest.fixture(scope="module")
def tool() -> ModuleType:
    specification = importlib.util.spec_from_file_location("recall", ROOT / "tools" / "recall.py")
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def rows(tool: ModuleType, name: str) -> dict[str, str]:
    document = tool.DOCUMENT.read_text(encoding="utf-8")
    start, end = tool.section(document, name)
    lines = document[start:end].splitlines()[2:]
    return {line.split("|")[1].strip(): line for line in lines}


def test_the_table_has_a_row_for_each_edit(tool: ModuleType) -> None:
    assert list(rows(tool, "recall")) == list(tool.EDITS)


def test_the_recall_table_is_what_is_measured(tool: ModuleType) -> None:
    """Every fifth row; ``python tools/recall.py --check`` measures all."""
    originals = tool.pictures()
    table = rows(tool, "recall")
    chosen = list(tool.EDITS)[::5]
    assert [tool.recall_row(name, originals) for name in chosen] == [table[name] for name in chosen]


@pytest.mark.parametrize("width", [320, 640])
def test_the_table_of_modes_is_what_is_measured(tool: ModuleType, width: int) -> None:
    assert tool.mode_row(width) == rows(tool, "modes")[str(width)]


def shares(row: str) -> list[int]:
    return [int(cell.strip().rstrip("%")) for cell in row.split("|")[3:7]]


def test_the_options_bring_back_what_they_are_for(tool: ModuleType) -> None:
    table = {name: shares(row) for name, row in rows(tool, "recall").items()}
    for name in ("mirrored", "flipped", "turned by 90 degrees", "turned by 180 degrees", "turned by 270 degrees", "negative"):
        assert table[name][1] >= 99, name
    for name in ("white border, 5 %", "black border, 15 %", "letterbox, 15 % above and below", "screenshot, light"):
        assert table[name][2] >= 90, name
    for name, (plain, variants, trim, both) in table.items():
        assert plain <= min(variants, trim) <= max(variants, trim) <= both, name
