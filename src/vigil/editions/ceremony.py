"""New keys for old: root N+1, signed with the offline root keys. Only the command line imports this module.

``rotate``  new keys in the places of those named: a key that was lost, or is old.
``revoke``  the same for keys that somebody else may hold. Snapshot and timestamp are always among them: only when these
            change do clients forget versions that a thief pushed far ahead (TUF specification, 5.3.11).

The root that is written is the commit point: before it, a new key is an unused file; after it, an old one is.
What is published changes with the next edition or, where only snapshot and timestamp changed, the next refresh.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from securesystemslib.signer import CryptoSigner, Key, Signer, SSlibKey
from tuf.api.metadata import Metadata, Root

from vigil.base.clock import require_utc
from vigil.base.errors import InputError, RefusedError
from vigil.base.files import sync_folder, write_atomically
from vigil.editions.keys import (
    OFFLINE,
    PLACES,
    RELEASE,
    files_of,
    read_roots,
    require_private,
    signer_at,
    write_key,
    write_new,
)
from vigil.editions.roles import (
    ROOT,
    SNAPSHOT,
    TARGETS_THRESHOLD,
    TIMESTAMP,
    canonical_bytes,
    expiry,
    read_metadata,
    versioned_name,
)

NAMES: Final = (ROOT, *PLACES)
FORGETTING: Final = frozenset({SNAPSHOT, TIMESTAMP})
CLOCK_TOLERANCE: Final = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """A key that is kept in a device or service: its public part in PEM, and the address of its signer."""

    public: bytes
    uri: str


@dataclass(frozen=True, slots=True)
class Change:
    """What a ceremony did: the version of the new root, the names of the keys that changed, the files that came."""

    root_version: int
    names: tuple[str, ...]
    written: tuple[Path, ...]


@dataclass(frozen=True, slots=True)
class _New:
    """A key that takes a place: the file it is kept in, and what it replaces."""

    path: Path
    key: Key
    signer: CryptoSigner | None
    uri: str
    old: tuple[Path, ...]


def rotate_keys(
    folder: Path, names: Collection[str], root_keys: Sequence[Path], now: datetime, elsewhere: Elsewhere | None = None
) -> Change:
    """Replace the keys named (``root``, ``targets``, ``release``, ``snapshot``, ``timestamp``) and sign the next root.

    ``folder``     the key folder
    ``root_keys``  files of root keys, at least as many as the root's threshold. With ``root`` among the names, each root
                   key that is not given is replaced
    ``elsewhere``  the new key, where it is kept in a device or service; for one name only

    Raises InputError ``role_unknown``, ``key_unreadable``; RefusedError ``root_keys_few``, ``root_key_not_named``,
    ``nothing_to_replace``, ``clock_backwards``. What is refused changes nothing.
    """
    require_private(folder, folder=True)
    chosen = _names(names, elsewhere)
    before = read_metadata(read_roots(folder)[-1], Root).signed
    signers = _root_signers(root_keys, before)
    root = _next_root(before, require_utc(now))
    new = [each for name in chosen for each in _place(root, folder, name, signers, elsewhere)]
    content = _signed(root, before, [*signers, *_new_root_signers(root, new)])
    _write(folder, root.version, content, new)
    return Change(root.version, chosen, tuple(each.path for each in new))


def revoke_keys(
    folder: Path, names: Collection[str], root_keys: Sequence[Path], now: datetime, elsewhere: Elsewhere | None = None
) -> Change:
    """As :func:`rotate_keys`, for keys that somebody else may hold; a stolen root key changes nothing but the root."""
    online = set(names) - {ROOT}
    if elsewhere is not None and online:
        raise InputError(
            "one_key_only", "Revoking replaces several keys.", mend="Revoke first, then rotate the one kept elsewhere."
        )
    return rotate_keys(folder, set(names) | (FORGETTING if online else set()), root_keys, now, elsewhere)


def _names(names: Collection[str], elsewhere: Elsewhere | None) -> tuple[str, ...]:
    unknown = sorted(set(names) - set(NAMES))
    if unknown or not names:
        raise InputError("role_unknown", "No key has that name.", mend=f"Name one or more of: {' '.join(NAMES)}.")
    if elsewhere is not None and len(set(names)) != 1:
        raise InputError("one_key_only", "A key that is kept elsewhere takes one place.", mend="Name one role.")
    return tuple(name for name in NAMES if name in names)


def _root_signers(paths: Sequence[Path], root: Root) -> list[Signer]:
    """The signers of the root keys given; the same one twice counts once."""
    signers = {}
    for path in paths:
        signer = signer_at(path, root)
        if signer.public_key.keyid not in root.roles[ROOT].keyids:
            raise RefusedError(
                "root_key_not_named", "The root does not name this key.", where=str(path), mend="Give the present root keys."
            )
        signers[signer.public_key.keyid] = signer
    if len(signers) < root.roles[ROOT].threshold:
        raise RefusedError(
            "root_keys_few",
            f"A new root needs {root.roles[ROOT].threshold} different root keys; {len(signers)} were given.",
            mend="Give each with --root-key FILE.",
        )
    return list(signers.values())


def _next_root(before: Root, now: datetime) -> Root:
    if before.expires - expiry(ROOT, now) > CLOCK_TOLERANCE:
        raise RefusedError(
            "clock_backwards", "The clock of this machine is behind the last root.", mend="Set the clock right, then try again."
        )
    root = Root.from_dict(before.to_dict())
    root.version += 1
    root.expires = expiry(ROOT, now)
    return root


def _place(root: Root, folder: Path, name: str, signers: Sequence[Signer], elsewhere: Elsewhere | None) -> list[_New]:
    """Put new keys in the places of a name; gives them."""
    if name != ROOT:
        role, place = PLACES[name]
        new = _made(folder / f"{name}-{root.version}.pem", files_of(folder, name), elsewhere)
        _put(root, role, place, new.key)
        if name == RELEASE:  # a folder of one signer becomes one of two
            root.roles[role].threshold = TARGETS_THRESHOLD
        return [new]
    given = {signer.public_key.keyid for signer in signers}
    places = [place for place, keyid in enumerate(root.roles[ROOT].keyids) if keyid not in given]
    if not places:
        raise RefusedError(
            "nothing_to_replace", "All root keys were given.", mend="Leave out the root key that is to be replaced."
        )
    return [_root_key(root, folder / OFFLINE, place, elsewhere) for place in places]


def _root_key(root: Root, folder: Path, place: int, elsewhere: Elsewhere | None) -> _New:
    old = [folder / f"{ROOT}-{place + 1}.pem", *files_of(folder, f"{ROOT}-{place + 1}")]
    new = _made(folder / f"{ROOT}-{place + 1}-{root.version}.pem", old, elsewhere)
    _put(root, ROOT, place, new.key)
    return new


def _made(path: Path, old: Sequence[Path], elsewhere: Elsewhere | None) -> _New:
    if elsewhere is None:
        signer = CryptoSigner.generate_ed25519()
        return _New(path, signer.public_key, signer, "", tuple(old))
    try:
        key = SSlibKey.from_crypto(load_pem_public_key(elsewhere.public))
    except (ValueError, UnsupportedAlgorithm) as error:
        raise InputError("key_unreadable", "The public key cannot be read.", mend="Give it in PEM.") from error
    return _New(path.with_suffix(".uri"), key, None, elsewhere.uri, tuple(old))


def _put(root: Root, role: str, place: int, key: Key) -> None:
    root.keys[key.keyid] = key
    root.roles[role].keyids[place : place + 1] = [key.keyid]
    named = {keyid for each in root.roles.values() for keyid in each.keyids}
    for keyid in set(root.keys) - named:
        del root.keys[keyid]


def _new_root_signers(root: Root, new: Sequence[_New]) -> list[Signer]:
    return [each.signer for each in new if each.signer and each.key.keyid in root.roles[ROOT].keyids]


def _signed(root: Root, before: Root, signers: Sequence[Signer]) -> bytes:
    """The root's bytes: signed by enough keys of the root before it, and by enough of its own."""
    metadata = Metadata(root)
    for signer in signers:
        metadata.sign(signer, append=True)
    for delegator in (before, root):
        delegator.verify_delegate(ROOT, metadata.signed_bytes, metadata.signatures)
    return canonical_bytes(metadata)


def _write(folder: Path, version: int, content: bytes, new: Sequence[_New]) -> None:
    """New keys, then the root that names them, then the old keys go."""
    (folder / OFFLINE).mkdir(mode=0o700, exist_ok=True)
    for each in new:
        each.path.unlink(missing_ok=True)  # left by a ceremony that was interrupted: no root names it
        if each.signer is not None:
            write_key(each.path, each.signer)
        else:
            write_new(each.path, f"{each.key.keyid} {each.uri}\n".encode(), 0o600)
    for parent in (folder / OFFLINE, folder):
        sync_folder(parent)
    write_atomically(folder / versioned_name(ROOT, version), content)
    for path in {path for each in new for path in each.old if path != each.path}:
        path.unlink(missing_ok=True)
    for parent in (folder / OFFLINE, folder):
        sync_folder(parent)
