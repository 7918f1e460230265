"""What a list or a partner gets of its own beside the whole edition, and the deltas between two editions.

The same edition leaves the house in three forms, each described by a TUF role of its own:

    targets        the whole edition, as it always was
    list-NAME      one list alone, plain, under ``lists/NAME/``
    partner-ID     what was agreed with a partner, digested under its own key and encrypted for it, under ``partners/ID/``
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tuf.api.metadata import TargetFile, Targets

from vigil.base.errors import InputError, VigilError
from vigil.base.files import write_atomically
from vigil.base.limits import EDITION_FILE_BYTES
from vigil.editions.build import BuiltEdition, build_edition
from vigil.editions.cipher import KEYS_NAME, SUFFIX, encrypt
from vigil.editions.delta import delta_name, make_delta, steps_of
from vigil.editions.folder import Reader, plain_files
from vigil.editions.limits import DELTA_BYTES, DELTAS
from vigil.editions.load import read_tables
from vigil.editions.manifest import MANIFEST_NAME
from vigil.editions.model import EditionContents, Secret
from vigil.editions.partners import PartnerKeys
from vigil.editions.roles import LIST_PREFIX, PARTNER_PREFIX, branch_path
from vigil.editions.wire import COLUMNS

_EXTRA: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}\.(?:parquet|json)\Z")


@dataclass(frozen=True, slots=True)
class Share:
    """What one partner gets.

    ``partner``    the name of the partner in public metadata: small letters, digits, dashes; better not a company's name
    ``contents``   its lists and entries, canaries included, absences left out
    ``recipient``  its public key (``age1…``)
    ``extra``      further files by name, encrypted and signed beside the edition
    ``ended``      public keys it had before that must not read this edition; another one that was replaced reads for 48 hours
    """

    partner: str
    contents: EditionContents
    recipient: str
    extra: Mapping[str, bytes] = field(default_factory=dict)
    ended: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class ListShare:
    """One list alone."""

    name: str
    contents: EditionContents


def shares_by_list(contents: EditionContents) -> tuple[ListShare, ...]:
    """Each list of ``contents`` as a share of its own."""
    return tuple(
        ListShare(
            info.name,
            EditionContents(
                (info,),
                tuple(entry for entry in contents.urls if entry.list == info.name),
                tuple(entry for entry in contents.hashes if entry.list == info.name),
                contents.audit,
            ),
        )
        for info in contents.lists
    )


@dataclass(frozen=True, slots=True)
class Branch:
    """One role's description of its files, not yet signed, and those of the files that the folder does not have.

    ``plain``: the files before encryption, to be kept for the next delta; None where the folder itself has them plain.
    """

    role: str
    targets: Targets
    files: Mapping[str, bytes]
    plain: Mapping[str, bytes] | None = None


def whole_branch(built: BuiltEdition, before: Targets | None, read: Reader | None, targets: Targets) -> Branch:
    """The whole edition. ``before`` and ``read``: what was signed last for the same role, and its files."""
    return _branch("", built.files, _delta(built, before, read), before, targets)


def list_branch(share: ListShare, like: BuiltEdition, before: Targets | None, read: Reader | None, targets: Targets) -> Branch:
    """One list alone, as of the edition ``like``."""
    role = LIST_PREFIX + share.name
    built = _built(share.contents, like, before)
    return _branch(role, built.files, _delta(built, before, read), before, targets)


def partner_branch(
    share: Share, like: BuiltEdition, keys: PartnerKeys, before: Targets | None, workshop: Path | None, targets: Targets
) -> Branch:
    """A partner's copy: digested under its key, encrypted for its recipients."""
    role = PARTNER_PREFIX + share.partner
    if not all(map(_EXTRA.match, share.extra)) or {*share.extra} & {KEYS_NAME, MANIFEST_NAME, *COLUMNS}:
        raise InputError("extra_name", "A further file for a partner has a name that it cannot have.", where=role)
    built = _built(share.contents, like, before, keys)
    read = plain_files(workshop / share.partner) if workshop and before else None
    delta = _delta(built, before, read, {keys.digest_key.key_id: keys.digest_key.secret})
    plain = {**built.files, **share.extra, KEYS_NAME: keys.keys_file()}
    sealed = {name + SUFFIX: encrypt(data, keys.recipients) for name, data in plain.items()}
    delta = {name + SUFFIX: encrypt(data, keys.recipients) for name, data in delta.items()}
    branch = _branch(role, sealed, delta, before, targets)
    return Branch(role, branch.targets, branch.files, built.files)


