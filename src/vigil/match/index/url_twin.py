"""The slow, obvious twin of the URL index: every entry is looked at, as text. For tests, for life."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from vigil.match.urls import CanonicalUrl, EntryFlag, Scope, UrlRefused, canonical, depth_of, second_pass
from vigil.match.urls.tracking import query_set

_ORDER = {Scope.URL: 0, Scope.PAGE: 1, Scope.PREFIX: 2, Scope.HOST: 3, Scope.DOMAIN: 4, Scope.IP: 5}


@dataclass(frozen=True, slots=True)
class ListedUrl:
    """An entry with its address in the clear."""

    url: CanonicalUrl
    scope: Scope
    flags: EntryFlag
    entry: int
    list: int
    expires: int = 0


class UrlIndexTwin:
    """Answers as :class:`vigil.match.index.url.UrlIndex` does, in time proportional to the number of entries."""

    def __init__(self, entries: Iterable[ListedUrl]) -> None:
        self._entries = tuple(entries)

    def lookup(self, url: CanonicalUrl, now: int | None = None) -> ListedUrl | None:
        """The most specific entry that covers the address; among equals the first list, then the lowest number."""
        found = [entry for entry in self._entries if covers(entry, url) and is_alive(entry, now)]
        return min(found, key=_specificity, default=None)

    def check(self, address: str | bytes, now: int | None = None) -> ListedUrl | str | None:
        """As the index, with the reason as text where the address is unknown."""
        try:
            return self.lookup(canonical(address), now)
        except UrlRefused as refused:
            reason = refused.code
        hits = (self.lookup(candidate, now) for candidate in second_pass(address))
        return next((hit for hit in hits if hit is not None), reason)


def covers(entry: ListedUrl, url: CanonicalUrl) -> bool:
    """Scope and flags of the entry say that it covers the address."""
    if EntryFlag.SCHEME_EXACT in entry.flags and entry.url.scheme != url.scheme:
        return False
    if EntryFlag.PORT_EXACT in entry.flags and entry.url.effective_port() != url.effective_port():
        return False
    if entry.url.host != url.host:
        return _is_below(entry, url)
    return _covers_on_host(entry, url)


def _is_below(entry: ListedUrl, url: CanonicalUrl) -> bool:
    """A name below a domain of at least two labels."""
    if entry.scope is not Scope.DOMAIN or EntryFlag.EXACT_HOST in entry.flags or url.is_address():
        return False
    return "." in entry.url.host and url.host.endswith(f".{entry.url.host}")


def _covers_on_host(entry: ListedUrl, url: CanonicalUrl) -> bool:
    if entry.scope is Scope.URL:
        return entry.url.path == url.path and _same_query(entry, url)
    if entry.scope is Scope.PAGE:
        return entry.url.path == url.path
    if entry.scope is Scope.PREFIX:
        return url.path.startswith(entry.url.path)
    return True


def _same_query(entry: ListedUrl, url: CanonicalUrl) -> bool:
    """An empty query counts as none."""
    ours, theirs = entry.url.query or "", url.query or ""
    if EntryFlag.QUERY_SET in entry.flags:
        return query_set(ours) == query_set(theirs)
    return ours == theirs


def is_alive(entry: ListedUrl, now: int | None) -> bool:
    """The entry has not expired at ``now``; 0 never expires."""
    return entry.expires == 0 or now is None or now < entry.expires


def _specificity(entry: ListedUrl) -> tuple[int, ...]:
    """Scopes of the host itself, narrowest first, the longest prefix first; then the domains, the longest first."""
    reduced = entry.scope is Scope.URL and EntryFlag.QUERY_SET in entry.flags
    depth = depth_of(entry.url.path) if entry.scope is Scope.PREFIX else 0
    labels = entry.url.host.count(".") if entry.scope is Scope.DOMAIN else 0
    return (_ORDER[entry.scope], reduced, -depth, -labels, entry.list, entry.entry)
