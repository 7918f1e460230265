"""Exchanges really fetch: each kind from a fake server into its bank, withdrawals, failures in words, deletion, and who else."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from tests.hotline.banks.test_banks import CURATOR, follower, policy
from tests.hotline.partners.sources import test_json_sources as services
from tests.hotline.partners.sources import test_ncmec as ncmec
from tests.hotline.partners.sources.server import Reply, World, open_hasty, serving

from vigil.base.clock import FixedClock
from vigil.base.errors import RefusedError
from vigil.hotline.access.people import OPERATOR, WORKER
from vigil.hotline.banks import actions, exchanging
from vigil.hotline.banks.exchanges import (
    do_create_exchange,
    do_delete_exchange,
    do_set_credentials,
    do_switch_exchange,
    kind_named,
)
from vigil.hotline.banks.exchanging import status_of, step
from vigil.hotline.banks.feed import START, page_after
from vigil.hotline.banks.models import BankContent, BankPolicy, BankSignal, Exchange, ExchangeContent, Machine
from vigil.hotline.partners.sources import fetching
from vigil.hotline.partners.sources.actions import do_remove_source
from vigil.hotline.partners.sources.models import ImportedEntry, ImportedPage, Source

pytestmark = pytest.mark.django_db
__all__ = ["follower", "policy"]
BANK = "ZORBLAT_SHARED"
CREDENTIALS = {
    "ncmec": {"user": "zorblat", "password": "quimber"},
    "stop_ncii": {"fetch_function_key": "zorblat", "subscription_key": "quimber"},
    "fb_threatexchange": {"api_token": "12345678|zorblat_quimber_snarp_0001"},
}
SETTINGS: dict[str, tuple[str, dict[str, Any]]] = {
    "ncmec": ("/base", {"only_esp_ids": []}), "stop_ncii": ("/v1", {}), "fb_threatexchange": ("/v21.0", {"privacy_group": 777}),
}  # fmt: skip


class Shared:
    """A fake service of one kind with entries by number, whatever its form."""

    def __init__(self, api: str) -> None:
        made = {"stop_ncii": services.Ncii, "fb_threatexchange": services.Threats}
        self.api = api
        self.world: Any = made[api]() if api in made else ncmec.Clearing()

    def put(self, number: int, *, at: int = 0, gone: bool = False) -> None:
        if self.api == "ncmec":
            moment = datetime.fromtimestamp(services.STAMP + at, UTC)
            self.world.put(ncmec.Entry(f"e{number}", moment, {"pdq": ncmec.pdq(f"w{number}")}, deleted=gone))
        else:
            self.world.put(services.Thing(number, services.STAMP + at, gone=gone))

    def values(self) -> set[str]:
        if self.api == "ncmec":
            return {each.prints["pdq"] for each in self.world.entries.values() if not each.deleted}
        found: set[str] = self.world.expected()
        return found


@pytest.fixture(params=list(SETTINGS))
def shared(request: pytest.FixtureRequest, policy: BankPolicy) -> Iterator[Shared]:
    made = Shared(request.param)
    with serving(made.world):
        yield made


def created(shared: Shared, **more: Any) -> Exchange:
    path, given = SETTINGS[shared.api]
    do_set_credentials(CURATOR, kind_named(shared.api), CREDENTIALS[shared.api])
    return do_create_exchange(CURATOR, BANK, shared.api, {"base_url": shared.world.address + path, **given, **more})


def worked() -> None:
    """What the worker does when a source is due, and what the loop beside it does before and after."""
    step()
    while (source := fetching.claim_next()) is not None:
        fetching.fetch(source, open_hasty)
    step()


def banked() -> set[str]:
    signals = BankSignal.objects.filter(content__gone=False, content__bank__name=BANK, type="pdq")
    return {each.value.open() for each in signals}


def again(clock: FixedClock) -> None:
    clock.advance(hours=1)
    worked()


def test_what_a_service_shares_comes_into_the_bank_and_goes_again(shared: Shared, follower: Machine, clock: FixedClock) -> None:
    exchange = created(shared)
    assert status_of(exchange)["last_fetch_succeeded"] is None
    for number in range(1, 9):
        shared.put(number, at=number)
    worked()
    assert banked() == shared.values() and len(banked()) == 8
    status = status_of(Exchange.objects.get())
    assert status["last_fetch_succeeded"] is True and status["up_to_date"] is True and status["error"] is None
    assert status["fetched_items"] == 8 and status["last_fetch_complete_ts"] == int(clock.now().timestamp())
    assert status["checkpoint_ts"] and status["running_fetch_start_ts"] is None
    page = page_after(follower, START)
    assert len(page["contents"]) == 8
    shared.put(3, at=10_600, gone=True)
    shared.put(20, at=10_601)
    again(clock)
    assert banked() == shared.values() and len(banked()) == 8
    later = page_after(follower, page["next"])
    assert (len(later["contents"]), len(later["gone"])) == (1, 1), "nodes hear of exactly what changed"
    before = BankContent.objects.count()
    again(clock)
    assert BankContent.objects.count() == before and page_after(follower, later["next"])["contents"] == []


def test_a_failure_is_said_and_what_came_stays(shared: Shared, clock: FixedClock) -> None:
    created(shared)
    shared.put(1)
    worked()
    shared.world.mischief = lambda asked: Reply(status=401)
    again(clock)
    status = status_of(Exchange.objects.get())
    assert (status["last_fetch_succeeded"], status["error"], status["up_to_date"]) == (False, "source_credentials", False)
    assert status["last_fetch_complete_ts"] == int(clock.now().timestamp()) and banked() == shared.values()
    shared.world.mischief = lambda asked: None
    do_set_credentials(CURATOR, kind_named(shared.api), CREDENTIALS[shared.api])
    again(clock)
    assert status_of(Exchange.objects.get())["last_fetch_succeeded"] is True


def test_switched_off_it_asks_nobody(shared: Shared, clock: FixedClock) -> None:
    created(shared, enabled=False)
    shared.put(1)
    worked()
    assert not shared.world.asked and not Source.objects.exists()
    do_switch_exchange(CURATOR, BANK, True)
    worked()
    assert banked() == shared.values()
    do_switch_exchange(CURATOR, BANK, False)
    again(clock)
    asked = len(shared.world.asked)
    again(clock)
    assert len(shared.world.asked) == asked and banked() == shared.values(), "what came stays"


def test_deleting_it_erases_everything_that_came(shared: Shared) -> None:
    created(shared)
    shared.put(1)
    shared.put(2, at=5)
    worked()
    assert do_delete_exchange(CURATOR, BANK)
    step()
    for model in (Source, ImportedEntry, ImportedPage, ExchangeContent, BankSignal, Exchange):
        assert not model.objects.exists(), model.__name__
    assert created(shared).bank.name == BANK
    worked()
    assert banked() == shared.values()


def clearing(*entries: ncmec.Entry) -> World:
    made = ncmec.Clearing(size=100)
    made.put(*entries)
    return made


def test_members_types_and_changes(policy: BankPolicy, clock: FixedClock) -> None:
    """Only the members that are named; a video's MD5 as one of videos; a changed entry under a new number."""
    at = ncmec.START
    world: Any = clearing(
        ncmec.Entry("mine", at, {"md5": ncmec.md5("a"), "photodna": "opaque=="}, member=42),
        ncmec.Entry("film", at, {"md5": ncmec.md5("b")}, member=42, kind="video"),
        ncmec.Entry("odd", at, {"zorblat-hash": "X"}, member=42),
        ncmec.Entry("other", at, {"md5": ncmec.md5("c")}, member=43),
    )
    with serving(world):
        do_set_credentials(CURATOR, kind_named("ncmec"), CREDENTIALS["ncmec"])
        do_create_exchange(CURATOR, BANK, "ncmec", {"base_url": f"{world.address}/base", "only_esp_ids": [42]})
        worked()
        found = {(each.type, each.value.open()) for each in BankSignal.objects.all()}
        assert found == {("md5", ncmec.md5("a")), ("video_md5", ncmec.md5("b"))}
        assert ExchangeContent.objects.filter(content=None).count() == 2
        first = BankContent.objects.get(signals__type="md5").pk
        world.put(ncmec.Entry("mine", clock.now(), {"md5": ncmec.md5("d")}, member=42))
        clock.advance(hours=1)
        worked()
        kept = BankContent.objects.get(signals__type="md5", gone=False)
        assert kept.pk != first and kept.signals.get().value.open() == ncmec.md5("d")
        assert BankContent.objects.get(pk=first).gone
        source = Source.objects.get()
        with pytest.raises(RefusedError):
            do_remove_source(OPERATOR, source)


