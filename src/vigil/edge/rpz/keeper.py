"""Keeps the policy zone in step with the edition in force: versions whose serial only rises, and the steps between them.

Versions survive a restart in a folder of their own. Where that is damaged the zone begins anew under a higher serial, and
secondaries fetch it whole. Without any edition there is no zone: secondaries keep what they have.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import msgspec

from vigil.base.errors import InputError
from vigil.base.files import write_atomically
from vigil.edge.enforced import Enforced
from vigil.edge.rpz.candidates import Candidates, Digested, digested, read_candidates, stamp_of
from vigil.edge.rpz.zone import History, Step, Zone, next_serial, step_between
from vigil.editions import selftest
from vigil.editions.export.names import Names
from vigil.match.index.host_scopes import NEVER

STATE_FILE: Final = "versions.json"
LONGEST_PAUSE: Final = 3600.0
AHEAD_SECONDS: Final = 3600  # changes in quick order run ahead of the time, by which serials are told
NOTHING_LISTED: Final = Names(frozenset(), frozenset())


class _Kept(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The file: the zone in force, and the steps that led to it, oldest first."""

    serial: int
    hosts: list[str]
    domains: list[str]
    steps: list[tuple[int, int, list[str], list[str]]]


class Keeper:
    """The zone of one node; ``dry``: it stays empty. One thread calls :meth:`round`; any may read the zone and its history."""

    def __init__(
        self,
        folder: Path,
        names: tuple[Path, ...],
        versions: int,
        edition: Callable[[], Enforced | None],
        changed: Callable[[Zone], None],
        log: Any,
        *,
        dry: bool = False,
    ) -> None:
        self._folder, self._paths, self._edition, self._changed, self._log = folder, names, edition, changed, log
        self._versions, self._dry = versions, dry
        self._candidates = Candidates()
        self._with_test: tuple[str, ...] = (selftest.HOST,)  # the self-test asks for it; everybody knows it
        self._digested: Digested | None = None
        self._judged: tuple[Enforced, Candidates] | None = None
        self._ends = NEVER
        self._trouble = ""
        self._lost = False
        self.zone: Zone | None = None
        self.history = History(versions)
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._restore()

    def round(self, now: datetime, poll_seconds: float) -> float:
        """Look once whether the zone is still right; seconds to the next look."""
        seconds = int(now.timestamp())
        self._read()
        edition = self._edition()
        if edition is None:
            return poll_seconds
        stopped = self._dry or edition.stopped(now) or edition.hosts_stopped(now)
        if stopped or self._judged != (edition, self._candidates) or seconds >= self._ends:
            self._judge(edition, seconds, stopped=stopped)
        until_hard = (edition.hard_until - now).total_seconds()
        pauses = [poll_seconds, LONGEST_PAUSE, float(min(self._ends - seconds, LONGEST_PAUSE))]
        return max(0.05, min([*pauses, until_hard] if until_hard > 0 else pauses))

    def _read(self) -> None:
        """Take up files of names that have changed; where one cannot be read, the names from before stay."""
        trouble = ""
        try:
            if stamp_of(self._paths) != self._candidates.stamp:
                self._candidates = read_candidates(self._paths)
                self._with_test = tuple(sorted({*self._candidates.names, selftest.HOST}))
                self._log.info("rpz_names", names=len(self._candidates.names), refused=self._candidates.malformed)
        except InputError as error:
            trouble = error.code
        if trouble and trouble != self._trouble:
            self._log.warning("rpz_names", code=trouble)
        self._trouble = trouble

    def _judge(self, edition: Enforced, seconds: int, *, stopped: bool) -> None:
        names, self._ends = (NOTHING_LISTED, NEVER) if stopped else self._listed(edition, seconds)
        self._judged = (edition, self._candidates)
        before = self.zone
        if before is not None and before.names == names:
            return
        last = before.serial if before is not None else seconds + AHEAD_SECONDS if self._lost else None
        zone = Zone(next_serial(last, seconds), names)
        history = History(self._versions, self.history.steps)
        if before is not None:
            history.add(step_between(before, zone))
        self._write(zone, history)
        # The history first: a transfer that starts in between sees a step that it does not need yet, never one too few.
        self.history, self.zone = history, zone
        self._log.info("rpz_zone", version=zone.serial, edition=edition.number, names=len(names.hosts) + len(names.domains))
        self._changed(zone)

    def _listed(self, edition: Enforced, seconds: int) -> tuple[Names, int]:
        scopes = edition.host_scopes()
        self._digested = digested(self._with_test, scopes, self._digested)
        return self._digested.listed(scopes, seconds)

    def _write(self, zone: Zone, history: History) -> None:
        """Written before it is served: a serial that a secondary has seen is never given to anything else."""
        steps = [(step.before, step.after, list(step.removed), list(step.added)) for step in history.steps]
        kept = _Kept(zone.serial, list(zone.names.hosts), list(zone.names.domains), steps)
        write_atomically(self._folder / STATE_FILE, msgspec.json.encode(kept), mode=0o600)

    def _restore(self) -> None:
        with contextlib.suppress(FileNotFoundError):
            raw = (self._folder / STATE_FILE).read_bytes()
            try:
                kept = msgspec.json.decode(raw, type=_Kept)
            except (msgspec.DecodeError, msgspec.ValidationError, UnicodeDecodeError):
                self._log.error("rpz_state_unreadable", code="zone_begins_anew")
                self._lost = True
                return
            names = Names(frozenset(kept.hosts), frozenset(kept.domains))
            steps = (Step(before, after, tuple(removed), tuple(added)) for before, after, removed, added in kept.steps)
            self.zone, self.history = Zone(kept.serial, names), History(self._versions, steps)
