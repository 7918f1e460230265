"""Checking an edition folder whole: every file, every byte, every signature, and that nothing is there too much.

Stricter than a client, which takes what it needs. Here

* the roots form one chain from the trusted one, in both directions;
* each metadata file is byte for byte what we would write, and **all** its signatures are valid, of keys that its role has;
* timestamp, snapshot and targets refer to one another by version, length and digest, and none has expired;
* the roles of lists and partners are signed by the keys that were delegated to, and describe files of their own folder only;
* each target has the length and the digest that were signed;
* exactly the files of what is in force and of what was before it are there;
* the edition and each list alone read strictly (:mod:`vigil.editions.load`), and their numbers are the signed ones. What is
  encrypted for a partner is checked as it lies there.

A publication that comes meanwhile makes files appear and go: the folder is then read again when it has ended.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import Any, Final

from tuf.api.exceptions import LengthOrHashMismatchError, RepositoryError
from tuf.api.metadata import Metadata, MetaFile, Root, Snapshot, Targets, Timestamp

from vigil.base.clock import require_utc, text_of
from vigil.base.errors import VigilError
from vigil.base.limits import EDITION_FILE_BYTES, METADATA_BYTES
from vigil.editions.cipher import SUFFIX
from vigil.editions.delta import steps_of
from vigil.editions.folder import read_limited, read_target, signed_files
from vigil.editions.load import read_edition
from vigil.editions.manifest import MANIFEST_NAME
from vigil.editions.model import Edition
from vigil.editions.publish import await_end
from vigil.editions.refusal import EditionRefused, Refusal
from vigil.editions.roles import (
    METADATA_FOLDER,
    PARTNER_PREFIX,
    PARTNERS,
    ROOT,
    SNAPSHOT,
    TARGETS,
    TARGETS_FOLDER,
    TIMESTAMP_NAME,
    branch_path,
    is_canonical,
    read_metadata,
    target_name,
    versioned_name,
    versions_on_disk,
)
from vigil.editions.wire import COLUMNS

ATTEMPTS: Final = 5
PUBLICATION_SECONDS: Final = 60
STRAY: Final = "stray"
CANONICAL: Final = "not_canonical"
TARGETS_ENTRY: Final = "targets.json"


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that is not as it must be. ``code`` is a :class:`Refusal`, ``stray`` or ``not_canonical``."""

    file: str
    code: str
    what: str


@dataclass(frozen=True, slots=True)
class VerifyReport:
    """The outcome. ``number`` of the edition in force, where it could be told."""

    ok: bool
    number: int | None
    problems: tuple[Problem, ...]
    trusted_root_note: str


def verify(repository: Path, *, root: bytes | None, now: datetime) -> VerifyReport:
    """Check the edition folder ``repository``. ``root``: the trusted root metadata; None: believe the folder's own first one.

    Never raises for what is wrong with the folder: that is in the report.
    """
    now = require_utc(now)
    for _ in range(ATTEMPTS):
        before = _timestamp_bytes(repository)
        report = _verify(repository, root, now)
        if report.ok or not _published_meanwhile(repository, before):
            break
    return report


def _verify(repository: Path, root: bytes | None, now: datetime) -> VerifyReport:
    check = _Check(repository, now)
    with check.noting(METADATA_FOLDER):
        check.whole(root)
    return VerifyReport(not check.problems, check.number, tuple(check.problems), _note(root))


def _published_meanwhile(repository: Path, before: bytes | None) -> bool:
    """Whether what was read may have been of two editions, or of one that was just being written. Where the folder cannot be
    locked (missing, unreadable, on a share without locks) nobody publishes into it that we could wait for."""
    try:
        waited = await_end(repository, PUBLICATION_SECONDS)
    except OSError:
        waited = False
    return waited or _timestamp_bytes(repository) != before


