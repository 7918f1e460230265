"""What comes back from partners: votes, and entries that match far too much."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from pyrage import x25519
from tests.hotline.conftest import DoorClient
from tests.hotline.lists.cases import listed, make_lists

from vigil.base.clock import FixedClock
from vigil.hotline.access.models import User
from vigil.hotline.access.people import OFFICE, OPERATOR
from vigil.hotline.access.roles import Role
from vigil.hotline.audit.models import AuditEvent
from vigil.hotline.lists.contents import contents_now
from vigil.hotline.lists.marking import books
from vigil.hotline.lists.models import ListEntry, Publication, Vote
from vigil.hotline.lists.quality import tally
from vigil.hotline.lists.queries import held, in_force
from vigil.hotline.lists.sharing import copies_now
from vigil.hotline.partners.actions import do_enrol_node
from vigil.hotline.partners.agreements import (
    Terms,
    do_approve_agreement,
    do_end_agreement,
    do_propose_agreement,
    do_propose_partner,
    do_stop_partner,
)
from vigil.hotline.partners.enumerations import PartnerKind
from vigil.hotline.partners.models import Agreement, Delivery, Partner
from vigil.hotline.statistics.models import CanaryAlarm, EntryCount

HOUR = "2026-11-22T11:00Z"


class Machine:
    """A node at the door."""

    def __init__(self, client: DoorClient, name: str, partner: str = "") -> None:
        self.client, self.name = client, name
        self.node, token = do_enrol_node(OPERATOR, name, partner=partner)
        self.headers = {"Authorization": f"Bearer {token}"}

    def post(self, path: str, body: Any) -> Any:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.client.post(path, data, content_type="application/json", headers=self.headers)

    def get(self, path: str) -> Any:
        return self.client.get(path, headers=self.headers)

    def vote(self, entry: int, opinion: str = "reject", reason: str = "not_the_same") -> Any:
        votes = [{"entry": entry, "edition": 1, "opinion": opinion, "reason": reason}]
        return self.post("/v1/votes", {"votes": votes}).json()["votes"][0]["code"]

    def tell(self, entry: int, number: int, hour: str = HOUR, **changes: Any) -> Any:
        body = {"v": 1, "node": self.name, "edition": 1, "hour": hour, "floor": 100,
                "entries": [{"entry": entry, "number": number}], **changes}  # fmt: skip
        return self.post("/v1/matches", body)


@pytest.fixture
def people(make_user: Callable[..., User], clock: FixedClock) -> dict[str, User]:
    make_lists()
    return {
        "anna": make_user(Role.ANALYST, username="anna"), "lin": make_user(Role.SECOND_REVIEWER, username="lin"),
        "paula": make_user(Role.LIST_PUBLISHER, username="paula"), "sam": make_user(Role.SUPERVISOR, username="sam"),
    }  # fmt: skip


@pytest.fixture
def entry(people: dict[str, User]) -> ListEntry:
    return listed(people["anna"], people["lin"]).entries.get()


def agreed(people: dict[str, User], title: str, clock: FixedClock) -> tuple[Partner, Agreement]:
    recipient = str(x25519.Identity.generate().to_public())
    partner = do_propose_partner(people["paula"], title, PartnerKind.ISP, recipient=recipient)
    terms = Terms("r", ("urls",), clock.now(), clock.now() + timedelta(days=9), "Somebody")
    return partner, do_approve_agreement(people["sam"], do_propose_agreement(people["paula"], partner, terms))


# ---- votes


def test_a_vote_is_kept_once_and_the_newest_counts(partner_client: DoorClient, entry: ListEntry) -> None:
    machine = Machine(partner_client, "n-1")
    assert [machine.vote(entry.number), machine.vote(entry.number)] == ["kept", "same"]
    assert Vote.objects.count() == AuditEvent.objects.filter(code="vote.cast").count() == 1
    assert machine.vote(entry.number, "confirm", "seen_and_agreed") == "kept"
    found = tally(entry)
    assert (found.confirmed, found.rejected) == (1, 0)


def test_a_partner_votes_by_the_numbers_of_its_copy(
    partner_client: DoorClient, entry: ListEntry, people: dict[str, User], clock: FixedClock
) -> None:
    partner, _ = agreed(people, "One", clock)
    (copy,) = copies_now(OFFICE, contents_now(clock.now()), clock.now())
    machine = Machine(partner_client, "q-1", partner.code)
    (number,) = [each.entry for each in copy.contents.urls if each.url.host == "gallery.example"]
    assert machine.vote(number) == "kept"
    assert Vote.objects.get().entry_id == entry.number and Vote.objects.get().partner == partner.code
    assert machine.vote(entry.number) == "entry_unknown"


def test_the_nodes_of_one_partner_are_one_voice_and_two_partners_hold_an_entry(
    partner_client: DoorClient, entry: ListEntry, people: dict[str, User], clock: FixedClock
) -> None:
    one, other = agreed(people, "One", clock)[0], agreed(people, "Other", clock)[0]
    copies_now(OFFICE, contents_now(clock.now()), clock.now())
    shown = {partner.code: int(books()[0].numbers_of(partner.code).shown([entry.number])[0]) for partner in (one, other)}
    machines = [Machine(partner_client, f"o-{n}", one.code) for n in (1, 2)]
    assert [machine.vote(shown[one.code]) for machine in machines] == ["kept", "kept"]
    assert tally(entry).rejected == 1 and not held()
    Machine(partner_client, "p-1", other.code).vote(shown[other.code], reason="too_wide")
    assert list(held()) == [entry] and held()[0].held_reason == "disputed"
    assert not in_force(clock.now()) and Publication.objects.filter(state="requested").exists()
    assert tally(entry).reasons == {"not_the_same": 1, "too_wide": 1}


def test_an_entry_that_somebody_confirms_is_not_held(partner_client: DoorClient, entry: ListEntry) -> None:
    Machine(partner_client, "n-1").vote(entry.number, "confirm", "seen_and_agreed")
    for name in ("n-2", "n-3", "n-4"):
        Machine(partner_client, name).vote(entry.number)
    assert not held() and tally(entry).rejected == 3


@pytest.mark.parametrize(
    ("body", "code"),
    [(b"{", "json_malformed"), ({"votes": []}, "votes_malformed"), ({"votes": [{"entry": 1}]}, "votes_malformed"),
     ({"votes": [{"entry": 1, "edition": 1, "opinion": "reject", "reason": "because I say so"}]}, "votes_malformed"),
     (b"[" * 5000, "votes_malformed")],
)  # fmt: skip
def test_what_is_no_vote_is_refused(body: Any, code: str, partner_client: DoorClient) -> None:
    answer = Machine(partner_client, "n-1").post("/v1/votes", body)
    assert answer.status_code == 400 and answer.json()["code"] == code


def test_one_vote_that_cannot_be_taken_does_not_cost_the_others(partner_client: DoorClient, entry: ListEntry) -> None:
    machine = Machine(partner_client, "n-1")
    cast = ((4711, "seen_and_agreed"), (entry.number, "gone"), (entry.number, "seen_and_agreed"))
    votes = [{"entry": number, "edition": 1, "opinion": "confirm", "reason": reason} for number, reason in cast]
    codes = [each["code"] for each in machine.post("/v1/votes", {"votes": votes}).json()["votes"]]
    assert codes == ["entry_unknown", "vote_reason", "kept"]


MEMBERS = st.sampled_from(["votes", "entry", "edition", "entries", "v"])
DOCUMENTS = st.recursive(
    st.none() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(MEMBERS, inner, max_size=4),
)


@hypothesis_settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40, deadline=None)
@given(body=st.binary(max_size=200) | DOCUMENTS)
def test_no_body_ends_in_a_fault(body: Any, partner_client: DoorClient) -> None:
    from vigil.hotline.partners.models import Node

    Node.objects.filter(name="any").delete()
    machine = Machine(partner_client, "any")
    for path in ("/v1/votes", "/v1/matches"):
        assert machine.post(path, body).status_code in {400, 415, 422}


# ---- entries that match far too much


def test_an_entry_that_suddenly_matches_far_too_much_is_held_and_flagged(
    partner_client: DoorClient, entry: ListEntry, clock: FixedClock
) -> None:
    machines = [Machine(partner_client, f"n-{number}") for number in (1, 2)]
    assert machines[0].tell(entry.number, 900).json() == {"kept": True, "held": 0}
    assert machines[1].tell(entry.number, 200).json() == {"kept": True, "held": 1}
    found = held()[0]
    assert (found.held_reason, found.held_by) == ("flood", "system:office")
    assert not in_force(clock.now())
    assert AuditEvent.objects.filter(code="entry.held").count() == 1
    assert machines[1].tell(entry.number, 300).json()["held"] == 0


def test_an_entry_that_always_matches_much_is_no_flood(partner_client: DoorClient, entry: ListEntry, clock: FixedClock) -> None:
    machine = Machine(partner_client, "n-1")
    ListEntry.objects.filter(pk=entry.pk).update(held_at=None)
    for back in range(1, 6):
        EntryCount.objects.create(
            node=machine.node, entry=entry.number, edition=1, number=5000, created_by="x",
            hour=clock.now().replace(minute=0) - timedelta(hours=back + 1),
        )  # fmt: skip
    assert machine.tell(entry.number, 9000).json()["held"] == 0
    assert machine.tell(entry.number, 100_000).json()["held"] == 1


def test_sent_twice_counts_once_and_the_larger_number_stays(partner_client: DoorClient, entry: ListEntry) -> None:
    machine = Machine(partner_client, "n-1")
    for number in (300, 300, 500, 400):
        assert machine.tell(entry.number, number).status_code == 200
    assert EntryCount.objects.get().number == 500


@pytest.mark.parametrize(
    ("changes", "code"),
    [({"node": "other"}, "node_differs"), ({"hour": "2027-01-01T00:00Z"}, "hour_implausible"), ({"floor": 7}, "matches_wrong"),
     ({"hour": "2026-13-01T00:00Z"}, "hour_malformed"), ({"entries": []}, "matches_wrong"), ({"v": 2}, "matches_wrong"),
     ({"entries": [{"entry": 1, "number": 150}]}, "count_not_rounded"),
     ({"entries": [{"entry": 1, "number": 99}]}, "matches_wrong"),
     ({"entries": [{"entry": 1, "number": 100}] * 51}, "matches_wrong"), ({"address": "x"}, "matches_wrong")],
)  # fmt: skip
def test_counts_that_tell_too_much_or_cannot_be_are_refused(
    changes: dict[str, Any], code: str, partner_client: DoorClient, clock: FixedClock
) -> None:
    answer = Machine(partner_client, "n-1").tell(1, 100, **changes)
    assert answer.status_code == 422 and answer.json()["code"] == code


def test_entries_nobody_knows_are_passed_over(partner_client: DoorClient, clock: FixedClock) -> None:
    assert Machine(partner_client, "n-1").tell(4711, 100_000).json() == {"kept": True, "held": 0}
    assert not EntryCount.objects.exists()


# ---- canaries


def test_a_counted_canary_raises_an_alarm_once_an_hour(partner_client: DoorClient, entry: ListEntry) -> None:
    from tests.hotline.partner_door.test_partner_door import vector

    Publication.objects.create(created_by="x", number=7, state="published")
    machine = Machine(partner_client, "n-1")
    counts = {**vector()["counts"], "canary": 12}
    assert machine.post("/v1/counts", vector(counts=counts)).status_code == 201
    assert machine.post("/v1/counts", vector(counts={**counts, "canary": 15}, revision=1)).status_code == 201
    alarm = CanaryAlarm.objects.get()
    assert (alarm.source, alarm.node, alarm.list, alarm.number) == ("count", "n-1", "urls", 15)
    assert AuditEvent.objects.filter(code="canary.hit").count() == 1


# ---- files of an edition


def file(folder: Any, name: str) -> None:
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(b"{}")


def test_a_partners_node_gets_its_own_branch_only_and_only_under_an_agreement(
    partner_client: DoorClient, people: dict[str, User], clock: FixedClock, tmp_path: Any
) -> None:
    (one, agreement), (other, _) = agreed(people, "One", clock), agreed(people, "Other", clock)
    digest = "a" * 64
    names = {
        "shared": ["metadata/timestamp.json", "metadata/1.root.json", "metadata/3.snapshot.json", "metadata/3.targets.json",
                   "metadata/3.partners.json"],
        "own": [f"targets/partners/{one.code}/{digest}.urls.parquet.age", f"metadata/3.partner-{one.code}.json"],
        "others": [f"targets/partners/{other.code}/{digest}.urls.parquet.age", f"metadata/3.partner-{other.code}.json"],
        "house": [f"targets/{digest}.urls.parquet", f"targets/lists/urls/{digest}.urls.parquet", "metadata/3.list-urls.json"],
    }  # fmt: skip
    for each in (name for group in names.values() for name in group):
        file(tmp_path, each)
    mine, own = Machine(partner_client, "q-1", one.code), Machine(partner_client, "own")

    def status(machine: Machine, group: str) -> set[int]:
        found = set()
        for name in names[group]:
            answer = machine.get(f"/editions/{name}")
            found.add(answer.status_code)
            assert b"".join(answer) or answer.status_code != 200
        return found

    partner_client.overrides["EDITIONS"] = tmp_path
    assert (status(mine, "shared"), status(mine, "own")) == ({200}, {200})
    assert (status(mine, "others"), status(mine, "house")) == ({404}, {404})
    assert (status(own, "shared"), status(own, "house"), status(own, "own")) == ({200}, {200}, {404})
    assert [(row.node, row.edition) for row in Delivery.objects.order_by("created_at")] == [(mine.node, 3), (own.node, 3)]
    do_end_agreement(people["paula"], agreement)
    answer = mine.get("/editions/metadata/timestamp.json")
    assert (answer.status_code, answer.json()["code"]) == (403, "no_agreement")
    do_stop_partner(people["paula"], other, "A test.")
    assert mine.get(f"/editions/targets/partners/../{digest}.urls.parquet").status_code == 404
