"""What every export takes and gives: an occasion, files, and a report of what the format could not say."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final, TypeVar

from vigil.base.clock import require_utc, text_of
from vigil.base.errors import InputError
from vigil.editions.model import EditionContents, HashEntry, ListInfo, UrlEntry
from vigil.match.urls import EntryFlag, Scope, require_entry

Entry = UrlEntry | HashEntry
_E = TypeVar("_E", UrlEntry, HashEntry)
SCHEME_OR_PORT: Final = EntryFlag.SCHEME_EXACT | EntryFlag.PORT_EXACT


class Reason(StrEnum):
    """Why an entry, or part of what it covers, is missing from an export. Part of the public contract."""

    ANY_QUERY = "any_query"
    ANY_SPELLING = "any_spelling"
    CONTROL_CHARACTER = "control_character"
    DISTANCE = "distance"
    HASH = "hash"
    HASH_TYPE = "hash_type"
    HOST_ONLY_SKIPPED = "host_only_skipped"
    IP_ADDRESS = "ip_address"
    KEYWORD = "keyword"
    NAMES_BELOW = "names_below"
    NAME_CHARACTERS = "name_characters"
    NAME_TOO_LONG = "name_too_long"
    NARROWER_THAN_HOST = "narrower_than_host"
    NO_ADDRESSES = "no_addresses"
    PREFIX_TOO_DEEP = "prefix_too_deep"
    QUERY_SET = "query_set"
    SCHEME = "scheme"
    SCHEME_OR_PORT = "scheme_or_port"
    TOO_LONG = "too_long"
    VALUE_UNSAFE = "value_unsafe"
    WOULD_WIDEN = "would_widen"


@dataclass(frozen=True, slots=True, order=True)
class Leftover:
    """One entry that is not in the export, or with ``partly`` only in a narrower form. Never says what it holds."""

    list: str
    entry: int
    reason: Reason
    partly: bool = False


@dataclass(frozen=True, slots=True)
class Occasion:
    """``number`` of the edition, 1 … 2**32-1; ``at`` the instant of the export, from which expiry is judged.

    ``before`` are the contents of the export before this one, for formats whose readers collect: what is missing
    now is withdrawn there. Other formats are replaced whole and do not look at it.
    """

    number: int
    at: datetime
    before: EditionContents | None = None

    def __post_init__(self) -> None:
        require_utc(self.at)
        if not 0 < self.number < 2**32:
            raise InputError("number_range", "The number of an edition must be 1 to 4294967295.")


@dataclass(frozen=True, slots=True)
class Exported:
    """``files`` by relative name; ``left`` sorted.

    ``first_expiry``  earliest expiry of an entry, where the format cannot carry it: export again by then.
    """

    files: dict[str, bytes]
    left: tuple[Leftover, ...]
    first_expiry: datetime | None = None


@dataclass(frozen=True, slots=True)
class Format:
    """One format of the registry. ``carries_expiry``: entries end by themselves at the reader."""

    name: str
    title: str
    write: Callable[[EditionContents, Occasion], tuple[dict[str, bytes], list[Leftover]]]
    carries_expiry: bool = False


def alive(contents: EditionContents, at: datetime) -> EditionContents:
    """The contents in their one order, without what has expired at ``at``.

    Raises InputError for entries that no edition would take either; the text names list and number only.
    """
    places = {info.name: place for place, info in enumerate(contents.lists)}
    return EditionContents(
        contents.lists,
        tuple(sorted(set(map(_checked, _living(contents.urls, at))), key=lambda each: (*_place(each, places), _url_key(each)))),
        tuple(sorted(set(_living(contents.hashes, at)), key=lambda each: (*_place(each, places), each.algorithm, each.value))),
        contents.audit,
    )


def by_list(contents: EditionContents) -> list[tuple[ListInfo, list[Entry]]]:
    """Each list with its addresses, then its hashes, in their order."""
    found: dict[str, list[Entry]] = {info.name: [] for info in contents.lists}
    entries: tuple[Entry, ...] = (*contents.urls, *contents.hashes)
    for entry in entries:
        found[entry.list].append(entry)
    return [(info, found[info.name]) for info in contents.lists]


def left(entry: Entry, reason: Reason, *, partly: bool = False) -> Leftover:
    """The report line of an entry."""
    return Leftover(entry.list, entry.entry, reason, partly)


def hashes_left(contents: EditionContents) -> list[Leftover]:
    """For formats that hold addresses only."""
    return [left(entry, Reason.HASH) for entry in contents.hashes]


def leftovers_csv(missing: Iterable[Leftover]) -> bytes:
    """The report as CSV: list, entry, reason, and whether the entry is there in part."""
    rows = "".join(f"{x.list},{x.entry},{x.reason.value},{'partly' if x.partly else 'whole'}\r\n" for x in missing)
    return b"list,entry,reason,missing\r\n" + rows.encode("ascii")


def first_expiry(contents: EditionContents) -> datetime | None:
    """The earliest expiry among the entries; None where none expires."""
    entries: tuple[Entry, ...] = (*contents.urls, *contents.hashes)
    return min((entry.expires for entry in entries if entry.expires is not None), default=None)


def header(occasion: Occasion, mark: str, *lines: str) -> str:
    """Comment lines that begin a text file."""
    said = (f"Vigil export of edition {occasion.number}, {text_of(occasion.at)}. Confidential: do not pass on.", *lines)
    return "".join(f"{mark} {line}\n" for line in said)


def _living(entries: Iterable[_E], at: datetime) -> list[_E]:
    return [entry for entry in entries if entry.expires is None or require_utc(entry.expires) > at]


def _checked(entry: UrlEntry) -> UrlEntry:
    try:
        require_entry(entry.scope, entry.url)
    except InputError as error:
        raise InputError(error.code, error.what, where=f"entry {entry.entry}", mend=error.mend) from None
    return entry


def _place(entry: Entry, places: dict[str, int]) -> tuple[int, int]:
    if entry.list not in places:
        raise InputError("list_unknown", "An entry names a list that is not there.", where=f"entry {entry.entry}")
    return places[entry.list], entry.entry


def _url_key(entry: UrlEntry) -> tuple[Scope, int, str, tuple[str, ...], str]:
    return entry.scope, int(entry.flags), entry.url.text(), entry.labels, str(entry.expires)
