"""Enforcement nodes and what they fetched."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

from django.core.validators import RegexValidator
from django.db import models

from vigil.hotline.access.entity import AppendOnly, Entity
from vigil.hotline.access.permissions import NODE, SCOPES, Permission
from vigil.hotline.access.roles import Role


class Node(Entity):
    """One enforcement node (or a group behind one name) of a deployer. ``token_digest`` is a keyed digest."""

    name = models.CharField(
        max_length=60,
        unique=True,
        validators=[RegexValidator(r"^[a-z0-9][a-z0-9.-]{0,59}$", "Use small letters, digits, dot and dash.")],
    )
    token_digest = models.CharField(max_length=64, unique=True)
    expires_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True, blank=True)
    revoked_by = models.CharField(max_length=200, blank=True)

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
