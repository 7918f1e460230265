"""What arrives: a draft while somebody writes, then a report with its submissions; and the addresses they name."""

from __future__ import annotations

from enum import StrEnum
from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q

from vigil.hotline.access.entity import Entity
from vigil.hotline.access.sealing import SealedTextField
from vigil.hotline.reports.enumerations import (
    URGENCY,
    AiNexus,
    Channel,
    Outcome,
    Priority,
    SourceClass,
    Status,
    SubmissionType,
    Theme,
)
from vigil.hotline.reports.lifecycle import CONCLUDED


def _choices(values: type[StrEnum]) -> list[tuple[str, str]]:
    return [(value.value, value.value.replace("_", " ")) for value in values]


class Url(Entity):
    """One canonical web address. ``canon`` is the version of the rule that made it.

    ``url_digest``  keyed digest of the canonical text: equality without revealing the address.
    ``raw``         as the first reporter gave it.
    """

    canonical = SealedTextField()
    raw = SealedTextField()
    url_digest = models.CharField(max_length=64)
    canon = models.CharField(max_length=60)
    scheme = models.CharField(max_length=10)
    host = models.CharField(max_length=260)
    registrable_domain = models.CharField(max_length=260)
    tld = models.CharField(max_length=70, blank=True)
    first_seen = models.DateTimeField()
    last_seen = models.DateTimeField()

    # Named here and not at the fields: there PostgreSQL is given a second index on each text, for searches by its beginning,
    # which takes as long to write at each arrival as the first. Only brands are searched so; one index serves both questions.
    class Meta:
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["host"], name="reports_url_of_host"),
            models.Index(fields=["registrable_domain"], opclasses=["varchar_pattern_ops"], name="reports_url_of_domain"),
        ]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["url_digest"], name="reports_url_once")
        ]


class Report(Entity):
    """One arrival at the desk, from any channel; once somebody picked it up, a case.

    ``ref``         what the reporter may keep; opens nothing by itself.
    ``urgency``     the place of ``priority`` in its enumeration, so that the queue can be sorted by an index.
    ``is_open``     whether ``status`` is an open one: the queue reads only these.
    ``repeats``     how many later reports were duplicates of this one.
    ``taken_by``    the one person who works on it now; nobody else can take it.
    ``concluded_at`` when it was last actioned or closed.
    ``version``     grows with each change; a page that shows an older one is out of date.
    ``sender``      the partner that reported through the partner door; ``partner_ref`` is its own number for the report.
    ``portal``      the portal it came in by, where there are several; ``portal_country`` as claimed by portal or partner.
    ``access_notes`` how to get there, as the reporter says it: a referring address, steps. A claim, not a recipe.
    ``reduced_at``  when what it said was disposed of and only what statistics and the duplicate rule need was left.
    """

    ref = models.CharField(max_length=20)
    channel = models.CharField(max_length=20, choices=_choices(Channel))
    source_class = models.CharField(max_length=20, choices=_choices(SourceClass))
    received_at = models.DateTimeField()
    language = models.CharField(max_length=20, blank=True)
    theme_claimed = models.CharField(max_length=20, blank=True, choices=_choices(Theme))
    ai_nexus = models.JSONField(default=list, blank=True)
    free_text = SealedTextField(null=True, blank=True)
    priority = models.CharField(max_length=20, choices=_choices(Priority), default=Priority.NORMAL)
    urgency = models.PositiveSmallIntegerField(default=URGENCY[Priority.NORMAL])
    status = models.CharField(max_length=20, choices=_choices(Status), default=Status.NEW)
    is_open = models.BooleanField(default=True)
    outcome = models.CharField(max_length=30, blank=True, choices=_choices(Outcome))
    dedupe_of = models.ForeignKey(
        "self", on_delete=models.PROTECT, null=True, blank=True, related_name="duplicates", db_index=False
    )
    duplicate_rule_version = models.CharField(max_length=10, blank=True)
    repeats = models.PositiveIntegerField(default=0)
    taken_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="cases_in_hand", db_index=False
    )
    taken_at = models.DateTimeField(null=True, blank=True)
    concluded_at = models.DateTimeField(null=True, blank=True)
    version = models.PositiveIntegerField(default=1)
    sender = models.ForeignKey(
        "partners.Sender", on_delete=models.PROTECT, null=True, blank=True, related_name="reports"
    )
    portal = models.CharField(max_length=40, blank=True)
    portal_country = models.CharField(max_length=2, blank=True)
    partner_ref = models.CharField(max_length=100, blank=True)
    observed_at = models.DateTimeField(null=True, blank=True)
    access_notes = SealedTextField(null=True, blank=True)
    reduced_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["is_open", "urgency", "received_at"], name="reports_queue"),
            # All that the counts of the console's rail ask about open cases, so that no row is read for them.
            models.Index(
                fields=["urgency", "received_at", "status", "taken_by", "channel", "id"],
                condition=Q(is_open=True),
                name="reports_open",
            ),
            # Most cases are nobody's and count on no other: an index with those in it misleads SQLite's planner.
            models.Index(fields=["taken_by"], condition=Q(taken_by__isnull=False), name="reports_taken"),
            models.Index(fields=["dedupe_of"], condition=Q(dedupe_of__isnull=False), name="reports_duplicates"),
            models.Index(fields=["received_at"], name="reports_received"),
            models.Index(fields=["concluded_at", "outcome"], name="reports_concluded"),
        ]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["ref"], name="reports_ref_once"),  # as above: equality alone is asked
            models.CheckConstraint(
                name="reports_urgency_is_that_of_priority",
                condition=models.Q(
                    *[Q(priority=priority.value, urgency=urgency) for priority, urgency in URGENCY.items()],
                    _connector=Q.OR,
                ),
            ),
            models.CheckConstraint(
                name="reports_outcome_exactly_when_concluded",
                condition=(Q(status__in=sorted(CONCLUDED)) & Q(is_open=False) & ~Q(outcome=""))
                | (~Q(status__in=sorted(CONCLUDED)) & Q(is_open=True) & Q(outcome="")),
            ),
            models.CheckConstraint(
                name="reports_duplicate_names_the_first",
                condition=(Q(outcome=Outcome.DUPLICATE.value) & Q(dedupe_of__isnull=False))
                | (~Q(outcome=Outcome.DUPLICATE.value) & Q(dedupe_of__isnull=True)),
            ),
        ]

    @property
    def nexus(self) -> list[AiNexus]:
        """The claimed parts of artificial intelligence."""
        return [AiNexus(value) for value in self.ai_nexus]


