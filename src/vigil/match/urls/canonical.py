"""The canonical form: one function for accepting an entry, building an edition and checking an address.

Two layers in a fixed order: parse as a browser does, then fold as Safe Browsing does. Rules, with their letters, in
docs/spec/canonical-url.md; reasons in docs/decisions/0102-url-parser.md.
"""

from __future__ import annotations

import codecs
import re
from dataclasses import replace
from typing import Final

from vigil.base.limits import URL_BYTES
from vigil.match.urls.fold import fold_address, fold_dots_of_host, fold_path, fold_query
from vigil.match.urls.hosts import length_refusal
from vigil.match.urls.model import CanonicalUrl, UrlFlag
from vigil.match.urls.parse import DELETED, PARSER, Parsed, parse, without_fragment
from vigil.match.urls.plain import plain
from vigil.match.urls.refusal import Refusal, UrlRefused

CANON: Final = f"1/{PARSER}"
_SURROGATE: Final = re.compile("[\ud800-\udfff]")


def canonical(address: str | bytes) -> CanonicalUrl:
    """The canonical form of an address off the wire.

    Raises :class:`UrlRefused` with the class of the first rule that refuses it, and nothing else.
    """
    text = address if isinstance(address, str) else text_of(address)
    return plain(text) or slow(text)


def text_of(address: bytes) -> str:
    """Bytes off the wire as text; those that are not UTF-8 become escapes (rule A1)."""
    return address.decode("utf-8", "vigil-escape")


def _escape_bytes(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return "".join(f"%{byte:02X}" for byte in error.object[error.start : error.end]), error.end


codecs.register_error("vigil-escape", _escape_bytes)


def slow(text: str) -> CanonicalUrl:
    """The same for every address, by both layers. The fast path must agree with it wherever it answers."""
    if _SURROGATE.search(text):
        raise UrlRefused(Refusal.SURROGATE)
    whole = without_fragment(text)
    if len(whole) <= URL_BYTES.value and len(whole.encode()) <= URL_BYTES.value:
        return _form(whole, frozenset())
    return _long_form(whole)


def _long_form(whole: str) -> CanonicalUrl:
    """Over the limit (rule A2): without its query, unless it is a canonical text that grew over the limit by escaping."""
    if whole.isascii() and _weight(whole) <= URL_BYTES.value:
        url = _form(whole, frozenset())
        if url.text() == whole:
            return url
    place, mark, _ = whole.partition("?")
    if len(place.encode()) > URL_BYTES.value:
        raise UrlRefused(Refusal.TOO_LONG)
    return _form(place, frozenset({UrlFlag.QUERY_CUT.value} if mark else ()))


def _form(whole: str, flags: frozenset[str]) -> CanonicalUrl:
    parsed = parse(whole.translate(DELETED))
    host, invalid_label = _fold_host(parsed)
    if invalid_label:
        flags |= {UrlFlag.A_LABEL_INVALID.value}
    query = None if parsed.query is None else fold_query(parsed.query)
    return _within_limit(CanonicalUrl(parsed.scheme, host, parsed.port, fold_path(parsed.path), query, flags))


def _within_limit(url: CanonicalUrl) -> CanonicalUrl:
    """The canonical text fits the limit as its source had to, so that it is accepted again; else its query is cut."""
    if _weight(url.text()) <= URL_BYTES.value:
        return url
    bare = replace(url, query=None, flags=url.flags | {UrlFlag.QUERY_CUT.value})
    if url.query is None or _weight(bare.text()) > URL_BYTES.value:
        raise UrlRefused(Refusal.TOO_LONG)
    return bare


def _weight(text: str) -> int:
    """Bytes that a canonical text stands for: each escape is one. Hence no such text is longer than three times the limit."""
    return len(text) - 2 * text.count("%")


def _fold_host(parsed: Parsed) -> tuple[str, bool]:
    """Rules C1 and C2; a host whose dots changed is parsed again, since ``1.2.3.4..`` is an address only without them."""
    host, invalid_label = fold_dots_of_host(parsed.host), parsed.invalid_label
    if not host:
        raise UrlRefused(Refusal.HOST_EMPTY)
    if host != parsed.host:
        again = parse(f"{parsed.scheme}://{host}/")
        host, invalid_label = again.host, again.invalid_label
    if host.startswith("["):
        return fold_address(host), invalid_label
    refusal = length_refusal(host)
    if refusal is not None:
        raise UrlRefused(refusal)
    return host, invalid_label
