"""What enforcement nodes counted."""

from __future__ import annotations

from typing import ClassVar

from django.db import models

from vigil.hotline.access.entity import AppendOnly, Entity
from vigil.hotline.partners.models import Node


class CountVector(Entity):
    """The counts of one node, list, edition and hour, in one revision. All revisions stay; ``in_force`` is the highest.

    ``counts``       number by class; None means 0 to ``k`` - 1.
    ``messages``     texts of pages shown and help followed, by message.
    ``signed``       a key of the node signed it.
    ``body_digest``  SHA-256 of the bytes that were sent: the same bytes again are the same vector.
    """

    node = models.ForeignKey(Node, on_delete=models.PROTECT, related_name="vectors")
    list = models.CharField(max_length=64)
    edition = models.PositiveIntegerField()
    hour = models.DateTimeField()
    revision = models.PositiveIntegerField()
    rules = models.PositiveSmallIntegerField()
    covered_seconds = models.PositiveSmallIntegerField()
    counts = models.JSONField()
    privacy = models.CharField(max_length=20)
    k = models.PositiveSmallIntegerField()
    messages = models.JSONField(default=dict)
    signed = models.BooleanField(default=False)
    body_digest = models.CharField(max_length=64)
    in_force = models.BooleanField(default=True)

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(
                fields=["node", "list", "edition", "hour", "revision"], name="statistics_vector_once"
            ),
            models.UniqueConstraint(
                fields=["node", "list", "edition", "hour"],
                condition=models.Q(in_force=True),
                name="statistics_one_revision_in_force",
            ),
        ]
        indexes: ClassVar[list[models.Index]] = [models.Index(fields=["in_force", "hour"], name="statistics_by_hour")]


class CarriedCount(AppendOnly):
    """What a node carried of small numbers into a day or a week of one list, in steps of ``k``: told once.

    ``counts``, ``messages``  number by class, and by message of the pages.
    ``cells``                 of how many hidden numbers each of them is made.
    """

    node = models.ForeignKey(Node, on_delete=models.PROTECT, related_name="carried")
    list = models.CharField(max_length=64)
    period = models.CharField(max_length=4, choices=[("day", "day"), ("week", "week, from Monday")])
    start = models.DateField()
    rules = models.PositiveSmallIntegerField()
    k = models.PositiveSmallIntegerField()
    counts = models.JSONField()
    messages = models.JSONField(default=dict)
    cells = models.JSONField()
    signed = models.BooleanField(default=False)
    body_digest = models.CharField(max_length=64)

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["node", "list", "period", "start", "k"], name="statistics_carried_once")
        ]
        indexes: ClassVar[list[models.Index]] = [models.Index(fields=["start"], name="statistics_carried_by_start")]


class CountAlarm(AppendOnly):
    """A node sent other bytes under a key it had used, of an hour or of a day or week. Somebody should find out why."""

    vector = models.ForeignKey(CountVector, on_delete=models.PROTECT, null=True, related_name="alarms")
    carried = models.ForeignKey(CarriedCount, on_delete=models.PROTECT, null=True, related_name="alarms")
    body_digest = models.CharField(max_length=64)

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["vector", "body_digest"], name="statistics_alarm_once"),
            models.UniqueConstraint(fields=["carried", "body_digest"], name="statistics_carried_alarm_once"),
            models.CheckConstraint(
                condition=models.Q(vector=None, carried__isnull=False) | models.Q(vector__isnull=False, carried=None),
                name="statistics_alarm_about_one",
            ),
        ]


class EntryCount(Entity):
    """How often one entry matched at a node in one hour: sent only from a floor on, and in steps of it.

    Ordinary matches never come in here; it exists to find entries that match far too much.
    """

    node = models.ForeignKey(Node, on_delete=models.PROTECT, related_name="entry_counts")
    entry = models.BigIntegerField()
    edition = models.PositiveIntegerField()
    hour = models.DateTimeField()
    number = models.PositiveBigIntegerField()

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["node", "entry", "edition", "hour"], name="statistics_entry_count_once")
        ]
        indexes: ClassVar[list[models.Index]] = [models.Index(fields=["entry", "hour"], name="statistics_entry_hour")]


class CanaryAlarm(Entity):
    """Somebody asked for a mark: a list is being probed or used by somebody who should not have it.

    ``source``  ``count`` (nodes counted it) or ``log`` (the hotline's own server for its marks saw a request).
    ``node``    name of the node that counted it.
    ``partner`` code of the partner whose private mark it was; empty where that cannot be told.
    """

    source = models.CharField(max_length=10, choices=[("count", "counted by a node"), ("log", "asked of our own server")])
    node = models.CharField(max_length=60, blank=True)
    list = models.CharField(max_length=64)
    partner = models.CharField(max_length=32, blank=True)
    hour = models.DateTimeField()
    number = models.PositiveBigIntegerField()
    seen_by = models.CharField(max_length=200, blank=True)
    seen_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering: ClassVar[list[str]] = ["-hour"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(
                fields=["source", "node", "list", "partner", "hour"], name="statistics_canary_once"
            )
        ]


class NodeKey(Entity):
    """A public key of a node (Ed25519, hexadecimal), believed until it is revoked."""

    node = models.ForeignKey(Node, on_delete=models.PROTECT, related_name="keys")
    public_key = models.CharField(max_length=64, unique=True)
    revoked_at = models.DateTimeField(null=True, blank=True)


class NodeCertificate(AppendOnly):
    """The signed report of a node's self-test; ``body`` is the certificate as it came. ``failing``: names of doors."""

    node = models.ForeignKey(Node, on_delete=models.PROTECT, related_name="certificates")
    made_at = models.DateTimeField()
    edition = models.PositiveIntegerField(null=True)
    good = models.BooleanField()
    failing = models.JSONField(default=list)
    body = models.TextField()
    body_digest = models.CharField(max_length=64)

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["node", "body_digest"], name="statistics_certificate_once")
        ]
