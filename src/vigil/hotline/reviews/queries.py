"""Questions about policies, plans and calibration."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from functools import cache
from importlib import resources
from typing import Final

from vigil.hotline.access.clock import now
from vigil.hotline.access.models import User
from vigil.hotline.access.prepared import Prepared
from vigil.hotline.reviews.calibration import QUESTIONS, item
from vigil.hotline.reviews.kappa import Agreement, cohen, fleiss
from vigil.hotline.reviews.models import CalibrationSet, ReviewPlan
from vigil.hotline.reviews.policy import NEW_FOR, NONE, Policy, read
from vigil.hotline.schemes.queries import latest

AXIS: Final = "review_policy"
"""Review policies are kept beside the mappings of schemes: changed by two people with a test report."""


def policy_in_force() -> Policy:
    """The review policy that counts; no further looks where none was put in force."""
    row = latest(AXIS)
    return read(row.rules) if row else NONE


@cache
def recommended() -> Policy:
    """A policy after published practice, for the scheme owner to propose."""
    return read((resources.files("vigil.hotline.reviews") / "data" / "recommended.json").read_bytes())


def tenure_of(person: User) -> str:
    """``new`` in the first 90 days."""
    return "new" if now() - person.created_at < NEW_FOR else "settled"


def plan_of(subject: str) -> ReviewPlan | None:
    """The plan that counts for a subject."""
    return plans_of([subject]).get(subject)


_PLANS: Final = Prepared(
    ReviewPlan,
    lambda subjects: ReviewPlan.objects.filter(subject__in=subjects).order_by("created_at", "pk"),
    ["subject of a plan"],
)


def plans_of(subjects: Sequence[str]) -> dict[str, ReviewPlan]:
    """The plan that counts for each of the subjects that have one: the latest."""
    return {plan.subject: plan for plan in _PLANS.all(subjects)}


def calibration_agreement(chosen: CalibrationSet) -> dict[str, tuple[Agreement | None, Agreement | None]]:
    """For each question: agreement of all answers with the key, and of the people among each other (Fleiss)."""
    answers = list(chosen.answers.all())
    by_item: dict[int, list[dict[str, str]]] = defaultdict(list)
    for answer in answers:
        by_item[answer.seed].append(answer.answers)
    people = max((len(rows) for rows in by_item.values()), default=0)
    found: dict[str, tuple[Agreement | None, Agreement | None]] = {}
    for question in QUESTIONS:
        pairs = [(item(seed).key[question], row[question]) for seed, rows in by_item.items() for row in rows]
        whole = [[row[question] for row in rows] for rows in by_item.values() if len(rows) == people]
        found[question] = (cohen(pairs) if pairs else None, fleiss(whole) if people > 1 else None)
    return found
