"""The lists of an edition in the answers of the HMA-compatible door: each list a bank, scoped, withdrawn with the edition."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.edge.world import Hotline, config_text, hash_entry, running, until

from vigil.edge.hma.store import BankRow, Page, Row, Writer
from vigil.edge.http.server import Service
from vigil.editions.model import ListInfo

NEAR, FAR, BOTH = "ab" * 32, "0f" * 32, "c3" * 32
MD5 = "0123456789abcdef0123456789abcdef"
BANKS = (BankRow(1, "ZORBLAT", 1.0),)
LISTS = (
    ListInfo("urls", "url"),
    ListInfo("pictures", "hash_csam", max_distance=31),
    ListInfo("strict", "hash_csam", max_distance=10),
)
HMA = """
[hma]
enabled = true
port = 0
open_on_loopback = true
banks = "http://127.0.0.1:1/v1/banks"
max_stale_seconds = 0
lists = {lists}
"""


def bits(value: str, number: int) -> str:
    """The value with so many bits turned."""
    return f"{int(value, 16) ^ ((1 << number) - 1):064x}"


class Door:
    """What the door of a running node answers."""

    service: Service | None = None

    def __init__(self, port: int) -> None:
        self.line = http.client.HTTPConnection("127.0.0.1", port, timeout=30)

    def ask(self, method: str, path: str, document: Any = None) -> tuple[int, Any]:
        body = None if document is None else json.dumps(document)
        self.line.request(method, path, body, {"Content-Type": "application/json"} if body else {})
        answer = self.line.getresponse()
        return answer.status, json.loads(answer.read())

    def lookup(self, value: str, kind: str = "pdq", more: str = "") -> Any:
        status, found = self.ask("GET", f"/m/lookup?signal_type={kind}&signal={value}{more}")
        assert status == 200, found
        return found


@contextmanager
def serving(
    hotline: Hotline, state: Path, *, lists: bool = True, more: str = "", rows: tuple[BankRow, ...] = BANKS
) -> Iterator[Door]:
    """A node whose platform has banked ``BOTH``, with its worker process."""
    page = Page("0.0", "1.1", False, 1, rows, {}, (Row(7, 1, 1, 31, 1000, (("pdq", BOTH),)),), ())
    assert Writer(state / "hma").apply(page)
    with running(config_text(hotline, state, HMA.format(lists=str(lists).lower()) + more)) as node:
        until(lambda: node.node.state.enforced is not None)
        door = node.service.hma
        assert door is not None
        asking = Door(door.port)
        asking.service = node.service
        try:
            yield asking
        finally:
            asking.line.close()


def entries() -> list[Any]:
    return [
        hash_entry(11, "pdq", bytes.fromhex(NEAR)),
        hash_entry(12, "pdq", bytes.fromhex(NEAR), list="strict"),
        hash_entry(13, "md5", bytes.fromhex(MD5)),
        hash_entry(14, "pdq", bytes.fromhex(BOTH)),
    ]


def test_each_list_is_a_bank_and_goes_with_the_edition(hotline: Hotline, state: Path) -> None:
    hotline.publish(*entries(), lists=LISTS)
    with serving(hotline, state) as door:
        until(lambda: door.lookup(NEAR))
        found = {"pictures": [{"bank_content_id": 11, "distance": "0"}], "strict": [{"bank_content_id": 12, "distance": "0"}]}
        assert door.lookup(NEAR) == found
        assert door.lookup(bits(NEAR, 20)) == {"pictures": [{"bank_content_id": 11, "distance": "20"}]}, "each list its distance"
        assert door.lookup(bits(NEAR, 32)) == {} and door.lookup(FAR) == {}
        assert door.lookup(MD5, "md5") == {"pictures": [{"bank_content_id": 13, "distance": "-"}]}
        assert set(door.lookup(BOTH)) == {"ZORBLAT", "pictures"}
        assert set(door.lookup(NEAR, more="&banks=strict,ZORBLAT")) == {"strict"}
        assert set(door.lookup(BOTH, more="&banks=ZORBLAT")) == {"ZORBLAT"}
        status, batch = door.ask("POST", "/m/lookup/batch", {"pdq": [FAR, NEAR, BOTH], "md5": [MD5]})
        assert status == 200 and batch["pdq"] == [{}, found, door.lookup(BOTH)] and batch["md5"] == [door.lookup(MD5, "md5")]
        hotline.publish(*entries()[1:], lists=LISTS)
        until(lambda: set(door.lookup(NEAR)) == {"strict"})
        hotline.publish(lists=LISTS)
        until(lambda: door.lookup(NEAR) == {})
        assert set(door.lookup(BOTH)) == {"ZORBLAT"}, "what the platform banked stays"


def test_only_where_the_operator_wants_it(hotline: Hotline, state: Path) -> None:
    hotline.publish(*entries(), lists=LISTS)
    with serving(hotline, state, lists=False) as door:
        assert door.lookup(NEAR) == {} and set(door.lookup(BOTH)) == {"ZORBLAT"}


def test_only_the_lists_that_are_enforced_and_nothing_expired(hotline: Hotline, state: Path) -> None:
    soon = hash_entry(15, "pdq", bytes.fromhex(FAR), expires=hotline.now + timedelta(seconds=1))
    hotline.publish(*entries(), soon, lists=LISTS)
    with serving(hotline, state) as door:
        until(lambda: door.lookup(NEAR))
        until(lambda: door.lookup(FAR) == {})


@pytest.mark.parametrize("choice", ["stop", "keep_all"])
def test_an_edition_too_old_to_answer_is_never_a_no(hotline: Hotline, state: Path, choice: str) -> None:
    hotline.publish(*entries(), lists=LISTS, issued_at=hotline.now - timedelta(days=3), valid_hours=1, hard_hours=2)
    with serving(hotline, state, more=f'[enforcement]\non_hard_expiry = "{choice}"\n') as door:
        until(lambda: door.ask("GET", f"/m/lookup?signal_type=pdq&signal={NEAR}")[1] != {})
        status, found = door.ask("GET", f"/m/lookup?signal_type=pdq&signal={NEAR}")
        assert (status, found.get("code")) == ((503, "edition_hard_expired") if choice == "stop" else (200, None))
