"""Pages of hash sharing in the plain form that services write, read without a tree: several times faster than the parser.

A page is taken here only where every byte of it is accounted for by this form: no comments, no escapes, no prefixes, nothing out
of order. Then it is well-formed, and what it says is what a parser would say; the tests compare the two for life. Any other page
is nobody's loss: :func:`plain` gives None, and the parser reads it.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from vigil.hotline.partners.sources.documents import Unreadable, clipped, instant, shown, utf8
from vigil.hotline.partners.sources.record import Media, Record

NAMESPACE: Final = "https://hashsharing.ncmec.org/hashsharing/v2"  # a name in documents; nothing is fetched from it
BLOCKS: Final = {"image": Media.IMAGE, "video": Media.VIDEO, "deletedimage": Media.IMAGE, "deletedvideo": Media.VIDEO}
_TEXT: Final = "[^<&>]*"
_S: Final = r"[ \t\n]*"
_COUNTS: Final = r'(?: count="[0-9]*")?(?: maxTimestamp="[0-9TZ:.+-]*")?'
_OPENING: Final = re.compile(
    rf'(?:<\?xml version="1\.0" encoding="(?:UTF|utf)-8"\?>)?{_S}<queryResult(?: xmlns="{re.escape(NAMESPACE)}")?>{_S}'
)
_BLOCK: Final = re.compile(rf"<(images|videos){_COUNTS}(?:(/)>|>){_S}")
_RECORD: Final = re.compile(
    rf'<(image|video|deletedImage|deletedVideo)>{_S}<member id="([0-9]{{1,18}})">({_TEXT})</member>{_S}'
    rf"(?:<timestamp>({_TEXT})</timestamp>{_S})?<id>({_TEXT})</id>{_S}((?:<classification>{_TEXT}</classification>{_S})*)"
    rf"(?:<fingerprints>{_S}((?:<([a-zA-Z_][a-zA-Z0-9_]*)>{_TEXT}</\8>{_S})*)</fingerprints>{_S})?</\1>"
)
_END: Final = re.compile(
    rf"{_S}(?:<paging/>|<paging>{_S}<next>(?:[^<&>]|&amp;)*</next>{_S}</paging>|<paging>{_S}<next/>{_S}</paging>)?{_S}"
    rf"</queryResult>{_S}\Z"
)
_LABEL: Final = re.compile(rf"<classification>({_TEXT})</classification>")
_PRINT: Final = re.compile(rf"<([a-zA-Z_][a-zA-Z0-9_]*)>({_TEXT})</\1>")
_SPACES: Final = re.compile(_S)
_REFUSED: Final = bytes({*range(32), 127} - {9, 10})


def plain(body: bytes) -> list[Record] | None:
    """The entries of a page in the plain form; None where it has any other."""
    if body.translate(None, _REFUSED) != body:
        return None
    try:
        text = utf8(body)
    except Unreadable:
        return None
    if not text.isascii() and any(sign in text for sign in "\x85\u2028\ufffe\uffff"):
        return None
    opening = _OPENING.match(text)
    return None if opening is None else _records(text, opening.end())


def _records(text: str, position: int) -> list[Record] | None:
    found: list[Record] = []
    while (block := _BLOCK.match(text, position)) is not None:
        position = block.end()
        if block[2]:
            continue
        while (each := _RECORD.match(text, position)) is not None:
            record = _record(each)
            if record is None:
                return None
            found.append(record)
            position = _after_spaces(text, each.end())
        ending = f"</{block[1]}>"
        if not text.startswith(ending, position):
            return None
        position = _after_spaces(text, position + len(ending))
    return found if _END.match(text, position) is not None else None


def _record(found: re.Match[str]) -> Record | None:
    block, number, name, stamp, entry, labels, prints, _ = found.groups()
    entry = entry.strip()
    if not entry:
        return None
    member = int(number)
    return Record(
        key=f"{member}-{entry}",
        raw=clipped(found[0]),
        fingerprints=tuple([(kind, text) for kind, value in _PRINT.findall(prints or "") if (text := value.strip())]),
        withdrawn=block.startswith("deleted"),
        changed_at=instant((stamp or "").strip()),
        media=BLOCKS[block.lower()],
        member=_member(member, name),
        labels=_labels(labels),
    )


@lru_cache(maxsize=1024)
def _member(number: int, name: str) -> str:
    return shown(f"{number} {name.strip()}".strip())


@lru_cache(maxsize=1024)
def _labels(written: str) -> tuple[str, ...]:
    """Few members and labels stand in millions of entries."""
    return tuple(shown(label.strip(), 60) for label in _LABEL.findall(written) if label.strip())


def _after_spaces(text: str, position: int) -> int:
    found = _SPACES.match(text, position)
    return position if found is None else found.end()
