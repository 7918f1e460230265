"""Reading a ``multipart/form-data`` body (RFC 7578) that is in memory already: bounded, strict, nothing on a disk."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final

from vigil.base.errors import InputError
from vigil.base.limits import Limit

PARTS: Final = Limit(20, "parts", "a body of a million empty parts must not keep a worker busy")
HEAD_BYTES: Final = Limit(4096, "bytes", "the head of a part names a field and a file, nothing longer")
BOUNDARY: Final = re.compile(r"boundary=(?:\"([ -~]{1,70})\"|([!#$%&'*+\-.^_`|~0-9A-Za-z/:=?,()]{1,70}))(?:\s*;|\s*$)", re.I)
NAME: Final = re.compile(rb";\s*name=(?:\"([^\"\r\n]*)\"|([^\s;\"]+))", re.I)
FILE: Final = re.compile(rb";\s*filename\*?=", re.I)


@dataclass(frozen=True, slots=True)
class Part:
    """One field. ``is_file``: it came with a file name, which is not kept."""

    name: str
    is_file: bool
    data: bytes = field(repr=False)


def is_multipart(content_type: str | None) -> bool:
    """Whether a ``Content-Type`` announces a form with files."""
    return (content_type or "").partition(";")[0].strip().lower() == "multipart/form-data"


def parts_of(content_type: str, body: bytes) -> list[Part]:
    """All parts in order. Raises InputError ``multipart_malformed``."""
    found = BOUNDARY.search(content_type)
    if found is None:
        raise _malformed("It names no boundary.")
    mark = b"--" + (found[1] or found[2]).encode("ascii")
    position = _start(body, mark)
    parts: list[Part] = []
    while not body.startswith(b"--", position):
        if len(parts) >= PARTS.value:
            raise _malformed(f"It has more than {PARTS.value} parts.")
        head_end = body.find(b"\r\n\r\n", position, position + HEAD_BYTES.value)
        end = body.find(b"\r\n" + mark, max(position, head_end))
        if head_end < 0 or end < 0 or end < head_end + 2:
            raise _malformed("A part has no head or no end.")
        parts.append(_part(body[position:head_end], body[head_end + 4 : end]))
        position = end + 2 + len(mark)
    return parts


def _start(body: bytes, mark: bytes) -> int:
    """After the first boundary, which stands at the start of the body or of a line."""
    if body.startswith(mark):
        return len(mark)
    place = body.find(b"\r\n" + mark)
    if place < 0:
        raise _malformed("Its boundary does not occur.")
    return place + 2 + len(mark)


def _part(head: bytes, data: bytes) -> Part:
    for line in head.split(b"\r\n"):
        if line[:20].lower() == b"content-disposition:":
            named = NAME.search(line)
            if named is not None:
                raw = named[1] if named[1] is not None else named[2]
                return Part(raw.decode("utf-8", "replace"), FILE.search(line) is not None, data)
    raise _malformed("A part does not name its field.")


def _malformed(what: str) -> InputError:
    return InputError("multipart_malformed", f"The form cannot be read. {what}", mend="Send multipart/form-data.")
