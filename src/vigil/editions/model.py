"""What an edition holds: lists, and entries for addresses and for hashes.

Entries are values; their meaning is in ``docs/spec/edition-format.md``. Columns are the same entries as NumPy
arrays, the form in which an edition is read.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

import numpy as np
import numpy.typing as npt

from vigil.base.errors import InputError
from vigil.base.redaction import Sealed
from vigil.editions.limits import JURISDICTIONS, LABELS, NAME_BYTES
from vigil.match.urls import CanonicalUrl, EntryFlag, Scope

LARGEST_ENTRY: Final = 2**63 - 1
LARGEST_DISTANCE: Final = 31
ALL_FLAGS: Final = sum(flag.value for flag in EntryFlag)

_NAME = re.compile(r"[a-z0-9][a-z0-9_.:-]{0,63}\Z")
_JURISDICTION = re.compile(r"[A-Z]{2}(-[A-Z0-9]{1,3})?\Z")


class Secret(Sealed[bytes]):
    """The bytes of a secret key; never shown, never logged."""


@dataclass(frozen=True, slots=True)
class DigestKey:
    """The secret key under which the addresses of a partner's copy were digested. ``key_id`` is its public name."""

    key_id: str
    secret: Secret


class ListKind(StrEnum):
    """Kinds of list (``list_kind`` of the data model); ``test`` holds benign entries by which deployers prove their blocks."""

    URL = "url"
    HASH_CSAM = "hash_csam"
    HASH_AI = "hash_ai"
    HASH_NP = "hash_np"
    HASH_EXPLOITATIVE = "hash_exploitative"
    KEYWORD = "keyword"
    NP_URL = "np_url"
    DOMAIN = "domain"
    TLD_HOP = "tld_hop"
    PAYMENT = "payment"
    BANK = "bank"  # a platform's own, for its own nodes; the list office puts none into an edition
    TEST = "test"


def require_name(text: str, what: str) -> str:
    """A short name of lower-case letters, digits and ``_.:-``; anything else is refused."""
    if not _NAME.match(text):
        raise InputError(
            "name_malformed",
            f"The name of a {what} is not usable.",
            where=what,
            mend=f"Use up to {NAME_BYTES.value} lower-case letters, digits and _.:- and begin with a letter or digit.",
        )
    return text


@dataclass(frozen=True, slots=True)
class ListInfo:
    """A list inside an edition. ``kind`` is a :class:`ListKind`; ``max_distance`` in bits, for perceptual hashes."""

    name: str
    kind: str
    jurisdictions: tuple[str, ...] = ()
    max_distance: int = LARGEST_DISTANCE

    def __post_init__(self) -> None:
        require_name(self.name, "list")
        if self.kind not in ListKind._value2member_map_:
            raise InputError("list_kind_unknown", "A list has a kind that does not exist.", where=self.name)
        if not 0 <= self.max_distance <= LARGEST_DISTANCE:
            raise InputError("distance_range", f"max_distance must be 0 to {LARGEST_DISTANCE} bits.", where=self.name)
        if len(self.jurisdictions) > JURISDICTIONS.value or not all(map(_JURISDICTION.match, self.jurisdictions)):
            raise InputError(
                "jurisdiction_malformed",
                "A jurisdiction is not an ISO 3166 code.",
                where=self.name,
                mend="Write codes such as NL or US-CA.",
            )


def require_labels(labels: tuple[str, ...]) -> tuple[str, ...]:
    """The labels sorted and without doubles; malformed ones and floods are refused."""
    if len(labels) > LABELS.value:
        raise InputError("labels_many", f"An entry has more than {LABELS.value} labels.", where="labels")
    return tuple(sorted({require_name(label, "label") for label in labels}))