def test_a_content_that_a_curator_deleted_does_not_come_back(policy: BankPolicy, clock: FixedClock) -> None:
    world: Any = clearing(ncmec.Entry("e", ncmec.START, {"md5": ncmec.md5("a")}))
    with serving(world):
        do_set_credentials(CURATOR, kind_named("ncmec"), CREDENTIALS["ncmec"])
        do_create_exchange(CURATOR, BANK, "ncmec", {"base_url": f"{world.address}/base"})
        worked()
        actions.do_delete_content(CURATOR, BANK, BankContent.objects.get().pk)
        Source.objects.update(whole_at=None)
        clock.advance(hours=1)
        worked()
    assert not BankSignal.objects.exists()


def test_what_cannot_work_is_said_without_asking(policy: BankPolicy) -> None:
    do_create_exchange(CURATOR, BANK, "ncmec", {"base_url": "http://hashes.example/"})
    step()
    assert status_of(Exchange.objects.get())["error"] == "exchange_credentials_missing"
    do_set_credentials(CURATOR, kind_named("ncmec"), CREDENTIALS["ncmec"])
    step()
    status = status_of(Exchange.objects.get())
    assert (status["error"], status["last_fetch_succeeded"]) == ("source_in_clear", False)
    assert not Source.objects.exists()


