"""The installation under examination."""

from __future__ import annotations

import fcntl
from dataclasses import dataclass
from datetime import datetime

from vigil.installation.folder import DataFolder


@dataclass(frozen=True, slots=True)
class Patient:
    """The data folder, the present instant, and whether production rules are asked for (``--deploy``)."""

    folder: DataFolder
    now: datetime
    deploy: bool

    @property
    def running(self) -> bool:
        """True while ``vigil up`` holds the folder's lock."""
        if not self.folder.lock.exists():
            return False
        with self.folder.lock.open("r+") as stream:
            try:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                return True
        return False
