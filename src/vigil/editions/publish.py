"""Publishing into an edition folder, so that a power cut leaves the old edition or the new one, never half.

Order of a publication, each step on the disk before the next begins:

1. targets under new names (their digests), then ``N.targets.json`` and ``N.snapshot.json``: nothing refers to them yet;
2. a new root, where keys changed. Until step 3 nodes may meet it beside an older timestamp; they then keep what they have;
3. ``timestamp.json`` is replaced in one step. **This is the commit point.**
4. what neither this edition nor the one before it needs is removed.

:func:`recover` does step 4 alone; whatever a cut left behind is either referred to by ``timestamp.json`` or stray.
One process publishes at a time: a lock on the folder sees to it. Whoever checks the folder meanwhile waits for its end
(:func:`await_end`).
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from tuf.api.exceptions import RepositoryError
from tuf.api.metadata import Metadata, MetaFile, Root, Snapshot, Targets, Timestamp

from vigil.base.clock import require_utc
from vigil.base.errors import InputError, RefusedError, UnavailableError
from vigil.base.files import write_atomically
from vigil.editions.release import (
    Release,
    SignedBranch,
    check_release,
    drop_absent,
    drop_keys,
    kept_versions,
    partner_branches,
    prepare,
    renewed_partners,
    rotate_keys,
    signed_by,
    without_partner,
)
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
from vigil.editions.shares import ListShare, Share, keep_plain

if TYPE_CHECKING:
    from vigil.editions.build import BuiltEdition
    from vigil.editions.keys import KeyRing

CLOCK_TOLERANCE: Final = timedelta(minutes=5)
LOOK_SECONDS: Final = 0.05
LOCK_SECONDS: Final = 0.5
REFRESH_BEFORE: Final = {TIMESTAMP: timedelta(hours=12), SNAPSHOT: timedelta(hours=36)}


def publish(
    repository: Path,
    built: BuiltEdition,
    keys: KeyRing,
    now: datetime,
    *,
    lists: Sequence[ListShare] = (),
    shares: Sequence[Share] = (),
    workshop: Path | None = None,
) -> None:
    """Sign ``built`` and put it into force in the edition folder ``repository``, which is made where there is none.

    ``lists``     lists that partners may fetch alone
    ``shares``    what each partner gets; a partner that is not among them any more loses its delegation
    ``workshop``  private folder for the last plain copies of partners, from which deltas are made

    All of it comes into force in one step. Raises RefusedError: ``number_not_rising``, ``previous_differs``,
    ``clock_backwards``, ``root_differs``, ``release_missing`` (the release person has not signed).
    """
    release = prepare(repository, built, keys, now, lists=lists, partners=bool(shares))
    publish_release(repository, release, keys, now, shares=shares, workshop=workshop)


def publish_release(
    repository: Path,
    release: Release,
    keys: KeyRing,
    now: datetime,
    *,
    shares: Sequence[Share] = (),
    workshop: Path | None = None,
) -> None:
    """Put a release into force that is signed already. Raises as :func:`publish`."""
    now = require_utc(now)
    check_release(release, keys)
    with _only_one(repository):
        _tidy(repository)
        before = _timestamp(repository)
        _check_time(before, now)
        _check_succession(release.built.number, release.built.manifest.previous, current_number(repository))
        _check_roots(repository, keys)
        branches = [*release.branches, *partner_branches(repository, release.built, keys, now, shares, workshop)]
        meta = _write_branches(repository, branches)
        snapshot = _write_snapshot(repository, {**_snapshot_meta(repository, before), **meta}, keys, now)
        _commit(repository, before, snapshot, keys, now)
        _tidy(repository)
    for branch in branches:
        keep_plain(branch.role, branch.plain, workshop)
    drop_absent(keys, shares, now)


def withdraw_partner(repository: Path, keys: KeyRing, partner: str, now: datetime) -> None:
    """End a partner's delegation at once, without a new edition and with the build's key alone; its keys are dropped.

    From its next poll on, the partner is refused (``withdrawn``); what it has stays with it. Raises RefusedError as
    :func:`refresh`, InputError ``partner_unknown``.
    """
    now = require_utc(now)
    with _only_one(repository):
        before = _timestamp(repository)
        if before is not None:
            _check_time(before, now)
            _check_roots(repository, keys)
            _tidy(repository)
            meta = _write_branches(repository, without_partner(repository, keys, partner, now))
            snapshot = _write_snapshot(repository, {**_snapshot_meta(repository, before), **meta}, keys, now)
            _commit(repository, before, snapshot, keys, now)
        drop_keys(keys, partner, now)
        _tidy(repository)


def renew_partner_keys(repository: Path, keys: KeyRing, partner: str, now: datetime) -> None:
    """New keys for a partner (:func:`vigil.editions.partners.rotate_partner`), while nobody publishes with the old ones."""
    with _only_one(repository):
        rotate_keys(keys, partner, require_utc(now))


def refresh(repository: Path, keys: KeyRing, now: datetime) -> bool:
    """Sign timestamp and, where needed, snapshot anew before they expire; True where something was signed.

    To be called often: it does nothing while the timestamp has more than half its life before it and no key has changed.
    Raises RefusedError ``edition_old`` or ``edition_key_gone`` where only a new edition can help, ``clock_backwards``.
    """
    now = require_utc(now)
    with _only_one(repository):
        before = _timestamp(repository)
        if before is None:
            return False
        _check_time(before, now)
        changed = _check_roots(repository, keys) or not _is_signed_by(repository, before, keys)
        if not changed and before.expires - now > REFRESH_BEFORE[TIMESTAMP]:
            return False
        _tidy(repository)
        snapshot = _read(repository, SNAPSHOT, before.snapshot_meta.version, Snapshot).signed
        _check_targets(_read(repository, TARGETS, snapshot.meta["targets.json"].version, Targets), keys, now)
        renewed = _write_branches(repository, renewed_partners(repository, keys, now))
        meta = before.snapshot_meta
        if changed or renewed or snapshot.expires - now <= REFRESH_BEFORE[SNAPSHOT]:
            meta = _write_snapshot(repository, {**snapshot.meta, **renewed}, keys, now)
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
    snapshot: Snapshot = _read(repository, SNAPSHOT, timestamp.snapshot_meta.version, Snapshot).signed
    return snapshot.meta["targets.json"].version


def _check_targets(targets: Metadata[Targets], keys: KeyRing, now: datetime) -> None:
    """An edition that clients would refuse cannot be kept fresh."""
    root = read_metadata(keys.root, Root).signed
    if not root.get_verification_result(TARGETS, targets.signed_bytes, targets.signatures).verified:
        raise RefusedError(
            "edition_key_gone",
            "The published edition was signed with a key that was replaced since.",
            mend="Publish a new edition; until then nodes keep the one they have.",
        )
    if targets.signed.expires <= now:
        raise RefusedError("edition_old", "The published edition is too old to be signed again.", mend="Publish a new edition.")


def _check_succession(number: int, previous: int | None, current: int | None) -> None:
    if current is not None and number <= current:
        raise RefusedError(
            "number_not_rising",
            f"Edition {current} is in force already; {number} is not above it.",
            mend="Build the edition anew with the next number.",
        )
    if previous != current:
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


def _check_roots(repository: Path, keys: KeyRing) -> bool:
    """True where the keys have a root that the folder lacks; a folder of other keys, or of newer ones, is refused."""
    folder = repository / METADATA_FOLDER
    versions = versions_on_disk(folder, ROOT)
    for version in versions:
        if version > len(keys.roots) or (folder / versioned_name(ROOT, version)).read_bytes() != keys.roots[version - 1]:
            raise RefusedError(
                "root_differs",
                "The edition folder belongs to other keys, or to newer ones than were loaded.",
                where=versioned_name(ROOT, version),
                mend="Use the keys it began with, in their newest state, or another folder.",
            )
    return len(versions) < len(keys.roots)


def _is_signed_by(repository: Path, timestamp: Timestamp, keys: KeyRing) -> bool:
    """Whether the present keys signed what is in force; not so where the power went between a new root and the commit."""
    root = read_metadata(keys.root, Root).signed
    found = [
        read_metadata((repository / METADATA_FOLDER / TIMESTAMP_NAME).read_bytes(), Timestamp),
        _read(repository, SNAPSHOT, timestamp.snapshot_meta.version, Snapshot),
    ]
    return all(root.get_verification_result(x.signed.type, x.signed_bytes, x.signatures).verified for x in found)


def _write_roots(repository: Path, keys: KeyRing) -> None:
    for version, content in enumerate(keys.roots, start=1):
        _write_new(repository / METADATA_FOLDER / versioned_name(ROOT, version), content)


def _write_branches(repository: Path, branches: Sequence[SignedBranch]) -> dict[str, MetaFile]:
    """Write what describes each role and its new files; gives what the snapshot says of them."""
    meta = {}
    for branch in branches:
        for name, target in branch.metadata.signed.targets.items():
            path = repository / TARGETS_FOLDER / target_name(name, target.hashes["sha256"])
            if name in branch.files:
                path.parent.mkdir(parents=True, exist_ok=True)
                _write_new(path, branch.files[name])
            elif not path.is_file():
                raise _broken(path.name)
        written = _write_signed(repository, branch.role, branch.metadata)
        # Of delegated roles the snapshot names the version only: with a thousand partners it stays small.
        meta[f"{branch.role}.json"] = written if branch.role == TARGETS else MetaFile(written.version)
    return meta


def _snapshot_meta(repository: Path, before: Timestamp | None) -> dict[str, MetaFile]:
    """All roles that the snapshot in force names: clients refuse one that forgets a role, also of a partner that left."""
    if before is None:
        return {}
    snapshot: Snapshot = _read(repository, SNAPSHOT, before.snapshot_meta.version, Snapshot).signed
    return dict(snapshot.meta)


def _write_snapshot(repository: Path, meta: dict[str, MetaFile], keys: KeyRing, now: datetime) -> MetaFile:
    versions = versions_on_disk(repository / METADATA_FOLDER, SNAPSHOT)
    snapshot = Snapshot(version=max(versions, default=0) + 1, expires=expiry(SNAPSHOT, now), meta=meta)
    return _write_signed(repository, SNAPSHOT, signed_by(snapshot, keys.signers[SNAPSHOT]))


def _write_signed(repository: Path, role: str, metadata: Metadata[Any]) -> MetaFile:
    """Write under the versioned name, and give back what the next role says about the file."""
    version, data = metadata.signed.version, canonical_bytes(metadata)
    _write_new(repository / METADATA_FOLDER / versioned_name(role, version), data)
    return MetaFile.from_data(version, data, ["sha256"])


def _commit(repository: Path, before: Timestamp | None, snapshot: MetaFile, keys: KeyRing, now: datetime) -> None:
    """Replace ``timestamp.json``: from this moment on the new state is in force."""
    version = before.version + 1 if before else 1
    timestamp = Timestamp(version=version, expires=expiry(TIMESTAMP, now), snapshot_meta=snapshot)
    content = canonical_bytes(signed_by(timestamp, keys.signers[TIMESTAMP]))
    _write_roots(repository, keys)
    write_atomically(repository / METADATA_FOLDER / TIMESTAMP_NAME, content)


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
        return read_metadata((repository / METADATA_FOLDER / name).read_bytes(), kind)
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
    folder = repository / TARGETS_FOLDER
    for path in sorted(folder.rglob("*"), reverse=True):
        if path.is_dir() and not any(path.iterdir()):
            path.rmdir()
        elif not path.is_dir() and path.relative_to(folder).as_posix() not in targets:
            path.unlink()


def kept_files(repository: Path) -> tuple[set[str], set[str]]:
    """The names in ``metadata/`` (roots aside) and below ``targets/`` of what is in force and of what was before it.

    Nodes that began a download before a publication can so finish it. A partner that was withdrawn keeps nothing.
    """
    timestamp = _timestamp(repository)
    if timestamp is None:
        return set(), set()
    latest = timestamp.snapshot_meta.version
    metadata = {TIMESTAMP_NAME, *(versioned_name(SNAPSHOT, version) for version in (latest - 1, latest))}
    targets: set[str] = set()
    for role, versions in kept_versions(repository).items():
        metadata |= {versioned_name(role, version) for version in versions}
        for version in versions:
            signed = _read(repository, role, version, Targets).signed
            targets |= {target_name(name, target.hashes["sha256"]) for name, target in signed.targets.items()}
    return metadata, targets


def await_end(repository: Path, seconds: float) -> bool:
    """Wait, at most ``seconds``, until nobody publishes into ``repository`` any more; True where somebody did at first."""
    ends, waited = time.monotonic() + seconds, False
    with _folder_lock(repository) as lock:
        while not _taken(lock, fcntl.LOCK_SH):
            waited = True
            if time.monotonic() > ends:
                break
            time.sleep(LOOK_SECONDS)
    return waited


@contextmanager
def _only_one(repository: Path) -> Iterator[None]:
    """Hold the lock of the edition folder; the system drops it with the process, however that ends.

    Someone who only looks whether the folder is free holds it for an instant: that is not taken for another publisher.
    """
    for name in (METADATA_FOLDER, TARGETS_FOLDER):
        (repository / name).mkdir(parents=True, exist_ok=True)
    ends = time.monotonic() + LOCK_SECONDS
    with _folder_lock(repository) as lock:
        while not _taken(lock, fcntl.LOCK_EX):
            if time.monotonic() > ends:
                raise UnavailableError(
                    "publishing_busy", "Another process is publishing into this folder.", mend="Try again in a moment."
                )
            time.sleep(LOOK_SECONDS)
        yield


@contextmanager
def _folder_lock(repository: Path) -> Iterator[int]:
    descriptor = os.open(repository / METADATA_FOLDER, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _taken(lock: int, kind: int) -> bool:
    try:
        fcntl.flock(lock, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
