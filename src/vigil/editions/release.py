"""Who may sign what below targets: delegations to lists and partners, and the branches that they describe.

    targets (build and release person)
    ├── list-NAME   lists/NAME/*     the same keys, the same threshold; terminating
    └── partners    partners/*/*     the build's key alone; terminating: ending a delegation must not wait for a second person
        └── partner-ID  partners/ID/*    a key of this partner's branch alone; terminating

The rules are TUF's: a path belongs to the one role that the patterns lead to, so no partner's key can sign another's files.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from securesystemslib.signer import Key, Signer
from tuf.api.exceptions import RepositoryError, UnsignedMetadataError
from tuf.api.metadata import DelegatedRole, Delegations, Metadata, Root, Snapshot, Targets, Timestamp

from vigil.base.clock import require_utc
from vigil.base.errors import InputError, RefusedError, UnavailableError
from vigil.editions.folder import Reader, read_limited
from vigil.editions.limits import PARTNERS
from vigil.editions.partners import drop_partner, ensure_partner, partners_of, rotate_partner
from vigil.editions.roles import (
    DELEGATED_LIFETIME,
    LIST_PREFIX,
    METADATA_FOLDER,
    PARTNER_PREFIX,
    SNAPSHOT,
    TARGETS,
    TARGETS_FOLDER,
    TIMESTAMP_NAME,
    branch_path,
    expiry,
    read_metadata,
    target_name,
    versioned_name,
    versions_on_disk,
)
from vigil.editions.roles import PARTNERS as PARTNERS_ROLE
from vigil.editions.shares import Branch, ListShare, Share, list_branch, partner_branch, whole_branch

if TYPE_CHECKING:
    from vigil.editions.build import BuiltEdition
    from vigil.editions.keys import KeyRing

_PARTNER_PATHS: Final = "partners/*/*"


@dataclass(frozen=True, slots=True)
class SignedBranch:
    """A role's signed description, and the files that are new; ``plain`` as in :class:`Branch`."""

    role: str
    metadata: Metadata[Targets]
    files: Mapping[str, bytes]
    plain: Mapping[str, bytes] | None = None


@dataclass(frozen=True, slots=True)
class Release:
    """An edition with its lists alone, signed by those whose keys were there. The first branch is the whole edition."""

    built: BuiltEdition
    branches: tuple[SignedBranch, ...]


def prepare(
    repository: Path,
    built: BuiltEdition,
    keys: KeyRing,
    now: datetime,
    *,
    lists: Sequence[ListShare] = (),
    partners: bool = False,
) -> Release:
    """Describe an edition and its lists and sign with as many keys as are here; nothing is written."""
    root = read_metadata(keys.root, Root).signed
    before = roles_in_force(repository)
    whole = Targets(version=built.number, expires=expiry(TARGETS, now))
    whole.delegations = _delegations(root, [share.name for share in lists], keys if partners else None)
    branches = [whole_branch(built, before.get(TARGETS), _reader(repository, before.get(TARGETS), ""), whole)]
    for share in lists:
        role = LIST_PREFIX + share.name
        targets = Targets(version=built.number, expires=expiry(role, now))
        old = before.get(role)
        branches.append(list_branch(share, built, old, _reader(repository, old, branch_path(role)), targets))
    signers = keys.signers[TARGETS]
    return Release(built, tuple(_signed_branch(branch, signers) for branch in branches))


def check_release(release: Release, keys: KeyRing) -> None:
    """Nothing is published that clients would refuse, or that the release person has not signed."""
    root = read_metadata(keys.root, Root).signed
    first = release.branches[0].metadata
    results = [root.get_verification_result(TARGETS, first.signed_bytes, first.signatures)]
    for branch in release.branches[1:]:
        found = branch.metadata
        results.append(first.signed.get_verification_result(branch.role, found.signed_bytes, found.signatures))
    if not all(result.verified for result in results):
        raise RefusedError(
            "release_missing",
            f"The edition needs {root.roles[TARGETS].threshold} signatures, of the build and of the release person.",
            mend="Write a draft, let it be signed with: vigil edition sign DRAFT --key release.pem, then publish it.",
        )


