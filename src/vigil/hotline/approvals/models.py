"""The row of a two-person act."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import F, Q

from vigil.hotline.access.clock import now
from vigil.hotline.access.entity import Entity
from vigil.hotline.access.sealing import SealedTextField
from vigil.hotline.approvals.acts import RULES, ApprovalResult, TwoPersonAct


class ApprovalRequest(Entity):
    """One two-person act on one subject; ``created_by`` is who asks.

    ``subject``     as the audit log names it: kind and id, never content.
    ``reason``      sealed: it may hold what only the second person should read. None once its time is over (see retention).
    ``behind``      labels of everybody who took part in the subject when it was asked for: they may not approve.
    ``decided_by``  label of who approved or refused. ``spent_at`` when the act used the approval: once.
    """

    act = models.CharField(max_length=40, choices=[(act.value, act.value.replace("_", " ")) for act in TwoPersonAct])
    subject = models.CharField(max_length=200, db_index=True)
    reason = SealedTextField(null=True, blank=True)
    behind = models.JSONField(default=list, blank=True)
    expires_at = models.DateTimeField()
    result = models.CharField(
        max_length=10,
        choices=[(result.value, result.value) for result in ApprovalResult],
        default=ApprovalResult.PENDING.value,
    )
    decided_by = models.CharField(max_length=200, blank=True)
    decided_at = models.DateTimeField(null=True, blank=True)
    spent_at = models.DateTimeField(null=True, blank=True)
    spent_by = models.CharField(max_length=200, blank=True)

    class Meta:
        ordering: ClassVar[list[str]] = ["created_at"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(name="approvals_two_people", condition=Q(decided_by="") | ~Q(decided_by=F("created_by"))),
            models.CheckConstraint(
                name="approvals_decided_by_somebody",
                condition=~Q(result__in=["approved", "refused"]) | (~Q(decided_by="") & Q(decided_at__isnull=False)),
            ),
            models.CheckConstraint(
                name="approvals_only_approved_are_spent", condition=Q(spent_at=None) | Q(result="approved")
            ),
            models.UniqueConstraint(
                fields=["act", "subject"], condition=Q(result="pending"), name="approvals_one_pending_for_a_subject"
            ),
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["result", "expires_at"], name="approvals_waiting"),
        ]

    @property
    def requested_by(self) -> str:
        return self.created_by

    @property
    def in_words(self) -> str:
        """The act in words."""
        return RULES[TwoPersonAct(self.act)].text

    @property
    def state(self) -> ApprovalResult:
        """What became of it; a request or an approval past its time is expired, whatever the row says."""
        result = ApprovalResult(self.result)
        late = self.spent_at is None and self.expires_at <= now()
        return ApprovalResult.EXPIRED if late and result is not ApprovalResult.REFUSED else result
