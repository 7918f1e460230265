"""The people of these tests, and the usual lists."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from vigil.hotline.access.models import User
from vigil.hotline.access.roles import Role


@pytest.fixture
def lists(db: None) -> None:
    from tests.hotline.lists.cases import make_lists

    make_lists()


@pytest.fixture
def anna(make_user: Callable[..., User]) -> User:
    return make_user(Role.ANALYST, username="anna")


@pytest.fixture
def lin(make_user: Callable[..., User]) -> User:
    return make_user(Role.SECOND_REVIEWER, username="lin")


@pytest.fixture
def sam(make_user: Callable[..., User]) -> User:
    return make_user(Role.SUPERVISOR, username="sam")


@pytest.fixture
def paula(make_user: Callable[..., User]) -> User:
    return make_user(Role.LIST_PUBLISHER, username="paula")
