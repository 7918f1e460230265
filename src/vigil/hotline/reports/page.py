"""One look at a page and its pictures: everything in memory, hashed, dropped. Pure but for the fetcher it is handed."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from vigil.hotline.reports.fetcher import (
    PAGE_BYTES,
    PICTURE_BYTES,
    Address,
    Fetched,
    Fetcher,
    FetchError,
)
from vigil.hotline.reports.pictures import pictures_of
from vigil.media.model import ImageHashes, Unhashable

Hasher = Callable[[bytes], ImageHashes | Unhashable]

_HTML: Final = ("text/html", "application/xhtml+xml", "")


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture that was seen: its hashes (or why it has none), size in bytes, declared type."""

    hashes: ImageHashes | Unhashable
    size: int
    declared_type: str


@dataclass(frozen=True, slots=True)
class Trail:
    """How to come to a page: pages to visit first, each with the referrer to send, and the referrer for the page itself."""

    before: tuple[tuple[Address, str], ...] = ()
    referrer: str = ""


@dataclass(frozen=True, slots=True)
class Look:
    """What one visit found. ``failed`` counts pictures that could not be fetched or were not there.

    ``page`` is the answer itself, for whoever may record it; nothing else keeps its bytes.
    """

    status: int
    sha256: str
    size: int
    pictures: tuple[Picture, ...]
    found: int
    failed: int
    left_out: int
    page: Fetched | None = None


def look_at(
    url: Address, fetcher: Fetcher, hash_image: Hasher, progress: Callable[[], None], trail: Trail = Trail()
) -> Look:
    """Fetch ``url`` and its pictures and hash them; raises FetchError where the page itself cannot be had.

    ``progress`` is called before each request, so that a run can say that it is alive or stop.
    """
    for address, referrer in trail.before:
        fetcher.fetch(address, PAGE_BYTES, referrer)
        progress()
    page = fetcher.fetch(url, PAGE_BYTES, trail.referrer) if trail.referrer else fetcher.fetch(url, PAGE_BYTES)
    comes_from = page.url.text() if trail != Trail() else ""
    if page.status == 200 and _type_of(page).startswith("image/"):
        return _look(page, [_picture(page, hash_image)], 1, 0)
    if page.status != 200 or _type_of(page) not in _HTML:
        return _look(page, [], 0, 0)
    addresses, left_out = pictures_of(page.body, page.url)
    pictures = []
    for address in addresses:
        progress()
        picture = _fetch_picture(address, fetcher, hash_image, comes_from)
        if picture is not None:
            pictures.append(picture)
    return _look(page, pictures, len(addresses), left_out)


def _fetch_picture(address: Address, fetcher: Fetcher, hash_image: Hasher, referrer: str) -> Picture | None:
    try:
        answer = fetcher.fetch(address, PICTURE_BYTES, referrer) if referrer else fetcher.fetch(address, PICTURE_BYTES)
    except FetchError:
        return None
    if answer.status != 200 or not answer.body or _type_of(answer) in _HTML[:2]:
        return None
    return _picture(answer, hash_image)


def _picture(answer: Fetched, hash_image: Hasher) -> Picture:
    return Picture(hash_image(answer.body), len(answer.body), _type_of(answer))


def _look(page: Fetched, pictures: list[Picture], found: int, left_out: int) -> Look:
    return Look(
        status=page.status,
        sha256=hashlib.sha256(page.body).hexdigest(),
        size=len(page.body),
        pictures=tuple(pictures),
        found=found,
        failed=found - len(pictures),
        left_out=left_out,
        page=page,
    )


def _type_of(answer: Fetched) -> str:
    return answer.declared_type.partition(";")[0].strip().lower()
