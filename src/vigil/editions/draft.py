"""Drafts: editions that the build has signed, on their way to the release person, who keeps the other key.

A draft is a folder with the new files of the edition under their own names, and ``draft.ROLE.json`` for each role that
both sign: ``draft.targets.json``, and ``draft.list-NAME.json`` where lists are also published alone. It comes into force
only when both have signed. The number is taken when the draft is made: publish it before another edition is made.

The person is shown the whole edition. That the lists alone say the same, and that nobody else is allowed to sign
anything, is checked here before the key is used.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tuf.api.exceptions import RepositoryError
from tuf.api.metadata import Metadata, Root, Targets

from vigil.base.errors import InputError, RefusedError
from vigil.base.files import write_atomically
from vigil.base.limits import EDITION_FILE_BYTES, METADATA_BYTES
from vigil.editions.build import BuiltEdition
from vigil.editions.delta import steps_of
from vigil.editions.difference import is_list_of
from vigil.editions.folder import plain_files, read_limited
from vigil.editions.load import read_edition
from vigil.editions.manifest import MANIFEST_NAME, decode_manifest
from vigil.editions.model import Edition
from vigil.editions.publish import publish_release
from vigil.editions.release import Release, SignedBranch, check_delegations, prepare
from vigil.editions.roles import LIST_PREFIX, TARGETS, branch_path, canonical_bytes, read_metadata
from vigil.editions.shares import ListShare, Share
from vigil.editions.wire import COLUMNS

if TYPE_CHECKING:
    from securesystemslib.signer import Signer

    from vigil.editions.keys import KeyRing

SIGNED: Final = "draft.targets.json"


def write_draft(
    folder: Path,
    built: BuiltEdition,
    keys: KeyRing,
    now: datetime,
    repository: Path | None = None,
    *,
    lists: Sequence[ListShare] = (),
    partners: bool = False,
) -> None:
    """Write ``built`` into an empty folder, signed with what ``keys`` has. ``draft.targets.json`` comes last.

    ``repository``  where it will be published: a delta is made from what is in force there
    ``lists``       as for :func:`vigil.editions.publish.publish`;  ``partners``: partners will get shares of it
    """
    if folder.exists() and any(folder.iterdir()):
        what = "There is something in that folder already."
        raise RefusedError("draft_exists", what, where=str(folder), mend="Name an empty folder.")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    release = prepare(repository or folder, built, keys, now, lists=lists, partners=partners)
    for branch in reversed(release.branches):
        for name, content in branch.files.items():
            (folder / name).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_atomically(folder / name, content, mode=0o600)
        write_atomically(folder / f"draft.{branch.role}.json", canonical_bytes(branch.metadata), mode=0o600)


def read_draft(folder: Path) -> Edition:
    """The edition of a draft, read as a node will read it, after each file was compared with what the build signed.

    What a person is shown before signing comes from here. Raises InputError ``draft_malformed`` or EditionRefused.
    """
    return _whole(folder, _branches(folder)[0])


def sign_draft(folder: Path, signer: Signer, root: Root) -> int:
    """Add a signature to a draft; gives how many count by ``root``. The build must have signed before.

    Raises RefusedError ``key_not_named``, ``not_built_here``, ``draft_says_more``.
    """
    branches = _branches(folder)
    whole = _whole(folder, branches[0])
    targets = branches[0].metadata
    role = root.roles[TARGETS]
    if signer.public_key.keyid not in role.keyids:
        raise RefusedError("key_not_named", "The root does not name this key for editions.", mend="Use the release key.")
    if not root.get_verification_result(TARGETS, targets.signed_bytes, targets.signatures).signed:
        raise RefusedError("not_built_here", "No key that the root names has signed this draft.", mend="Ask the office for it.")
    check_delegations(targets.signed, root)
    for branch in branches[1:]:
        _check_list(folder, branch, targets.signed, whole)
    for branch in reversed(branches):
        branch.metadata.sign(signer, append=True)
        write_atomically(folder / f"draft.{branch.role}.json", canonical_bytes(branch.metadata), mode=0o600)
    return len(root.get_verification_result(TARGETS, targets.signed_bytes, targets.signatures).signed)


def is_signed(folder: Path, root: Root) -> bool:
    """Whether all have signed a draft whose signatures are needed by ``root``."""
    targets = _signed(folder, TARGETS)
    return root.get_verification_result(TARGETS, targets.signed_bytes, targets.signatures).verified


def publish_draft(
    repository: Path, folder: Path, keys: KeyRing, now: datetime, *, shares: Sequence[Share] = (), workshop: Path | None = None
) -> int:
    """Put a draft into force that both have signed; gives its number. Raises as ``publish``; the draft stays."""
    branches = _branches(folder)
    _whole(folder, branches[0])
    manifest = decode_manifest(branches[0].files[MANIFEST_NAME])
    files = {name: branches[0].files[name] for name in (MANIFEST_NAME, *COLUMNS)}
    release = Release(BuiltEdition(manifest.number, files, manifest), branches)
    publish_release(repository, release, keys, now, shares=shares, workshop=workshop)
    return manifest.number


def _branches(folder: Path) -> tuple[SignedBranch, ...]:
    """All that a draft describes, its files compared with the signed lengths and digests; the whole edition first."""
    targets = _signed(folder, TARGETS)
    delegated = (targets.signed.delegations.roles or {}) if targets.signed.delegations else {}
    roles = [TARGETS, *sorted(role for role in delegated if role.startswith(LIST_PREFIX))]
    found = [(role, targets if role == TARGETS else _signed(folder, role)) for role in roles]
    return tuple(SignedBranch(role, metadata, _files(folder, branch_path(role), metadata.signed)) for role, metadata in found)


def _whole(folder: Path, branch: SignedBranch) -> Edition:
    edition = read_edition(plain_files(folder))
    if edition.number != branch.metadata.signed.version:
        raise _malformed("Its number is not the signed one.")
    return edition


def _check_list(folder: Path, branch: SignedBranch, targets: Targets, whole: Edition) -> None:
    """A list alone says what it says in the whole edition, and the build has signed it."""
    name = branch.role.removeprefix(LIST_PREFIX)
    signed = branch.metadata
    if not targets.get_verification_result(branch.role, signed.signed_bytes, signed.signatures).signed:
        raise RefusedError("not_built_here", "The build has not signed a list of this draft.", where=name)
    alone = read_edition(plain_files(folder / branch_path(branch.role)))
    if signed.signed.version != whole.number or not is_list_of(alone, whole):
        raise RefusedError(
            "draft_says_more",
            "A list alone says something else than the whole edition that was shown.",
            where=name,
            mend="Sign nothing; ask the office what happened.",
        )


def root_of(data: bytes) -> Root:
    """The root in a file that a person named. Raises InputError ``root_malformed``."""
    try:
        return read_metadata(data, Root).signed
    except RepositoryError as error:
        raise InputError("root_malformed", "The root file cannot be read.", mend="Name the newest N.root.json.") from error


def _signed(folder: Path, role: str) -> Metadata[Targets]:
    try:
        return read_metadata(read_limited(folder / f"draft.{role}.json", METADATA_BYTES.value), Targets)
    except RepositoryError as error:
        raise _malformed("Its signed description cannot be read.") from error


def _files(folder: Path, path: str, targets: Targets) -> dict[str, bytes]:
    """The files of a draft, compared with the signed lengths and digests. Deltas of earlier editions stay where they are."""
    own = {path + name for name in (MANIFEST_NAME, *COLUMNS)}
    deltas = {name: steps_of(name.removeprefix(path)) for name in targets.targets.keys() - own}
    if not own <= targets.targets.keys() or None in deltas.values():
        raise _malformed("It names other files than the format has.")
    own |= {name for name, steps in deltas.items() if steps is not None and steps[1] == targets.version}
    files = {name: read_limited(folder / name, EDITION_FILE_BYTES.value) for name in own}
    try:
        for name in own:
            targets.targets[name].verify_length_and_hashes(files[name])
    except RepositoryError as error:
        raise _malformed("A file differs from what the build signed.") from error
    return files


def _malformed(what: str) -> InputError:
    return InputError("draft_malformed", f"The draft cannot be used. {what}", mend="Ask the office for a new draft.")
