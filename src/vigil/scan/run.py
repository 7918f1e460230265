"""A scan from beginning to end."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from vigil.base.clock import text_of
from vigil.base.errors import InputError
from vigil.editions.load import load_edition
from vigil.scan.journal import Head, Journal
from vigil.scan.listed import write_listed
from vigil.scan.on_ray import OnRay
from vigil.scan.output import finish, require_ending
from vigil.scan.pool import Engine, Pool
from vigil.scan.progress import Progress
from vigil.scan.sources import tasks_of
from vigil.scan.worker import Setup

RAY: Final = "ray"


@dataclass(frozen=True, slots=True)
class Wish:
    """What is asked for. ``on``: ``processes``, ``ray`` or ``ray:ADDRESS``; ``workers`` 0: one for each processor."""

    source: str
    edition: Path
    out: Path
    column: str = ""
    on: str = "processes"
    workers: int = 0
    fresh: bool = False
    hosts: tuple[str, ...] = ()
    networks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Summary:
    """What was found; ``resumed`` items were done by an earlier run."""

    items: int
    listed: int
    unknown: int
    resumed: int


def scan(wish: Wish, show: Callable[[str], None], seconds: Callable[[], float] = time.monotonic) -> Summary:
    """Scan, going on where an earlier run of the same scan was stopped."""
    require_ending(wish.out)
    _require_apart(wish)
    edition = load_edition(wish.edition)
    with tempfile.TemporaryDirectory(prefix="vigil-scan-") as listed:
        write_listed(edition, Path(listed))
        head = Head(wish.source, wish.column, edition.number, text_of(edition.issued_at))
        journal = Journal(wish.out, head, fresh=wish.fresh)
        resumed = journal.tally[0]
        progress = Progress(seconds, show, *journal.tally)
        try:
            engine = _engine(wish, Setup(listed, wish.hosts, wish.networks), edition.number)
            try:
                for done in engine.run(journal.left(tasks_of(wish.source, wish.column))):
                    progress.add(journal.add(done))
            finally:
                engine.close()
        finally:
            journal.close()
    finish(journal, wish.out)
    show(progress.line())
    return Summary(progress.items, progress.listed, progress.unknown, resumed)


def _engine(wish: Wish, setup: Setup, edition: int) -> Engine:
    workers = wish.workers or os.cpu_count() or 1
    kind, _, address = wish.on.partition(":")
    if kind == RAY:
        return OnRay(setup, workers, edition, address)
    if wish.on != "processes":
        raise InputError("scan_on", "A scan runs on processes or on Ray.", where="--on", mend="processes, ray or ray:ADDRESS")
    return Pool(setup, workers, edition)


def _require_apart(wish: Wish) -> None:
    """Results in the folder that is scanned would be scanned."""
    source = Path(wish.source)
    if source.is_dir() and wish.out.resolve().is_relative_to(source.resolve()):
        raise InputError("out_inside", "The results would lie in the folder that is scanned.", mend="Name another place.")
    if not wish.out.resolve().parent.is_dir():
        raise InputError("out_folder", "There is no such folder for the results.", where=str(wish.out.parent))