@dataclass(frozen=True, slots=True)
class UrlEntry:
    """One address on one list.

    ``entry``    number of the entry, the same in all editions; 0 … 2**63-1
    ``list``     name of the list
    ``expires``  instant from which it stops matching by itself; None: never
    """

    entry: int
    list: str
    url: CanonicalUrl
    scope: Scope
    flags: EntryFlag = EntryFlag.NONE
    labels: tuple[str, ...] = ()
    expires: datetime | None = None


@dataclass(frozen=True, slots=True)
class HashEntry:
    """One hash value on one list; ``algorithm`` is a name of :data:`vigil.match.hashing.ALGORITHMS` or an opaque one."""

    entry: int
    list: str
    algorithm: str
    value: bytes
    labels: tuple[str, ...] = ()
    expires: datetime | None = None


@dataclass(frozen=True, slots=True)
class AuditAnchor:
    """The state of the hotline's chained log when the edition was built: ``events`` rows, ending in digest ``head`` (hex)."""

    events: int
    head: str


@dataclass(frozen=True, slots=True)
class EditionContents:
    """Everything an edition is built from. The order of ``lists`` is the order in which hits are reported."""

    lists: tuple[ListInfo, ...]
    urls: tuple[UrlEntry, ...] = ()
    hashes: tuple[HashEntry, ...] = ()
    audit: AuditAnchor | None = None


@dataclass(frozen=True, slots=True)
class LabelColumn:
    """Labels of n rows: ``codes`` (n,) int32 are positions in ``sets``."""

    codes: npt.NDArray[np.int32]
    sets: tuple[tuple[str, ...], ...]

    def of(self, row: int) -> tuple[str, ...]:
        """The labels of one row."""
        return self.sets[int(self.codes[row])]


@dataclass(frozen=True, slots=True)
class UrlColumns:
    """What :meth:`vigil.match.index.url.UrlIndex.from_columns` takes: the n rows of ``urls.parquet``, sorted by key, list, entry.

    ``keys``     (n, 16) uint8
    ``scopes``   (n,) uint8, positions in :data:`vigil.match.urls.SCOPES`
    ``flags``    (n,) uint16, :class:`vigil.match.urls.EntryFlag`
    ``ports``    (n,) uint16, 0 = any
    ``schemes``  (n,) uint8, positions in :data:`vigil.match.index.url.SCHEMES`, 0 = any
    ``entries``  (n,) uint64
    ``lists``    (n,) uint16, positions in the edition's lists
    ``expires``  (n,) int64 Unix seconds, 0 = never
    """

    keys: npt.NDArray[np.uint8]
    scopes: npt.NDArray[np.uint8]
    flags: npt.NDArray[np.uint16]
    ports: npt.NDArray[np.uint16]
    schemes: npt.NDArray[np.uint8]
    entries: npt.NDArray[np.uint64]
    lists: npt.NDArray[np.uint16]
    expires: npt.NDArray[np.int64]
    labels: LabelColumn


@dataclass(frozen=True, slots=True)
class HostColumns:
    """The rows of ``hosts.parquet``, sorted: ``keys`` (n, 8) uint8 and ``max_depth`` (n,) uint8 path components."""

    keys: npt.NDArray[np.uint8]
    max_depth: npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class HashColumns:
    """The n rows of one algorithm, sorted by value, list, entry: ``values`` (n, size) uint8; the rest as :class:`UrlColumns`."""

    values: npt.NDArray[np.uint8]
    entries: npt.NDArray[np.uint64]
    lists: npt.NDArray[np.uint16]
    expires: npt.NDArray[np.int64]
    labels: LabelColumn


@dataclass(frozen=True, slots=True)
class Edition:
    """An edition that was read and found sound. ``hashes`` is keyed by algorithm; ``digest_key`` is None for plain digests."""

    number: int
    previous: int | None
    issued_at: datetime
    valid_until: datetime
    hard_until: datetime
    canon: str
    lists: tuple[ListInfo, ...]
    audit: AuditAnchor | None
    urls: UrlColumns
    hosts: HostColumns
    hashes: dict[str, HashColumns]
    digest_key: DigestKey | None = None
