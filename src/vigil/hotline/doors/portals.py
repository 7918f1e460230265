"""Portals: several front desks of one installation, each with its country, languages, name and texts. Data of the operator."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

Slug = Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9][a-z0-9-]{0,38}$")]
Language = Annotated[str, msgspec.Meta(pattern=r"^[a-z]{2}$")]
Day = Annotated[str, msgspec.Meta(pattern=r"^(\d{4}-\d{2}-\d{2})?$")]


class PortalText(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One text of the operator's own, plain, in one language.

    ``key``     ``lead`` stands on the first page in place of ours, ``about`` and ``notice`` are added to theirs.
    ``review``  who has read it: a text that is ``reviewed`` names its reader and the day.
    """

    key: Literal["lead", "about", "notice"]
    language: Language
    text: Annotated[str, msgspec.Meta(min_length=1, max_length=4000)]
    review: Literal["draft", "machine-drafted", "reviewed"] = "draft"
    reviewed_by: Annotated[str, msgspec.Meta(max_length=200)] = ""
    reviewed_on: Day = ""

    def __post_init__(self) -> None:
        if (self.review == "reviewed") != bool(self.reviewed_by and self.reviewed_on):
            raise ValueError("a reviewed text names its reader and the day, and no other text does")


class Portal(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One front desk: reached under ``/at/ID/`` and, where ``hosts`` are given, under those names.

    ``languages``  of this portal, the first one is its own; empty means all that are on offer.
    """

    id: Slug
    country: Annotated[str, msgspec.Meta(pattern=r"^[A-Z]{2}$")]
    name: Annotated[str, msgspec.Meta(min_length=1, max_length=120)]
    hosts: tuple[Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9.-]{1,253}$")], ...] = ()
    languages: tuple[Language, ...] = ()
    texts: tuple[PortalText, ...] = ()

    def text(self, key: str, language: str) -> str:
        """The operator's text for ``key`` in ``language``; empty where there is none."""
        return next((each.text for each in self.texts if (each.key, each.language) == (key, language)), "")


def flaws_of(portals: tuple[Portal, ...], offered: frozenset[str]) -> list[str]:
    """What does not fit together: ids and hosts used twice, languages that are not on offer."""
    flaws = []
    for name, values in (
        ("id", [portal.id for portal in portals]),
        ("host", [host for portal in portals for host in portal.hosts]),
    ):
        flaws += [f"the {name} {value} is used twice" for value in sorted({each for each in values if values.count(each) > 1})]
    for portal in portals:
        used = set(portal.languages) | {text.language for text in portal.texts}
        flaws += [f"portal {portal.id}: the language {code} is not on offer" for code in sorted(used - offered)]
    return flaws
