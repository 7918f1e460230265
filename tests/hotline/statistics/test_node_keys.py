"""Keys of nodes at the hotline: from the first key on nothing unsigned is taken; certificates are kept, red ones too."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.hotline.partner_door.test_partner_door import Machine, code_of, machine, vector

__all__ = ["machine"]

from vigil.base.clock import FixedClock
from vigil.base.errors import InputError
from vigil.edge.identity import NodeKey as EdgeKey
from vigil.editions.certificate import Check, DoorReport, Report, Seen, sign
from vigil.editions.node_signatures import COUNTS
from vigil.hotline.access.people import OPERATOR
from vigil.hotline.partners.models import Node
from vigil.hotline.statistics.models import CountVector, NodeCertificate
from vigil.hotline.statistics.node_keys import do_enrol_key, do_revoke_keys

pytestmark = pytest.mark.django_db


@pytest.fixture
def key(tmp_path: Path) -> EdgeKey:
    return EdgeKey.of(tmp_path)


def signature(key: EdgeKey, body: bytes) -> dict[str, str]:
    return {"vigil-signature": f"{key.public} {key.sign(COUNTS, body)}"}


def signed(machine: Machine, body: bytes, more: dict[str, str]) -> Any:
    return machine.client.post("/v1/counts", body, content_type="application/json", headers={**machine.headers, **more})


def hand_in(machine: Machine, body: bytes) -> Any:
    return machine.client.post("/v1/certificates", body, content_type="application/json", headers=machine.headers)


def report(node: str, *, good: bool = True) -> Report:
    seen = Seen.BLOCKED if good else Seen.PASSED
    door = DoorReport("icap", (Check("page", Seen.BLOCKED, seen),))
    return Report(1, node, "2026-11-22T10:00:00Z", 7, "digest", (door,))


def test_from_the_first_key_on_nothing_unsigned_is_taken(machine: Machine, key: EdgeKey, tmp_path: Path) -> None:
    assert machine.post(vector()).status_code == 201
    assert not CountVector.objects.get().signed
    node = Node.objects.get(name="n-1")
    do_enrol_key(OPERATOR, node, key.public)
    body = msgspec.json.encode(vector(revision=1))
    assert code_of(machine.post(body)) == "signature_refused"
    other = EdgeKey.of(tmp_path / "other")
    assert code_of(signed(machine, body, signature(other, body))) == "signature_refused"
    assert code_of(signed(machine, body, signature(key, body + b" "))) == "signature_refused"
    assert signed(machine, body, signature(key, body)).status_code == 201
    assert CountVector.objects.get(revision=1).signed
    assert do_revoke_keys(OPERATOR, node) == 1
    assert machine.post(vector(revision=2)).status_code == 201


@pytest.mark.parametrize("wrong", ["", "zz", "0" * 63, "0" * 65])
def test_what_is_no_key_is_not_enrolled(machine: Machine, wrong: str) -> None:
    with pytest.raises(InputError):
        do_enrol_key(OPERATOR, Node.objects.get(name="n-1"), wrong)


def test_messages_are_kept_and_made_up_names_are_not(machine: Machine, clock: FixedClock) -> None:
    taken = machine.post(vector(list="*", edition=0, covered_seconds=0, counts={"unknown": None}, messages={"law.displayed": 30}))
    assert taken.status_code == 201
    assert CountVector.objects.get().messages == {"law.displayed": 30}
    assert code_of(machine.post(vector(messages={"http://quimber.example/": 3}))) == "vector_wrong"


def test_certificates_are_kept_once_and_only_from_the_nodes_key(machine: Machine, key: EdgeKey) -> None:
    good = sign(report("n-1"), key)
    assert code_of(hand_in(machine, good)) == "signature_refused"
    do_enrol_key(OPERATOR, Node.objects.get(name="n-1"), key.public)
    for _ in range(2):
        assert hand_in(machine, good).json() == {"kept": True, "good": True}
    assert hand_in(machine, sign(report("n-1", good=False), key)).json()["good"] is False
    assert code_of(hand_in(machine, sign(report("n-2"), key))) == "node_differs"
    altered = json.loads(good)
    altered["report"] = altered["report"].replace('"passed"', '"blocked"').replace('"n-1"', '"n-1" ')
    assert code_of(hand_in(machine, msgspec.json.encode(altered))) == "certificate_unsigned"
    assert code_of(hand_in(machine, b"{}")) == "certificate_malformed"
    assert [(each.good, each.failing) for each in NodeCertificate.objects.order_by("good")] == [(False, ["icap"]), (True, [])]
