"""The pages of sources and banks in a real browser: looked at in five ways, and nothing that axe finds."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.hotline.console_door.conftest import Desk
from tests.hotline.console_door.test_browser import LOOKS, Enter, enter, judge
from tests.hotline.partners.sources.desk import added, fetched

from vigil.hotline.access.models import User
from vigil.hotline.access.people import OPERATOR
from vigil.hotline.access.roles import Role
from vigil.hotline.banks.actions import do_create_bank
from vigil.hotline.banks.machines import do_enrol_machine
from vigil.hotline.banks.models import MachineRole
from vigil.hotline.banks.policy import do_approve_policy, do_propose_policy
from vigil.hotline.lists.exchange.models import PolicyUse
from vigil.hotline.lists.exchange.policies import do_propose_policy as do_propose_use
from vigil.hotline.partners.sources.actions import do_vote
from vigil.hotline.partners.sources.models import ImportedEntry, Source, SourceKind

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
__all__ = ["enter"]


def sent(folder: Path) -> Source:
    """A source with entries, something set aside, and one that fails beside it."""
    path = folder / "list.csv"
    path.write_bytes(b"id,type,value\nzorblat,md5,0123456789abcdef0123456789abcdef\nb,md5,x\n\xff\xfe,md5,y\n")
    source = added(SourceKind.DELIMITED, str(path), "partner-a")
    fetched(source)
    fetched(added(SourceKind.DELIMITED, str(folder / "absent.csv"), "partner-b"))
    return source


WAYS: dict[str, Any] = {**LOOKS, "phone": {"viewport": {"width": 320, "height": 640}}}


@pytest.mark.parametrize("look", WAYS)
def test_sources_and_banks(enter: Enter, desk: Desk, make_user: Callable[..., User], tmp_path: Path, look: str) -> None:
    both = make_user(Role.SUPERVISOR, Role.LIST_PUBLISHER, username="sam")
    page = enter(both, **WAYS[look]).new_page()
    for name, path in {"sources-empty": "/sources/", "banks-empty": "/banks/"}.items():
        page.goto(path)
        judge(page, look, name)
    source = sent(tmp_path)
    do_propose_use(both, source, PolicyUse.MATCH)
    entry = ImportedEntry.objects.get(key="zorblat")
    do_vote(desk.anna, entry, "md5", agrees=False, reason="not the same")
    fetched(source)
    do_vote(desk.anna, entry, "md5", agrees=True)
    proposed = do_propose_policy(both, purpose="Tests.", legal_basis="None needed.", owner="Tests", retention_days=30)
    do_approve_policy(make_user(Role.SUPERVISOR, username="lin"), proposed)
    machine, _ = do_enrol_machine(OPERATOR, "coop", MachineRole.CURATOR)
    do_create_bank(machine, "ZORBLAT_BANK")
    pages = {
        "sources": "/sources/", "source": f"/sources/{source.pk}/", "imported": f"/sources/entry/{entry.pk}/", "banks": "/banks/",
    }  # fmt: skip
    for name, path in pages.items():
        page.goto(path)
        judge(page, look, name)
    (tmp_path / "list.csv").write_bytes(b"id,type,value\n")
    fetched(source, whole=True)
    for name, path in {"sources-held-back": "/sources/", "source-held-back": f"/sources/{source.pk}/"}.items():
        page.goto(path)
        assert "the source shows none of its 2 entries" in page.inner_text("main")
        judge(page, look, name)
    page.goto(f"/sources/{source.pk}/")
    page.get_by_label("Name of an entry at the source").fill("zorblat")
    page.get_by_role("button", name="Open it").click()
    page.get_by_role("heading", name="Send an opinion").wait_for()
    page.get_by_label("We do not agree with it").check()
    page.get_by_label("Reason").fill("not the same")
    page.get_by_role("button", name="Send it back").click()
    page.get_by_text("It goes to the source with the next fetch").wait_for()