def keep_plain(role: str, plain: Mapping[str, bytes] | None, workshop: Path | None) -> None:
    """Keep the plain files of a partner's copy for the next delta; the manifest last, because it says that they are whole."""
    if workshop is None or plain is None:
        return
    folder = workshop / role.removeprefix(PARTNER_PREFIX)
    for each in (workshop, folder):
        each.mkdir(mode=0o700, exist_ok=True)
    for name in sorted(plain, key=lambda name: name == MANIFEST_NAME):
        write_atomically(folder / name, plain[name], mode=0o600)


def _built(
    contents: EditionContents, like: BuiltEdition, before: Targets | None, keys: PartnerKeys | None = None
) -> BuiltEdition:
    """An edition of these contents with the number and the times of another one."""
    manifest = like.manifest
    hours = [int((until - manifest.issued_at).total_seconds()) // 3600 for until in (manifest.valid_until, manifest.hard_until)]
    return build_edition(
        contents,
        number=like.number,
        previous=before.version if before else None,
        issued_at=manifest.issued_at,
        valid_hours=hours[0],
        hard_hours=hours[1],
        digest_key=keys.digest_key if keys else None,
    )


def _branch(
    role: str, files: Mapping[str, bytes], delta: Mapping[str, bytes], before: Targets | None, targets: Targets
) -> Branch:
    """Describe files and delta in ``targets``, with the deltas of earlier editions where the chain goes on."""
    path = branch_path(role) if role else ""
    new = {path + name: data for name, data in {**files, **delta}.items()}
    for name, data in sorted(new.items()):
        targets.targets[name] = TargetFile.from_data(name, data, ["sha256"])
    if delta and before is not None:
        targets.targets.update(_carried(before, path))
    return Branch(role or targets.type, targets, new)


def _carried(before: Targets, path: str) -> dict[str, TargetFile]:
    """The deltas that led to the edition before, the newest ones, as many as a chain may have beside the new one."""
    found = {}
    for name, target in before.targets.items():
        steps = steps_of(name.removeprefix(path).removesuffix(SUFFIX))
        if steps is not None:
            found[steps] = (name, target)
    chain, end = [], before.version
    for steps in sorted(found, reverse=True):
        if steps[1] == end:
            chain.append(found[steps])
            end = steps[0]
    return dict(chain[: DELTAS.value - 1])


def _delta(
    built: BuiltEdition, before: Targets | None, read: Reader | None, keys: Mapping[str, Secret] | None = None
) -> dict[str, bytes]:
    """The delta from the edition before; none where there was none, where it would save little, or where it cannot be made.

    Nothing is lost without one: nodes then fetch the whole edition.
    """
    if before is None or read is None:
        return {}
    try:
        manifest, old = read_tables(read, keys or {})
        _, new = read_tables(_reader_of(built), keys or {})
    except VigilError:
        return {}
    if manifest.number != before.version or manifest.digest != built.manifest.digest:
        return {}
    data = make_delta(old, new)
    whole = sum(len(built.files[name]) for name in COLUMNS)
    return {delta_name(before.version, built.number): data} if 2 * len(data) < min(whole, DELTA_BYTES.value) else {}


def _reader_of(built: BuiltEdition) -> Reader:
    return lambda name, limit: built.files[name][: min(limit, EDITION_FILE_BYTES.value) + 1]
