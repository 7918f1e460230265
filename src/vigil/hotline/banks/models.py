"""Rows of banks, their contents and signals, the policy, machines, and exchanges."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import ClassVar

from django.core.validators import RegexValidator
from django.db import models
from django.db.models import Q

from vigil.hotline.access.clock import now
from vigil.hotline.access.entity import Entity
from vigil.hotline.access.permissions import BANK_MACHINES, Permission
from vigil.hotline.access.roles import Role
from vigil.hotline.access.sealing import SealedTextField

OFF = 0
ON = 1


class MachineRole(StrEnum):
    """What a machine does with banks: look at them, keep them, or (a node) follow what they hold."""

    READER = "reader"
    CURATOR = "curator"
    FOLLOWER = "follower"


class BankPolicy(Entity):
    """What banks are for. In force is the latest that a second person approved; ``created_by`` proposed it."""

    purpose = models.TextField(max_length=2000)
    legal_basis = models.TextField(max_length=2000)
    owner = models.CharField(max_length=200)
    retention_days = models.PositiveIntegerField()
    max_distance = models.PositiveSmallIntegerField(default=31)
    approved_by = models.CharField(max_length=200, blank=True)
    approved_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(condition=~Q(approved_by=models.F("created_by")), name="banks_two_people_set_the_policy")
        ]


class Turn(models.Model):
    """The one row that numbers changes: whoever changes something for nodes takes the next number under its lock."""

    ONLY = 1
    id = models.PositiveSmallIntegerField(primary_key=True, default=ONLY)
    number = models.BigIntegerField(default=0)


class Bank(models.Model):
    """One bank. Its list carries the lasting name; ``name`` is a label that can change, free again once it is deleted."""

    number = models.BigAutoField(primary_key=True)
    list = models.OneToOneField("lists.List", on_delete=models.PROTECT, related_name="bank")
    name = models.CharField(max_length=255)
    ratio = models.FloatField(default=1.0)
    policy = models.ForeignKey(BankPolicy, on_delete=models.PROTECT, related_name="banks")
    created_at = models.DateTimeField(default=now, editable=False)
    created_by = models.CharField(max_length=200, editable=False)
    deleted_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering: ClassVar[list[str]] = ["number"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["name"], condition=Q(deleted_at=None), name="banks_one_bank_of_a_name"),
            models.CheckConstraint(condition=Q(ratio__gte=0, ratio__lte=1), name="banks_ratio_is_a_share"),
        ]


class BankContent(models.Model):
    """Something banked: one value for each signal type. ``number`` is never used again.

    ``until``   0 off, 1 on, otherwise off until that Unix second
    ``changed`` the turn of its last change, by which nodes follow
    ``gone``    deleted: number and time stay, so that nodes delete it too; everything else is erased
    """

    number = models.BigAutoField(primary_key=True)
    bank = models.ForeignKey(Bank, on_delete=models.PROTECT, related_name="contents")
    until = models.BigIntegerField(default=ON)
    note = SealedTextField(null=True, blank=True)
    metadata = SealedTextField(null=True, blank=True)
    changed = models.BigIntegerField()
    gone = models.BooleanField(default=False)
    added_at = models.DateTimeField(default=now)
    added_by = models.CharField(max_length=200)

    class Meta:
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["changed", "number"], name="banks_content_followed"),
            models.Index(fields=["bank", "gone"], name="banks_content_of_bank"),
            models.Index(fields=["gone", "added_at"], name="banks_content_retention"),
        ]


class BankSignal(models.Model):
    """One value of a content, in its normal writing, sealed."""

    content = models.ForeignKey(BankContent, on_delete=models.CASCADE, related_name="signals")
    type = models.CharField(max_length=20)
    value = SealedTextField()

    class Meta:
        ordering: ClassVar[list[str]] = ["pk"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["content", "type"], name="banks_one_value_a_type")
        ]


class TypeRatio(models.Model):
    """How much of all queries a signal type takes part in; a type without a row takes part in all."""

    name = models.CharField(max_length=20, primary_key=True)
    ratio = models.FloatField(default=1.0)


class Machine(Entity):
    """Software with a token for banks. ``token_digest`` is a keyed digest; ``followed`` the turn a follower has taken up."""

    name = models.CharField(
        max_length=60,
        unique=True,
        validators=[RegexValidator(r"^[a-z0-9][a-z0-9.-]{0,59}$", "Use small letters, digits, dot and dash.")],
    )
    role = models.CharField(max_length=12, choices=[(role.value, role.value) for role in MachineRole])
    token_digest = models.CharField(max_length=64, unique=True)
    expires_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True, blank=True)
    revoked_by = models.CharField(max_length=200, blank=True)
    followed = models.BigIntegerField(null=True, blank=True)

    @property
    def label(self) -> str:
        """How the audit log names this machine."""
        return f"machine:{self.name}"

    @property
    def roles(self) -> frozenset[Role]:
        return frozenset()

    def may(self, permission: Permission) -> bool:
        return permission in BANK_MACHINES[self.role]

    def in_force(self, moment: datetime) -> bool:
        """True while the token is neither revoked nor expired."""
        return self.revoked_at is None and moment < self.expires_at


class Exchange(Entity):
    """A source that fills a bank of its own. ``settings``: the fields of its kind, no secrets among them."""

    bank = models.OneToOneField(Bank, on_delete=models.CASCADE, related_name="exchange")
    api = models.CharField(max_length=40)
    settings = models.JSONField(default=dict, blank=True)
    enabled = models.BooleanField(default=True)
    checkpoint = models.JSONField(null=True, blank=True)
    checkpoint_at = models.BigIntegerField(null=True, blank=True)
    completed_at = models.BigIntegerField(null=True, blank=True)
    succeeded = models.BooleanField(null=True, blank=True)
    up_to_date = models.BooleanField(default=False)
    fetched = models.BigIntegerField(default=0)
    error_code = models.CharField(max_length=60, blank=True)


class ExchangeSource(models.Model):
    """The source that the worker fetches for an exchange. ``exchange`` None: it was deleted, and the source goes next."""

    source = models.OneToOneField("sources.Source", on_delete=models.CASCADE, primary_key=True, related_name="of_exchange")
    exchange = models.OneToOneField(Exchange, on_delete=models.SET_NULL, null=True, related_name="link")


class ExchangeContent(models.Model):
    """What became of an entry of an exchange's source: a content of the bank, or none where it has no value that banks hold.

    ``digest``  of the entry as it was then: where it differs from the entry's, the entry has changed since
    """

    id = models.BigAutoField(primary_key=True)
    imported = models.ForeignKey("sources.ImportedEntry", on_delete=models.PROTECT, related_name="banked")
    content = models.ForeignKey(BankContent, on_delete=models.CASCADE, null=True, related_name="from_exchange")
    digest = models.BinaryField(max_length=16)


class ExchangeCredentials(models.Model):
    """What one kind of exchange signs in with, sealed; never given out."""

    api = models.CharField(max_length=40, primary_key=True)
    content = SealedTextField()
    set_by = models.CharField(max_length=200)
    set_at = models.DateTimeField(default=now)
