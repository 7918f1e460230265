"""Asking for a second person, approving, refusing, and using an approval up.

``do_*`` run in one transaction with their audit row. Time limits: a request that nobody decided, and an approval that
nobody used, end 24 hours after the request was made.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Final

from django.db import IntegrityError, models, transaction

from vigil.base.errors import InputError, RefusedError
from vigil.base.limits import Limit
from vigil.hotline.access.clock import now
from vigil.hotline.access.people import Person, must, must_differ
from vigil.hotline.approvals import codes
from vigil.hotline.approvals.acts import RULES, ApprovalResult, TwoPersonAct, people_behind
from vigil.hotline.approvals.models import ApprovalRequest
from vigil.hotline.audit.actions import record, subject_of

LIFE: Final = timedelta(hours=24)
REASON_CHARACTERS: Final = Limit(2000, "characters", "a reason is a paragraph; documents stay where they are")


def check_request(person: Person, act: TwoPersonAct, reason: str) -> None:
    """Somebody in the first seat of the act, with a reason."""
    must(person, RULES[act].first)
    if not reason.strip():
        raise InputError("reason_missing", "Say why, for the person who approves.", where="reason")
    if len(reason) > REASON_CHARACTERS.value:
        raise InputError("reason_too_long", f"A reason has at most {REASON_CHARACTERS.value} characters.", where="reason")


def do_request(
    person: Person, act: TwoPersonAct, subject: models.Model | str, reason: str, *, behind: Iterable[str] = ()
) -> ApprovalRequest:
    """Ask a second person to approve ``act`` on ``subject``. ``behind`` names who may not approve besides the one who asks."""
    check_request(person, act, reason)
    named = subject_of(subject)
    with transaction.atomic():
        _expire(ApprovalRequest.objects.filter(act=act.value, subject=named))
        request = ApprovalRequest(
            act=act.value,
            subject=named,
            reason=reason,
            behind=sorted({*behind, *people_behind(act, named)}),
            expires_at=now() + LIFE,
            created_by=person.label,
        )
        try:
            with transaction.atomic():
                request.save(force_insert=True)
        except IntegrityError as error:
            raise RefusedError("approval_pending", "A second person has been asked already.", mend="Wait for them.") from error
        record(person, codes.REQUESTED, request, act=act.value, about=named)
    return request


def check_decide_request(person: Person, request: ApprovalRequest) -> None:
    """A request that waits, by somebody in the second seat who neither asked nor took part in its subject."""
    act = TwoPersonAct(request.act)
    must(person, RULES[act].second)
    if request.state is not ApprovalResult.PENDING:
        raise RefusedError("approval_not_pending", "This request is decided, or its time is over.", mend="Ask for it anew.")
    barred = {request.created_by, *request.behind, *people_behind(act, request.subject)}
    must_differ(person, barred, "This act")


def do_approve(person: Person, request: ApprovalRequest) -> ApprovalRequest:
    """Approve: the act may now be carried out, once, until the request's time is over."""
    return _decide(person, request, ApprovalResult.APPROVED)


def do_refuse(person: Person, request: ApprovalRequest) -> ApprovalRequest:
    """Refuse: the act does not happen."""
    return _decide(person, request, ApprovalResult.REFUSED)


def _decide(person: Person, request: ApprovalRequest, result: ApprovalResult) -> ApprovalRequest:
    with transaction.atomic():
        fresh = ApprovalRequest.objects.select_for_update().get(pk=request.pk)
        check_decide_request(person, fresh)
        fresh.result, fresh.decided_by, fresh.decided_at = result.value, person.label, now()
        fresh.save(update_fields=["result", "decided_by", "decided_at"])
        code = codes.APPROVED if result is ApprovalResult.APPROVED else codes.REFUSED
        record(person, code, fresh, act=fresh.act, about=fresh.subject)
    return fresh


def spend(person: Person, act: TwoPersonAct, subject: models.Model | str) -> ApprovalRequest:
    """Use up the approval of ``act`` on ``subject``: called by the act itself, inside its transaction.

    Refused where there is none that was approved, is within its time and was not used. Whoever carries it out has the
    first seat, so that neither of the two needs the other's permissions.
    """
    must(person, RULES[act].first)
    named = subject_of(subject)
    request = (
        ApprovalRequest.objects.select_for_update()
        .filter(act=act.value, subject=named, result=ApprovalResult.APPROVED.value, spent_at=None, expires_at__gt=now())
        .order_by("created_at")
        .first()
    )
    if request is None:
        raise RefusedError(
            "approval_missing", "This needs a second person's approval first.", mend="Ask for it, and have a colleague approve."
        )
    must_differ(person, {request.decided_by}, "This act")
    request.spent_at, request.spent_by = now(), person.label
    request.save(update_fields=["spent_at", "spent_by"])
    record(person, codes.SPENT, request, act=act.value, about=named)
    return request


def do_show_reason(person: Person, request: ApprovalRequest) -> str:
    """The reason of a request, for the two seats of its act; each showing is logged."""
    rule = RULES[TwoPersonAct(request.act)]
    if not (person.may(rule.first) or person.may(rule.second)):
        must(person, rule.second)
    if request.reason is None:
        raise RefusedError("reason_gone", "The reason is not kept any more.")
    with transaction.atomic():
        record(person, codes.REASON_SHOWN, request, purpose="approval", act=request.act)
    return str(request.reason.open())


def do_expire(person: Person) -> int:
    """Close the requests whose time is over; a house-keeping step. Nothing depends on it: expired ones are refused anyway."""
    with transaction.atomic():
        late = ApprovalRequest.objects.filter(result=ApprovalResult.PENDING.value, expires_at__lte=now())
        rows = list(late.select_for_update())
        for request in rows:
            record(person, codes.EXPIRED, request, act=request.act, about=request.subject)
        _expire(ApprovalRequest.objects.filter(pk__in=[request.pk for request in rows]))
    return len(rows)


def _expire(among: models.QuerySet[ApprovalRequest]) -> None:
    among.filter(result=ApprovalResult.PENDING.value, expires_at__lte=now()).update(result=ApprovalResult.EXPIRED.value)
