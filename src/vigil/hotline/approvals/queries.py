"""Questions about two-person acts."""

from __future__ import annotations

from datetime import datetime

from django.db.models import QuerySet

from vigil.hotline.access.clock import now
from vigil.hotline.access.people import Person
from vigil.hotline.approvals.acts import RULES, ApprovalResult, TwoPersonAct
from vigil.hotline.approvals.models import ApprovalRequest


def acts_seen_by(person: Person) -> list[str]:
    """The acts in which a person has one of the two seats."""
    return [act.value for act, rule in RULES.items() if person.may(rule.first) or person.may(rule.second)]


def waiting(moment: datetime | None = None) -> QuerySet[ApprovalRequest]:
    """Requests within their time now, or at ``moment``, that nobody has decided."""
    return ApprovalRequest.objects.filter(result=ApprovalResult.PENDING.value, expires_at__gt=moment or now())


def waiting_for(person: Person, moment: datetime | None = None) -> QuerySet[ApprovalRequest]:
    """Requests that wait for the second seat of ``person``, but for those they made themselves."""
    second = [act.value for act, rule in RULES.items() if person.may(rule.second)]
    return waiting(moment).filter(act__in=second).exclude(created_by=person.label)


def seen_by(person: Person) -> QuerySet[ApprovalRequest]:
    """All requests of acts in which ``person`` has a seat, the latest first."""
    return ApprovalRequest.objects.filter(act__in=acts_seen_by(person)).order_by("-created_at")


def approved(act: TwoPersonAct, subject: str) -> ApprovalRequest | None:
    """The approval of ``act`` on ``subject`` that is there to be used; None where there is none."""
    found: ApprovalRequest | None = ApprovalRequest.objects.filter(
        act=act.value, subject=subject, result=ApprovalResult.APPROVED.value, spent_at=None, expires_at__gt=now()
    ).first()
    return found
