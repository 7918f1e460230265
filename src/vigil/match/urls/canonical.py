"""The canonical form: one function for accepting an entry, building an edition and checking an address.

Two layers in a fixed order: parse as a browser does, then fold as Safe Browsing does. Rules, with their letters, in
docs/spec/canonical-url.md; reasons in docs/decisions/0102-url-parser.md.
"""

from __future__ import annotations

import codecs
import re
from typing import Final

from vigil.base.limits import CANONICAL_URL_BYTES, URL_BYTES
from vigil.match.urls.fold import fold_address, fold_dots_of_host, fold_path, fold_query
from vigil.match.urls.hosts import length_refusal
from vigil.match.urls.model import CanonicalUrl, UrlFlag
from vigil.match.urls.parse import PARSER, Parsed, clean, parse
from vigil.match.urls.plain import plain
from vigil.match.urls.refusal import Refusal, UrlRefused

CANON: Final = f"1/{PARSER}"
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_ESCAPE: Final = re.compile("%[0-9A-F]{2}")
# A finished host may be longer than the host as written (Punycode, dotted IPv4); by no more than a name's length.
_HOST_ROOM: Final = 256


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
    whole = text.partition("#")[0]
    if len(whole) <= URL_BYTES.value and len(whole.encode()) <= URL_BYTES.value:
        return _form(whole, frozenset())
    return _long_form(whole)


def _long_form(whole: str) -> CanonicalUrl:
    """Over the limit (rule A2): without its query, unless it is a canonical text that grew over the limit by escaping."""
    if _is_grown(whole):
        url = _form(whole, frozenset())
        if url.text() == whole:
            return url
    place, mark, _ = whole.partition("?")
    if len(place.encode()) > URL_BYTES.value:
        raise UrlRefused(Refusal.TOO_LONG)
    return _form(place, frozenset({UrlFlag.QUERY_CUT.value} if mark else ()))


def _is_grown(whole: str) -> bool:
    """Each escape counted as the one byte it stands for, the text would have been inside the limit."""
    if not whole.isascii() or len(whole) > CANONICAL_URL_BYTES.value + _HOST_ROOM:
        return False
    return len(whole) - 2 * len(_ESCAPE.findall(whole)) <= URL_BYTES.value + _HOST_ROOM


def _form(whole: str, flags: frozenset[str]) -> CanonicalUrl:
    parsed = parse(clean(whole))
    host, invalid_label = _fold_host(parsed)
    if invalid_label:
        flags |= {UrlFlag.A_LABEL_INVALID.value}
    query = None if parsed.query is None else fold_query(parsed.query)
    url = CanonicalUrl(parsed.scheme, host, parsed.port, fold_path(parsed.path), query, flags)
    if len(url.path) + len(query or "") > CANONICAL_URL_BYTES.value:
        raise UrlRefused(Refusal.TOO_LONG)
    return url


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
