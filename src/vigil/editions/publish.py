"""Publishing into an edition folder, so that a power cut leaves the old edition or the new one, never half.

Order of a publication, each step on the disk before the next begins:

1. targets under new names (their digests), then ``N.targets.json`` and ``N.snapshot.json``: nothing refers to them yet;
2. ``timestamp.json`` is replaced in one step. **This is the commit point.**
3. what neither this edition nor the one before it needs is removed.

:func:`recover` does step 3 alone; whatever a cut left behind is either referred to by ``timestamp.json`` or stray.
One process publishes at a time: a lock beside the folder sees to it.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from tuf.api.exceptions import RepositoryError
from tuf.api.metadata import Metadata, MetaFile, Snapshot, TargetFile, Targets, Timestamp

from vigil.base.clock import require_utc
from vigil.base.errors import InputError, RefusedError, UnavailableError
from vigil.base.files import write_atomically
from vigil.editions.roles import (
    LIFETIME,
    METADATA_FOLDER,
    ROOT,
    SNAPSHOT,
    TARGETS,
    TARGETS_FOLDER,
    TIMESTAMP,
    TIMESTAMP_NAME,
    canonical_bytes,
    expiry,
    read_metadata,
    target_name,
    version_in,
    versioned_name,
    versions_on_disk,
)

if TYPE_CHECKING:
    from vigil.editions.build import BuiltEdition
    from vigil.editions.keys import KeyRing

CLOCK_TOLERANCE: Final = timedelta(minutes=5)
REFRESH_BEFORE: Final = {TIMESTAMP: timedelta(hours=12), SNAPSHOT: timedelta(hours=36)}


def publish(repository: Path, built: BuiltEdition, keys: KeyRing, now: datetime) -> None:
    """Sign ``built`` and put it into force in the edition folder ``repository``, which is made where there is none.

    Raises RefusedError: ``number_not_rising``, ``previous_differs``, ``clock_backwards``, ``root_differs``.
    """
    now = require_utc(now)
    with _only_one(repository):
        _tidy(repository)
        before = _timestamp(repository)
        _check_time(before, now)
        _check_succession(built, current_number(repository))
        _write_roots(repository, keys)
        targets = _write_targets(repository, built, keys, now)
        snapshot = _write_snapshot(repository, targets, keys, now)
        _commit(repository, before, snapshot, keys, now)
        _tidy(repository)


def refresh(repository: Path, keys: KeyRing, now: datetime) -> bool:
    """Sign timestamp and, where needed, snapshot anew before they expire; True where something was signed.

    To be called often: it does nothing while the timestamp has more than half its life before it.
    Raises RefusedError ``edition_old`` where only a new edition can help, or ``clock_backwards``.
    """
    now = require_utc(now)
    with _only_one(repository):
        before = _timestamp(repository)
        if before is None:
            return False
        _check_time(before, now)
        if before.expires - now > REFRESH_BEFORE[TIMESTAMP]:
            return False
        _tidy(repository)
        snapshot = _read(repository, SNAPSHOT, before.snapshot_meta.version, Snapshot)
        targets = _read(repository, TARGETS, snapshot.meta["targets.json"].version, Targets)
        if targets.expires <= now:
            raise RefusedError(
                "edition_old", "The published edition is too old to be signed again.", mend="Publish a new edition."
            )
        meta = before.snapshot_meta
        if snapshot.expires - now <= REFRESH_BEFORE[SNAPSHOT]:
            meta = _write_snapshot(repository, snapshot.meta["targets.json"], keys, now)
        _commit(repository, before, meta, keys, now)
        _tidy(repository)
        return True


def recover(repository: Path) -> None:
    """Remove what an interrupted publication left behind; to be called once at start. Does no harm at any time."""
    if (repository / METADATA_FOLDER).is_dir():
        with _only_one(repository):
            _tidy(repository)


def current_number(repository: Path) -> int | None:
    """The number of the edition in force in ``repository``; None where none was published."""
    timestamp = _timestamp(repository)
    if timestamp is None:
        return None
    snapshot: Snapshot = _read(repository, SNAPSHOT, timestamp.snapshot_meta.version, Snapshot)
    return snapshot.meta["targets.json"].version


def _check_succession(built: BuiltEdition, current: int | None) -> None:
    if current is not None and built.number <= current:
        raise RefusedError(
            "number_not_rising",
            f"Edition {current} is in force already; {built.number} is not above it.",
            mend="Build the edition anew with the next number.",
        )
    if built.manifest.previous != current:
        raise RefusedError(
            "previous_differs",
            "The edition does not name the one in force as its previous one.",
            mend="Build it anew with previous=current_number(repository).",
        )


def _check_time(before: Timestamp | None, now: datetime) -> None:
    """A clock that has gone back would sign metadata that expires at once, or hide that others have expired."""
    if before is not None and before.expires - LIFETIME[TIMESTAMP] - now > CLOCK_TOLERANCE:
        raise RefusedError(
            "clock_backwards",
            "The clock of this machine is behind the last signature.",
            mend="Set the clock right, then publish again.",
        )


def _write_roots(repository: Path, keys: KeyRing) -> None:
    folder = repository / METADATA_FOLDER
    for version, content in enumerate(keys.roots, start=1):
        path = folder / versioned_name(ROOT, version)
        if not path.exists():
            write_atomically(path, content)
        elif path.read_bytes() != content:
            raise RefusedError(
                "root_differs",
                "The edition folder belongs to other keys.",
                where=path.name,
                mend="Use the keys it began with, or another folder.",
            )


def _write_targets(repository: Path, built: BuiltEdition, keys: KeyRing, now: datetime) -> MetaFile:
    targets = Targets(version=built.number, expires=expiry(TARGETS, now))
    for name, content in sorted(built.files.items()):
        target = TargetFile.from_data(name, content, ["sha256"])
        targets.targets[name] = target
        _write_new(repository / TARGETS_FOLDER / target_name(name, target.hashes["sha256"]), content)
    return _write_signed(repository, targets, keys)


def _write_snapshot(repository: Path, targets: MetaFile, keys: KeyRing, now: datetime) -> MetaFile:
    versions = versions_on_disk(repository / METADATA_FOLDER, SNAPSHOT)
    snapshot = Snapshot(version=max(versions, default=0) + 1, expires=expiry(SNAPSHOT, now), meta={"targets.json": targets})
    return _write_signed(repository, snapshot, keys)


def _write_signed(repository: Path, signed: Targets | Snapshot, keys: KeyRing) -> MetaFile:
    """Sign, write under the versioned name, and give back what the next role says about the file."""
    data = _sign(signed, keys)
    _write_new(repository / METADATA_FOLDER / versioned_name(signed.type, signed.version), data)
    return MetaFile.from_data(signed.version, data, ["sha256"])


def _sign(signed: Any, keys: KeyRing) -> bytes:
    metadata: Metadata[Any] = Metadata(signed)
    for signer in keys.signers[signed.type]:
        metadata.sign(signer, append=True)
    return canonical_bytes(metadata)


def _commit(repository: Path, before: Timestamp | None, snapshot: MetaFile, keys: KeyRing, now: datetime) -> None:
    """Replace ``timestamp.json``: from this moment on the new state is in force."""
    version = before.version + 1 if before else 1
    timestamp = Timestamp(version=version, expires=expiry(TIMESTAMP, now), snapshot_meta=snapshot)
    write_atomically(repository / METADATA_FOLDER / TIMESTAMP_NAME, _sign(timestamp, keys))


def _write_new(path: Path, content: bytes) -> None:
    """Write a file unless the same one is there: an edition may share it with the one in force, which must stay whole."""
    if not path.is_file() or path.read_bytes() != content:
        write_atomically(path, content)


def _timestamp(repository: Path) -> Timestamp | None:
    path = repository / METADATA_FOLDER / TIMESTAMP_NAME
    try:
        return read_metadata(path.read_bytes(), Timestamp).signed
    except FileNotFoundError:
        return None
    except RepositoryError as error:
        raise _broken(TIMESTAMP_NAME) from error


def _read(repository: Path, role: str, version: int, kind: Any) -> Any:
    name = versioned_name(role, version)
    try:
        return read_metadata((repository / METADATA_FOLDER / name).read_bytes(), kind).signed
    except (OSError, RepositoryError) as error:
        raise _broken(name) from error


def _broken(name: str) -> InputError:
    return InputError(
        "repository_broken",
        "The edition folder is damaged: a file that is in force cannot be read.",
        where=name,
        mend="Check it with: vigil edition verify DIR; then restore it from a copy.",
    )


def _tidy(repository: Path) -> None:
    """Remove each file that neither the edition in force nor the one before it needs."""
    metadata, targets = kept_files(repository)
    for path in sorted((repository / METADATA_FOLDER).iterdir()):
        found = version_in(path.name)
        if path.name not in metadata and not (found and found[0] == ROOT):
            path.unlink()
    for path in sorted((repository / TARGETS_FOLDER).iterdir()):
        if path.name not in targets:
            path.unlink()


def kept_files(repository: Path) -> tuple[set[str], set[str]]:
    """The names in ``metadata/`` (roots aside) and in ``targets/`` of the edition in force and the one before it.

    Nodes that began a download before a publication can so finish it.
    """
    timestamp = _timestamp(repository)
    if timestamp is None:
        return set(), set()
    latest = timestamp.snapshot_meta.version
    number = _read(repository, SNAPSHOT, latest, Snapshot).meta["targets.json"].version
    numbers = [n for n in versions_on_disk(repository / METADATA_FOLDER, TARGETS) if n <= number][-2:]
    metadata = {TIMESTAMP_NAME, *(versioned_name(TARGETS, n) for n in numbers)}
    metadata |= {versioned_name(SNAPSHOT, version) for version in (latest - 1, latest)}
    contents = [_read(repository, TARGETS, n, Targets) for n in numbers]
    return metadata, {
        target_name(name, target.hashes["sha256"]) for each in contents for name, target in each.targets.items()
    }


@contextmanager
def _only_one(repository: Path) -> Iterator[None]:
    """Hold the lock of the edition folder; the system drops it with the process, however that ends."""
    for name in (METADATA_FOLDER, TARGETS_FOLDER):
        (repository / name).mkdir(parents=True, exist_ok=True)
    lock = os.open(repository / METADATA_FOLDER, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError as error:
        raise UnavailableError(
            "publishing_busy", "Another process is publishing into this folder.", mend="Try again in a moment."
        ) from error
    finally:
        os.close(lock)
