"""Addresses as people type or paste them: without a scheme, or escaped as a whole. Never used on the wire."""

from __future__ import annotations

import re
from typing import Final

from vigil.match.urls.canonical import canonical, text_of
from vigil.match.urls.escapes import decode_fully, decode_once
from vigil.match.urls.model import CanonicalUrl
from vigil.match.urls.parse import clean
from vigil.match.urls.refusal import Refusal, UrlRefused

_WIRE: Final = re.compile(r"(?:https?|wss?):", re.IGNORECASE)
_ESCAPED: Final = re.compile(r"(?:https?|wss?)%(?:25)*+3A", re.IGNORECASE)
_SCHEME: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*+:")
_HOST_AND_PORT: Final = re.compile(r"[^:/?\\@]*\.[^:/?\\@]*+:\d{0,5}+(?:[/?\\]|\Z)")
_NO_HOST: Final = re.compile(r"[/\\?:]|\Z")
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
# Pasted text carries these at its ends; they are no part of any address.
_PASTED: Final = "\ufeff\u200b\u200e\u200f\u2060"


def canonical_from_person(text: str) -> CanonicalUrl:
    """The canonical form of what someone typed in a form or wrote in a list entry.

    Beside what :func:`canonical` takes: ``b.example/x`` and ``//b.example/x`` (read as ``http``), and
    ``http%3A%2F%2Fb.example%2Fx``. Raises :class:`UrlRefused`.
    """
    if _SURROGATE.search(text):
        raise UrlRefused(Refusal.SURROGATE)
    typed = text.strip().strip(_PASTED).strip()
    return canonical(_with_scheme(clean(typed), typed))


def _with_scheme(cleaned: str, typed: str) -> str:
    """The text with a scheme before it, if what was typed means a web address."""
    if _WIRE.match(cleaned):
        return typed
    if _ESCAPED.match(cleaned):
        return _unwrapped(cleaned)
    if cleaned.startswith(("//", "\\\\")):
        return f"http:{cleaned}"
    if _NO_HOST.match(cleaned):
        raise UrlRefused(Refusal.HOST_EMPTY)
    if _SCHEME.match(cleaned) and not _HOST_AND_PORT.match(cleaned):
        raise UrlRefused(Refusal.SCHEME)
    return f"http://{cleaned}"


def _unwrapped(text: str) -> str:
    """One layer of escapes removed; all of them where one does not bring the scheme out."""
    data = text.encode()
    once = text_of(decode_once(data))
    return once if _WIRE.match(once) else text_of(decode_fully(data))
