"""Where the files of an edition lie: with plain names, in an edition folder, or in the state of a client.

Gives readers, which hand out a file's bytes by name and never more than they were asked for.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

from tuf.api.exceptions import LengthOrHashMismatchError, RepositoryError
from tuf.api.metadata import Snapshot, TargetFile, Targets, Timestamp

from vigil.base.errors import InputError
from vigil.base.limits import METADATA_BYTES
from vigil.editions.manifest import MANIFEST_NAME
from vigil.editions.refusal import EditionRefused, Refusal
from vigil.editions.roles import (
    METADATA_FOLDER,
    SNAPSHOT,
    TARGETS,
    TARGETS_FOLDER,
    TIMESTAMP_NAME,
    read_metadata,
    target_name,
    versioned_name,
)

Reader = Callable[[str, int], bytes]
CURRENT: Final = "current"


def reader_of(folder: Path) -> Reader:
    """A reader for whichever kind of folder this is. Raises InputError ``not_an_edition``."""
    if (folder / MANIFEST_NAME).is_file():
        return plain_files(folder)
    if (folder / CURRENT / MANIFEST_NAME).is_file():
        # Resolved once: a swap in between must not mix two editions.
        return plain_files((folder / CURRENT).resolve())
    if (folder / METADATA_FOLDER / TIMESTAMP_NAME).is_file() and (folder / TARGETS_FOLDER).is_dir():
        return files_in_force(folder)
    raise InputError(
        "not_an_edition",
        "There is no edition in this folder.",
        where=str(folder),
        mend="Name a published edition folder, or fetch one with: vigil edition pull SOURCE --state DIR",
    )


def plain_files(folder: Path) -> Reader:
    """Files under their own names."""
    return lambda name, limit: read_limited(folder / name, limit)


def files_in_force(repository: Path) -> Reader:
    """Files of the edition in force, found through the signed metadata; lengths and digests are checked, signatures not."""
    targets = targets_in_force(repository)

    def read(name: str, limit: int) -> bytes:
        target = targets.targets.get(name)
        if target is None:
            raise _missing(name)
        return read_target(repository, name, target, limit)

    return read


def targets_in_force(repository: Path) -> Targets:
    """The targets metadata to which ``timestamp.json`` leads. Raises EditionRefused."""
    folder = repository / METADATA_FOLDER
    try:
        timestamp = read_metadata(read_limited(folder / TIMESTAMP_NAME, METADATA_BYTES.value), Timestamp).signed
        meta = timestamp.snapshot_meta
        data = read_limited(folder / versioned_name(SNAPSHOT, meta.version), METADATA_BYTES.value)
        meta.verify_length_and_hashes(data)
        meta = read_metadata(data, Snapshot).signed.meta["targets.json"]
        data = read_limited(folder / versioned_name(TARGETS, meta.version), METADATA_BYTES.value)
        meta.verify_length_and_hashes(data)
        return read_metadata(data, Targets).signed
    except LengthOrHashMismatchError as error:
        raise EditionRefused(Refusal.DIGEST, "Metadata of the edition folder differs from what refers to it.") from error
    except (RepositoryError, KeyError) as error:
        raise EditionRefused(Refusal.METADATA, "Metadata of the edition folder cannot be read.") from error


def read_target(repository: Path, name: str, target: TargetFile, limit: int) -> bytes:
    """A target's bytes, compared with its signed length and digest."""
    if target.length > limit:
        raise EditionRefused(Refusal.TOO_LARGE, "A file of the edition is larger than the limit.", where=name)
    digest = target.hashes.get("sha256", "")
    data = read_limited(repository / TARGETS_FOLDER / target_name(name, digest), limit)
    try:
        target.verify_length_and_hashes(data)
    except LengthOrHashMismatchError as error:
        raise EditionRefused(Refusal.DIGEST, "A file of the edition differs from what was signed.", where=name) from error
    return data


def read_limited(path: Path, limit: int) -> bytes:
    """The bytes of a regular file of at most ``limit`` bytes. Raises EditionRefused ``missing`` or ``too_large``."""
    try:
        with path.open("rb") as stream:
            data = stream.read(limit + 1)
    except (OSError, ValueError) as error:
        raise _missing(path.name) from error
    if len(data) > limit:
        raise EditionRefused(Refusal.TOO_LARGE, "A file of the edition is larger than the limit.", where=path.name)
    return data


def _missing(name: str) -> EditionRefused:
    return EditionRefused(
        Refusal.MISSING, "A file of the edition is missing or cannot be read.", where=name, mend="Fetch the edition again."
    )


