"""What people say about names that look like one brand: they are, or are not, and that can be taken back.

An answer is about two names, not about two cases: what was said once is not asked again for the next report. It joins no cases
for good and closes nothing: it says on the page of each case which others are the same brand, and who said so.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import Q, QuerySet

from vigil.base.errors import RefusedError
from vigil.hotline.access.clock import now
from vigil.hotline.access.people import Person, must
from vigil.hotline.access.permissions import Permission
from vigil.hotline.audit.actions import record
from vigil.hotline.reports.access import visible_to
from vigil.hotline.reports.models import Report, Url
from vigil.hotline.triage import codes
from vigil.hotline.triage.likeness import why_alike
from vigil.hotline.triage.models import BrandAnswer, Likeness

SHOWN: Final = 20
"""Likenesses that one case page shows: the newest."""
State = Literal["open", "same", "apart"]
Names = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Alike:
    """A likeness of a case: the ``case`` it is like, whether somebody has answered, and the answer that counts."""

    likeness: Likeness
    case: Report
    state: State
    answer: BrandAnswer | None


def names_apart(domain: str) -> frozenset[str]:
    """Names of which a person said that they are not the brand of ``domain``."""
    said = BrandAnswer.objects.filter(Q(one=domain) | Q(other=domain), same=False, withdrawn_at=None)
    return frozenset(name for pair in said.values_list("one", "other") for name in pair) - {domain}


def likenesses_of(report: Report, met: QuerySet[Report]) -> list[Alike]:
    """Cases that may belong to the same brand, of those in ``met``, each with what people said about it."""
    found = Likeness.objects.filter(Q(report=report, other__in=met) | Q(other=report, report__in=met))
    rows: list[Likeness] = list(found.select_related("report", "other").order_by("-created_at", "pk")[:SHOWN])
    pairs = _pairs(rows)
    said = _answers({pair for found in pairs.values() for pair in found})
    shown: dict[UUID, Alike] = {}
    for row in rows:
        case = row.other if row.report_id == report.pk else row.report
        answers = [said[pair] for pair in pairs[row.pk] if pair in said]
        shown.setdefault(case.pk, Alike(row, case, _state(answers), answers[0] if answers else None))
    return list(shown.values())


def _state(answers: list[BrandAnswer]) -> State:
    """Cases with several names are one brand where two of their names are."""
    if not answers:
        return "open"
    return "same" if any(answer.same for answer in answers) else "apart"


def _pairs(rows: Iterable[Likeness]) -> dict[UUID, list[Names]]:
    """For each likeness the names of its two cases that look alike, in their order."""
    wanted = list(rows)
    names: dict[UUID, set[str]] = defaultdict(set)
    cases = {key for row in wanted for key in (row.report_id, row.other_id)}
    found = Url.objects.filter(submissions__report__in=cases).values_list("submissions__report", "registrable_domain").distinct()
    for case, name in found:
        names[case].add(name)
    return {row.pk: sorted(_alike(names[row.report_id], names[row.other_id])) for row in wanted}


def _alike(ours: set[str], theirs: set[str]) -> set[Names]:
    return {
        (min(one, other), max(one, other))
        for one in ours
        for other in theirs
        if one != other and why_alike(one, other) is not None
    }


def _answers(pairs: set[Names]) -> dict[Names, BrandAnswer]:
    if not pairs:
        return {}
    rows = BrandAnswer.objects.filter(
        one__in={one for one, _ in pairs}, other__in={other for _, other in pairs}, withdrawn_at=None
    )
    return {(row.one, row.other): row for row in rows if (row.one, row.other) in pairs}


# ---- what people do about it


def check_answer_likeness(person: Person, likeness: Likeness) -> list[Names]:
    """By who sorts reports, of two cases that they may meet, whose names nobody has answered: those names."""
    pairs = _checked(person, likeness)
    if not pairs:
        raise RefusedError("names_gone", "The names of these cases look alike no more.", mend="Look at the case again.")
    if _answers(set(pairs)):
        raise RefusedError("brand_answered", "Somebody has answered this already.", mend="Take their answer back first.")
    return pairs


def do_answer_likeness(person: Person, likeness: Likeness, *, same: bool) -> list[BrandAnswer]:
    """Say that two cases are one brand, or are not; for all names of theirs that look alike."""
    try:
        with transaction.atomic():
            pairs = check_answer_likeness(person, likeness)
            rows = [
                BrandAnswer(likeness=likeness, one=one, other=other, same=same, created_by=person.label) for one, other in pairs
            ]
            for row in rows:
                row.save(force_insert=True)
            for case in (likeness.report, likeness.other):
                record(person, codes.BRAND_SAID, case, same=same)
    except IntegrityError as error:
        raise RefusedError("brand_answered", "Somebody has answered this already.", mend="Look at the case again.") from error
    return rows


def check_take_back(person: Person, likeness: Likeness) -> list[BrandAnswer]:
    """By who may answer, where there is an answer: the answers that count."""
    answers = list(_answers(set(_checked(person, likeness))).values())
    if not answers:
        raise RefusedError("brand_not_answered", "Nobody has answered this.", mend="Look at the case again.")
    return answers


def do_take_back(person: Person, likeness: Likeness) -> int:
    """Take back what was said, by whomever: the likeness is a proposal again. How many answers ended."""
    with transaction.atomic():
        wanted = [answer.pk for answer in check_take_back(person, likeness)]
        standing = BrandAnswer.objects.filter(pk__in=wanted, withdrawn_at=None)
        ended = standing.update(withdrawn_at=now(), withdrawn_by=person.label)
        if ended:
            for case in (likeness.report, likeness.other):
                record(person, codes.BRAND_UNSAID, case)
    return ended


def _checked(person: Person, likeness: Likeness) -> list[Names]:
    must(person, Permission.REPORT_TRIAGE)
    cases = Report.objects.filter(pk__in=[likeness.report_id, likeness.other_id])
    if visible_to(person, cases).count() != cases.count():
        raise RefusedError("case_not_open_to_you", "One of the two cases is not open to you.")
    return _pairs([likeness])[likeness.pk]
