"""Reading what a form sent, exactly: stray bytes are kept as escapes, nothing is cut in silence."""

from __future__ import annotations

from dataclasses import dataclass

from django.http import HttpRequest, QueryDict

from vigil.hotline.doors.public.choices import KINDS, Kind
from vigil.hotline.doors.public.origin import Origin
from vigil.hotline.reports.addresses import bare_text, read_address
from vigil.hotline.reports.intake import Arrival
from vigil.hotline.reports.limits import ADDRESS_CHARACTERS, WORDS_CHARACTERS
from vigil.hotline.reports.models import Draft

FORM: str = "application/x-www-form-urlencoded"


def posted_text(request: HttpRequest, name: str) -> str:
    """The text of one field. Bytes that are not UTF-8 stay recognisable as ``%XX`` instead of being replaced."""
    if request.content_type != FORM or name not in request.POST:
        return request.POST.get(name, "")
    raw = QueryDict(request.body, encoding="latin-1").get(name, "")
    return bare_text(raw.encode("latin-1"))


@dataclass(frozen=True, slots=True, repr=False)
class Answers:
    """The answers of one report, as entered."""

    address: str = ""
    address_as_is: bool = False
    kind: str = ""
    words: str = ""
    words_seen: bool = False
    danger: bool = False

    @property
    def chosen(self) -> Kind | None:
        """The chosen kind, where one is chosen."""
        return KINDS.get(self.kind)

    def address_is_settled(self) -> bool:
        """The address can be read, or the reporter wants it sent as it is."""
        given = bool(self.address.strip()) and len(self.address) <= ADDRESS_CHARACTERS.value
        return given and (self.address_as_is or read_address(self.address).url is not None)

    def missing(self) -> str:
        """The name of the first question without a good answer; empty when all have one."""
        if not self.address_is_settled():
            return "address"
        if self.chosen is None:
            return "kind"
        return "" if self.words_seen and len(self.words) <= WORDS_CHARACTERS.value else "words"

    def arrival(self, language: str, origin: Origin, contact: str) -> Arrival:
        """The report that these answers make. Call only where nothing is missing."""
        kind = KINDS[self.kind]
        return Arrival(
            address=self.address, theme=kind.theme, ai_nexus=kind.ai_nexus, words=self.words, language=language,
            at_risk=self.danger, contact=contact, **origin,
        )  # fmt: skip


def answers_of(draft: Draft) -> Answers:
    """What a draft holds."""
    return Answers(
        address=draft.address.open(),
        address_as_is=draft.address_as_is,
        kind=draft.theme,
        words=draft.words.open(),
        words_seen=draft.words_seen,
        danger=draft.danger,
    )


def carried(request: HttpRequest) -> Answers:
    """The copy of the answers that the check page carries along, in case the cookie or the draft is lost."""
    return Answers(
        address=posted_text(request, "address"),
        address_as_is=True,
        kind=request.POST.get("kind", ""),
        words=posted_text(request, "words"),
        words_seen=True,
        danger=request.POST.get("danger") == "on",
    )
