"""What waits for one receiver: a file a notice, in order of time, at most so many. Several processes may lay notices in.

``refused/`` keeps what the receiver will never take, and what nobody took within three days.
"""

from __future__ import annotations

import hashlib
import secrets
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from vigil.base.files import write_atomically

MOST: Final = 10_000  # notices; beyond it new ones are not kept: a receiver that is away for days must not fill a disk
KEEP: Final = timedelta(days=3)
REFUSED_MOST: Final = 1000
ENDING: Final = ".json"


def new_name(now: datetime) -> str:
    """An identifier that sorts by time and tells nothing else."""
    return f"{int(now.timestamp() * 1_000_000):020d}-{secrets.token_hex(8)}"


def made_at(name: str) -> datetime:
    """When that name was made."""
    return datetime.fromtimestamp(int(name.partition("-")[0]) / 1_000_000, UTC)


class Queue:
    """The folder of one receiver, below ``state/webhooks``: its name comes from the address."""

    def __init__(self, folder: Path, url: str) -> None:
        self.folder = folder / hashlib.sha256(url.encode()).hexdigest()[:16]
        self.refused = self.folder / "refused"
        self.refused.mkdir(parents=True, exist_ok=True, mode=0o700)

    def __len__(self) -> int:
        return sum(path.suffix == ENDING for path in self.folder.iterdir())

    def post(self, body: bytes, now: datetime) -> bool:
        """Keep a notice until it is taken; False where there is no room."""
        if len(self) >= MOST:
            return False
        write_atomically(self.folder / f"{new_name(now)}{ENDING}", body, mode=0o600)
        return True

    def waiting(self) -> list[Path]:
        """The oldest first."""
        return sorted(self.folder.glob(f"*{ENDING}"))

    def done(self, path: Path) -> None:
        """It was taken."""
        path.unlink(missing_ok=True)

    def put_aside(self, path: Path) -> None:
        """It will not be taken: keep it for the operator, the newest thousand of them."""
        if path.exists():
            path.replace(self.refused / path.name)
        for old in sorted(self.refused.glob(f"*{ENDING}"))[:-REFUSED_MOST]:
            old.unlink(missing_ok=True)

    def is_late(self, path: Path, now: datetime) -> bool:
        """True for one that nobody took in three days."""
        return now - made_at(path.stem) > KEEP
