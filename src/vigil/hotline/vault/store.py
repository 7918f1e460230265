"""The folder of sealed objects: one file each, named by the object's id, in 256 folders; written whole or not at all."""

from __future__ import annotations

from pathlib import Path
from uuid import UUID

from vigil.base.errors import UnavailableError
from vigil.base.files import write_atomically


def place(folder: Path, key: UUID) -> Path:
    """Where the object lies."""
    return folder / key.hex[-2:] / f"{key}.sealed"


def write(folder: Path, key: UUID, sealed: bytes) -> None:
    """Write a sealed object down."""
    path = place(folder, key)
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    write_atomically(path, sealed, mode=0o600)


def read(folder: Path, key: UUID) -> bytes:
    """A sealed object."""
    try:
        return place(folder, key).read_bytes()
    except OSError as error:
        raise UnavailableError("vault_object_missing", "An object is not in the vault's folder.", where=str(key)) from error


def erase(folder: Path, key: UUID) -> None:
    """Delete a sealed object. Its key goes with its row: what a backup still holds cannot be opened any more."""
    place(folder, key).unlink(missing_ok=True)