class Submission(Entity):
    """One thing handed over inside a report, exactly as received.

    ``url``      its canonical address; None where no canonical form exists, and then ``refusal`` is the class why
    (a code of :class:`vigil.match.urls.refusal.Refusal`, or ``several_lines``).
    ``algorithm``  of a hash; ``digest`` is the keyed digest by which two reports of the same file meet.
    """

    report = models.ForeignKey(
        Report, on_delete=models.PROTECT, related_name="submissions", db_index=False  # its constraint has an index
    )
    type = models.CharField(max_length=20, choices=_choices(SubmissionType))
    raw = SealedTextField()
    url = models.ForeignKey(Url, on_delete=models.PROTECT, null=True, blank=True, related_name="submissions")
    refusal = models.CharField(max_length=30, blank=True)
    algorithm = models.CharField(max_length=10, blank=True)
    digest = models.CharField(max_length=64, blank=True)
    order = models.PositiveSmallIntegerField(default=1)

    class Meta:
        ordering: ClassVar[list[str]] = ["order"]
        indexes: ClassVar[list[models.Index]] = [models.Index(fields=["digest"], name="reports_submission_of_file")]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["report", "order"], name="reports_submissions_are_numbered")
        ]


class Draft(Entity):
    """What somebody has answered so far, each answer as it was entered. Deleted 24 hours after it was begun.

    ``token_digest``   digest of the random token in the browser's cookie; the token itself is not kept.
    ``address_as_is``  the reporter chose to send an address that we could not read.
    ``danger``         the reporter thinks that a child is in danger now.
    ``report``         set in the transaction that made the report: a second press finds it here.
    """

    token_digest = models.CharField(max_length=64, unique=True)
    address = SealedTextField(default="")
    address_as_is = models.BooleanField(default=False)
    theme = models.CharField(max_length=30, blank=True)
    words = SealedTextField(default="")
    words_seen = models.BooleanField(default=False)
    danger = models.BooleanField(default=False)
    report = models.ForeignKey(Report, on_delete=models.SET_NULL, null=True, blank=True, related_name="+")

    class Meta:
        indexes: ClassVar[list[models.Index]] = [models.Index(fields=["created_at"], name="reports_draft_age")]
