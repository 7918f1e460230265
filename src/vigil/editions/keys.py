"""The signing keys. Only the list office and the command line import this module.

A key folder (mode 0700, each key 0600, unencrypted PKCS#8 in PEM):

    1.root.json …               public: the root metadata, each signed by the one before; the first goes to every partner
    targets.pem                 the build's key      } an edition needs both; the release key may lie
    release.pem                 the release person's } with its person instead (``vigil edition sign``)
    snapshot.pem timestamp.pem  used by the list office for each edition, and to keep it fresh
    offline/root-1.pem …-3.pem  two of the three sign a new root (:mod:`vigil.editions.ceremony`); the office does
                                not need them: move each to another person's safe
    partners/ID/                the keys that were made for a partner (:mod:`vigil.editions.partners`)

A key that came with root N is called ``NAME-N.pem``. Instead of a ``.pem`` there may be a ``.uri``: one line with the
identifier of the key and the address of its signer (PKCS#11, a cloud's key service …) as securesystemslib knows it;
the signer's PIN stands in a ``.pin`` beside it.
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
from securesystemslib.exceptions import Error as SignerError
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
    TARGETS_THRESHOLD,
    TIMESTAMP,
    canonical_bytes,
    expiry,
    read_metadata,
    versioned_name,
    versions_on_disk,
)

OFFLINE: Final = "offline"
ONLINE_ROLES: Final = (TARGETS, SNAPSHOT, TIMESTAMP)
BUILD: Final = TARGETS
RELEASE: Final = "release"
# The name of a key -> its role, and its place among the keys of that role in the root.
PLACES: Final = {BUILD: (TARGETS, 0), RELEASE: (TARGETS, 1), SNAPSHOT: (SNAPSHOT, 0), TIMESTAMP: (TIMESTAMP, 0)}
_KEY_BYTES: Final = 16 * 1024


@dataclass(frozen=True, slots=True, repr=False)
class KeyRing:
    """The keys that sign editions, and the root metadata that says so.

    ``roots``    all root metadata, oldest first, as bytes; public
    ``signers``  by role; those for targets are fewer than its threshold where the release key lies with its person
    ``folder``   where they came from: the keys of partners lie there too (:mod:`vigil.editions.partners`)
    """

    roots: tuple[bytes, ...]
    signers: dict[str, tuple[Signer, ...]]
    folder: Path | None = None

    @property
    def root(self) -> bytes:
        """The newest root metadata. Partners may be given any of them; the first will do."""
        return self.roots[-1]

    @classmethod
    def load(cls, folder: Path) -> KeyRing:
        """Read a key folder; keys that others could read, or that the root does not name, are refused."""
        require_private(folder, folder=True)
        roots = read_roots(folder)
        newest = read_metadata(roots[-1], Root).signed
        found: dict[str, tuple[Signer, ...]] = dict.fromkeys(ONLINE_ROLES, ())
        for name, (role, place) in PLACES.items():
            if place < len(newest.roles[role].keyids):
                found[role] += _load_signer(folder, name, newest)
        return cls(roots, found, folder)


@dataclass(frozen=True, slots=True)
class KeyFacts:
    """What may be shown of a key folder."""

    root_version: int
    root_expires: datetime
    threshold: dict[str, int]
    key_ids: dict[str, tuple[str, ...]]
    offline_here: int
    release_here: bool


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
    online = {name: CryptoSigner.generate_ed25519() for name in PLACES}
    for position, signer in enumerate(root_signers, start=1):
        write_key(folder / OFFLINE / f"root-{position}.pem", signer)
    for name, signer in online.items():
        write_key(folder / f"{name}.pem", signer)
    # The root comes last: a folder with a root is whole.
    write_new(folder / versioned_name(ROOT, 1), _first_root(root_signers, online, now), 0o644)
    sync_folder(folder / OFFLINE)
    sync_folder(folder)
    return KeyRing.load(folder)


def describe_keys(folder: Path) -> KeyFacts:
    """Facts about a key folder for people; no key is read."""
    root = read_metadata(read_roots(folder)[-1], Root).signed
    return KeyFacts(
        root_version=root.version,
        root_expires=root.expires,
        threshold={name: role.threshold for name, role in root.roles.items()},
        key_ids={name: tuple(role.keyids) for name, role in root.roles.items()},
        offline_here=len(files_of(folder / OFFLINE, ROOT)),
        release_here=bool(files_of(folder, RELEASE)),
    )


def _first_root(root_signers: list[CryptoSigner], online: dict[str, CryptoSigner], now: datetime) -> bytes:
    root = Root(version=1, expires=expiry(ROOT, now), consistent_snapshot=True)
    for signer in root_signers:
        root.add_key(signer.public_key, ROOT)
    for name, signer in online.items():
        root.add_key(signer.public_key, PLACES[name][0])
    root.roles[ROOT].threshold = ROOT_THRESHOLD
    root.roles[TARGETS].threshold = TARGETS_THRESHOLD
    metadata = Metadata(root)
    for signer in root_signers:
        metadata.sign(signer, append=True)
    return canonical_bytes(metadata)


def write_key(path: Path, signer: CryptoSigner) -> None:
    """Write a private key that must not be there yet."""
    write_new(path, signer.private_bytes, 0o600)


def write_new(path: Path, content: bytes, mode: int) -> None:
    """Write a file that must not exist yet, never readable by others even for a moment."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "wb") as stream:
        os.fchmod(stream.fileno(), mode)
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())


