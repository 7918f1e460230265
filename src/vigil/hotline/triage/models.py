"""What triage found, what rules closed, which cases belong together, and emergencies."""

from __future__ import annotations

from typing import ClassVar

from django.db import models

from vigil.hotline.access.entity import AppendOnly, Entity
from vigil.hotline.access.sealing import SealedTextField


class Triage(AppendOnly):
    """One sorting of one report. A later one (after a capture) is a new row.

    ``spam_reasons``  codes of the rules that fitted. ``known_pages``, ``known_files`` numbers of entries that were met.
    ``words_digest``  keyed digest of the words as they are compared; empty where there are too few.
    """

    report = models.ForeignKey("reports.Report", on_delete=models.PROTECT, related_name="triages")
    policy_version = models.CharField(max_length=20)
    policy_digest = models.CharField(max_length=64)
    spam_score = models.FloatField()
    spam_reasons = models.JSONField(default=list)
    known_pages = models.JSONField(default=list)
    known_files = models.JSONField(default=list)
    same_host = models.PositiveIntegerField(default=0)
    words_digest = models.CharField(max_length=64, blank=True)
    priority = models.CharField(max_length=20)

    class Meta:
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["words_digest", "created_at"], name="triage_words", condition=~models.Q(words_digest=""))
        ]


class ClosingKind(models.TextChoices):
    KNOWN = "known", "Known already"
    SPAM = "spam", "Clear spam"


class AutoClosing(Entity):
    """A rule closed a report. ``sampled`` ones wait for a person: ``right`` is None until somebody has looked."""

    report = models.ForeignKey("reports.Report", on_delete=models.PROTECT, related_name="closings")
    kind = models.CharField(max_length=10, choices=ClosingKind)
    policy_version = models.CharField(max_length=20)
    sampled = models.BooleanField(default=False)
    right = models.BooleanField(null=True, blank=True)
    checked_at = models.DateTimeField(null=True, blank=True)
    checked_by = models.CharField(max_length=200, blank=True)

    class Meta:
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["created_at"], name="triage_to_check", condition=models.Q(sampled=True, right=None))
        ]


class Emergency(Entity):
    """A report that says a child is in danger now: who took it up, and when the police were told."""

    report = models.OneToOneField("reports.Report", on_delete=models.PROTECT, related_name="emergency")
    seen_at = models.DateTimeField(null=True, blank=True)
    seen_by = models.CharField(max_length=200, blank=True)
    passed_on_at = models.DateTimeField(null=True, blank=True)
    passed_on_by = models.CharField(max_length=200, blank=True)
    passed_on_to = SealedTextField(null=True, blank=True)

    class Meta:
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["report"], condition=models.Q(seen_at=None), name="triage_unseen")
        ]


class ClusterKind(models.TextChoices):
    BRAND = "brand", "Same brand"
    SITE_FAMILY = "site_family", "Same site"
    TLD_HOP = "tld_hop", "Same name under other endings"
    CAMPAIGN = "campaign", "Same words"
    DUPLICATE_SET = "duplicate_set", "Same page elsewhere"


class Cluster(Entity):
    """Cases that belong together. ``label_code`` is ours and neutral; ``key_digest`` of what they share, never the thing."""

    kind = models.CharField(max_length=20, choices=ClusterKind)
    label_code = models.CharField(max_length=20, unique=True)
    key_digest = models.CharField(max_length=64)
    rule_version = models.CharField(max_length=10)

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["kind", "key_digest"], name="triage_one_cluster_per_key")
        ]


class Member(AppendOnly):
    """One case in one cluster."""

    cluster = models.ForeignKey(Cluster, on_delete=models.PROTECT, related_name="members")
    report = models.ForeignKey("reports.Report", on_delete=models.PROTECT, related_name="clusters")

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["cluster", "report"], name="triage_member_once")
        ]
        indexes: ClassVar[list[models.Index]] = [models.Index(fields=["cluster", "-created_at"], name="triage_newest_members")]


class BrandTrace(AppendOnly):
    """What names that may be one brand share (see `likeness`): several ``trace`` for each registrable ``domain``."""

    domain = models.CharField(max_length=260)
    trace = models.CharField(max_length=260, db_index=True)

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["domain", "trace"], name="triage_trace_once")
        ]


class Likeness(AppendOnly):
    """``other`` may belong to the same brand as ``report``, for a ``reason`` of :mod:`.likeness`: a proposal, no more."""

    report = models.ForeignKey("reports.Report", on_delete=models.PROTECT, related_name="likenesses")
    other = models.ForeignKey("reports.Report", on_delete=models.PROTECT, related_name="+")
    reason = models.CharField(max_length=20)
    rule_version = models.CharField(max_length=10)

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["report", "other"], name="triage_likeness_once")
        ]


class BrandAnswer(Entity):
    """What a person said about a likeness: the registrable names ``one`` and ``other`` (in their order) are the same brand, or
    are not. About names, so that it holds for every case of theirs, those to come included. One answer counts for two names,
    until somebody takes it back."""

    likeness = models.ForeignKey(Likeness, on_delete=models.PROTECT, related_name="answers")
    one = models.CharField(max_length=260)
    other = models.CharField(max_length=260, db_index=True)
    same = models.BooleanField()
    withdrawn_at = models.DateTimeField(null=True, blank=True)
    withdrawn_by = models.CharField(max_length=200, blank=True)

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["one", "other"], condition=models.Q(withdrawn_at=None), name="triage_one_answer"),
            models.CheckConstraint(condition=models.Q(one__lt=models.F("other")), name="triage_names_in_order"),
        ]