def _timestamp_bytes(repository: Path) -> bytes | None:
    """``timestamp.json`` as it lies there: it changes with each publication and is the last thing to change."""
    try:
        return read_limited(repository / METADATA_FOLDER / TIMESTAMP_NAME, METADATA_BYTES.value)
    except (OSError, VigilError):
        return None  # what is wrong with it is found by the check itself


def _note(root: bytes | None) -> str:
    if root is None:
        return (
            "Trusted the root inside the folder itself (metadata/1.root.json): this shows that the folder is whole, "
            "not that the hotline made it. Name the root that the hotline handed you: --root 1.root.json"
        )
    return "Trusted the root that was named."


def _is_signed(metadata: Metadata[Any], root: Root) -> bool:
    return root.get_verification_result(metadata.signed.type, metadata.signed_bytes, metadata.signatures).verified


def _delegated(targets: Targets) -> list[str]:
    return sorted((targets.delegations.roles or {}) if targets.delegations else {})


def _may_be_there(name: str, path: str, targets: Targets, *, sealed: bool) -> bool:
    """Deltas that lead to this edition or an earlier one; for a partner also its keys and what else it was given."""
    if not name.startswith(path) or "/" in name.removeprefix(path):
        return False
    own = name.removeprefix(path)
    if sealed and own.endswith(SUFFIX) and steps_of(own.removesuffix(SUFFIX)) is None:
        return True
    steps = steps_of(own.removesuffix(SUFFIX) if sealed else own)
    return steps is not None and steps[1] <= targets.version