def check_delegations(targets: Targets, root: Root) -> None:
    """Targets delegates to its lists and to the role of the partners, to keys that the root names for targets, and no further.

    Raises RefusedError ``draft_says_more``.
    """
    own = root.roles[TARGETS]
    for role, found in _roles(targets).items():
        is_list = role.startswith(LIST_PREFIX)
        paths = [branch_path(role) + "*"] if is_list else [_PARTNER_PATHS]
        keys = found.keyids == own.keyids and found.threshold == own.threshold if is_list else {*found.keyids} <= {*own.keyids}
        if not (is_list or role == PARTNERS_ROLE) or found.paths != paths or not keys or not found.terminating:
            raise RefusedError(
                "draft_says_more",
                "The draft would let somebody sign what nobody but the hotline may sign.",
                where=role,
                mend="Sign nothing; ask the office what happened.",
            )


def partner_branches(
    repository: Path, built: BuiltEdition, keys: KeyRing, now: datetime, shares: Sequence[Share], workshop: Path | None
) -> list[SignedBranch]:
    """The copies of all partners and the role that names them; nothing where there is no partner."""
    before = roles_in_force(repository)
    if not shares:  # then targets do not delegate to partners either
        return []
    if len({share.partner for share in shares}) != len(shares) or len(shares) > PARTNERS.value:
        raise InputError("partner_twice", f"A partner stands twice among the shares, or there are more than {PARTNERS.value}.")
    folder, found, public = _folder(keys), [], {}
    for share in shares:
        opened = ensure_partner(folder, share.partner, share.recipient, now, share.ended)
        role = PARTNER_PREFIX + share.partner
        public[role] = opened.signer.public_key
        targets = Targets(version=built.number, expires=expiry(role, now))
        branch = partner_branch(share, built, opened, before.get(role), workshop, targets)
        found.append(_signed_branch(branch, [opened.signer]))
    return [*found, *_naming(repository, before.get(PARTNERS_ROLE), public, keys, now)]


def without_partner(repository: Path, keys: KeyRing, partner: str, now: datetime) -> list[SignedBranch]:
    """The role that names the partners, without one of them."""
    before = roles_in_force(repository).get(PARTNERS_ROLE)
    public = _named(before)
    if public.pop(PARTNER_PREFIX + partner, None) is None or before is None:
        raise InputError("partner_unknown", "There is no delegation to this partner.", where=partner, mend="See the name.")
    return _naming(repository, before, public, keys, now)


def renewed_partners(repository: Path, keys: KeyRing, now: datetime) -> list[SignedBranch]:
    """The role that names the partners, signed anew where its life is half over."""
    before = roles_in_force(repository).get(PARTNERS_ROLE)
    return _naming(repository, before, _named(before), keys, now) if before is not None else []


def drop_absent(keys: KeyRing, shares: Sequence[Share], now: datetime) -> None:
    """Drop the keys of partners that are not among the shares any more."""
    if keys.folder is None:
        return
    for partner in set(partners_of(keys.folder)) - {share.partner for share in shares}:
        drop_partner(keys.folder, partner, now)


def drop_keys(keys: KeyRing, partner: str, now: datetime) -> None:
    """Drop the keys of a partner whose delegation has ended."""
    if keys.folder is not None and partner in partners_of(keys.folder):
        drop_partner(keys.folder, partner, now)


def rotate_keys(keys: KeyRing, partner: str, now: datetime) -> None:
    """New keys for a partner's next copy."""
    rotate_partner(_folder(keys), partner, now)


def roles_in_force(repository: Path) -> dict[str, Targets]:
    """What is in force for each role that describes files; a withdrawn partner is not among them."""
    meta = _snapshot_in_force(repository)
    if meta is None:
        return {}
    found: dict[str, Targets] = {}
    waiting = [TARGETS]
    while waiting:
        role = waiting.pop()
        if role in meta:
            found[role] = _read(repository, role, meta[role])
            waiting += _roles(found[role])
    return found


def kept_versions(repository: Path) -> dict[str, list[int]]:
    """For each role in force its version and the one before it, where that is still there."""
    folder = repository / METADATA_FOLDER
    return {
        role: [version for version in versions_on_disk(folder, role) if version <= signed.version][-2:]
        for role, signed in roles_in_force(repository).items()
    }


def signed_by(signed: Any, signers: Sequence[Signer]) -> Metadata[Any]:
    """Metadata with the signatures of all signers."""
    metadata: Metadata[Any] = Metadata(signed)
    try:
        for signer in signers:
            metadata.sign(signer, append=True)
    except UnsignedMetadataError as error:
        raise UnavailableError(
            "signer_failed",
            "A signing key could not be used.",
            where=signed.type,
            mend="See that its device or service is reachable, and that the PIN beside the .uri file is right.",
        ) from error
    return metadata


