"""Drafts: editions that the build has signed, on their way to the release person, who keeps the other key.

A draft is a folder with the files of the edition under their own names, and ``draft.targets.json``, their signed
description. It comes into force only when both have signed. The number is taken when the draft is made: publish it
before another edition is made.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tuf.api.exceptions import RepositoryError
from tuf.api.metadata import Metadata, Root, Targets

from vigil.base.errors import InputError, RefusedError
from vigil.base.files import write_atomically
from vigil.base.limits import EDITION_FILE_BYTES, METADATA_BYTES
from vigil.editions.folder import plain_files, read_limited
from vigil.editions.load import read_edition
from vigil.editions.manifest import MANIFEST_NAME
from vigil.editions.model import Edition
from vigil.editions.publish import publish_signed, sign_targets
from vigil.editions.roles import TARGETS, canonical_bytes, read_metadata
from vigil.editions.wire import COLUMNS

if TYPE_CHECKING:
    from securesystemslib.signer import Signer

    from vigil.editions.build import BuiltEdition
    from vigil.editions.keys import KeyRing

SIGNED: Final = "draft.targets.json"


def write_draft(folder: Path, built: BuiltEdition, keys: KeyRing, now: datetime) -> None:
    """Write ``built`` into an empty folder, signed with what ``keys`` has. The signed description comes last."""
    if folder.exists() and any(folder.iterdir()):
        what = "There is something in that folder already."
        raise RefusedError("draft_exists", what, where=str(folder), mend="Name an empty folder.")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for name, content in built.files.items():
        write_atomically(folder / name, content, mode=0o600)
    write_atomically(folder / SIGNED, canonical_bytes(sign_targets(built, keys, now)), mode=0o600)


def read_draft(folder: Path) -> Edition:
    """The edition of a draft, read as a node will read it, after each file was compared with what the build signed.

    What a person is shown before signing comes from here. Raises InputError ``draft_malformed`` or EditionRefused.
    """
    return read_checked(folder, _signed(folder))


def read_checked(folder: Path, targets: Metadata[Targets]) -> Edition:
    """As :func:`read_draft`, against a description in hand."""
    _files(folder, targets.signed)
    edition = read_edition(plain_files(folder))
    if edition.number != targets.signed.version:
        raise _malformed("Its number is not the signed one.")
    return edition


def sign_draft(folder: Path, signer: Signer, root: Root) -> int:
    """Add a signature to a draft; gives how many count by ``root``. The build must have signed before.

    Raises RefusedError ``key_not_named``, ``not_built_here``.
    """
    targets = _signed(folder)
    read_checked(folder, targets)
    role = root.roles[TARGETS]
    if signer.public_key.keyid not in role.keyids:
        raise RefusedError("key_not_named", "The root does not name this key for editions.", mend="Use the release key.")
    if not root.get_verification_result(TARGETS, targets.signed_bytes, targets.signatures).signed:
        raise RefusedError("not_built_here", "No key that the root names has signed this draft.", mend="Ask the office for it.")
    targets.sign(signer, append=True)
    write_atomically(folder / SIGNED, canonical_bytes(targets), mode=0o600)
    return len(root.get_verification_result(TARGETS, targets.signed_bytes, targets.signatures).signed)


def publish_draft(repository: Path, folder: Path, keys: KeyRing, now: datetime) -> int:
    """Put a draft into force that both have signed; gives its number. Raises as ``publish``; the draft stays."""
    targets = _signed(folder)
    edition = read_checked(folder, targets)
    publish_signed(repository, _files(folder, targets.signed), edition.previous, targets, keys, now)
    return edition.number


def root_of(data: bytes) -> Root:
    """The root in a file that a person named. Raises InputError ``root_malformed``."""
    try:
        return read_metadata(data, Root).signed
    except RepositoryError as error:
        raise InputError("root_malformed", "The root file cannot be read.", mend="Name the newest N.root.json.") from error


def _signed(folder: Path) -> Metadata[Targets]:
    try:
        return read_metadata(read_limited(folder / SIGNED, METADATA_BYTES.value), Targets)
    except RepositoryError as error:
        raise _malformed("Its signed description cannot be read.") from error


def _files(folder: Path, targets: Targets) -> dict[str, bytes]:
    """The files of a draft, compared with the signed lengths and digests."""
    if set(targets.targets) != {MANIFEST_NAME, *COLUMNS}:
        raise _malformed("It names other files than the format has.")
    files = {name: read_limited(folder / name, EDITION_FILE_BYTES.value) for name in targets.targets}
    try:
        for name, target in targets.targets.items():
            target.verify_length_and_hashes(files[name])
    except RepositoryError as error:
        raise _malformed("A file differs from what the build signed.") from error
    return files


def _malformed(what: str) -> InputError:
    return InputError("draft_malformed", f"The draft cannot be used. {what}", mend="Ask the office for a new draft.")
