"""The signing keys. Only the list office and the command line import this module.

A key folder (mode 0700, each key 0600, unencrypted PKCS#8 in PEM):

    1.root.json                     public: the root metadata, to be handed to every partner
    targets.pem snapshot.pem timestamp.pem      used by the list office for each edition
    offline/root-1.pem …-3.pem      two of the three sign a new root; the office does not need them:
                                    move each to another person's safe
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from securesystemslib.signer import CryptoSigner, Signer
from tuf.api.exceptions import RepositoryError
from tuf.api.metadata import Metadata, Root

from vigil.base.errors import InputError, RefusedError
from vigil.base.files import sync_folder
from vigil.editions.roles import (
    ROOT,
    ROOT_KEYS,
    ROOT_THRESHOLD,
    SNAPSHOT,
    TARGETS,
    TIMESTAMP,
    canonical_bytes,
    expiry,
    read_metadata,
    versioned_name,
    versions_on_disk,
)

OFFLINE: Final = "offline"
ONLINE_ROLES: Final = (TARGETS, SNAPSHOT, TIMESTAMP)
_KEY_BYTES: Final = 16 * 1024


@dataclass(frozen=True, slots=True, repr=False)
class KeyRing:
    """The keys that sign editions, and the root metadata that says so.

    ``roots``    all root metadata, oldest first, as bytes; public
    ``signers``  for each online role the signers that its threshold asks for
    """

    roots: tuple[bytes, ...]
    signers: dict[str, tuple[Signer, ...]]

    @property
    def root(self) -> bytes:
        """The newest root metadata: what partners are given to trust."""
        return self.roots[-1]

    @classmethod
    def load(cls, folder: Path) -> KeyRing:
        """Read a key folder; keys that others could read, or that the root does not name, are refused."""
        _require_private(folder, folder=True)
        roots = _read_roots(folder)
        newest = read_metadata(roots[-1], Root).signed
        return cls(roots, {role: (_load_signer(folder, role, newest),) for role in ONLINE_ROLES})


@dataclass(frozen=True, slots=True)
class KeyFacts:
    """What may be shown of a key folder."""

    root_version: int
    root_expires: datetime
    threshold: dict[str, int]
    key_ids: dict[str, tuple[str, ...]]
    offline_here: int


def create_keys(folder: Path, now: datetime) -> KeyRing:
    """Make a key folder with new Ed25519 keys and a signed root (3 root keys, 2 needed). Refused where one exists."""
    if folder.exists() and any(folder.iterdir()):
        raise RefusedError(
            "keys_exist",
            "There is something in the key folder already.",
            where=str(folder),
            mend="Name an empty folder; keys are never overwritten.",
        )
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.chmod(0o700)
    (folder / OFFLINE).mkdir(mode=0o700)
    root_signers = [CryptoSigner.generate_ed25519() for _ in range(ROOT_KEYS)]
    online = {role: CryptoSigner.generate_ed25519() for role in ONLINE_ROLES}
    for position, signer in enumerate(root_signers, start=1):
        _write_key(folder / OFFLINE / f"root-{position}.pem", signer)
    for role, signer in online.items():
        _write_key(folder / f"{role}.pem", signer)
    # The root comes last: a folder with a root is whole.
    _write_new(folder / versioned_name(ROOT, 1), _signed_root(root_signers, online, now), 0o644)
    sync_folder(folder / OFFLINE)
    sync_folder(folder)
    return KeyRing.load(folder)


def describe_keys(folder: Path) -> KeyFacts:
    """Facts about a key folder for people; no key is read."""
    root = read_metadata(_read_roots(folder)[-1], Root).signed
    return KeyFacts(
        root_version=root.version,
        root_expires=root.expires,
        threshold={name: role.threshold for name, role in root.roles.items()},
        key_ids={name: tuple(role.keyids) for name, role in root.roles.items()},
        offline_here=len(list((folder / OFFLINE).glob("root-*.pem"))),
    )


def _signed_root(root_signers: list[CryptoSigner], online: dict[str, CryptoSigner], now: datetime) -> bytes:
    root = Root(version=1, expires=expiry(ROOT, now), consistent_snapshot=True)
    for signer in root_signers:
        root.add_key(signer.public_key, ROOT)
    root.roles[ROOT].threshold = ROOT_THRESHOLD
    for role, signer in online.items():
        root.add_key(signer.public_key, role)
    metadata = Metadata(root)
    for signer in root_signers:
        metadata.sign(signer, append=True)
    return canonical_bytes(metadata)


def _write_key(path: Path, signer: CryptoSigner) -> None:
    _write_new(path, signer.private_bytes, 0o600)


def _write_new(path: Path, content: bytes, mode: int) -> None:
    """Write a file that must not exist yet, never readable by others even for a moment."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "wb") as stream:
        os.fchmod(stream.fileno(), mode)
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())


def _read_roots(folder: Path) -> tuple[bytes, ...]:
    versions = versions_on_disk(folder, ROOT)
    if not versions or versions != list(range(1, len(versions) + 1)):
        raise InputError(
            "keys_missing",
            "This is not a key folder: its root metadata is missing.",
            where=str(folder),
            mend="Make one with: vigil edition keys init DIR",
        )
    roots = tuple((folder / versioned_name(ROOT, version)).read_bytes() for version in versions)
    try:
        read_metadata(roots[-1], Root)
    except RepositoryError as error:
        raise InputError("root_malformed", "The root metadata cannot be read.", where=str(folder)) from error
    return roots


def _load_signer(folder: Path, role: str, root: Root) -> Signer:
    path = folder / f"{role}.pem"
    signer = CryptoSigner(_read_key(path))  # type: ignore[arg-type]
    if signer.public_key.keyid not in root.roles[role].keyids:
        raise RefusedError(
            "key_not_named", f"The root does not name this key for {role}.", where=str(path), mend="Use the right folder."
        )
    return signer


def _read_key(path: Path) -> object:
    try:
        _require_private(path, folder=False)
        return load_pem_private_key(path.read_bytes()[:_KEY_BYTES], None)
    except (OSError, ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise InputError("key_unreadable", "A signing key cannot be read.", where=str(path)) from error


def _require_private(path: Path, *, folder: bool) -> None:
    """Others may neither read nor change a key, nor put one beside it."""
    try:
        mode = path.stat().st_mode
    except OSError as error:
        raise InputError("keys_missing", "The key folder or a key in it is missing.", where=str(path)) from error
    if stat.S_ISDIR(mode) != folder or mode & 0o077:
        raise RefusedError(
            "keys_open",
            "Signing keys can be read or changed by others on this machine.",
            where=str(path),
            mend=f"Run: chmod {'700' if folder else '600'} on it.",
        )
