"""What a report names: addresses, files by their hashes, apps and accounts. Pure but for the keyed digests."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from vigil.base.errors import InputError
from vigil.base.limits import Limit
from vigil.hotline.access.sealing import SealedText, matching_digest
from vigil.hotline.reports.addresses import URL_PURPOSE, Reading, read_address
from vigil.hotline.reports.enumerations import HEX_DIGITS, HashAlgorithm, SubmissionType
from vigil.hotline.reports.limits import ADDRESS_CHARACTERS
from vigil.match.urls import CanonicalUrl

FILE_PURPOSE: Final = "file"
ITEMS: Final = Limit(100, "items", "one report names some things; more are more reports")
NAME_CHARACTERS: Final = Limit(400, "characters", "the name of an app and of a character or account in it")


@dataclass(frozen=True, slots=True, repr=False)
class Item:
    """One thing handed over, exactly as received. ``algorithm`` is given for hashes."""

    type: SubmissionType
    raw: str
    algorithm: HashAlgorithm | None = None


@dataclass(frozen=True, slots=True, repr=False)
class Named:
    """An item as it was read: ``reading`` of an address, with its ``url_digest`` where it can be read; ``digest`` by which
    another report of the same file is found; ``raw`` is the text as received, sealed once however often it is kept."""

    item: Item
    raw: SealedText
    reading: Reading | None = None
    digest: str = ""
    url_digest: str = ""


def file_item(algorithm: HashAlgorithm, value: str) -> Item:
    """The item of a file known by one of its hashes, in hex of any case."""
    return Item(SubmissionType.HASH, value.strip().lower(), algorithm)


def named(item: Item) -> Named:
    """What ``item`` names. Raises InputError for a hash that is none and for what is too long; addresses are never refused."""
    if item.type is SubmissionType.HASH:
        return Named(item, SealedText(item.raw), digest=_digest(item))
    limit = ADDRESS_CHARACTERS if item.type is SubmissionType.URL else NAME_CHARACTERS
    if len(item.raw) > limit.value:
        raise InputError(
            "too_long", f"The text has more than {limit.value} {limit.unit}.",
            where="address" if item.type is SubmissionType.URL else item.type.value, mend="Shorten it.",
        )  # fmt: skip
    if item.type is not SubmissionType.URL:
        return Named(item, SealedText(item.raw))
    reading = read_address(item.raw)
    return Named(item, SealedText(item.raw), reading, url_digest="" if reading.url is None else url_digest(reading.url))


def url_digest(url: CanonicalUrl) -> str:
    """The keyed digest by which two reports of the same address meet."""
    return matching_digest(URL_PURPOSE, url.text())


def _digest(item: Item) -> str:
    algorithm = item.algorithm
    if algorithm is None or len(item.raw) != HEX_DIGITS[algorithm] or set(item.raw) - set("0123456789abcdef"):
        where = algorithm.value if algorithm else "hash"
        raise InputError("hash_malformed", "This is no hash of that kind.", where=where, mend="Give it in hex, whole.")
    return matching_digest(FILE_PURPOSE, f"{algorithm}:{item.raw}")
