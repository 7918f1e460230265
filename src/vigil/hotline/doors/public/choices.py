"""The plain words of the public forms, and what they mean in the data model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from vigil.hotline.lists.enumerations import AppellantType
from vigil.hotline.reports.enumerations import AiNexus, Theme, Tri

Text = str | Promise


@dataclass(frozen=True, slots=True)
class Kind:
    """One answer to "What did you see?": its words, the claimed theme (None: not sure) and part of AI."""

    text: Text
    theme: Theme | None
    ai_nexus: tuple[AiNexus, ...] = ()


KINDS: Final[Mapping[str, Kind]] = MappingProxyType(
    {
        "images": Kind(_("Pictures or videos that show the sexual abuse of a child"), Theme.CSAM),
        "generated": Kind(
            _("Such pictures or videos, made or changed with artificial intelligence"),
            Theme.CSAM,
            (AiNexus.AI_GENERATED,),
        ),
        "sexualised": Kind(_("Sexualised pictures of a child"), Theme.NUDISM_POSING),
        "drawn": Kind(_("Drawings or animation that show the sexual abuse of a child"), Theme.NON_PHOTOGRAPHIC),
        "text": Kind(_("Text that describes or encourages the sexual abuse of a child"), Theme.TEXT_CSAM),
        "approach": Kind(_("An adult who approaches a child for sexual purposes"), Theme.CSEM_GROOMING),
        "threat": Kind(_("Someone who threatens a child with sexual images"), Theme.SEXTORTION),
        "offer": Kind(_("An offer of a child for sexual exploitation, or of travel for it"), Theme.TRAFFICKING_TOURISM),
        "other": Kind(_("Something else that harms a child"), Theme.OTHER_ILLEGAL),
        "unsure": Kind(_("I am not sure"), None),
    }
)

APP_KINDS: Final[Mapping[str, Kind]] = MappingProxyType(
    {
        "acts": Kind(
            _("It plays or describes a child in sexual situations"), Theme.TEXT_CSAM, (AiNexus.CHATBOT_CHARACTER,)
        ),
        "makes": Kind(
            _("It makes sexual pictures of children, or changes pictures into such"),
            Theme.CSAM,
            (AiNexus.TOOL_OR_MODEL_OFFERED,),
        ),
        "shares": Kind(_("People share or sell sexual pictures of children there"), Theme.CSAM),
        "approach": Kind(_("Someone there approaches a child for sexual purposes"), Theme.CSEM_GROOMING),
        "threat": Kind(_("Someone there threatens a child with sexual images"), Theme.SEXTORTION),
        "other": Kind(_("Something else that harms a child"), Theme.OTHER_ILLEGAL),
    }
)

THREATS: Final[Mapping[str, Text]] = MappingProxyType(
    {
        Tri.YES.value: _("Yes"),
        Tri.NO.value: _("No"),
        Tri.UNKNOWN.value: _("I am not sure, or I do not want to say"),
    }
)

APPELLANTS: Final[Mapping[str, tuple[Text, AppellantType]]] = MappingProxyType(
    {
        "visitor": (_("I wanted to visit the page"), AppellantType.BLOCKED_USER),
        "publisher": (_("It is my page or my site"), AppellantType.PUBLISHER),
        "host": (_("My organisation hosts the site"), AppellantType.HOST),
        "shown": (_("I am shown on the page"), AppellantType.VICTIM),
        "speaker": (_("I speak for someone who is shown on the page"), AppellantType.VICTIM_REPRESENTATIVE),
        "deployer": (_("My organisation applies your list"), AppellantType.DEPLOYER),
        "other": (_("Someone else"), AppellantType.OTHER_PARTY),
    }
)
