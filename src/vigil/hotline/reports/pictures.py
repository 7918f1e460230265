"""Where the pictures of a page are: a bounded reading of hostile HTML.

Tags are cut out by an expression that cannot backtrack, each of bounded length; only the attributes of one
tag at a time are handed to ``html.parser``. So the time is linear in the size of the page, whatever it holds.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Final
from urllib.parse import urljoin, urlsplit

from vigil.base.limits import Limit
from vigil.hotline.reports.fetcher import Address, FetchError, fetchable

READ_BYTES: Final = Limit(2 * 1024 * 1024, "bytes", "pictures are looked for in its first part")
PICTURES: Final = Limit(50, "pictures", "one page must not keep the worker busy for an hour")

_TAG: Final = re.compile(
    rb"""<(?:img|a|base)\s(?:[^<>"']{1,4096}+|"[^"]{0,4096}+"|'[^']{0,4096}+'){0,48}+>""", re.IGNORECASE
)
_PICTURE_NAMES: Final = (
    ".jpg", ".jpeg", ".png", ".gif", ".webp", ".bmp", ".tif", ".tiff", ".heic", ".heif", ".avif",
)  # fmt: skip


class _Attributes(HTMLParser):
    """The attributes of the one tag it is fed."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.tag = ""
        self.values: dict[str, str] = {}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tag = tag
        self.values = {name: value for name, value in reversed(attrs) if value is not None}


def pictures_of(page: bytes, url: Address) -> tuple[list[Address], int]:
    """Addresses of the pictures a page shows or links to, in order, each once; and how many were left out.

    At most ``PICTURES``; left out are those beyond, and addresses that cannot be fetched.
    """
    found: dict[Address, None] = {}
    left_out = 0
    for reference in _references(page, url.text()):
        try:
            address = fetchable(reference)
        except FetchError:
            left_out += 1
            continue
        if len(found) >= PICTURES.value and address not in found:
            left_out += 1
            continue
        found[address] = None
    return list(found), left_out


def _references(page: bytes, base: str) -> Iterator[str]:
    for match in _TAG.finditer(page[: READ_BYTES.value]):
        tag, values = _attributes(match[0])
        if tag == "base" and "href" in values:
            base = _joined(base, values["href"])
        elif tag == "img" and values.get("src"):
            yield _joined(base, values["src"])
        elif tag == "a" and _names_picture(values.get("href", "")):
            yield _joined(base, values["href"])


def _attributes(tag: bytes) -> tuple[str, dict[str, str]]:
    parser = _Attributes()
    parser.feed(tag.decode("utf-8", "replace"))
    return parser.tag, parser.values


def _names_picture(reference: str) -> bool:
    try:
        return urlsplit(reference).path.lower().endswith(_PICTURE_NAMES)
    except ValueError:
        return False


def _joined(base: str, reference: str) -> str:
    """The absolute address; the reference itself where it cannot be joined, to be refused further on."""
    try:
        return urljoin(base, reference)
    except ValueError:
        return reference
