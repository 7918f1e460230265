"""Addresses that no link of ours has: refused at every door, in its own form, before a database is asked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from vigil.hotline.access.models import User
from vigil.hotline.access.roles import Role

NUL = ["/%00/", "/x%00y", "/?q=%00", "/?%00=1", "/x/%00?page=1"]


@pytest.mark.parametrize("path", NUL)
def test_nul_in_an_address(path: str, public_client: Any, partner_client: Any, console_client: Any, make_user: Any) -> None:
    staff: Callable[..., User] = make_user
    for client in (public_client, partner_client, console_client(staff(Role.ANALYST))):
        answer = client.get(path)
        assert answer.status_code == (404 if "%00" in path.partition("?")[0] else 400), path
        assert b"%00" not in answer.content and b"\0" not in answer.content


@pytest.mark.parametrize(
    ("path", "status", "said"),
    [("/queue/?view=%00", 400, b"understood"), ("/search/?what=%00", 400, b"understood"),
     ("/audit/?code=a%00b", 400, b"understood"), ("/lists/%00/?page=%00", 404, b"nothing")],
)  # fmt: skip
def test_nul_where_a_database_would_be_asked(
    path: str, status: int, said: bytes, console_client: Any, make_user: Any
) -> None:
    answer = console_client(make_user(Role.ANALYST, Role.AUDITOR)).get(path)
    assert answer.status_code == status and said in answer.content
