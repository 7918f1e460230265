"""Getting one known picture again, for somebody who has to look: in memory, by the configured fetcher, dropped afterwards."""

from __future__ import annotations

import hashlib

from vigil.hotline.reports.captures import address_of
from vigil.hotline.reports.fetcher import PAGE_BYTES, PICTURE_BYTES, Address, Fetched, Fetcher, FetchError
from vigil.hotline.reports.models import Url
from vigil.hotline.reports.pictures import pictures_of


def picture_again(url: Url, sha256: str, fetcher: Fetcher) -> bytes | None:
    """The picture with that digest from a reported page; None where the page no longer shows that very file."""
    page = _fetched(address_of(url), fetcher, page=True)
    if page is None:
        return None
    if _is(page, sha256):
        return page.body
    addresses, _ = pictures_of(page.body, page.url)
    for address in addresses:
        answer = _fetched(address, fetcher)
        if answer is not None and _is(answer, sha256):
            return answer.body
    return None


def _fetched(address: Address, fetcher: Fetcher, *, page: bool = False) -> Fetched | None:
    try:
        answer = fetcher.fetch(address, PAGE_BYTES if page else PICTURE_BYTES)
    except FetchError:
        return None
    return answer if answer.status == 200 else None


def _is(answer: Fetched, sha256: str) -> bool:
    return hashlib.sha256(answer.body).hexdigest() == sha256
