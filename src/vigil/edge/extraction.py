"""Addresses in a text, with their places: written out, without a scheme, or with the usual disguises. Pure.

Found are ``scheme://…``, ``www.…``, and bare names with a path or a well-known ending; ``hxxp``, ``[.]``, ``(dot)`` and signs of
no width are read as what they stand for. Punctuation behind an address is left out, and a bracket that was opened before it.
What is found is a question for the matcher, which reads it strictly; something too many asks one question too many and blocks
nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from vigil.base.limits import URL_BYTES, Limit

ADDRESSES: Final = Limit(1000, "addresses", "a text made of nothing but addresses must not keep a worker busy")
DOT: Final = r"(?:\.|\[\.\]|\(\.\)|\{\.\}|\s?[\[(]dot[\])]\s?)"
LABEL: Final = r"[^\s\W_](?:[\w\-]{0,61}[^\W_])?"
NAME: Final = rf"{LABEL}(?:{DOT}{LABEL})+"
STOP: Final = r"\s<>\"'`{}|\\^«»“”„‘’。、，！？；："
FOUND: Final = re.compile(
    rf"(?P<scheme>(?:https?|hxxps?|h\*\*ps?|wss?|ftp))\s?(?::|\[:\])//(?P<rest>[^{STOP}]+)"
    rf"|(?P<bare>(?<![\w@.\-]){NAME}(?::\d{{1,5}})?(?:[/?#][^{STOP}]*)?)",
    re.IGNORECASE,
)
ENDINGS: Final = frozenset(
    {"com", "net", "org", "info", "biz", "name", "pro", "io", "co", "me", "tv", "cc", "to", "xyz", "top", "site", "online"}
    | {"club", "shop", "app", "dev", "onion", "example", "test", "invalid"}
)
DISGUISES: Final = (("[.]", "."), ("(.)", "."), ("{.}", "."), ("[:]", ":"), ("hxxp", "http"), ("h**p", "http"))
SPELT_DOT: Final = re.compile(r"\s?[\[(]dot[\])]\s?", re.IGNORECASE)
NO_WIDTH: Final = dict.fromkeys((0x00AD, 0x200B, 0x200C, 0x200D, 0x2060, 0xFEFF))
TAIL: Final = ".,;:!?*_~…"
PAIRS: Final = {")": "(", "]": "["}


@dataclass(frozen=True, slots=True)
class Found:
    """An address and its place in the text: ``text[start:end]``."""

    start: int
    end: int
    address: str = field(repr=False)


def addresses_in(text: str) -> list[Found]:
    """Addresses in ``text``, in order, at most :data:`ADDRESSES`."""
    found: list[Found] = []
    for each in _all(text):
        found.append(each)
        if len(found) == ADDRESSES.value:
            break
    return found


def _all(text: str) -> Iterator[Found]:
    for match in FOUND.finditer(text):
        start, end = match.start(), match.end() - _tail(match[0])
        raw = text[start:end]
        if match["bare"] is not None and not _is_address(raw):
            continue
        address = plain(raw)
        if match["bare"] is not None:
            address = f"http://{address}"
        if len(address.encode("utf-8", "replace")) <= URL_BYTES.value:
            yield Found(start, end, address)


def plain(raw: str) -> str:
    """``raw`` without its disguises."""
    text = SPELT_DOT.sub(".", raw.translate(NO_WIDTH)).replace(" ", "")
    head, mark, rest = text.partition("/")
    for disguise, meaning in DISGUISES:
        head = head.replace(disguise, meaning).replace(disguise.upper(), meaning)
    text = head + mark + rest
    for disguise, meaning in DISGUISES[:3]:
        first, second, host = text.partition("//")
        name, slash, path = host.partition("/")
        text = first + second + name.replace(disguise, meaning) + slash + path
    return text


def _is_address(raw: str) -> bool:
    """Bare names are taken with a path, with ``www.``, or with an ending that words of a sentence do not have."""
    name = re.split(r"[/?#:]", plain(raw), maxsplit=1)
    host = name[0].lower()
    disguised = "[.]" in raw or "(dot)" in raw.lower()
    return disguised or len(name) > 1 or host.startswith("www.") or host.rpartition(".")[2] in ENDINGS


def _tail(match: str) -> int:
    """How many signs at the end belong to the sentence and not to the address."""
    left = len(match)
    while left:
        last = match[left - 1]
        opened = PAIRS.get(last)
        if last in TAIL or (opened is not None and match.count(opened, 0, left) < match.count(last, 0, left)):
            left -= 1
        else:
            break
    return len(match) - left
