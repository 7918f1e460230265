"""How far a scan is: items, verdicts, items and megabytes a second, on standard error."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from vigil.scan.journal import Note

EVERY_SECONDS: Final = 1.0


@dataclass(slots=True)
class Progress:
    """Sums, and a line now and then. ``seconds`` tells time; ``show`` prints."""

    seconds: Callable[[], float]
    show: Callable[[str], None]
    items: int = 0
    listed: int = 0
    unknown: int = 0
    bytes: int = 0
    _begun: float = field(init=False)
    _shown: float = field(init=False)
    _before: tuple[int, int] = field(init=False)

    def __post_init__(self) -> None:
        self._begun = self._shown = self.seconds()
        self._before = (self.items, self.bytes)

    def add(self, note: Note) -> None:
        """Count a task, and say so at most once a second."""
        self.items, self.bytes = self.items + note.items, self.bytes + note.bytes
        self.listed, self.unknown = self.listed + note.listed, self.unknown + note.unknown
        now = self.seconds()
        if now - self._shown >= EVERY_SECONDS:
            self._shown = now
            self.show(self.line())

    def line(self) -> str:
        """The state in one line; the pace is that of this run."""
        spent = max(1e-9, self.seconds() - self._begun)
        pace, flow = (self.items - self._before[0]) / spent, (self.bytes - self._before[1]) / spent / 1e6
        return f"{self.items} items, {self.listed} listed, {self.unknown} unknown; {pace:.1f} items/s, {flow:.1f} MB/s"
