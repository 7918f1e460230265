"""Pulling editions: everything a partner or an edge node needs, in one class.

    client = EditionClient("https://hotline.example/editions", Path("state"), root=Path("1.root.json").read_bytes())
    pulled = client.pull(SystemClock().now())
    edition = load_edition(pulled.folder)

What is kept in the state folder, and must be kept for as long as the node lives, because the protection against
rolled-back and withheld editions rests on it:

    metadata/             python-tuf's own: trusted roots, the newest timestamp, snapshot and targets seen
    accepted.json         the signed targets of the edition in force
    editions/N/           the files of an edition, checked; the one in force and the one before it. A partner's are encrypted
                          here too. ``rebuilt.json`` stands there where files put together from deltas have other bytes
    editions/.part-N/     a download under way; whole files in it are used again after a break
    current -> editions/N the edition in force; replaced in one step, after everything was checked

A refusal or a failure changes nothing of ``current``. Deltas are tried first where they are smaller than the edition; what
comes out is compared with the signed digest of the whole state, and on any difference the whole edition is fetched.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Final

import pyarrow as pa
from tuf.api.exceptions import (
    BadVersionNumberError,
    DownloadError,
    DownloadHTTPError,
    DownloadLengthMismatchError,
    ExpiredMetadataError,
    LengthOrHashMismatchError,
    RepositoryError,
    SlowRetrievalError,
    UnsignedMetadataError,
)
from tuf.api.metadata import Metadata, Root, TargetFile, Targets
from tuf.ngclient import Updater, UpdaterConfig

from vigil.base.clock import require_utc
from vigil.base.errors import InputError, VigilError
from vigil.base.files import sync_file, sync_folder, write_atomically
from vigil.base.limits import EDITION_FILE_BYTES, METADATA_BYTES
from vigil.editions.cipher import KEYS_NAME, SUFFIX, Identity, sealed_bytes
from vigil.editions.fetch import TlsFiles, fetcher_for
from vigil.editions.folder import CURRENT, REBUILT_NAME, Files, Stored, plain_files, rebuilt_in, sealed_files
from vigil.editions.limits import EXTRA_BYTES, EXTRA_FILES, MANIFEST_BYTES
from vigil.editions.load import read_edition
from vigil.editions.manifest import MANIFEST_NAME
from vigil.editions.model import Edition
from vigil.editions.rebuild import Rebuild, Rebuilt
from vigil.editions.refusal import EditionRefused, EditionUnreachable, Refusal, Unreachable
from vigil.editions.roles import (
    METADATA_FOLDER,
    PARTNER_PREFIX,
    PARTNERS,
    ROOT,
    TARGETS,
    TARGETS_FOLDER,
    branch_path,
    read_metadata,
    role_of,
    versioned_name,
)
from vigil.editions.wire import COLUMNS

__all__ = ["EditionClient", "EditionRefused", "EditionUnreachable", "Pulled"]

EDITIONS: Final = "editions"
PART: Final = ".part-"
ACCEPTED: Final = "accepted.json"
CLOCK_TOLERANCE: Final = timedelta(minutes=5)
FILES: Final = (MANIFEST_NAME, *COLUMNS)
_NOT_ALLOWED: Final = {401, 403}
_DIGEST: Final = re.compile(r"[0-9a-f]{64}\Z")

_CONFIG: Final = UpdaterConfig(
    max_root_rotations=64,
    max_delegations=3,  # targets, the role that names the partners, the partner
    root_max_length=256 * 1024,
    timestamp_max_length=16 * 1024,
    snapshot_max_length=METADATA_BYTES.value,
    targets_max_length=METADATA_BYTES.value,
)


@dataclass(frozen=True, slots=True)
class Pulled:
    """What a pull brought. ``fresh``: it differs from what was in force before.

    After a stolen key was revoked, an edition may come that has the number of the one in force, or a lower one.
    ``deltas``: from how many deltas it was put together; ``delta_refused``: why deltas that were there did not serve.
    """

    number: int
    folder: Path
    fresh: bool
    deltas: int = 0
    delta_refused: str | None = None


class EditionClient:
    """Fetches, checks and keeps editions. One client at a time uses a state folder; a lock sees to it.

    ``source``    ``https://…`` address of an edition folder, ``s3://…`` of one in a store, or a local folder
    ``state``     folder of this node, kept between starts
    ``root``      root metadata handed over by the hotline; may be None once the state holds one
    ``token``     bearer token of the node
    ``part``      empty for the whole edition; ``lists/NAME`` for one list; ``partners/ID`` for a partner's copy
    ``identity``  what opens a partner's copy
    ``tls``       certificates, where the host is not to be checked by those of the system, or wants to see one of ours
    ``extra``     further files of a partner's copy, where the hotline gives them: names or patterns such as ``keywords-*.json``
    ``prove``     looks at the text of each further file before the edition comes into force; its VigilError refuses the edition
    ``turn``      returns when the next request may go out, where a host is not to be asked faster than that
    """

    def __init__(
        self,
        source: str,
        state: Path,
        root: bytes | None,
        token: str | None = None,
        *,
        part: str = "",
        identity: Identity | None = None,
        tls: TlsFiles | None = None,
        extra: Sequence[str] = (),
        prove: Callable[[str, bytes], object] | None = None,
        turn: Callable[[], None] | None = None,
    ) -> None:
        self._state = state
        self._root = root
        self._role = role_of(part)
        self._path = branch_path(self._role)
        self._sealed = self._role.startswith(PARTNER_PREFIX)
        if self._sealed and identity is None:
            raise InputError(
                "identity_missing", "A partner's copy needs the partner's identity.", mend="Name its file: --identity FILE."
            )
        self._identity = identity if self._sealed else None
        self._names = (*FILES, KEYS_NAME) if self._sealed else FILES
        self._extra = tuple(extra) if self._sealed else ()
        self._prove_extra = prove
        self._fetcher = fetcher_for(source, token, tls, turn)
        self._proven: bytes | None = None

    @property
    def retry_after(self) -> str:
        """What the host's last answer said in the header of that name; empty where it said nothing."""
        return self._fetcher.retry_after

    def pull(self, now: datetime) -> Pulled:
        """Bring the newest edition into force, or say why not.

        Raises EditionRefused or EditionUnreachable; in both cases what was in force stays in force.
        """
        now = require_utc(now)
        with self._errors(now), self._locked(), closing(self._fetcher):
            before = number_in_force(self._state)
            updater = self._refreshed(now)
            targets = self._described(updater, self._names)  # the delegations are followed on the way
            signed = (self._state / METADATA_FOLDER / f"{self._role}.json").read_bytes()
            role = read_metadata(signed, Targets).signed
            number = role.version
            targets |= self._described(updater, self._extras_in(role))
            if before is not None and number < before and self._still_counts():
                raise EditionRefused(Refusal.ROLLBACK, f"The host offers edition {number}; {before} is in force.")
            if number == before and self._is_whole(number, targets, signed):
                self._accept(signed)
                return Pulled(number, self._folder(number), fresh=False)
            same = number == before and self._accepted_files() == role.targets and self._has_all(number, targets)
            done = self._bring(updater, role, before, targets, now)
            pa.default_memory_pool().release_unused()  # the next thing is to build indexes, beside the ones in use
            self._swap(number, signed)
            self._prune(number, before)
            return Pulled(number, self._folder(number), not same, done.steps, done.refused)

    def _described(self, updater: Updater, names: Iterable[str]) -> dict[str, TargetFile]:
        """What was signed about each file, by its name on disk."""
        return {self._disk_name(name): _target(updater, self._path + self._disk_name(name), name) for name in names}

    def _extras_in(self, role: Targets) -> list[str]:
        """The wanted further files that the hotline signed, at most :data:`EXTRA_FILES`."""
        there = [name.removeprefix(self._path).removesuffix(SUFFIX) for name in sorted(role.targets)]
        found = [name for name in there if any(fnmatchcase(name, wanted) for wanted in self._extra)]
        if len(found) > EXTRA_FILES.value:
            raise EditionRefused(Refusal.TOO_LARGE, "The copy has more further files than anybody needs.")
        return found

    def _has_all(self, number: int, targets: dict[str, TargetFile]) -> bool:
        """Whether every wanted file was there before: one that is wanted only now makes the edition a fresh one."""
        return all((self._folder(number) / name).exists() for name in targets)

    def _disk_name(self, name: str) -> str:
        return name + SUFFIX if self._sealed else name

    def _bring(
        self, updater: Updater, role: Targets, before: int | None, targets: dict[str, TargetFile], now: datetime
    ) -> Rebuilt:
        """Fill the folder of the coming edition: by deltas where they serve, else whole. Nothing of it is in force yet."""
        part = self._part(role.version)
        rebuild = Rebuild(updater, self._path, self._identity, part, self._folder(before) if before is not None else None)
        done = rebuild.by_deltas(role, before, targets)
        if done.edition is None:
            (part / REBUILT_NAME).unlink(missing_ok=True)  # of an attempt that a power cut ended
            self._fetch(updater, role.version, targets)
            self._prove(self._read(part), role.version, now)
        else:
            others = {name: target for name, target in targets.items() if not (part / name).exists()}
            self._fetch(updater, role.version, others)
            self._prove(done.edition, role.version, now)
        self._look_at_extras(part, role)
        sync_folder(part)
        return done

    def _read(self, folder: Path) -> Edition:
        """The whole edition as a node will read it; a signed one that cannot be read must not replace one that can."""
        files = sealed_files(folder, self._identity) if self._sealed else Files(plain_files(folder))
        return read_edition(files.read, files.keys)

    def _refreshed(self, now: datetime) -> Updater:
        """python-tuf's client workflow, up to the newest targets metadata."""
        metadata = self._state / METADATA_FOLDER
        updater = Updater(
            str(metadata),
            f"{METADATA_FOLDER}/",
            target_base_url=f"{TARGETS_FOLDER}/",
            fetcher=self._fetcher,
            config=_CONFIG,
            bootstrap=self._trusted_root(metadata),
        )
        # python-tuf asks the system for the time; expiry is to be judged at the instant we were handed.
        updater._trusted_set.reference_time = now
        updater.refresh()
        return updater

    def _trusted_root(self, metadata: Path) -> bytes | None:
        """The root to begin with; None to go on with the one in the state."""
        if self._root is None:
            if not (metadata / f"{ROOT}.json").exists():
                raise EditionRefused(
                    Refusal.ROOT_MISSING,
                    "There is no trusted root to check editions with.",
                    mend="Get the root file from the hotline in person and name it: --root 1.root.json",
                )
            return None
        version = read_metadata(self._root, Root).signed.version
        kept = metadata / "root_history" / versioned_name(ROOT, version)
        if kept.exists() and kept.read_bytes() != self._root:
            raise EditionRefused(
                Refusal.ROOT_CHANGED,
                "This state began with another root than the one given now.",
                mend="If the hotline really began anew, use a new state folder.",
            )
        return self._root

    def _still_counts(self) -> bool:
        """Whether the edition in force is signed by keys that count today.

        Its number binds us only then: a thief who pushed it far ahead must not lock us out once his keys are revoked
        (the fast-forward attack; TUF specification, 5.3.11). Where nothing was kept to tell by, it counts.
        """
        try:
            accepted = read_metadata((self._state / ACCEPTED).read_bytes(), Targets)
        except (OSError, RepositoryError):
            return True
        return self._is_signed(accepted)

    def _is_signed(self, accepted: Metadata[Targets]) -> bool:
        """Whether the keys count today to which the newest root and its delegations lead."""
        kept = self._state / METADATA_FOLDER
        delegator: Root | Targets = read_metadata((kept / f"{ROOT}.json").read_bytes(), Root).signed
        if self._role != TARGETS:
            name = PARTNERS if self._sealed else TARGETS
            delegator = read_metadata((kept / f"{name}.json").read_bytes(), Targets).signed
        try:
            return delegator.get_verification_result(self._role, accepted.signed_bytes, accepted.signatures).verified
        except ValueError:  # nobody delegates to this role any more
            return False

    def _accepted_files(self) -> dict[str, TargetFile] | None:
        try:
            return read_metadata((self._state / ACCEPTED).read_bytes(), Targets).signed.targets
        except (OSError, RepositoryError):
            return None

    def _accept(self, signed: bytes) -> None:
        """Keep what was signed about the edition in force: to tell a rollback from a recovery."""
        path = self._state / ACCEPTED
        if not path.is_file() or path.read_bytes() != signed:
            write_atomically(path, signed)

    def _is_whole(self, number: int, targets: dict[str, TargetFile], signed: bytes) -> bool:
        """Whether the files in force are all there; bytes are compared once a process, sizes each time."""
        folder = self._folder(number)
        rebuilt = rebuilt_in(folder)
        targets = {name: _as_kept(target, rebuilt.get(name.removesuffix(SUFFIX))) for name, target in targets.items()}
        paths = {name: folder / name for name in targets}
        if not all(path.is_file() and path.stat().st_size == targets[name].length for name, path in paths.items()):
            return False
        if self._proven != signed and not all(_is_same(targets[name], path) for name, path in paths.items()):
            return False
        self._proven = signed
        return True

    def _fetch(self, updater: Updater, number: int, targets: dict[str, TargetFile]) -> None:
        """Download into a folder of its own; whole files that are there already are used."""
        part = self._part(number)
        part.mkdir(parents=True, exist_ok=True)
        for name, target in targets.items():
            path = part / name
            if updater.find_cached_target(target, str(path)) is None:
                updater.download_target(target, str(path))
            sync_file(path)
        sync_folder(part)

    def _prove(self, edition: Edition, number: int, now: datetime) -> None:
        """What the signature alone does not say: the number of the edition, and that it is not from the future."""
        if edition.number != number:
            raise EditionRefused(Refusal.METADATA, "The edition has another number than its signature.", where=MANIFEST_NAME)
        if edition.issued_at - now > CLOCK_TOLERANCE:
            raise EditionRefused(
                Refusal.CLOCK_SKEW,
                "The edition was issued in the future.",
                mend="Set the clock of this machine right; if it is right, tell the hotline.",
            )

    def _look_at_extras(self, part: Path, role: Targets) -> None:
        """What nobody can read must not come into force: after a restart there would be nothing to go back to."""
        if self._prove_extra is None or self._identity is None:
            return
        read = sealed_files(part, self._identity).read
        for name in self._extras_in(role):
            data = read(name, EXTRA_BYTES.value)
            try:
                self._prove_extra(name, data)
            except VigilError as error:
                raise EditionRefused(Refusal.VALUES, f"A further file cannot be used ({error.code}).", where=name) from error

    def _swap(self, number: int, signed: bytes) -> None:
        """Bring the edition into force: from the rename of ``current`` on, and not before."""
        folder = self._folder(number)
        if folder.exists():
            aside = folder.with_name(f"{PART}damaged-{number}")
            if aside.exists():  # from an attempt that a full disk or a power cut ended
                shutil.rmtree(aside)
            folder.rename(aside)
        self._part(number).rename(folder)
        sync_folder(folder.parent)
        for path in (self._state / METADATA_FOLDER).glob("*.json"):
            sync_file(path)
        link = self._state / f"{PART}{CURRENT}"
        link.unlink(missing_ok=True)
        link.symlink_to(Path(EDITIONS) / str(number))
        link.replace(self._state / CURRENT)
        sync_folder(self._state)
        self._accept(signed)
        self._proven = signed

    def _prune(self, number: int, before: int | None) -> None:
        """Keep the edition in force and the one before it; nothing else."""
        kept = {str(number), str(before)}
        for path in (self._state / EDITIONS).iterdir():
            if path.name not in kept:
                shutil.rmtree(path)

    def _folder(self, number: int) -> Path:
        return self._state / EDITIONS / str(number)

    def _part(self, number: int) -> Path:
        return self._state / EDITIONS / f"{PART}{number}"

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """python-tuf allows one client at a time in a state folder; the system drops the lock with the process."""
        (self._state / METADATA_FOLDER).mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self._state, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield
        except BlockingIOError as error:
            raise EditionUnreachable(
                Unreachable.STATE_BUSY,
                "Another process is pulling into this state folder.",
                mend="Give each node a state folder of its own.",
            ) from error
        finally:
            os.close(descriptor)

    @contextmanager
    def _errors(self, now: datetime) -> Iterator[None]:
        """Every error of python-tuf and of the system as one of ours, with a stable code."""
        try:
            yield
        except ExpiredMetadataError as error:
            raise self._expired(now) from error
        except RepositoryError as error:
            raise _refusal(error) from error
        except DownloadLengthMismatchError as error:
            raise EditionRefused(Refusal.LENGTH, f"The host sends more bytes than were signed. {error}.") from error
        except DownloadError as error:
            raise _unreachable(error) from error
        except OSError as error:
            raise EditionUnreachable(
                Unreachable.STATE_UNWRITABLE,
                "The state folder cannot be used.",
                where=error.strerror or type(error).__name__,
                mend="See that it is writable and that the disk is not full.",
            ) from error

    def _expired(self, now: datetime) -> EditionRefused:
        """Expired, or only thought to be: where the host's clock differs from ours, say so."""
        theirs = self._fetcher.server_time
        if theirs is not None and abs(theirs - now) > CLOCK_TOLERANCE:
            return EditionRefused(
                Refusal.CLOCK_SKEW,
                "The signatures look expired, and the clock of this machine differs from the host's by more than 5 minutes.",
                mend="Set the clock of this machine right.",
            )
        return EditionRefused(
            Refusal.EXPIRED,
            "The host was reached, but what it offers has expired: it may be holding newer editions back.",
            mend="Tell the hotline; the last good edition stays in force.",
        )


