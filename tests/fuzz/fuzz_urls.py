"""Fuzz target: whatever the bytes, an address has one stable canonical form or a typed refusal, by both paths."""

from __future__ import annotations

from vigil.match.urls import UrlRefused, canonical, canonical_from_person, second_pass
from vigil.match.urls.canonical import slow, text_of
from vigil.match.urls.plain import plain


def TestOneInput(data: bytes) -> None:
    """Raises where a promise is broken. The first byte chooses between bytes as they are and an http address."""
    address = b"http://" + data[1:] if data[:1] < b"\x80" else data[1:]
    check_candidates(address)
    text = text_of(address)
    quick = plain(text)
    try:
        url = slow(text)
    except UrlRefused:
        if quick is not None:
            raise AssertionError("the fast path accepts what the slow path refuses") from None
        check_person(text)
        return
    if quick is not None and (quick != url or quick.text() != url.text()):
        raise AssertionError("the two paths differ")
    if canonical(url.text()) != url or canonical(address) != url or not url.text().isascii():
        raise AssertionError("the canonical form is not stable")


def check_candidates(address: bytes) -> None:
    candidates = second_pass(address)
    if len(candidates) > 4 or not all(url.host and url.text().isascii() for url in candidates):
        raise AssertionError("the second pass broke its promise")


def check_person(text: str) -> None:
    try:
        canonical_from_person(text)
    except UrlRefused:
        return
