"""The roles of an edition folder: how long each signature lives, how its files are called, how they are read.

The rules are those of The Update Framework; python-tuf does the work. Here stand only our choices. Beside TUF's four roles:

    list-NAME     one list, under ``lists/NAME/``; delegated by targets to the same keys
    partners      names the partners; delegated by targets to the build's key, so that one person can end a delegation
    partner-ID    what one partner gets, under ``partners/ID/``; delegated by partners to a key of its own
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final, TypeVar

from tuf.api.metadata import Metadata, Root, Snapshot, Targets, Timestamp
from tuf.api.serialization import DeserializationError
from tuf.api.serialization.json import JSONSerializer

from vigil.base.clock import require_utc
from vigil.base.errors import InputError
from vigil.base.limits import METADATA_BYTES

ROOT: Final = Root.type
TARGETS: Final = Targets.type
SNAPSHOT: Final = Snapshot.type
TIMESTAMP: Final = Timestamp.type

LIFETIME: Final[dict[str, timedelta]] = {
    ROOT: timedelta(days=365),
    TARGETS: timedelta(days=30),
    SNAPSHOT: timedelta(days=3),
    TIMESTAMP: timedelta(hours=24),
}
DELEGATED_LIFETIME: Final = timedelta(days=7)
ROOT_KEYS: Final = 3
ROOT_THRESHOLD: Final = 2
TARGETS_THRESHOLD: Final = 2  # the build and the person who releases

METADATA_FOLDER: Final = "metadata"
TARGETS_FOLDER: Final = "targets"
TIMESTAMP_NAME: Final = "timestamp.json"

PARTNERS: Final = "partners"
LIST_PREFIX: Final = "list-"
PARTNER_PREFIX: Final = "partner-"

_BRANCH = re.compile(r"(list)-([a-z0-9][a-z0-9_.-]{0,63})\Z|(partner)-([a-z0-9][a-z0-9-]{0,31})\Z")
_VERSIONED = re.compile(
    r"([1-9][0-9]{0,18})\.(root|targets|snapshot|partners|(?:list|partner)-[a-z0-9][a-z0-9_.-]{0,63})\.json\Z"
)

T = TypeVar("T", Root, Timestamp, Snapshot, Targets)


def expiry(role: str, now: datetime) -> datetime:
    """When a signature made now for ``role`` runs out."""
    return require_utc(now) + LIFETIME.get(role, DELEGATED_LIFETIME)


def branch_path(role: str) -> str:
    """The folder of a role's targets, ending in ``/``: ``lists/NAME/`` or ``partners/ID/``; empty for targets itself.

    Raises InputError ``branch_name`` for what is no role of a list or partner.
    """
    if role == TARGETS:
        return ""
    found = _BRANCH.match(role)
    if not found:
        raise InputError(
            "branch_name",
            "A list or partner has a name that no folder can have.",
            mend="Use small letters, digits and dashes for partners; for lists also dots and underscores, no colon.",
        )
    return f"{found[1] or found[3]}s/{found[2] or found[4]}/"


def role_of(part: str) -> str:
    """The role behind what a client is told to follow: empty for the whole edition, ``lists/NAME``, ``partners/ID``."""
    kind, _, name = part.partition("/")
    role = {"lists": LIST_PREFIX, "partners": PARTNER_PREFIX}.get(kind, "?") + name if part else TARGETS
    branch_path(role)
    return role


def versioned_name(role: str, version: int) -> str:
    """The file of one version of a role, e.g. ``7.targets.json``."""
    return f"{version}.{role}.json"


def version_in(name: str) -> tuple[str, int] | None:
    """Role and version from a file's name; None for any other name."""
    found = _VERSIONED.match(name)
    return (found[2], int(found[1])) if found else None


def versions_on_disk(folder: Path, role: str) -> list[int]:
    """The versions of a role that have a file in ``folder``, rising."""
    found = (version_in(path.name) for path in folder.glob(f"*.{role}.json"))
    return sorted(version for each in found if each is not None for version in each[1:])


def target_name(name: str, sha256: str) -> str:
    """The file of a target in ``targets/``: its digest stands before its name, so that editions do not collide."""
    folder, slash, base = name.rpartition("/")
    return f"{folder}{slash}{sha256}.{base}"


def canonical_bytes(metadata: Metadata[Any]) -> bytes:
    """The one form in which we write signed metadata: compact JSON, members sorted, signatures by key."""
    metadata.signatures = dict(sorted(metadata.signatures.items()))
    return JSONSerializer(compact=True).serialize(metadata)


def read_metadata(data: bytes, kind: type[T]) -> Metadata[T]:
    """Signed metadata of one kind; nothing is verified. Raises DeserializationError."""
    if len(data) > METADATA_BYTES.value:
        raise DeserializationError("metadata is too large")
    metadata = Metadata[T].from_bytes(data)
    if not isinstance(metadata.signed, kind):
        raise DeserializationError("metadata of another role")
    return metadata


def is_canonical(metadata: Metadata[Any], data: bytes) -> bool:
    """True where ``data`` is exactly what we would write, in lower-case hex and with nothing unsigned beside it."""
    lower = all(each.signature == each.signature.lower() for each in metadata.signatures.values())
    return lower and not metadata.unrecognized_fields and canonical_bytes(metadata) == data