def number_in_force(state: Path) -> int | None:
    """The number of the edition in force in a client's state folder; None where there is none."""
    link = state / CURRENT
    try:
        number = link.readlink().name
    except OSError:
        return None
    return int(number) if number.isdecimal() and link.is_dir() else None


def _target(updater: Updater, path: str, name: str) -> TargetFile:
    """What was signed about a file, within our limits."""
    target = updater.get_targetinfo(path)
    if target is None and "/" in path and name == MANIFEST_NAME:
        raise EditionRefused(
            Refusal.WITHDRAWN,
            "The hotline does not offer this list or partner's copy, or does not any more.",
            where=path.rpartition("/")[0],
            mend="Ask the hotline; the last good edition stays in force.",
        )
    if target is None:
        raise EditionRefused(Refusal.MISSING, "The edition lacks a file that belongs to it.", where=name)
    if set(target.hashes) != {"sha256"} or not _DIGEST.match(target.hashes["sha256"]):
        raise EditionRefused(Refusal.METADATA, "A file was signed with another digest than SHA-256.", where=name)
    limit = MANIFEST_BYTES if name in (MANIFEST_NAME, KEYS_NAME) else EDITION_FILE_BYTES
    if target.length > sealed_bytes(limit.value):
        raise EditionRefused(Refusal.TOO_LARGE, "A file of the edition is larger than the limit.", where=name)
    return target


