"""Words of keyword lists on their way out: encrypted to partners who agreed on the list, or as a file two people approved."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime

from django.db import transaction

from vigil.editions.terms import KeywordEntry, encode_terms
from vigil.hotline.access.clock import now
from vigil.hotline.access.people import Person
from vigil.hotline.approvals.actions import do_request, spend
from vigil.hotline.approvals.acts import TwoPersonAct
from vigil.hotline.approvals.models import ApprovalRequest
from vigil.hotline.audit.actions import record
from vigil.hotline.lists import codes
from vigil.hotline.lists.enumerations import Signal
from vigil.hotline.lists.models import List
from vigil.hotline.lists.queries import in_force


def words_now(names: Iterable[str], moment: datetime) -> dict[str, list[KeywordEntry]]:
    """The words in force of the named lists; lists without any are not there."""
    rows = in_force(moment).filter(signal=Signal.KEYWORD.value, list__name__in=list(names)).order_by("list__position", "number")
    found: dict[str, list[KeywordEntry]] = {}
    for row in rows:
        entry = KeywordEntry(row.number, row.list.name, row.content, labels=tuple(row.labels), **row.attributes)
        found.setdefault(row.list.name, []).append(entry)
    return found


def files_for(names: Iterable[str], moment: datetime, shown: Callable[[int], int]) -> dict[str, bytes]:
    """The encrypted extras of a partner's share, one for each keyword list: ``keywords.json``, then ``keywords-NAME.json``."""
    files: dict[str, bytes] = {}
    for name, entries in words_now(names, moment).items():
        renumbered = [replace(each, entry=shown(each.entry)) for each in entries]
        files["keywords.json" if not files else f"keywords-{name}.json"] = encode_terms(name, renumbered)
    return files


def do_ask_words(person: Person, target: List, reason: str) -> ApprovalRequest:
    """Ask a second person to approve handing out the words of one list."""
    return do_request(person, TwoPersonAct.KEYWORD_EXPORT, target, reason)


def do_export_words(person: Person, target: List) -> bytes:
    """The words of one list as a file, once, with the approval of a second person (the act ``keyword_export``)."""
    with transaction.atomic():
        spend(person, TwoPersonAct.KEYWORD_EXPORT, target)
        found = words_now([target.name], now()).get(target.name, [])
        record(person, codes.LIST_EXPORTED, target, partner="", format="terms", entries=len(found), withdrawn=0)
    return encode_terms(target.name, found)