@dataclass(slots=True)
class _Check:
    """One run: what is expected grows while files are read; what is left over at the end is stray."""

    repository: Path
    now: datetime
    problems: list[Problem] = field(default_factory=list)
    expected: set[str] = field(default_factory=set)
    number: int | None = None

    def whole(self, trusted: bytes | None) -> None:
        roots = self._roots(trusted)
        root = roots[-1]
        timestamp = self._metadata(TIMESTAMP_NAME, Timestamp, root)
        self._not_expired(TIMESTAMP_NAME, timestamp)
        snapshot, targets = self._in_force(root, timestamp)
        previous = self._edition(TARGETS, targets)
        self._before(roots, timestamp, previous)
        self._branches(targets, snapshot)
        self._strays()

    def _roots(self, trusted: bytes | None) -> list[Root]:
        """All roots, oldest first; each is signed by itself and by the one before it, and the trusted one is among them."""
        versions = versions_on_disk(self.repository / METADATA_FOLDER, ROOT)
        roots: list[Root] = []
        found = trusted is None
        for version in range(1, max(versions, default=1) + 1):
            name = versioned_name(ROOT, version)
            data = self._read(name)
            found = found or data == trusted
            root = self._parsed(name, data, Root)
            self._signatures(name, root, *roots[-1:], root.signed)
            self._version(name, root.signed.version, version)
            roots.append(root.signed)
        if not found:
            raise EditionRefused(Refusal.SIGNATURE, "The trusted root is not among those of the folder.", where=METADATA_FOLDER)
        self._not_expired(versioned_name(ROOT, roots[-1].version), roots[-1])
        return roots

    def _in_force(self, root: Root, timestamp: Timestamp) -> tuple[Snapshot, Targets]:
        meta = timestamp.snapshot_meta
        snapshot: Snapshot = self._referred(SNAPSHOT, meta, Snapshot, root)
        if TARGETS_ENTRY not in snapshot.meta:
            name = versioned_name(SNAPSHOT, meta.version)
            raise EditionRefused(Refusal.METADATA, "It does not name targets.", where=name)
        targets: Targets = self._referred(TARGETS, snapshot.meta[TARGETS_ENTRY], Targets, root)
        self.number = targets.version
        for role, signed in ((SNAPSHOT, snapshot), (TARGETS, targets)):
            self._not_expired(versioned_name(role, signed.version), signed)
        return snapshot, targets

    def _branches(self, targets: Targets, snapshot: Snapshot) -> None:
        """Each role that is delegated to and has something in force, below targets and below the role of the partners."""
        for role in _delegated(targets):
            with self.noting(role):
                branch = self._branch(role, targets, snapshot)
                if role == PARTNERS and branch is not None:
                    for partner in _delegated(branch):
                        with self.noting(partner):
                            self._branch(partner, branch, snapshot)

    def _branch(self, role: str, delegator: Targets, snapshot: Snapshot) -> Targets | None:
        meta = snapshot.meta.get(f"{role}.json")
        if meta is None:
            return None
        name = versioned_name(role, meta.version)
        signed: Targets = self._delegate(name, role, delegator)
        self._version(name, signed.version, meta.version)
        self._not_expired(name, signed)
        if role == PARTNERS:
            self._older(role, signed.version)
            return signed
        self._edition(role, signed)
        for target in self._older(role, signed.version):
            self._target_files(target)
        return signed

    def _older(self, role: str, version: int) -> list[Targets]:
        """What stays of the version before; its signatures may be of a key that was replaced, and nobody takes it for new."""
        found = [each for each in versions_on_disk(self.repository / METADATA_FOLDER, role) if each < version]
        names = [versioned_name(role, each) for each in found[-1:]]
        return [self._parsed(name, self._read(name), Targets).signed for name in names]

    def _delegate(self, name: str, role: str, delegator: Targets) -> Targets:
        """Metadata of a delegated role that is canonical and wholly signed by the keys that were delegated to."""
        metadata: Metadata[Targets] = self._parsed(name, self._read(name), Targets)
        result = delegator.get_verification_result(role, metadata.signed_bytes, metadata.signatures)
        if not result.verified:
            raise EditionRefused(Refusal.SIGNATURE, "It lacks valid signatures.", where=name)
        if set(result.signed) != set(metadata.signatures):
            self._note(name, Refusal.SIGNATURE, "One of its signatures is not valid.")
        return metadata.signed

    def _referred(self, role: str, meta: MetaFile, kind: Any, root: Root) -> Any:
        """A versioned file, compared with what refers to it. Length and digest must be given."""
        name = versioned_name(role, meta.version)
        signed = self._metadata(name, kind, root)
        with self.noting(name):
            if meta.length is None or set(meta.hashes or {}) != {"sha256"}:
                raise EditionRefused(Refusal.METADATA, "What refers to it gives no length or digest.", where=name)
            meta.verify_length_and_hashes(self._read(name))
        self._version(name, signed.version, meta.version)
        return signed

    def _edition(self, role: str, targets: Targets) -> int | None:
        """Read all targets of a role, then the edition as a node would; gives the number of the edition before it."""
        self._target_files(targets)
        path, sealed = branch_path(role) if role != TARGETS else "", role.startswith(PARTNER_PREFIX)
        needed = {path + name + (SUFFIX if sealed else "") for name in (MANIFEST_NAME, *COLUMNS)}
        others = {name for name in targets.targets.keys() - needed if not _may_be_there(name, path, targets, sealed=sealed)}
        if not needed <= targets.targets.keys() or others:
            self._note(versioned_name(role, targets.version), Refusal.METADATA, "It names other files than the format has.")
        edition = None if sealed else self._strictly_read(targets, path)
        if edition is None:
            return None
        if edition.number != targets.version:
            self._note(path + MANIFEST_NAME, Refusal.METADATA, "Its number is not the signed one.")
        return edition.previous

    def _strictly_read(self, targets: Targets, path: str) -> Edition | None:
        try:
            return read_edition(signed_files(self.repository, targets, path))
        except VigilError as error:
            self._note_error(TARGETS_FOLDER, error)
            return None

    def _target_files(self, targets: Targets) -> None:
        for name, target in targets.targets.items():
            path = target_name(name, target.hashes.get("sha256", ""))
            self.expected.add(f"{TARGETS_FOLDER}/{path}")
            with self.noting(f"{TARGETS_FOLDER}/{path}"):
                read_target(self.repository, name, target, EDITION_FILE_BYTES.value)

    def _before(self, roots: list[Root], timestamp: Timestamp, previous: int | None) -> None:
        """What stays for nodes that began before the last publication: signed and whole, though perhaps expired.

        Where keys were replaced since, it is signed by those of an earlier root.
        """
        version = timestamp.snapshot_meta.version - 1
        if version > 0:
            self._metadata(versioned_name(SNAPSHOT, version), Snapshot, *reversed(roots))
        if previous is not None:
            targets = self._metadata(versioned_name(TARGETS, previous), Targets, *reversed(roots))
            self._version(versioned_name(TARGETS, previous), targets.version, previous)
            self._target_files(targets)

    def _strays(self) -> None:
        """Nothing else may be there, and nothing that is not a plain file."""
        folders = {METADATA_FOLDER, TARGETS_FOLDER}
        folders |= {parent.as_posix() for name in self.expected for parent in PurePosixPath(name).parents}
        for path in sorted(self.repository.rglob("*")):
            name = path.relative_to(self.repository).as_posix()
            folder = name in folders and path.is_dir()
            if path.is_symlink() or not (folder or (name in self.expected and path.is_file())):
                self._note(name, STRAY, "It does not belong into an edition folder.")

    def _metadata(self, name: str, kind: Any, *roots: Root) -> Any:
        """A metadata file that is canonical and wholly signed by the keys of its role in one of the roots."""
        metadata = self._parsed(name, self._read(name), kind)
        self._signatures(name, metadata, next((root for root in roots if _is_signed(metadata, root)), roots[0]))
        return metadata.signed

    def _read(self, name: str) -> bytes:
        self.expected.add(f"{METADATA_FOLDER}/{name}")
        return read_limited(self.repository / METADATA_FOLDER / name, METADATA_BYTES.value)

    def _parsed(self, name: str, data: bytes, kind: Any) -> Metadata[Any]:
        try:
            metadata = read_metadata(data, kind)
        except RepositoryError as error:
            raise EditionRefused(Refusal.METADATA, "It is not readable metadata of its role.", where=name) from error
        if not is_canonical(metadata, data):
            self._note(name, CANONICAL, "Its bytes are not exactly those that were written.")
        return metadata

    def _signatures(self, name: str, metadata: Metadata[Any], *delegators: Root) -> None:
        """Each delegator's threshold is met, and no signature is there that is not valid: an altered one is an altered byte."""
        kind, valid = metadata.signed.type, set()
        for delegator in delegators:
            result = delegator.get_verification_result(kind, metadata.signed_bytes, metadata.signatures)
            valid |= set(result.signed)
            if not result.verified:
                self._note(name, Refusal.SIGNATURE, "It lacks valid signatures.")
                return
        if valid != set(metadata.signatures):
            self._note(name, Refusal.SIGNATURE, "One of its signatures is not valid.")

    def _version(self, name: str, found: int, expected: int) -> None:
        if found != expected:
            self._note(name, Refusal.METADATA, "Its version is not the one in its name.")

    def _not_expired(self, name: str, signed: Any) -> None:
        if signed.is_expired(self.now):
            self._note(name, Refusal.EXPIRED, f"It expired at {text_of(signed.expires)}.")

    def _note(self, name: str, code: str, what: str) -> None:
        self.problems.append(Problem(name, str(code), what))

    @contextmanager
    def noting(self, name: str) -> Iterator[None]:
        """Turn an error into a problem and go on after the block."""
        try:
            yield
        except LengthOrHashMismatchError:
            self._note(name, Refusal.DIGEST, "Its bytes differ from what was signed.")
        except RepositoryError:
            self._note(name, Refusal.METADATA, "It is not usable metadata of its role.")
        except VigilError as error:
            self._note_error(name, error)

    def _note_error(self, name: str, error: VigilError) -> None:
        self._note(error.where or name, error.code, error.what)
