"""Partners, their agreements, their enforcement nodes and what those fetched."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

from django.core.validators import RegexValidator
from django.db import models
from django.db.models import F, Q

from vigil.hotline.access.entity import AppendOnly, Entity
from vigil.hotline.access.people import OPERATOR
from vigil.hotline.access.permissions import NODE, SCOPES, Permission
from vigil.hotline.access.roles import Role
from vigil.hotline.access.sealing import SealedTextField
from vigil.hotline.partners.enumerations import PartnerKind


def no_values() -> list[str]:
    return []


class Partner(Entity):
    """Somebody who gets our lists under an agreement.

    ``code``       how the partner stands in editions and metadata: random, says nothing about who it is.
    ``hosts``      names of its own space: an entry there is looked at twice.
    ``recipient``  its public key (age) for what is encrypted to it.
    ``stopped_at`` the kill switch: from then on it gets nothing, whatever was agreed.
    """

    code = models.CharField(max_length=32, unique=True, validators=[RegexValidator(r"^[a-z0-9][a-z0-9-]{0,31}$")])
    title = models.CharField(max_length=200)
    kind = models.CharField(max_length=20, choices=[(kind.value, kind.value.replace("_", " ")) for kind in PartnerKind])
    hosts = models.JSONField(default=no_values, blank=True)
    recipient = models.CharField(max_length=200, blank=True)
    stopped_at = models.DateTimeField(null=True, blank=True)
    stopped_by = models.CharField(max_length=200, blank=True)
    stop_reason = models.CharField(max_length=300, blank=True)

    class Meta:
        ordering: ClassVar[list[str]] = ["title"]


class Agreement(Entity):
    """What a partner may have: which lists, under which laws, in which forms, until when, and who there answers for it.

    In force once a second person has approved it, between ``starts_at`` and ``ends_at``, until somebody ends it.
    ``jurisdictions`` empty: entries of every jurisdiction. ``people`` sealed, one a line; None once their time is over (see
    retention).
    """

    partner = models.ForeignKey(Partner, on_delete=models.PROTECT, related_name="agreements")
    reference = models.CharField(max_length=200)
    lists = models.JSONField(default=no_values)
    jurisdictions = models.JSONField(default=no_values, blank=True)
    exports = models.JSONField(default=no_values, blank=True)
    people = SealedTextField(null=True, blank=True)
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    approved_by = models.CharField(max_length=200, blank=True)
    approved_at = models.DateTimeField(null=True, blank=True)
    ended_by = models.CharField(max_length=200, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering: ClassVar[list[str]] = ["-created_at"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(condition=~Q(approved_by=F("created_by")), name="partners_two_people_agree")
        ]

    def in_force(self, now: datetime) -> bool:
        """Approved, begun, neither over nor ended, and its partner not stopped."""
        return (
            self.approved_at is not None
            and self.starts_at <= now < self.ends_at
            and self.ended_at is None
            and self.partner.stopped_at is None
        )


class RecipientChange(Entity):
    """Another public key for a partner: proposed by one person, approved by another; the partner's row has the one in use.

    ``before``   the key it replaces, empty where there was none. ``recipient`` the new one.
    ``overlap``  the key before reads for 48 hours more; otherwise it stops with the next edition.
    ``reason``   in a few words, nothing confidential.
    ``taken_up_by`` who at the console answers for a key that was proposed by command.
    ``approved`` what was decided; None while it waits.
    """

    partner = models.ForeignKey(Partner, on_delete=models.PROTECT, related_name="recipient_changes")
    before = models.CharField(max_length=200, blank=True)
    recipient = models.CharField(max_length=200)
    overlap = models.BooleanField(default=False)
    reason = models.CharField(max_length=300)
    taken_up_by = models.CharField(max_length=200, blank=True)
    taken_up_at = models.DateTimeField(null=True, blank=True)
    approved = models.BooleanField(null=True)
    decided_by = models.CharField(max_length=200, blank=True)
    decided_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering: ClassVar[list[str]] = ["-created_at"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(
                condition=~Q(approved=True) | ~Q(decided_by=F("created_by")), name="partners_two_people_change_a_key"
            ),
            models.CheckConstraint(
                condition=~Q(approved=True) | ~Q(decided_by=F("taken_up_by")), name="partners_two_people_besides_a_command"
            ),
            models.UniqueConstraint(
                fields=["partner"], condition=Q(approved=None), name="partners_one_change_of_key_waits"
            ),
        ]

    @property
    def names_nobody(self) -> bool:
        """Proposed by command, and nobody at the console has taken it up."""
        return self.created_by == OPERATOR.label and not self.taken_up_by


class Node(Entity):
    """One enforcement node (or a group behind one name) of a deployer. ``token_digest`` is a keyed digest.

    ``partner``  code of the partner whose node it is; empty for the hotline's own.
    """

    name = models.CharField(
        max_length=60,
        unique=True,
        validators=[RegexValidator(r"^[a-z0-9][a-z0-9.-]{0,59}$", "Use small letters, digits, dot and dash.")],
    )
    token_digest = models.CharField(max_length=64, unique=True)
    expires_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True, blank=True)
    revoked_by = models.CharField(max_length=200, blank=True)
    partner = models.CharField(max_length=32, blank=True, db_index=True)

    @property
    def label(self) -> str:
        """How the audit log names this node."""
        return f"node:{self.name}"

    @property
    def roles(self) -> frozenset[Role]:
        return frozenset()

    def may(self, permission: Permission) -> bool:
        return permission in NODE

    def in_force(self, now: datetime) -> bool:
        """True while the token is neither revoked nor expired."""
        return self.revoked_at is None and now < self.expires_at


class Delivery(AppendOnly):
    """A node fetched an edition, noted the first time only."""

    node = models.ForeignKey(Node, on_delete=models.PROTECT, related_name="deliveries")
    edition = models.PositiveIntegerField()

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["node", "edition"], name="partners_delivery_once")
        ]


class Sender(Entity):
    """A partner that reports through the partner door: police, a member company, another hotline, a child service.

    ``source_class``  the statistical class of its reports (an enumeration of the reports room).
    ``scopes``        what its token may do: keys of :data:`vigil.hotline.access.permissions.SCOPES`.
    """

    name = models.CharField(
        max_length=60,
        unique=True,
        validators=[RegexValidator(r"^[a-z0-9][a-z0-9.-]{0,59}$", "Use small letters, digits, dot and dash.")],
    )
    source_class = models.CharField(max_length=20)
    scopes = models.JSONField(default=list)
    token_digest = models.CharField(max_length=64, unique=True)
    expires_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True, blank=True)
    revoked_by = models.CharField(max_length=200, blank=True)

    @property
    def label(self) -> str:
        """How the audit log names this sender."""
        return f"sender:{self.name}"

    @property
    def roles(self) -> frozenset[Role]:
        return frozenset()

    def may(self, permission: Permission) -> bool:
        return permission in {SCOPES[scope] for scope in self.scopes if scope in SCOPES}

    def in_force(self, now: datetime) -> bool:
        """True while the token is neither revoked nor expired."""
        return self.revoked_at is None and now < self.expires_at
