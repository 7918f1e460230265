"""How much of an address an entry would cover: the choices, and what each means in words."""

from __future__ import annotations

from dataclasses import dataclass

from vigil.base.errors import InputError
from vigil.base.redaction import Sealed
from vigil.hotline.lists.proposals import UrlProposal
from vigil.hotline.reports.models import Url
from vigil.match.urls import CanonicalUrl, Scope, canonical, prefixes_of


@dataclass(frozen=True, slots=True)
class Coverage:
    """One choice. ``code`` travels in the form; ``text`` is safe to show; ``shape`` shows the address and is confidential.

    ``wide`` needs a supervisor and a written reason.
    """

    code: str
    text: str
    shape: Sealed[str]
    wide: bool
    proposal: UrlProposal


def coverages(url: Url) -> list[Coverage]:
    """All choices for a reported address, the narrowest first."""
    address = canonical(url.canonical.open())
    choices = [
        _coverage("url", Scope.URL, address, "Exactly this address, its query included. Other pages of the site stay reachable."),
        _coverage("page", Scope.PAGE, address, "This page, whatever its query says."),
    ]
    for level, path in enumerate(prefixes_of(address.path)):
        folder = CanonicalUrl(address.scheme, address.host, address.port, path, None)
        if path != "/":
            choices.append(_coverage(f"prefix-{level}", Scope.PREFIX, folder, _folder_words(level)))
    if address.is_address():
        choices.append(_coverage("ip", Scope.IP, address, "Everything at this IP address, every site on it.", wide=True))
        return choices
    return [
        *choices,
        _coverage("host", Scope.HOST, address, "Every page of this host. Everything lawful on it is blocked as well.", wide=True),
        _coverage("domain", Scope.DOMAIN, address, "Every page of this host and of every name below it.", wide=True),
    ]


def coverage_named(url: Url, code: str) -> Coverage:
    """The choice of that code."""
    for choice in coverages(url):
        if choice.code == code:
            return choice
    raise InputError("scope_unknown", "Choose one of the scopes offered.", where="scope")


def _folder_words(level: int) -> str:
    above = "the page's own folder" if level == 0 else f"the folder {level} level{'s' if level > 1 else ''} above that"
    return f"Everything below {above}."


def _coverage(code: str, scope: Scope, address: CanonicalUrl, text: str, *, wide: bool = False) -> Coverage:
    return Coverage(code, text, Sealed(shape_of(scope, address)), wide, UrlProposal(Sealed(address.text()), scope))


def shape_of(scope: Scope, address: CanonicalUrl) -> str:
    """What an entry matches, written with … for "anything"; any scheme and port, which entries do not look at."""
    if scope is Scope.URL:
        return address.host + address.path + (f"?{address.query}" if address.query else "")
    if scope is Scope.PAGE:
        return f"{address.host}{address.path}?…"
    if scope is Scope.PREFIX:
        return f"{address.host}{address.path}…"
    return f"….{address.host}/…" if scope is Scope.DOMAIN else f"{address.host}/…"