def _as_kept(target: TargetFile, stored: Stored | None) -> TargetFile:
    """What a file on disk is compared with: what was signed, or what was noted when it was put together."""
    return target if stored is None else TargetFile(stored.disk_bytes, {"sha256": stored.disk_sha256}, target.path)


def _is_same(target: TargetFile, path: Path) -> bool:
    try:
        with path.open("rb") as stream:
            target.verify_length_and_hashes(stream)
    except LengthOrHashMismatchError:
        return False
    return True


def _refusal(error: RepositoryError) -> EditionRefused:
    """The codes for what python-tuf found."""
    for kind, code, what in _FOUND:
        if isinstance(error, kind):
            return EditionRefused(code, what, mend="Tell the hotline; the last good edition stays in force.")
    return EditionRefused(Refusal.METADATA, "The signed metadata cannot be used.", mend="Tell the hotline.")


_FOUND: Final = (
    (BadVersionNumberError, Refusal.ROLLBACK, "The host offers something older than what was seen before."),
    (UnsignedMetadataError, Refusal.SIGNATURE, "The metadata lacks valid signatures of the keys it needs."),
    (LengthOrHashMismatchError, Refusal.DIGEST, "The bytes differ from what was signed."),
)


def _unreachable(error: DownloadError) -> EditionUnreachable:
    if isinstance(error, SlowRetrievalError):
        return EditionUnreachable(Unreachable.SLOW, "The host answers too slowly.", mend="It will be asked again.")
    if isinstance(error, DownloadHTTPError) and error.status_code in _NOT_ALLOWED:
        return EditionUnreachable(
            Unreachable.NOT_ALLOWED, "The host does not accept this node's token.", mend="Ask the hotline for a new token."
        )
    if isinstance(error, DownloadHTTPError):
        return EditionUnreachable(
            Unreachable.HTTP_ERROR,
            f"The host answered with status {error.status_code}.",
            mend="See that the address is that of an edition folder in which something was published.",
        )
    return EditionUnreachable(
        Unreachable.UNREACHABLE, "The host could not be reached, or the connection broke.", mend="It will be asked again."
    )