def read_roots(folder: Path) -> tuple[bytes, ...]:
    """All root metadata of a key folder, oldest first; each is signed by its own keys and by those of the one before."""
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
        _check_chain(roots)
    except RepositoryError as error:
        raise InputError("root_malformed", "The root metadata cannot be used.", where=str(folder)) from error
    return roots


def _check_chain(roots: tuple[bytes, ...]) -> None:
    before: Root | None = None
    for data in roots:
        metadata = read_metadata(data, Root)
        for delegator in (before or metadata.signed, metadata.signed):
            delegator.verify_delegate(ROOT, metadata.signed_bytes, metadata.signatures)
        before = metadata.signed


def files_of(folder: Path, name: str) -> list[Path]:
    """The files that may hold the key of that name: the first one and those of later roots."""
    patterns = (f"{name}{later}.{kind}" for later in ("", "-*") for kind in ("pem", "uri"))
    return sorted(path for pattern in patterns for path in folder.glob(pattern))


def _load_signer(folder: Path, name: str, root: Root) -> tuple[Signer, ...]:
    """The signer that the root names in that place; none where the release key lies with its person."""
    role, place = PLACES[name]
    paths = files_of(folder, name)
    for path in paths:
        signer = signer_at(path, root)
        if signer.public_key.keyid == root.roles[role].keyids[place]:
            return (signer,)
    if not paths and name == RELEASE:
        return ()
    where = str(paths[0] if paths else folder / f"{name}.pem")
    if not paths:
        raise InputError("keys_missing", "The key folder or a key in it is missing.", where=where)
    raise RefusedError("key_not_named", f"The root does not name this key as {name}.", where=where, mend="Use the right folder.")


def signer_at(path: Path, root: Root) -> Signer:
    """The signer of a key file or, for ``.uri``, the one that the file names. ``root`` knows the public keys."""
    try:
        require_private(path, folder=False)
        content = path.read_bytes()[:_KEY_BYTES]
        if path.suffix == ".uri":
            return _signer_named(content, root, path)
        return CryptoSigner(load_pem_private_key(content, None))
    except (OSError, ValueError, TypeError, KeyError, UnsupportedAlgorithm, SignerError) as error:
        raise InputError("key_unreadable", "A signing key cannot be read or reached.", where=str(path)) from error


def _signer_named(content: bytes, root: Root, path: Path) -> Signer:
    identifier, uri = content.decode("utf-8").split()
    return Signer.from_priv_key_uri(uri, root.keys[identifier], lambda _: _pin(path.with_suffix(".pin")))


def _pin(path: Path) -> str:
    require_private(path, folder=False)
    return path.read_text("utf-8").strip()


def require_private(path: Path, *, folder: bool) -> None:
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
