"""Two files for Squid: names for an ``acl … dstdomain`` and expressions for an ``acl … url_regex`` (without ``-i``).

The names also act on ``CONNECT``; entries that host-only adapters must skip stand among the expressions, which need a
visible path. Squid cuts lines of a list at 2,047 bytes, and half an expression would cover more than the whole.

Squid decodes escapes once before it compares (all but ``%00``), so that the expressions are written over decoded bytes.
To it ``%3F`` in a path and the ``?`` before a query are the same sign.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from vigil.editions.export.model import Format, Leftover, Occasion, Reason, hashes_left, header, left
from vigil.editions.export.names import names_of
from vigil.editions.export.patterns import pattern_of
from vigil.editions.model import EditionContents, UrlEntry

DOMAINS: Final = "squid-dstdomain.txt"
PATTERNS: Final = "squid-url-regex.txt"
LONGEST_LINE: Final = 2000
_ESCAPE: Final = re.compile("%(?!00)([0-9A-Fa-f]{2})")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")


def write(contents: EditionContents, occasion: Occasion) -> tuple[dict[str, bytes], list[Leftover]]:
    """``squid-dstdomain.txt`` and ``squid-url-regex.txt``."""
    names, without = names_of(contents.urls)
    sparse = names.sparse()
    gone = {(each.list, each.entry) for each in without}
    patterns, missing = patterns_of([x for x in contents.urls if (x.list, x.entry) in gone], LONGEST_LINE, decoded_once)
    domains = [*sorted(sparse.hosts), *(f".{name}" for name in sorted(sparse.domains))]
    head = header(occasion, "#")
    files = {DOMAINS: head + _lines(domains), PATTERNS: head + _lines(patterns)}
    return {name: text.encode("latin-1") for name, text in files.items()}, missing + hashes_left(contents)


def decoded_once(text: str) -> str:
    """The text as Squid sees it, a character for each byte."""
    return _ESCAPE.sub(lambda found: chr(int(found[1], 16)), text)


def patterns_of(
    entries: list[UrlEntry], longest: int, spelled: Callable[[str], str] = str
) -> tuple[list[str], list[Leftover]]:
    """Sorted expressions of the entries, and the report on those without one."""
    found: set[str] = set()
    missing: list[Leftover] = []
    for entry in entries:
        pattern = pattern_of(entry, spelled)
        if isinstance(pattern, Reason):
            missing.append(left(entry, pattern))
        elif len(pattern) > longest:
            missing.append(left(entry, Reason.TOO_LONG))
        elif _CONTROL.search(pattern):
            missing.append(left(entry, Reason.CONTROL_CHARACTER))
        else:
            found.add(pattern)
    return sorted(found), missing


def _lines(texts: list[str]) -> str:
    return "".join(f"{text}\n" for text in texts)


FORMAT: Final = Format("squid", "Squid lists: dstdomain and url_regex", write)
