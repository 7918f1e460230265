"""Banks as rows: never in an edition, erased when deleted or past retention, sealed, followed in order, all of it in the log."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from datetime import timedelta

import pytest

from vigil.base.clock import FixedClock
from vigil.base.errors import InputError, RefusedError
from vigil.editions.model import AuditAnchor
from vigil.hotline.access.clock import now
from vigil.hotline.access.models import User
from vigil.hotline.access.people import OPERATOR, WORKER
from vigil.hotline.access.roles import Role
from vigil.hotline.audit.models import AuditEvent
from vigil.hotline.banks import actions
from vigil.hotline.banks.feed import START, indexed, page_after
from vigil.hotline.banks.machines import do_enrol_machine
from vigil.hotline.banks.models import BankContent, BankPolicy, BankSignal, Machine, MachineRole
from vigil.hotline.banks.policy import do_approve_policy, do_propose_policy
from vigil.hotline.lists.models import List
from vigil.hotline.lists.office import contents_now

CURATOR = Machine(name="coop", role="curator")


@pytest.fixture
def policy(make_user: Callable[..., User], clock: FixedClock) -> BankPolicy:
    proposed = do_propose_policy(
        make_user(Role.LIST_PUBLISHER), purpose="Tests.", legal_basis="None.", owner="Tests", retention_days=30
    )
    return do_approve_policy(make_user(Role.SUPERVISOR), proposed)


@pytest.fixture
def follower(policy: BankPolicy) -> Machine:
    return do_enrol_machine(OPERATOR, "edge-1", MachineRole.FOLLOWER)[0]


def banked(bank: str = "ZORBLAT", **signals: str) -> BankContent:
    return actions.do_add_content(CURATOR, bank, signals or {"pdq": secrets.token_hex(32)})[0]


def test_one_person_cannot_set_the_policy(make_user: Callable[..., User], clock: FixedClock) -> None:
    both = make_user(Role.LIST_PUBLISHER, Role.SUPERVISOR)
    proposed = do_propose_policy(both, purpose="x", legal_basis="x", owner="x", retention_days=1)
    with pytest.raises(RefusedError, match="second person"):
        do_approve_policy(both, proposed)
    with pytest.raises(RefusedError):
        do_propose_policy(make_user(Role.ANALYST), purpose="x", legal_basis="x", owner="x", retention_days=1)


def test_no_bank_is_part_of_an_edition(policy: BankPolicy) -> None:
    actions.do_create_bank(CURATOR, "ZORBLAT")
    banked()
    assert List.objects.filter(kind="bank").count() == 1
    contents = contents_now(now(), AuditAnchor(0, "0" * 64))
    assert not [info for info in contents.lists if info.kind == "bank"]
    assert not [entry for entry in contents.hashes if entry.list.startswith("bank")]


def test_values_are_sealed_and_erased(policy: BankPolicy) -> None:
    actions.do_create_bank(CURATOR, "ZORBLAT")
    value = secrets.token_hex(32)
    content, _ = actions.do_add_content(CURATOR, "ZORBLAT", {"pdq": value}, note="quimber", metadata={"content_id": "7"})
    raw = str(list(BankSignal.objects.values()) + list(BankContent.objects.values()))
    assert value not in raw and "quimber" not in raw
    actions.do_delete_content(CURATOR, "ZORBLAT", content.pk)
    assert not BankSignal.objects.exists()
    kept = BankContent.objects.get()
    assert (kept.gone, kept.note, kept.metadata) == (True, None, None)
    banked()
    actions.do_delete_bank(CURATOR, "ZORBLAT")
    assert not BankSignal.objects.exists() and not BankContent.objects.exists()


def test_the_log_tells_of_each_change_and_quotes_nothing(policy: BankPolicy) -> None:
    actions.do_create_bank(CURATOR, "ZORBLAT")
    value = secrets.token_hex(32)
    content = banked(pdq=value)
    actions.do_change_content(CURATOR, "ZORBLAT", content.pk, {"disable_until_ts": 0, "note": "quimber"})
    actions.do_delete_content(CURATOR, "ZORBLAT", content.pk)
    actions.do_delete_bank(CURATOR, "ZORBLAT")
    events = AuditEvent.objects.filter(code__startswith="bank.").order_by("seq")
    assert [event.code for event in events] == [
        "bank.created", "bank.content_added", "bank.content_changed", "bank.content_deleted", "bank.deleted",
    ]  # fmt: skip
    everything = str(list(events.values()))
    assert value not in everything and "quimber" not in everything and "ZORBLAT" not in everything


def test_what_is_past_its_retention_is_erased(policy: BankPolicy, follower: Machine, clock: FixedClock) -> None:
    actions.do_create_bank(CURATOR, "ZORBLAT")
    old = banked()
    clock.advance(days=20)
    young = banked()
    assert actions.do_expire_contents(WORKER) == 0
    clock.advance(days=11)
    assert actions.do_expire_contents(WORKER) == 1
    page = page_after(follower, START)
    assert [row[0] for row in page["contents"]] == [young.pk] and page["gone"] == [old.pk]


def test_the_feed_gives_every_change_once_in_order(follower: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    from vigil.base.limits import Limit
    from vigil.hotline.banks import feed

    monkeypatch.setattr(feed, "PAGE", Limit(3, "contents", "test"))
    actions.do_create_bank(CURATOR, "ZORBLAT")
    contents = [banked() for _ in range(8)]
    place, seen, pages = START, [], 0
    while True:
        page = page_after(follower, place)
        seen += [row[0] for row in page["contents"]]
        place, pages = page["next"], pages + 1
        if not page["more"]:
            break
    assert seen == [content.pk for content in contents] and pages == 3 and page["live"] == 8
    assert page_after(follower, place)["contents"] == []
    actions.do_change_content(CURATOR, "ZORBLAT", contents[2].pk, {"disable_until_ts": 0})
    actions.do_delete_content(CURATOR, "ZORBLAT", contents[4].pk)
    page = page_after(follower, place)
    assert [(row[0], row[2]) for row in page["contents"]] == [(contents[2].pk, 0)] and page["gone"] == [contents[4].pk]
    assert page["live"] == 7
    actions.do_delete_bank(CURATOR, "ZORBLAT")
    assert (page_after(follower, page["next"])["live"], page_after(follower, page["next"])["banks"]) == (0, [])


def test_the_hotline_knows_how_far_its_followers_are(follower: Machine) -> None:
    actions.do_create_bank(CURATOR, "ZORBLAT")
    assert indexed() == -1
    content = banked()
    page = page_after(follower, START)
    assert indexed() < content.changed
    page_after(follower, page["next"])
    assert indexed() == content.changed


@pytest.mark.parametrize("place", ["", "1", "a.b", "-1.0", "1.1.1", "9" * 30 + ".0"])
def test_places_that_are_none(follower: Machine, place: str) -> None:
    with pytest.raises(InputError):
        page_after(follower, place)


def test_a_token_that_is_revoked_or_too_old(policy: BankPolicy, clock: FixedClock, partner_client: object) -> None:
    _, token = do_enrol_machine(OPERATOR, "coop", MachineRole.CURATOR, days=10)
    headers = {"Authorization": f"Bearer {token}"}
    assert partner_client.get("/c/banks", headers=headers).status_code == 404  # type: ignore[attr-defined]  switched off here
    clock.advance(days=11)
    assert partner_client.get("/c/banks", headers=headers).status_code == 401  # type: ignore[attr-defined]


def test_numbers_are_never_used_again(policy: BankPolicy) -> None:
    actions.do_create_bank(CURATOR, "ZORBLAT")
    first = banked().pk
    actions.do_delete_bank(CURATOR, "ZORBLAT")
    actions.do_create_bank(CURATOR, "ZORBLAT")
    assert banked().pk > first


def test_a_switch_far_away_is_refused(policy: BankPolicy) -> None:
    actions.do_create_bank(CURATOR, "ZORBLAT")
    content = banked()
    far = int((now() + timedelta(days=6 * 366)).timestamp())
    for wrong in (-1, far, None, True, "soon", float("inf")):
        with pytest.raises(InputError):
            actions.do_change_content(CURATOR, "ZORBLAT", content.pk, {"disable_until_ts": wrong})
    assert actions.do_change_content(CURATOR, "ZORBLAT", content.pk, {"disable_until_ts": "7.9"}).until == 7
