"""An entry as one regular expression over a whole address, anchored, matched with regard to case.

Written in what POSIX extended expressions, PCRE and Python's ``re`` read alike. It covers what the entry covers among
addresses in canonical spelling, with or without their default port; never more.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from vigil.editions.export.model import Reason
from vigil.editions.export.names import covers_below
from vigil.editions.model import UrlEntry
from vigil.match.urls import EntryFlag, Scope

_SPECIAL: Final = re.compile(r"[.^$*+?()\[{|\\]")
_PORTS: Final = {"http": 80, "https": 443}


def pattern_of(entry: UrlEntry, spelled: Callable[[str], str] = str) -> str | Reason:
    """The expression, or why there is none. ``spelled`` is how the reader changes path and query before it compares."""
    if EntryFlag.QUERY_SET in entry.flags and entry.scope is Scope.URL:
        return Reason.QUERY_SET
    if EntryFlag.SCHEME_EXACT in entry.flags and entry.url.scheme not in _PORTS:
        return Reason.SCHEME
    return f"^{_authority(entry)}{_place(entry, spelled)}"


def literal(text: str) -> str:
    """The text with every special sign escaped."""
    return _SPECIAL.sub(lambda found: "\\" + found[0], text)


def _authority(entry: UrlEntry) -> str:
    host = ("([^/?#:@]+\\.)?" if covers_below(entry) else "") + literal(entry.url.host)
    exact = EntryFlag.SCHEME_EXACT in entry.flags
    if EntryFlag.PORT_EXACT not in entry.flags:
        return f"{entry.url.scheme if exact else 'https?'}://{host}(:[0-9]+)?"
    port = entry.url.effective_port()
    schemes = (entry.url.scheme,) if exact else tuple(_PORTS)
    return "(" + "|".join(f"{each}://{host}{_port(port, _PORTS[each])}" for each in schemes) + ")"


def _port(port: int, default: int) -> str:
    return f"(:{port})?" if port == default else f":{port}"


def _place(entry: UrlEntry, spelled: Callable[[str], str]) -> str:
    """Path and query. An empty query counts as none."""
    path = literal(spelled(entry.url.path))
    if entry.scope is Scope.URL:
        return f"{path}\\?{literal(spelled(entry.url.query))}$" if entry.url.query else f"{path}\\??$"
    if entry.scope is Scope.PAGE:
        return f"{path}(\\?.*)?$"
    return path if entry.scope is Scope.PREFIX else "/"