def test_a_killed_filling_goes_on(shared: Shared, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed between two batches: the next pass takes up the rest, and nothing twice."""
    monkeypatch.setattr(exchanging, "AT_ONCE", 2)
    created(shared)
    for number in range(1, 8):
        shared.put(number, at=number)
    step()
    while (source := fetching.claim_next()) is not None:
        fetching.fetch(source, open_hasty)
    whole, calls = exchanging._bank, iter(range(2))

    def killed(*arguments: Any) -> int:
        if next(calls, None) is None:
            raise KeyboardInterrupt
        return whole(*arguments)

    monkeypatch.setattr(exchanging, "_bank", killed)
    with pytest.raises(KeyboardInterrupt):
        step()
    assert len(banked()) == 4
    monkeypatch.setattr(exchanging, "_bank", whole)
    step()
    assert banked() == shared.values() and BankContent.objects.count() == 7


def test_what_the_source_still_has_outlives_the_retention(shared: Shared, follower: Machine, clock: FixedClock) -> None:
    """The bank keeps what its source has in force; once nobody hears of the source for so long, it goes, and comes again."""
    created(shared)
    shared.put(1)
    worked()
    assert banked() == shared.values() and len(banked()) == 1
    days = BankPolicy.objects.get().retention_days
    for _ in range(3):
        clock.advance(days=days // 2 + 1)
        worked()
        assert actions.do_expire_contents(WORKER) == 0
    assert banked() == shared.values(), "fetched within the retention: governed by the source"
    do_switch_exchange(CURATOR, BANK, enabled=False)
    clock.advance(days=days + 1)
    worked()
    assert actions.do_expire_contents(WORKER) == 1 and banked() == set(), "nobody vouches for it any more"
    worked()
    assert banked() == set()
    do_switch_exchange(CURATOR, BANK, enabled=True)
    worked()
    again(clock)
    assert banked() == shared.values(), "the source still has it"
    assert actions.do_expire_contents(WORKER) == 0
