"""Rows of this room: the ledger, which is only added to, and what people chose for themselves."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q

from vigil.hotline.access.entity import AppendOnly, Entity
from vigil.hotline.welfare.limits import DEFAULT, Policy
from vigil.hotline.welfare.modes import ViewMode


class LeadSees(models.TextChoices):
    """What the welfare lead sees of a person's ledger."""

    NOTHING = "nothing", "Nothing"
    SHARED = "shared", "Totals of those who share them"
    AFTER_A_WEEK = "after_a_week", "Totals that are a week old; fresher ones of those who share them"


class Warned(models.TextChoices):
    """What a content warning warns of, and what a person may opt out of."""

    VIOLENCE = "violence", "Violence"
    INFANT = "infant", "Infants"
    ANIMAL = "animal", "Animals"


class ExposureEvent(AppendOnly):
    """One look at content by one person. ``subject`` as the audit log names it: kind and id, never content.

    ``purpose`` is why: casework, review, appeal, vault. The end of the look is a row of its own.
    """

    analyst = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="looks")
    subject = models.CharField(max_length=200)
    mode = models.CharField(max_length=12, choices=ViewMode.choices)
    audio = models.BooleanField(default=False)
    region_only = models.BooleanField(default=False)
    purpose = models.CharField(max_length=40, default="casework")

    class Meta:
        indexes: ClassVar[list[models.Index]] = [models.Index(fields=["analyst", "created_at"], name="welfare_ledger")]


class ExposureEnd(AppendOnly):
    """How long a look lasted: seconds with content visible in that mode."""

    event = models.OneToOneField(ExposureEvent, on_delete=models.PROTECT, related_name="end")
    seconds = models.PositiveIntegerField()


class SeverityNote(AppendOnly):
    """What somebody found after looking: the severity mix of their ledger. ``severity`` is a value of ``uk_severity``."""

    analyst = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    subject = models.CharField(max_length=200)
    severity = models.CharField(max_length=15)

    class Meta:
        indexes: ClassVar[list[models.Index]] = [models.Index(fields=["analyst", "created_at"], name="welfare_severities")]


class ShiftPolicy(Entity):
    """Limits for a role, or for everybody where ``role`` is empty. The latest row of a role counts."""

    role = models.CharField(max_length=30, blank=True)
    daily_soft_s = models.PositiveIntegerField(default=DEFAULT.daily_soft_s)
    daily_limit_s = models.PositiveIntegerField(default=DEFAULT.daily_limit_s)
    weekly_limit_s = models.PositiveIntegerField(default=DEFAULT.weekly_limit_s)
    break_every_s = models.PositiveIntegerField(default=DEFAULT.break_every_s)
    break_s = models.PositiveIntegerField(default=DEFAULT.break_s)
    hard = models.BooleanField(default=True)
    lead_sees = models.CharField(max_length=15, choices=LeadSees.choices, default=LeadSees.SHARED)

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(
                name="welfare_limits_in_order",
                condition=Q(daily_soft_s__lte=models.F("daily_limit_s")) & Q(daily_limit_s__lte=models.F("weekly_limit_s")),
            )
        ]

    def limits(self) -> Policy:
        """The numbers alone."""
        return Policy(
            self.daily_soft_s, self.daily_limit_s, self.weekly_limit_s, self.break_every_s, self.break_s, self.hard
        )


class Break(AppendOnly):
    """A break: begun by the person, or enforced because it was due."""

    analyst = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="breaks")
    ends_at = models.DateTimeField()
    enforced = models.BooleanField(default=False)


class Swap(Entity):
    """A person went over to work without content, without giving a reason; ``ended_at`` when they came back."""

    analyst = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="swaps")
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["analyst"], condition=Q(ended_at=None), name="welfare_one_swap_at_a_time")
        ]


class BuddyRequest(Entity):
    """Somebody would like company. No reason is asked for; any colleague may answer."""

    analyst = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="buddy_requests")
    answered_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    closed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["analyst"], condition=Q(closed_at=None), name="welfare_one_open_buddy_request"),
            models.CheckConstraint(
                condition=Q(answered_by=None) | ~Q(answered_by=models.F("analyst")), name="welfare_a_buddy_is_somebody_else"
            ),
        ]


class WellbeingCheck(AppendOnly):
    """A question how somebody is, shown to them alone: after a limit came near, or a heavy day."""

    analyst = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    trigger = models.CharField(max_length=30)


class Preferences(Entity):
    """What a person chose for themselves: nothing here is seen by anybody else.

    ``share``     whether the welfare lead may see their totals at once.
    ``opt_outs``  kinds of content that are not routed to them, and that are warned of before anything is shown.
    """

    analyst = models.OneToOneField(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="preferences")
    greyscale = models.BooleanField(default=False)
    blur = models.PositiveSmallIntegerField(default=3)
    tile_side = models.PositiveSmallIntegerField(default=320)
    sketch = models.BooleanField(default=False)
    share = models.BooleanField(default=False)
    opt_outs = models.JSONField(default=list, blank=True)

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(condition=Q(blur__gte=1, blur__lte=5), name="welfare_blur_in_range"),
            models.CheckConstraint(condition=Q(tile_side__gte=96, tile_side__lte=640), name="welfare_tile_in_range"),
        ]
