"""Rounds and items of the journal; what imported entries are used for."""

from __future__ import annotations

from enum import StrEnum
from typing import ClassVar

from django.db import models
from django.db.models import F, Q

from vigil.hotline.access.entity import Entity
from vigil.hotline.access.sealing import SealedTextField

no_values = list


class ExchangeRound(models.Model):
    """What became visible at ``stamp`` (whole seconds) for one audience, with edition ``number``.

    ``audience``  code of a partner; empty for the hotline's own nodes
    """

    id = models.BigAutoField(primary_key=True)
    audience = models.CharField(max_length=32, blank=True)
    number = models.PositiveIntegerField()
    stamp = models.DateTimeField()

    class Meta:
        indexes: ClassVar[list[models.Index]] = [models.Index(fields=["audience", "stamp"], name="exchange_round_stamp")]


class ExchangeItem(models.Model):
    """One entry as an audience sees it now: its newest state stands in the round in which it last changed.

    ``entry``    the number under which this audience knows it
    ``content``  sealed JSON of an entry (see :mod:`.journal`); kept for withdrawn ones, whose readers need it to delete
    """

    id = models.BigAutoField(primary_key=True)
    audience = models.CharField(max_length=32, blank=True)
    list = models.CharField(max_length=64)
    entry = models.BigIntegerField()
    round = models.ForeignKey(ExchangeRound, on_delete=models.PROTECT, related_name="items")
    gone = models.BooleanField(default=False)
    digest = models.CharField(max_length=64)
    content = SealedTextField()

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["audience", "list", "entry"], name="exchange_item_once")
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["audience", "list", "round", "entry"], name="exchange_item_order")
        ]


class PolicyUse(StrEnum):
    """What entries of a source are used for."""

    MATCH = "match"
    LIST = "list"


class ImportPolicy(Entity):
    """One use of one source's entries, proposed by one person and approved by another."""

    source = models.ForeignKey("sources.Source", on_delete=models.PROTECT, related_name="policies")
    use = models.CharField(max_length=10, choices=[(use.value, use.value) for use in PolicyUse])
    list = models.ForeignKey("lists.List", on_delete=models.PROTECT, null=True, blank=True, related_name="import_policies")
    algorithms = models.JSONField(default=no_values, blank=True)
    approved_at = models.DateTimeField(null=True, blank=True)
    approved_by = models.CharField(max_length=200, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    ended_by = models.CharField(max_length=200, blank=True)

    class Meta:
        ordering: ClassVar[list[str]] = ["-created_at"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(condition=~Q(approved_by=F("created_by")), name="exchange_policy_two_people"),
            models.UniqueConstraint(
                fields=["source", "use"], condition=Q(approved_at__isnull=False, ended_at=None), name="exchange_one_policy"
            ),
        ]


class ImportedListing(models.Model):
    """What became of one fingerprint of an imported entry under a policy: our entry, or why there is none."""

    id = models.BigAutoField(primary_key=True)
    policy = models.ForeignKey(ImportPolicy, on_delete=models.PROTECT, related_name="listings")
    imported = models.ForeignKey("sources.ImportedEntry", on_delete=models.PROTECT, related_name="listings")
    algorithm = models.CharField(max_length=40)
    entry = models.ForeignKey("lists.ListEntry", on_delete=models.PROTECT, null=True, blank=True, related_name="imported_from")
    why_not = models.CharField(max_length=60, blank=True)
