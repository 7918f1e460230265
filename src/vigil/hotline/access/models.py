"""Users of the console and the roles they were given."""

from __future__ import annotations

from enum import StrEnum
from functools import cached_property
from typing import Any, ClassVar, Final

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.core.validators import RegexValidator
from django.db import models

from vigil.hotline.access.clock import now
from vigil.hotline.access.entity import Entity, new_id
from vigil.hotline.access.permissions import Permission, permissions_of
from vigil.hotline.access.prepared import SAMPLE_ID, Prepared
from vigil.hotline.access.roles import Role
from vigil.hotline.access.sealing import SealedTextField


class Users(BaseUserManager["User"]):
    """Looks users up; names are lower case."""

    def get_by_natural_key(self, username: str | None) -> User:
        return self.get(username=(username or "").lower())


class User(AbstractBaseUser):
    """One person of the hotline's staff. The user name never changes: the audit log knows people by it."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    username = models.CharField(
        max_length=60,
        unique=True,
        validators=[RegexValidator(r"^[a-z][a-z0-9._-]{1,58}$", "Use small letters, digits, dot, dash.")],
    )
    display_name = models.CharField(max_length=120)
    is_active = models.BooleanField(default=True)
    created_at = models.DateTimeField(default=now, editable=False)

    objects: ClassVar[Users] = Users()

    USERNAME_FIELD = "username"
    REQUIRED_FIELDS: ClassVar[list[str]] = ["display_name"]

    def __str__(self) -> str:
        return self.display_name

    @property
    def label(self) -> str:
        """How the audit log names this person."""
        return f"user:{self.username}"

    @cached_property
    def roles(self) -> frozenset[Role]:
        """The roles in force. Read once per loaded user, that is once per request."""
        if not self.is_active:
            return frozenset()
        return frozenset(Role(role) for (role,) in _IN_FORCE.tuples(self.pk))

    def may(self, permission: Permission) -> bool:
        """True where a role in force allows ``permission``."""
        return permission in permissions_of(self.roles)

    def get_full_name(self) -> str:
        return self.display_name

    def get_short_name(self) -> str:
        return self.display_name

    def has_perm(self, perm: str, obj: Any = None) -> bool:
        """Django's own permissions are not used."""
        return False


class RoleGrant(models.Model):
    """One role given to one person; taking it away keeps the row."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="grants")
    role = models.CharField(max_length=30, choices=[(role.value, role.value) for role in Role])
    granted_at = models.DateTimeField(default=now)
    granted_by = models.CharField(max_length=200)
    revoked_at = models.DateTimeField(null=True, blank=True)
    revoked_by = models.CharField(max_length=200, blank=True)

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(
                fields=["user", "role"], condition=models.Q(revoked_at=None), name="access_one_grant_in_force"
            )
        ]

    def __str__(self) -> str:
        return f"{self.user_id}: {self.role}"


_IN_FORCE: Final = Prepared(
    RoleGrant, lambda user: RoleGrant.objects.filter(user_id=user, revoked_at=None).values_list("role"), SAMPLE_ID
)


class ElevationPurpose(StrEnum):
    """What an elevated session is for."""

    CHILD_AT_RISK = "child_at_risk"
    OVERSIGHT = "oversight"
    DATA_SUBJECT = "data_subject"
    LEGAL_ORDER = "legal_order"
    INCIDENT = "incident"


class Elevation(Entity):
    """More rights for a while: who, for what, until when. ``subject`` is a case (``report:ID``), or empty for pages that
    always ask for an elevated session. The reason is sealed; auditors may show it, until its time is over (see retention)."""

    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="elevations")
    purpose = models.CharField(max_length=20, choices=[(each.value, each.value) for each in ElevationPurpose])
    subject = models.CharField(max_length=200, blank=True, db_index=True)
    reason = SealedTextField(null=True, blank=True)
    ends_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes: ClassVar[list[models.Index]] = [models.Index(fields=["user", "ends_at"], name="access_elevations")]
