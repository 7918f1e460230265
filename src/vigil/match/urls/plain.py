"""The fast path: one anchored expression that accepts only addresses which are canonical already.

Conditions (docs/spec/canonical-url.md §7): ``http`` or ``https`` in lower case; labels of lower-case letters, digits and
hyphens, at least two, the last one letters only, none starting ``xn--``; no user name; no port or the scheme's own;
a path of letters, digits and ``_~.-/`` without ``//`` or ``/.``; a query of the same and ``=&``; no fragment.
Whatever does not fit takes the slow path, and property tests hold the two together. Possessive quantifiers keep the
cost in proportion to the length.
"""

from __future__ import annotations

import re
from typing import Final

from vigil.base.limits import URL_BYTES
from vigil.match.urls.hosts import NAME_BYTES
from vigil.match.urls.model import CanonicalUrl

PATTERN: Final = re.compile(
    r"(https?)://((?:(?!xn--)[a-z0-9-]{1,63}+\.)++[a-z]{1,63}+)(?::(80|443))?+"
    r"((?:/[A-Za-z0-9_~\-][A-Za-z0-9_~.\-]*+)*+/?+)(?:\?([A-Za-z0-9_~.\-/=&]*+))?+"
)
_OWN_PORT: Final = {"http": "80", "https": "443"}
_fullmatch: Final = PATTERN.fullmatch
_NO_FLAGS: Final[frozenset[str]] = frozenset()


def plain(address: str) -> CanonicalUrl | None:
    """The canonical form of an address that is plain already; None where the slow path must decide."""
    if len(address) > URL_BYTES.value:
        return None
    found = _fullmatch(address)
    if found is None:
        return None
    scheme, host, port, path, query = found.groups()
    if len(host) > NAME_BYTES or (port is not None and port != _OWN_PORT[scheme]):
        return None
    return CanonicalUrl(scheme, host, None, path or "/", query, _NO_FLAGS)


# The host alone, in group 1: whoever fits has a canonical host, whichever of the two ports is written.
HOST: Final = r"(?:(?!xn--)[a-z0-9-]{1,63}+\.)++[a-z]{1,63}+"
PATH_AND_QUERY: Final = r"(?:/[A-Za-z0-9_~\-][A-Za-z0-9_~.\-]*+)*+/?+(?:\?[A-Za-z0-9_~.\-/=&]*+)?+"
_HOST_ONLY: Final = rf"https?://({HOST})(?::(?:80|443))?+{PATH_AND_QUERY}"
HOST_OF: Final = re.compile(_HOST_ONLY).fullmatch
_HOSTS_OF_LINES: Final = re.compile(rf"^(?:{_HOST_ONLY}$|.*$)", re.MULTILINE).findall


def hosts_of_plain(texts: list[str]) -> list[str]:
    """The canonical host of each plain address, in order; empty for every other address.

    All in one pass over the joined lines, which costs half of a match for each.
    """
    joined = "\n".join(texts)
    if joined.count("\n") == len(texts) - 1 and max(map(len, texts)) <= URL_BYTES.value:
        hosts: list[str] = _HOSTS_OF_LINES(joined)
    else:
        matches = (None if len(text) > URL_BYTES.value else HOST_OF(text) for text in texts)
        hosts = ["" if found is None else found[1] for found in matches]
    if max(map(len, hosts)) > NAME_BYTES:
        return ["" if len(host) > NAME_BYTES else host for host in hosts]
    return hosts