def _signed_branch(branch: Branch, signers: Sequence[Signer]) -> SignedBranch:
    return SignedBranch(branch.role, signed_by(branch.targets, signers), branch.files, branch.plain)


def _delegations(root: Root, lists: Sequence[str], keys: KeyRing | None) -> Delegations | None:
    """From targets to its lists and, where ``keys`` are given, to the role that names the partners."""
    own = root.roles[TARGETS]
    roles = {}
    for name in lists:
        role = LIST_PREFIX + name
        roles[role] = DelegatedRole(role, list(own.keyids), own.threshold, True, [branch_path(role) + "*"])
    if keys is not None:
        build = keys.signers[TARGETS][0].public_key.keyid
        roles[PARTNERS_ROLE] = DelegatedRole(PARTNERS_ROLE, [build], 1, True, [_PARTNER_PATHS])
    if not roles:
        return None
    return Delegations({keyid: root.keys[keyid] for role in roles.values() for keyid in role.keyids}, roles)


def _naming(
    repository: Path, before: Targets | None, public: Mapping[str, Key], keys: KeyRing, now: datetime
) -> list[SignedBranch]:
    """The role that names the partners; nothing where it says that already and lives long enough."""
    roles = {role: DelegatedRole(role, [key.keyid], 1, True, [branch_path(role) + "*"]) for role, key in sorted(public.items())}
    delegations = Delegations({key.keyid: key for key in public.values()}, roles)
    fresh = before is not None and before.expires - require_utc(now) > DELEGATED_LIFETIME / 2
    if before is not None and fresh and before.delegations == delegations:
        return []
    # Versions go on from the last one that clients saw, also where there were no partners for a time.
    last = (_snapshot_in_force(repository) or {}).get(PARTNERS_ROLE, 0)
    targets = Targets(version=last + 1, expires=expiry(PARTNERS_ROLE, now), delegations=delegations)
    return [SignedBranch(PARTNERS_ROLE, signed_by(targets, keys.signers[TARGETS][:1]), {})]


def _named(partners: Targets | None) -> dict[str, Key]:
    """The partners that a role names, and the key of each."""
    if partners is None or partners.delegations is None:
        return {}
    return {role: partners.delegations.keys[each.keyids[0]] for role, each in _roles(partners).items()}


def _roles(targets: Targets) -> dict[str, DelegatedRole]:
    return (targets.delegations.roles or {}) if targets.delegations else {}


def _folder(keys: KeyRing) -> Path:
    if keys.folder is None:
        raise InputError("keys_missing", "Keys of partners need a key folder.", mend="Load the keys from their folder.")
    return keys.folder


def _snapshot_in_force(repository: Path) -> dict[str, int] | None:
    """The version of each role that the snapshot in force names; None where nothing was published."""
    folder = repository / METADATA_FOLDER
    if not (folder / TIMESTAMP_NAME).exists():
        return None
    try:
        timestamp = read_metadata((folder / TIMESTAMP_NAME).read_bytes(), Timestamp).signed
        data = (folder / versioned_name(SNAPSHOT, timestamp.snapshot_meta.version)).read_bytes()
        snapshot = read_metadata(data, Snapshot).signed
    except (OSError, RepositoryError) as error:
        raise broken(TIMESTAMP_NAME) from error
    return {name.removesuffix(".json"): meta.version for name, meta in snapshot.meta.items()}


def _read(repository: Path, role: str, version: int) -> Targets:
    name = versioned_name(role, version)
    try:
        return read_metadata((repository / METADATA_FOLDER / name).read_bytes(), Targets).signed
    except (OSError, RepositoryError) as error:
        raise broken(name) from error


def _reader(repository: Path, before: Targets | None, path: str) -> Reader | None:
    """The files of a role in force, by their own names."""
    if before is None:
        return None
    targets = before.targets

    def read(name: str, limit: int) -> bytes:
        digest = targets[path + name].hashes["sha256"] if path + name in targets else ""
        return read_limited(repository / TARGETS_FOLDER / target_name(path + name, digest), limit)

    return read


def broken(name: str) -> InputError:
    """An edition folder whose own files are damaged."""
    return InputError(
        "repository_broken",
        "The edition folder is damaged: a file that is in force cannot be read.",
        where=name,
        mend="Check it with: vigil edition verify DIR; then restore it from a copy.",
    )
