"""Classes of counted events (facts: counting, section 3), and which of them are requests that were not served."""

from __future__ import annotations

from enum import StrEnum
from typing import Final


class CountClass(StrEnum):
    NAVIGATION = "navigation"
    SUBRESOURCE = "subresource"
    PREFETCH = "prefetch"
    AUTOMATED = "automated"
    UNDETERMINED = "undetermined"
    DNS_ANSWER = "dns_answer"
    MEDIA_MATCH = "media_match"
    KEYWORD_WARNING = "keyword_warning"
    TEST = "test"
    CANARY = "canary"
    UNKNOWN = "unknown"
    BYPASSED = "bypassed"


HEADLINE: Final = (CountClass.NAVIGATION, CountClass.UNDETERMINED)
"""Requests for pages, and those whose kind the browser did not say: counted together, shown apart."""

MESSAGES: Final[dict[str, str]] = {
    "law.displayed": "law: shown",
    "law.help_followed": "law: help followed",
    "harm.displayed": "harm: shown",
    "harm.help_followed": "harm: help followed",
    "help.displayed": "help: shown",
    "help.help_followed": "help: help followed",
}

WORDS: Final[dict[CountClass, str]] = {
    CountClass.NAVIGATION: "pages asked for",
    CountClass.SUBRESOURCE: "parts of pages",
    CountClass.PREFETCH: "fetched ahead by the browser",
    CountClass.AUTOMATED: "by programs that say so",
    CountClass.UNDETERMINED: "kind not stated",
    CountClass.DNS_ANSWER: "DNS answers",
    CountClass.MEDIA_MATCH: "files that matched",
    CountClass.KEYWORD_WARNING: "warnings shown",
    CountClass.TEST: "tests",
    CountClass.CANARY: "canaries",
    CountClass.UNKNOWN: "could not be checked",
    CountClass.BYPASSED: "let through unchecked",
}
