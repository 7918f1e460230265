"""Labels, jurisdictions and expiry of an entry: changed within the policy, guards looked at again, further by two people only."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from tests.hotline.lists.cases import listed, make_lists

from vigil.base.clock import FixedClock
from vigil.base.errors import VigilError
from vigil.hotline.access.models import User
from vigil.hotline.access.roles import Role
from vigil.hotline.audit.models import AuditEvent
from vigil.hotline.lists import reach
from vigil.hotline.lists.changing import EntryChange, do_change_entry
from vigil.hotline.lists.models import List, ListEntry, Publication
from vigil.hotline.lists.queries import in_force


@pytest.fixture
def people(make_user: Callable[..., User], clock: FixedClock) -> dict[str, User]:
    make_lists()
    roles = {"anna": Role.ANALYST, "lin": Role.SECOND_REVIEWER, "ola": Role.SECOND_REVIEWER, "sam": Role.SUPERVISOR}
    return {name: make_user(role, username=name) for name, role in roles.items()}


@pytest.fixture
def entry(people: dict[str, User], clock: FixedClock) -> ListEntry:
    """One page, for the Netherlands and Belgium, for thirty days."""
    List.objects.filter(name="urls").update(jurisdictions=["NL", "BE"], default_days=30)
    made: ListEntry = listed(people["anna"], people["lin"]).entries.get()
    assert (made.jurisdictions, made.labels) == (["NL", "BE"], [])
    return made


def change(entry: ListEntry, **different: Any) -> EntryChange:
    same = {"labels": tuple(entry.labels), "jurisdictions": tuple(entry.jurisdictions), "expires_at": entry.expires_at}
    return EntryChange(**{**same, **different})


def refused(person: User, entry: ListEntry, wanted: EntryChange) -> str:
    with pytest.raises(VigilError) as refusal:
        do_change_entry(person, entry, wanted)
    return refusal.value.code


def test_less_takes_one_person_and_makes_an_edition(people: dict[str, User], entry: ListEntry, clock: FixedClock) -> None:
    sooner = clock.now() + timedelta(days=3)
    made = do_change_entry(people["lin"], entry, change(entry, jurisdictions=("NL",), expires_at=sooner, labels=("ai", "ai")))
    made.refresh_from_db()
    assert (made.jurisdictions, made.labels, made.expires_at, made.approval_due) == (["NL"], ["ai"], sooner, False)
    assert Publication.objects.filter(state="requested").count() == 1
    told = AuditEvent.objects.get(code="entry.changed")
    assert told.subject == f"entry:{entry.number}" and '"labels,jurisdictions,expiry"' in told.details


def test_labels_alone_publish_nothing_by_themselves(people: dict[str, User], entry: ListEntry) -> None:
    do_change_entry(people["lin"], entry, change(entry, labels=("ai",)))
    assert not Publication.objects.exists()


def test_further_takes_somebody_who_had_no_part(people: dict[str, User], entry: ListEntry, clock: FixedClock) -> None:
    entry = do_change_entry(people["lin"], entry, change(entry, jurisdictions=("NL",)))
    wider = change(entry, jurisdictions=("NL", "BE"))
    clock.advance(days=10)
    later = change(entry, expires_at=clock.now() + timedelta(days=29))
    for wanted in (wider, later):
        assert refused(people["lin"], entry, wanted) == "second_person_needed"
        do_change_entry(people["ola"], entry, wanted)
        ListEntry.objects.filter(pk=entry.pk).update(jurisdictions=["NL"], expires_at=entry.expires_at)


def test_a_guard_that_is_new_makes_it_wait_for_a_second_approver(
    people: dict[str, User], entry: ListEntry, clock: FixedClock, settings: Any, tmp_path: Any
) -> None:
    assert not entry.guards and in_force(clock.now()).filter(pk=entry.pk).exists()
    (tmp_path / "popular.csv").write_text("1,gallery.example\n")
    lists = msgspec.structs.replace(settings.CONFIG.lists, popular_hosts=str(tmp_path / "popular.csv"))
    settings.CONFIG = msgspec.structs.replace(settings.CONFIG, lists=lists)
    try:
        made = do_change_entry(people["ola"], entry, change(entry, labels=("ai",)))
        assert (made.guards, made.approval_due) == (["popular_host"], True)
        ListEntry.objects.filter(pk=entry.pk).update(approval_due=False, approved_by="user:sam", approved_at=clock.now())
        again = do_change_entry(people["ola"], entry, change(made, labels=()))
        assert not again.approval_due, "what was approved once is not asked for again"
    finally:
        reach._ranks.cache_clear()


def test_what_the_policy_or_the_allow_list_forbids_is_refused(
    people: dict[str, User], entry: ListEntry, clock: FixedClock
) -> None:
    ola = people["ola"]
    assert refused(ola, entry, change(entry)) == "nothing_changed"
    assert refused(ola, entry, change(entry, jurisdictions=("NL", "FR"))) == "jurisdictions_wide"
    assert refused(ola, entry, change(entry, jurisdictions=())) == "jurisdictions_wide"
    assert refused(ola, entry, change(entry, expires_at=None)) == "expiry_late"
    assert refused(ola, entry, change(entry, expires_at=clock.now() + timedelta(days=31))) == "expiry_late"
    assert refused(ola, entry, change(entry, expires_at=clock.now())) == "expiry_past"
    refused(ola, entry, change(entry, jurisdictions=("Holland",)))
    refused(ola, entry, change(entry, labels=("Not a label!",)))
    refused(people["anna"], entry, change(entry, labels=("ai",)))
    entry.refresh_from_db()
    assert (entry.jurisdictions, entry.labels) == (["NL", "BE"], []) and not AuditEvent.objects.filter(code="entry.changed")


def test_at_the_console(people: dict[str, User], entry: ListEntry, console_client: Callable[..., Any]) -> None:
    client, path = console_client(people["lin"]), f"/entries/{entry.number}/"
    assert f"{path}change/" in client.get(path).content.decode()
    assert "NL BE" in client.get(f"{path}change/").content.decode()
    day = entry.expires_at.date().isoformat() if entry.expires_at else ""
    answer = client.post(f"{path}change/", {"labels": "ai", "jurisdictions": "NL BE", "expires": day}, follow=True)
    assert "Changed" in answer.content.decode()
    before, entry = entry.expires_at, ListEntry.objects.get(pk=entry.pk)
    assert (entry.labels, entry.expires_at) == (["ai"], before)
    answer = client.post(f"{path}change/", {"labels": "ai", "jurisdictions": "FR", "expires": day})
    assert answer.status_code == 422 and "not kept for all of these" in answer.content.decode()
    assert console_client(people["anna"]).get(f"{path}change/").status_code == 403
