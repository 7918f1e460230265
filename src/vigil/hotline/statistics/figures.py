"""One figure as a page shows it: title, chart, table, definition, caveat. One source for all of them (rule G7)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from django.utils.safestring import SafeString

from vigil.hotline.statistics import charts
from vigil.hotline.statistics.cells import Cell, shown_all
from vigil.hotline.statistics.definitions import Definition

SPOKEN: Final = 6


@dataclass(frozen=True, slots=True)
class Figure:
    """The names fit the part ``design/parts/figure.html``: ``numbers`` are the columns of figures, counted from 1."""

    code: str
    title: str
    svg: SafeString
    heads: tuple[str, ...]
    rows: tuple[tuple[str | Cell, ...], ...]
    numbers: str
    definition: str
    caveat: str


def figure(
    definition: Definition, label: str, values: Sequence[tuple[str, int]], *, by_day: bool, public: bool, caveat: str = ""
) -> Figure:
    """A figure of one column. Hidden cells are hidden in chart, words and table alike."""
    cells = shown_all([number for _, number in values], public=public)
    rows = tuple((name, cell) for (name, _), cell in zip(values, cells, strict=True))
    drawn = [(name, cell if isinstance(cell, int) else 0) for name, cell in rows]
    unit = definition.unit.plural
    chart = charts.columns_by_day if by_day else charts.bars
    return Figure(
        code=definition.code,
        title=definition.title,
        svg=chart(definition.title, described(rows), drawn, unit),
        heads=(label, unit),
        rows=rows,
        numbers="2",
        definition=definition.text,
        caveat=caveat,
    )


def described(rows: Sequence[tuple[str, Cell]]) -> str:
    """The figure in words: all of a few rows; of many the largest, and that the table has the rest."""
    if not any(cell != 0 for _, cell in rows):
        return "No numbers yet."
    if len(rows) <= SPOKEN:
        return "; ".join(f"{name}: {cell}" for name, cell in rows) + "."
    name, cell = max(rows, key=lambda row: row[1] if isinstance(row[1], int) else 0)
    return f"{len(rows)} values; the largest is {cell} ({name}). The table holds all of them."
