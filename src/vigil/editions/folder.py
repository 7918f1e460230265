"""Where the files of an edition lie: with plain names, in an edition folder, or in the state of a client.

Gives readers, which hand out a file's bytes by name and never more than they were asked for.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Final

import msgspec
from tuf.api.exceptions import LengthOrHashMismatchError, RepositoryError
from tuf.api.metadata import Snapshot, TargetFile, Targets, Timestamp

from vigil.base.errors import InputError
from vigil.base.limits import METADATA_BYTES
from vigil.editions.cipher import KEYS_NAME, SUFFIX, Identity, decode_keys, sealed_bytes
from vigil.editions.limits import MANIFEST_BYTES
from vigil.editions.manifest import MANIFEST_NAME
from vigil.editions.model import Secret
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
REBUILT_NAME: Final = "rebuilt.json"


class Stored(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A file that was put together from deltas: length and digest of its bytes, and of them as they lie on disk."""

    bytes: int
    sha256: str
    disk_bytes: int
    disk_sha256: str


NO_KEYS: Final[Mapping[str, Secret]] = MappingProxyType({})
NOTHING_REBUILT: Final[Mapping[str, Stored]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Files:
    """The files of one edition, and what is needed to read them: keys of digests, and notes on what was rebuilt."""

    read: Reader
    keys: Mapping[str, Secret] = field(default_factory=lambda: NO_KEYS)
    rebuilt: Mapping[str, Stored] = field(default_factory=lambda: NOTHING_REBUILT)


def files_of(folder: Path, identity: Identity | None = None) -> Files:
    """The files of whichever kind of folder this is. Raises InputError ``not_an_edition``, ``identity_missing``."""
    for place in (folder, (folder / CURRENT).resolve()):
        # ``current`` is resolved once: a swap in between must not mix two editions.
        if (place / MANIFEST_NAME).is_file():
            return Files(plain_files(place), NO_KEYS, rebuilt_in(place))
        if (place / (MANIFEST_NAME + SUFFIX)).is_file():
            return sealed_files(place, identity)
    if (folder / METADATA_FOLDER / TIMESTAMP_NAME).is_file() and (folder / TARGETS_FOLDER).is_dir():
        return Files(files_in_force(folder))
    raise InputError(
        "not_an_edition",
        "There is no edition in this folder.",
        where=str(folder),
        mend="Name a published edition folder, or fetch one with: vigil edition pull SOURCE --state DIR",
    )


def reader_of(folder: Path) -> Reader:
    """The reader of whichever kind of unencrypted folder this is."""
    return files_of(folder).read


def sealed_files(folder: Path, identity: Identity | None) -> Files:
    """The encrypted files of a partner's copy under their own names."""
    if identity is None:
        raise InputError(
            "identity_missing",
            "This is a partner's copy: it can be read with the partner's identity only.",
            where=str(folder),
            mend="Name the file of the identity: --identity FILE",
        )
    mine = identity

    def read(name: str, limit: int) -> bytes:
        text = mine.decrypt(read_limited(folder / (name + SUFFIX), sealed_bytes(limit)), name)
        if len(text) > limit:
            raise EditionRefused(Refusal.TOO_LARGE, "A file of the edition is larger than the limit.", where=name)
        return text

    return Files(read, decode_keys(read(KEYS_NAME, MANIFEST_BYTES.value)), rebuilt_in(folder))


def rebuilt_in(folder: Path) -> Mapping[str, Stored]:
    """The notes on files that were put together from deltas; none where they came as they are, or the notes are damaged."""
    try:
        return msgspec.json.decode((folder / REBUILT_NAME).read_bytes(), type=dict[str, Stored])
    except (OSError, msgspec.DecodeError, UnicodeDecodeError):
        return NOTHING_REBUILT


def plain_files(folder: Path) -> Reader:
    """Files under their own names."""
    return lambda name, limit: read_limited(folder / name, limit)


def files_in_force(repository: Path) -> Reader:
    """Files of the edition in force, found through the signed metadata; lengths and digests are checked, signatures not."""
    return signed_files(repository, targets_in_force(repository), "")


def signed_files(repository: Path, targets: Targets, path: str) -> Reader:
    """Files of an edition folder that ``targets`` describes, by their names below ``path``; lengths and digests are checked."""

    def read(name: str, limit: int) -> bytes:
        target = targets.targets.get(path + name)
        if target is None:
            raise _missing(path + name)
        return read_target(repository, path + name, target, limit)

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
            # Not the limit alone: room for as much would be set aside first, gigabytes for a small file.
            data = stream.read(min(limit, os.fstat(stream.fileno()).st_size) + 1)
    except (OSError, ValueError) as error:
        raise _missing(path.name) from error
    if len(data) > limit:
        raise EditionRefused(Refusal.TOO_LARGE, "A file of the edition is larger than the limit.", where=path.name)
    return data


def _missing(name: str) -> EditionRefused:
    return EditionRefused(
        Refusal.MISSING, "A file of the edition is missing or cannot be read.", where=name, mend="Fetch the edition again."
    )


