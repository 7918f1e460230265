"""Which lists an entry belongs to. Pure.

Non-photographic material never enters the lists of photographic material (data model, invariant 6); where AI is
confirmed or suspected, hashes also stand in the AI partition, so that deployers can take it or leave it.
"""

from __future__ import annotations

from typing import Final

from vigil.editions.model import ListKind
from vigil.hotline.assessments.scheme import AiStatus, Realism
from vigil.hotline.lists.enumerations import EntryReason, Signal

KINDS_FOR: Final[dict[Signal, frozenset[ListKind]]] = {
    Signal.URL: frozenset({ListKind.URL, ListKind.NP_URL, ListKind.DOMAIN, ListKind.TEST}),
    Signal.HASH: frozenset(
        {ListKind.HASH_CSAM, ListKind.HASH_AI, ListKind.HASH_NP, ListKind.HASH_EXPLOITATIVE, ListKind.TEST}
    ),
    Signal.KEYWORD: frozenset({ListKind.KEYWORD}),
}
AI: Final = frozenset({AiStatus.CONFIRMED, AiStatus.SUSPECTED})


def kinds_of(signal: Signal, realism: str, ai_status: str) -> tuple[ListKind, ...]:
    """The kinds of list for a finding, the main one first. Words are listed for a need, whatever was found."""
    if signal is Signal.KEYWORD:
        return (ListKind.KEYWORD,)
    drawn = realism == Realism.NON_PHOTOGRAPHIC
    if signal is Signal.URL:
        return (ListKind.NP_URL if drawn else ListKind.URL,)
    main = ListKind.HASH_NP if drawn else ListKind.HASH_CSAM
    return (main, ListKind.HASH_AI) if ai_status in AI else (main,)


def reason_of(realism: str) -> EntryReason:
    """Why an assessed page or file is listed."""
    return EntryReason.NP_CRIMINAL if realism == Realism.NON_PHOTOGRAPHIC else EntryReason.ASSESSED_CRIMINAL
