# ruff: noqa: E402 - Django wants its settings before the rooms are imported
"""What the tests of the hotline share: settings, a moving clock, people, and a client for each door.

The clients of several doors may be used in one test: each answers with the settings of its own door.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from types import ModuleType
from typing import Any

import pytest

os.environ["DJANGO_SETTINGS_MODULE"] = "vigil.hotline.settings.test"

import django

django.setup()

from django.conf import settings as django_settings
from django.db import connection
from django.test import Client, override_settings

from vigil.base.clock import FixedClock
from vigil.hotline.access import clock as hotline_clock
from vigil.hotline.access.models import User
from vigil.hotline.access.people import OPERATOR
from vigil.hotline.access.roles import Role
from vigil.hotline.access.second_factor import enrol
from vigil.hotline.audit.people import do_add_user

TOTP_SECRET = "JBSWY3DPEHPK3PXP"  # the example of RFC-style documentation; protects nothing
NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
SAME_AT_ALL_DOORS = {"DATABASES", "INSTALLED_APPS", "ALLOWED_HOSTS", "LOGGING", "CACHES", "PASSWORD_HASHERS"}


DATABASE_FIXTURES = frozenset({"db", "transactional_db", "live_server"})


def can_differ(item: pytest.Item) -> bool:
    """Whether a test can end otherwise on another database.

    It cannot where it has none: pytest-django lets nobody near the test database who did not ask, and processes with a database
    of their own are marked so. Nor where it is marked ``one_database``. Browser tests run on one database as it is.
    """
    if item.get_closest_marker("one_database"):
        return False
    marked = any(item.get_closest_marker(name) for name in ("django_db", "own_database", "browser"))
    return marked or bool(DATABASE_FIXTURES & set(getattr(item, "fixturenames", ())))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """With ``--database-only`` the others are left out: tools/checks.py runs them once, on SQLite."""
    lost = [item.nodeid for item in items if item.get_closest_marker("one_database") and item.get_closest_marker("browser")]
    if lost:
        raise pytest.UsageError(f"a browser test runs on PostgreSQL alone and cannot be one_database: {lost[0]}")
    if config.getoption("--database-only"):
        config.hook.pytest_deselected(items=[item for item in items if not can_differ(item)])
        items[:] = [item for item in items if can_differ(item)]


def door_settings(door: str) -> dict[str, Any]:
    """What the settings of ``door`` say otherwise than the settings for tests."""
    module: ModuleType = importlib.import_module(f"vigil.hotline.settings.{door}")
    names = [name for name in dir(module) if name.isupper() and name not in SAME_AT_ALL_DOORS]
    absent = object()
    return {
        name: value
        for name in names
        if (value := getattr(module, name)) is not getattr(django_settings, name, absent)
        and value != getattr(django_settings, name, absent)
    }


class DoorClient(Client):
    """Django's client, speaking to one door."""

    def __init__(self, door: str, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.door = door
        self.overrides = door_settings(door)

    def request(self, **request: Any) -> Any:
        with self.standing_there():
            return super().request(**request)

    @contextmanager
    def standing_there(self) -> Iterator[None]:
        """Keep the settings of the door for several requests: changing them for each one takes most of the time."""
        if getattr(django_settings, "AT_DOOR", None) is self:
            yield
        else:
            with override_settings(**self.overrides, AT_DOOR=self):
                yield


@pytest.fixture
def clock() -> Iterator[FixedClock]:
    """The hotline's time stands at noon and moves when told: ``clock.advance(hours=1)``."""
    fixed = FixedClock(NOON)
    with hotline_clock.ticking(fixed):
        yield fixed


@pytest.fixture
def make_user(db: None) -> Callable[..., User]:
    """Adds a member of staff: ``make_user(Role.ANALYST, username="anna")``."""
    numbers = iter(range(1, 1000))

    def make(*roles: Role, username: str = "", second_factor: bool = True) -> User:
        name = username or f"person{next(numbers)}"
        user = do_add_user(OPERATOR, name, display_name=name.title(), password=f"{name}-long-password", roles=roles)
        if second_factor:
            enrol(user, TOTP_SECRET)
        return User.objects.get(pk=user.pk)

    return make


@pytest.fixture
def public_client(db: None) -> DoorClient:
    """Somebody at the public door."""
    return DoorClient("public")


@pytest.fixture
def partner_client(db: None) -> DoorClient:
    """A machine at the partner door; pass ``headers={"Authorization": "Bearer …"}``."""
    return DoorClient("partner")


@pytest.fixture
def console_client(db: None) -> Callable[..., DoorClient]:
    """Somebody at the console, signed in when a user is given: ``console_client(user)``."""

    def open_console(user: User | None = None, **arguments: Any) -> DoorClient:
        client = DoorClient("console", **arguments)
        if user is not None:
            client.force_login(user, backend="allauth.account.auth_backends.AuthenticationBackend")
        return client

    return open_console


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    """The test database; at the end, threads of doors that browsers used may still hold a connection to PostgreSQL."""
    yield
    if connection.vendor == "postgresql":
        with django_db_blocker.unblock(), connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
