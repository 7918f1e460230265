"""``edition.json``: what the edition says about itself. Read strictly, written in one way only."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

import msgspec

from vigil.base.clock import require_utc
from vigil.base.errors import InputError
from vigil.editions.limits import LISTS, MANIFEST_BYTES
from vigil.editions.model import AuditAnchor, ListInfo
from vigil.editions.refusal import EditionRefused, Refusal
from vigil.match.urls import HOST_KEY_BYTES, KEY_BYTES

FORMAT: Final = "vigil-edition"
SCHEMA: Final = 1
MANIFEST_NAME: Final = "edition.json"
PURPOSE: Final = (
    "For finding and blocking child sexual abuse material under an agreement with the issuing hotline. "
    "Any other use, and passing it on, is forbidden."
)


class _Part(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Unknown members are errors: what we do not understand we do not enforce."""


class DigestRule(_Part, frozen=True):
    """How keys were made. ``key_id`` names the key of a keyed digest; null: no key."""

    function: str
    key_bytes: int
    host_bytes: int
    key_id: str | None


def digest_rule(key_id: str | None) -> DigestRule:
    """The one rule of this format, under the secret key of that name, or under none."""
    return DigestRule("blake2b", KEY_BYTES, HOST_KEY_BYTES, key_id)


class ListMember(_Part, frozen=True):
    """A list; its place in the array is its number in the Parquet files."""

    name: str
    kind: str
    jurisdictions: tuple[str, ...]
    max_distance: int


class AlgorithmCount(_Part, frozen=True):
    """Rows of one algorithm, and the bytes of each of its values."""

    count: int
    bytes: int


class Counts(_Part, frozen=True):
    """Rows by scope and by algorithm; only those that occur."""

    scopes: dict[str, int]
    algorithms: dict[str, AlgorithmCount]


class Column(_Part, frozen=True):
    """A column of a Parquet file, by the name of its type in the specification."""

    name: str
    type: str


class FileMember(_Part, frozen=True):
    """A Parquet file of the edition."""

    rows: int
    bytes: int
    sha256: str
    columns: tuple[Column, ...]


class StateDigest(_Part, frozen=True):
    """Digest over the sorted rows themselves, whatever wrote the files."""

    function: str
    value: str


class AnchorMember(_Part, frozen=True):
    events: int
    head: str


class Manifest(_Part, frozen=True):
    """All of ``edition.json``; each member is explained in ``docs/spec/edition-format.md``."""

    format: str
    schema: int
    number: int
    previous: int | None
    issued_at: datetime
    valid_until: datetime
    hard_until: datetime
    canon: str
    digest: DigestRule
    lists: tuple[ListMember, ...]
    counts: Counts
    files: dict[str, FileMember]
    state: StateDigest
    audit: AnchorMember | None
    purpose: str

    def list_infos(self) -> tuple[ListInfo, ...]:
        """The lists, checked."""
        return tuple(ListInfo(x.name, x.kind, x.jurisdictions, x.max_distance) for x in self.lists)

    def anchor(self) -> AuditAnchor | None:
        return AuditAnchor(self.audit.events, self.audit.head) if self.audit else None


def encode_manifest(manifest: Manifest) -> bytes:
    """The one form of ``edition.json``: members sorted, one space of indent, UTF-8, a line feed at the end."""
    return msgspec.json.format(msgspec.json.encode(manifest, order="sorted"), indent=1) + b"\n"


def decode_manifest(data: bytes) -> Manifest:
    """Read ``edition.json``. Raises EditionRefused with code ``manifest``, ``too_large`` or ``schema``."""
    if len(data) > MANIFEST_BYTES.value:
        raise _refused("It is too large.", Refusal.TOO_LARGE)
    try:
        manifest = msgspec.json.decode(data, type=Manifest)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _refused(_newer_form(data) or "Its members are not as the format says.") from error
    if encode_manifest(manifest) != data:
        raise _refused("It is not written in the one form that the format allows.")
    _check(manifest)
    return manifest


def _newer_form(data: bytes) -> str:
    """A friendlier reason where only the version is to blame."""
    try:
        head = msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return ""
    newer = isinstance(head, dict) and isinstance(head.get("schema"), int) and head["schema"] > SCHEMA
    return "It has a newer schema than this software knows; install a newer Vigil." if newer else ""


def _check(manifest: Manifest) -> None:
    """What the types alone cannot say."""
    if manifest.format != FORMAT or manifest.schema != SCHEMA:
        raise _refused("It names another format or schema.")
    if manifest.number < 1 or (manifest.previous is not None and not 0 < manifest.previous < manifest.number):
        raise _refused("Its numbers do not rise.")
    _check_times(manifest)
    if len(manifest.lists) > LISTS.value or len({x.name for x in manifest.lists}) != len(manifest.lists):
        raise _refused("It names a list twice, or too many.")
    try:
        manifest.list_infos()
    except InputError as error:
        raise _refused("A list in it is described wrongly.") from error


def _check_times(manifest: Manifest) -> None:
    times = (manifest.issued_at, manifest.valid_until, manifest.hard_until)
    if any(x.tzinfo is None or x.utcoffset() != timedelta(0) or x.microsecond for x in times):
        raise _refused("Its times are not whole seconds in UTC.")
    if not times[0] < times[1] <= times[2]:
        raise _refused("Its times are not in order.")


def _refused(what: str, code: Refusal = Refusal.MANIFEST) -> EditionRefused:
    return EditionRefused(code, f"The manifest of the edition cannot be used. {what}", where=MANIFEST_NAME)


def whole_second(instant: datetime) -> datetime:
    """The instant in UTC without its fraction."""
    return require_utc(instant).replace(microsecond=0)
