"""Scopes and flags of an entry, and the digests under which it is kept and found (docs/spec/canonical-url.md §8–§9)."""

from __future__ import annotations

from collections.abc import Iterator
from enum import IntFlag, StrEnum
from hashlib import blake2b
from typing import Final

from vigil.base.errors import InputError
from vigil.match.urls.model import CanonicalUrl
from vigil.match.urls.tracking import TRACKING_VERSION, query_set

KEY_BYTES: Final = 16
HOST_KEY_BYTES: Final = 8
MAX_DEPTH: Final = 16


class Scope(StrEnum):
    """What an entry covers, from the narrowest to the widest. Files hold the position in :data:`SCOPES`."""

    URL = "url"
    PAGE = "page"
    PREFIX = "prefix"
    HOST = "host"
    DOMAIN = "domain"
    IP = "ip"


SCOPES: Final[tuple[Scope, ...]] = tuple(Scope)


class EntryFlag(IntFlag):
    """How an entry is compared and who may enforce it; sixteen bits in files.

    ``SCHEME_EXACT``       only the scheme of the record.
    ``PORT_EXACT``         only the port of the record, compared as the port a client connects to.
    ``QUERY_SET``          scope ``url``: pairs of the query in any order, tracking parameters aside.
    ``HOST_APPROVED``      a second person allowed adapters that see only the host to enforce this entry.
    ``HOST_ONLY_SKIPPED``  adapters that see only the host ignore this entry.
    ``EXACT_HOST``         the host alone, never the names below it; always true of scope ``host``.
    """

    NONE = 0
    SCHEME_EXACT = 1
    PORT_EXACT = 2
    QUERY_SET = 4
    HOST_APPROVED = 8
    HOST_ONLY_SKIPPED = 16
    EXACT_HOST = 32


# Plain numbers for the hot paths: an operation on an IntFlag costs a microsecond.
SCHEME_EXACT: Final = int(EntryFlag.SCHEME_EXACT)
PORT_EXACT: Final = int(EntryFlag.PORT_EXACT)
QUERY_SET: Final = int(EntryFlag.QUERY_SET)
EXACT_HOST: Final = int(EntryFlag.EXACT_HOST)
HOST_ONLY_SKIPPED: Final = int(EntryFlag.HOST_ONLY_SKIPPED)

_QUERY_SET_PERSON: Final = f"vigil qset {TRACKING_VERSION}".encode()
_HOST_PERSON: Final = b"vigil hostname"
_PERSONS: Final = {scope: f"vigil {scope}".encode() for scope in Scope}


def entry_key(
    scope: Scope, url: CanonicalUrl, digest_key: bytes | None = None, flags: EntryFlag = EntryFlag.NONE
) -> bytes:
    """The 16 bytes under which an entry is kept: BLAKE2b, keyed if the edition is, personalised by scope.

    ``flags`` matters for ``QUERY_SET`` alone, whose entries live under a key of their own.
    """
    reduced = scope is Scope.URL and bool(int(flags) & QUERY_SET)
    state = key_state(scope, digest_key, query_set_only=reduced)
    state.update((query_set_expression(url) if reduced else expression(scope, url)).encode("ascii"))
    return state.digest()


def host_key(host: str, digest_key: bytes | None = None) -> bytes:
    """The 8 bytes by which a host is looked for first; never enough for a verdict."""
    state = host_state(digest_key)
    state.update(host.encode("ascii"))
    return state.digest()


def key_state(scope: Scope, digest_key: bytes | None, *, query_set_only: bool = False) -> blake2b:
    """The digest of entries of a scope before their text; copied for each text in hot paths."""
    person = _QUERY_SET_PERSON if query_set_only else _PERSONS[scope]
    return blake2b(digest_size=KEY_BYTES, key=digest_key or b"", person=person)


def host_state(digest_key: bytes | None) -> blake2b:
    """The digest of hosts before the name."""
    return blake2b(digest_size=HOST_KEY_BYTES, key=digest_key or b"", person=_HOST_PERSON)


def expression(scope: Scope, url: CanonicalUrl) -> str:
    """The text that is digested: host, path and query as far as the scope looks; never scheme or port."""
    if scope is Scope.URL:
        return f"{url.host}{url.path}?{url.query}" if url.query else url.host + url.path
    if scope is Scope.PAGE or scope is Scope.PREFIX:
        return url.host + url.path
    return url.host


def query_set_expression(url: CanonicalUrl) -> str:
    """The text of a ``QUERY_SET`` entry: the pairs sorted, tracking parameters left out."""
    query = query_set(url.query or "")
    return f"{url.host}{url.path}?{query}" if query else url.host + url.path


def depth_of(path: str) -> int:
    """``/`` is 0, each component one more: ``/a/`` is 1, ``/a/b`` 2."""
    return path.count("/") - path.endswith("/")


def require_entry(scope: Scope, url: CanonicalUrl) -> None:
    """Refuse an entry whose address does not fit its scope; what it would cover could not be told."""
    if scope is Scope.PREFIX and not url.path.endswith("/"):
        raise InputError("prefix_without_slash", "A prefix must end in a slash.", mend="Add the slash, or list the page.")
    if scope is Scope.PREFIX and depth_of(url.path) > MAX_DEPTH:
        raise InputError("prefix_too_deep", f"A prefix has more than {MAX_DEPTH} folders.", mend="List a shorter one.")
    if scope is Scope.IP and not url.is_address():
        raise InputError("scope_and_host", "Scope ip needs an address.", mend="Use host or domain for names.")
    if scope in {Scope.HOST, Scope.DOMAIN} and url.is_address():
        raise InputError("scope_and_host", "An address is no host name.", mend="Use scope ip.")


def hosts_of(url: CanonicalUrl) -> Iterator[str]:
    """The host, then each suffix down to two labels; an address and a single label only themselves."""
    host = url.host
    yield host
    if url.is_address():
        return
    dot = host.find(".")
    while dot >= 0 and (host := host[dot + 1 :]).count("."):
        yield host
        dot = host.find(".")


def prefixes_of(path: str, deepest: int = MAX_DEPTH) -> Iterator[str]:
    """Folders that hold the path, from the deepest (at most ``deepest`` components) to ``/``."""
    names = path.split("/")[1:-1]
    for count in range(min(len(names), deepest), -1, -1):
        yield "/" + "".join(f"{name}/" for name in names[:count])
