"""Keeps the edition in force fresh: pull, verify, load, build, swap. Whatever goes wrong, the last good edition stays.

The client keeps the files of the last good edition; after a restart they are put into force before the network is asked.
"""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any, Final, Protocol

from vigil.base.errors import UnavailableError, VigilError
from vigil.edge.enforced import Enforced
from vigil.edge.state import Concern, State
from vigil.editions.refusal import Unreachable

JITTER: Final = 0.2
BACK_OFF_POLLS: Final = 15
EMPTY_SECONDS: Final = 1.0


class Pulled(Protocol):
    """What a client brings home."""

    @property
    def number(self) -> int: ...
    @property
    def folder(self) -> Path: ...
    @property
    def fresh(self) -> bool: ...


class Client(Protocol):
    """The client of the editions room."""

    def pull(self, now: datetime) -> Pulled: ...


class Puller:
    """One node's way to new editions. ``build`` reads and indexes a pulled folder; ``swapped`` hears of each swap."""

    def __init__(
        self,
        client: Client,
        build: Callable[[Path], Enforced],
        kept: Path,
        indexes: Path,
        state: State,
        swapped: Callable[[Enforced, datetime], None],
        log: Any,
    ) -> None:
        self._client, self._build, self._state, self._swapped, self._log = client, build, state, swapped, log
        self._kept, self._indexes = kept, indexes
        self._failures = 0
        self._indexes.mkdir(parents=True, exist_ok=True, mode=0o700)

    def restore(self, now: datetime) -> bool:
        """Put the last good edition back into force after a restart, without the network."""
        from vigil.editions.client import number_in_force  # not at the top: a worker never pulls

        if number_in_force(self._kept) is None:
            return False
        try:
            self._enforce(self._kept, now)
        except VigilError as error:
            self._log.error("last_good_unusable", code=error.code)
            return False
        return True

    def round(self, now: datetime) -> bool:
        """One attempt; True where the edition of the source is in force afterwards."""
        try:
            pulled = self._client.pull(now)
            current = self._state.enforced
            # After a stolen key was revoked, another edition may come under the number of the thief's.
            if current is None or current.number != pulled.number or pulled.fresh:
                self._enforce(pulled.folder, now)
        except UnavailableError as error:
            return self._failed(Concern.EDITION_UNREACHABLE, error.code, now)
        except VigilError as error:
            return self._failed(Concern.EDITION_REFUSED, error.code, now)
        except OSError:  # no room for the indexes, most likely; what is in force does not need any
            return self._failed(Concern.EDITION_UNREACHABLE, Unreachable.STATE_UNWRITABLE.value, now)
        self._failures = 0
        self._state.succeeded(now)
        return True

    def pause(self, poll_seconds: float) -> float:
        """Seconds to the next attempt: the poll with 20 % jitter, doubled with each failure, at most 15 polls.

        A node that has no edition yet protects nobody: it begins with a second and stops at the poll.
        """
        first, most = poll_seconds, poll_seconds * BACK_OFF_POLLS
        if self._state.enforced is None:
            first, most = min(EMPTY_SECONDS, poll_seconds) / 2, poll_seconds
        jitter = random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311  spreads load, guards nothing
        return min(first * float(2 ** min(self._failures, 10)), most) * jitter

    def _enforce(self, folder: Path, now: datetime) -> None:
        enforced = self._build(folder)
        before = self._state.enforced
        self._state.enforced = enforced
        self._swapped(enforced, now)
        self._tidy(enforced.folder)
        self._log.info(
            "edition_in_force",
            edition=enforced.number,
            previous=before.number if before else None,
            lists=len(enforced.lists),
            urls=enforced.sizes[0],
            hashes=enforced.sizes[1],
        )

    def _tidy(self, kept: Path) -> None:
        """Drop indexes of other editions; requests that still use them keep their maps until they end."""
        for folder in self._indexes.iterdir():
            if folder.name != kept.name:
                shutil.rmtree(folder, ignore_errors=True)

    def _failed(self, concern: Concern, code: str, now: datetime) -> bool:
        self._failures += 1
        if self._state.failed(concern, code, now):
            self._log.warning(concern.value, code=code)
        return False
