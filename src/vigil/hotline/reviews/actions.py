"""Planning reviews, changing the policy by two people, calibration sets."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from datetime import datetime

import msgspec
from django.db import IntegrityError, transaction

from vigil.base.errors import InputError, RefusedError
from vigil.hotline.access.models import User
from vigil.hotline.access.people import Person, must
from vigil.hotline.access.permissions import Permission
from vigil.hotline.approvals.models import ApprovalRequest
from vigil.hotline.audit.actions import record
from vigil.hotline.reports.models import Report
from vigil.hotline.reviews import codes
from vigil.hotline.reviews.calibration import QUESTIONS
from vigil.hotline.reviews.models import CalibrationAnswer, CalibrationSet, ReviewPlan
from vigil.hotline.reviews.policy import Policy, Situation, plan_for, read, report_on
from vigil.hotline.reviews.queries import AXIS, policy_in_force
from vigil.hotline.schemes.actions import do_propose
from vigil.hotline.schemes.models import Kind, SchemeMapping

ITEMS = 12


def drawn() -> float:
    """A random number in [0, 1): what decides samples."""
    return secrets.randbelow(1 << 53) / (1 << 53)


def do_plan(person: Person, report: Report, subject: str, situation: Situation, *, at: datetime) -> ReviewPlan:
    """Fix what the policy in force asks of the finding made ``at`` that instant; inside the caller's transaction."""
    policy, draw = policy_in_force(), drawn()
    wanted = plan_for(policy, situation, draw)
    plan = ReviewPlan(
        report=report, subject=subject, stages=[stage for stage in wanted.stages if stage != "qa"],
        reasons=list(wanted.reasons), blind=policy.blind, policy_version=policy.version, draw=draw,
        quality="qa" in wanted.stages, created_at=at, created_by=person.label,
    )  # fmt: skip
    plan.save(force_insert=True)
    if wanted.stages:
        record(person, codes.PLANNED, report, stages=",".join(wanted.stages), policy=policy.version)
    return plan


def do_propose_policy(person: Person, data: bytes | str | Policy, reason: str) -> tuple[SchemeMapping, ApprovalRequest]:
    """Propose a review policy; it counts once a second person approved it and it was put in force."""
    policy = data if isinstance(data, Policy) else read(data)
    report = report_on(policy, policy_in_force())
    return do_propose(person, Kind.REVIEW_POLICY, AXIS, policy.version, msgspec.to_builtins(policy), report, reason)


def do_make_calibration(person: Person, name: str) -> CalibrationSet:
    """Make a set of drawn items that everybody may answer."""
    must(person, Permission.REVIEW_QUALITY)
    if not name.strip() or len(name) > 80:
        raise InputError("name_missing", "A set has a name of at most 80 characters.", where="name")
    seeds = [secrets.randbelow(1 << 31) for _ in range(ITEMS)]
    try:
        with transaction.atomic():
            made = CalibrationSet.objects.create(name=name.strip(), seeds=seeds, created_by=person.label)
            record(person, codes.CALIBRATION_MADE, made, items=len(seeds))
    except IntegrityError as error:
        raise RefusedError("calibration_there", "There is a set of that name.", where="name") from error
    return made


def do_answer_calibration(person: User, chosen: CalibrationSet, seed: int, answers: Mapping[str, str]) -> None:
    """Keep one person's answer to one item, once."""
    must(person, Permission.CONTENT_REVEAL)
    if seed not in chosen.seeds or set(answers) != set(QUESTIONS):
        raise InputError("calibration_item", "This set has no such item, or an answer is missing.")
    if any(value not in QUESTIONS[question] for question, value in answers.items()):
        raise InputError("calibration_item", "Choose one of the answers offered.")
    try:
        with transaction.atomic():
            CalibrationAnswer(
                set=chosen, person=person, seed=seed, answers=dict(answers), created_by=person.label
            ).save(force_insert=True)
    except IntegrityError as error:
        raise RefusedError("calibration_answered", "You answered this item already.") from error
