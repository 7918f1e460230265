"""The lists of the edition in force as banks of the HMA-compatible door: each list one, under its own name.

The node's process writes down where the indexes of the edition lie whenever one comes into force; workers map them. Names of
lists have small letters and those of banks have none, so neither can stand for the other. Curation never reaches a list.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from vigil.base.errors import UnavailableError, VigilError
from vigil.base.files import write_atomically
from vigil.edge.enforced import Enforced, HardExpiry, Hit, open_enforced
from vigil.edge.questions import HashQuestion
from vigil.match.signal_types import SignalType

PLACE: Final = "lists.json"


def say_where(state: Path, enforced: Enforced) -> None:
    """Tell the workers where the indexes of the edition in force lie."""
    (state / "hma").mkdir(parents=True, exist_ok=True, mode=0o700)
    write_atomically(state / "hma" / PLACE, json.dumps({"folder": str(enforced.folder)}).encode(), mode=0o600)


class Lists:
    """What one worker answers from an edition. ``refresh`` costs one look at a file while nothing changes."""

    def __init__(self, state: Path, hard_expiry: HardExpiry) -> None:
        self._path = state / "hma" / PLACE
        self._hard_expiry: HardExpiry = hard_expiry
        self._seen: tuple[int, int] | None = None
        self._enforced: Enforced | None = None

    def refresh(self) -> None:
        """Map the edition in force, where it is another one. One that is gone again already is met at the next look."""
        try:
            stat = self._path.stat()
            seen = stat.st_mtime_ns, stat.st_ino
            if seen == self._seen:
                return
            folder = Path(json.loads(self._path.read_bytes())["folder"])
            self._enforced, self._seen = open_enforced(folder, self._hard_expiry), seen
        except (OSError, VigilError):
            return

    @property
    def edition(self) -> int:
        """The number of the edition that was met last; 0 where there is none."""
        return self._enforced.number if self._enforced is not None else 0

    def find(self, kind: SignalType, value: bytes, now: float) -> list[Hit]:
        """Entries that are near or equal, the nearest first. Raises UnavailableError where the edition is too old to answer."""
        self.refresh()
        if self._enforced is None:
            return []
        moment = datetime.fromtimestamp(now, UTC)
        if self._enforced.stopped(moment):
            raise UnavailableError("edition_hard_expired", "The edition in force is too old to answer by.")
        return self._enforced.hash_hits(HashQuestion(kind.algorithm.name, value), moment)
