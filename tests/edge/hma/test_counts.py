"""Hits of the HMA-compatible door are counted as those of other doors: by list and hour, whoever asked and about what."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

from tests.edge.hma.test_lists import BOTH, FAR, LISTS, MD5, NEAR, Door, entries, serving
from tests.edge.world import Hotline, hash_entry, until

from vigil.edge.counts import CountClass
from vigil.edge.hma.store import BankRow


def counted(hotline: Hotline) -> dict[tuple[str, int], dict[str, int]]:
    """What the hotline has, by list and edition; classes without events are left out."""
    newest: dict[tuple[str, int], tuple[int, dict[str, int]]] = {}
    for body in list(hotline.vectors.values()):
        vector = json.loads(body)
        key = (vector["list"], vector["edition"])
        if key not in newest or newest[key][0] < vector["revision"]:
            newest[key] = (vector["revision"], {name: number for name, number in vector["counts"].items() if number})
    return {key: numbers for key, (_, numbers) in newest.items() if numbers}


def asked(door: Door) -> None:
    """Four questions: two by value, a batch of three, and one that nothing matches."""
    door.lookup(NEAR)
    door.lookup(MD5, "md5")
    door.lookup(FAR)
    door.ask("POST", "/m/lookup/batch", {"pdq": [NEAR, FAR, BOTH]})


def test_each_question_counts_once_for_each_list_that_matched(hotline: Hotline, state: Path) -> None:
    number = hotline.publish(*entries(), lists=LISTS)
    with serving(hotline, state, rows=(BankRow(1, "ZORBLAT", 1.0, "bank-7"),)) as door:
        until(lambda: door.lookup(MD5, "md5"))
        before = counted(hotline).get(("pictures", number), {}).get("media_match", 0)
        asked(door)
        # The first answers above may have come before anything was loaded: only what matched was counted.
        # Each list is a vector of its own, and they arrive one after another.
        until(lambda: counted(hotline).get(("strict", number)) == {"media_match": 2})
        until(lambda: counted(hotline).get(("pictures", number), {}).get("media_match", 0) >= max(before, 1) + 3)
        until(lambda: ("bank-7", 0) in counted(hotline))
        found = counted(hotline)
        assert found["bank-7", 0] == {"media_match": 1}, "a bank is a list of no edition"
        assert set(found) == {("pictures", number), ("strict", number), ("bank-7", 0)}
    sent = b"".join(hotline.posts)
    assert not any(text.encode() in sent for text in (NEAR, BOTH, MD5, "ZORBLAT", "127.0.0.1", "entry"))


def test_small_numbers_do_not_leave(hotline: Hotline, state: Path) -> None:
    hotline.publish(*entries(), lists=LISTS)
    hidden = f"""[counts]
url = "{hotline.url}/v1/counts"
token = "node-token-zorblat-0001"
k = 10
interval_seconds = 0.2
flush_seconds = 0.1
send_open_hour = true
"""
    with serving(hotline, state, more=hidden) as door:
        until(lambda: door.lookup(NEAR))
        for _ in range(4):
            door.lookup(NEAR)
        until(lambda: any(json.loads(body)["list"] == "strict" for body in hotline.vectors.values()))
        for body in list(hotline.vectors.values()):
            assert set(json.loads(body)["counts"].values()) == {None}


def test_marks_have_a_class_of_their_own_and_a_policy_that_lets_pass_is_said(hotline: Hotline, state: Path) -> None:
    canary = hash_entry(21, "pdq", bytes.fromhex(FAR), labels=("canary",))
    number = hotline.publish(*entries(), canary, lists=LISTS)
    policy = '[[policy.rules]]\naction = "log"\nlists = ["strict"]\n'
    with serving(hotline, state, more=policy) as door:
        until(lambda: door.lookup(FAR))
        door.lookup(NEAR)
        until(lambda: counted(hotline).get(("strict", number)) == {CountClass.BYPASSED.value: 1})
        until(lambda: {"media_match", "canary"} <= counted(hotline).get(("pictures", number), {}).keys())


def test_a_worker_that_is_killed_takes_no_counts_along(hotline: Hotline, state: Path) -> None:
    number = hotline.publish(*entries(), lists=LISTS)

    def strict() -> Any:
        return counted(hotline).get(("strict", number), {}).get("media_match", 0)

    with serving(hotline, state) as door:
        until(lambda: door.lookup(NEAR))
        until(lambda: strict() > 0)
        first = strict()
        for _ in range(3):
            door.lookup(NEAR)
        service = door.service
        assert service is not None and service.hma is not None
        os.kill(service.hma._workers[0].pid, signal.SIGKILL)
        until(lambda: strict() == first + 3)
        door.line.close()
        until(lambda: service.hma._workers[0].poll() is None)
        door.lookup(NEAR)
        until(lambda: strict() == first + 4)


def test_an_edition_too_old_to_answer_by_is_counted_as_unknown(hotline: Hotline, state: Path) -> None:
    from datetime import timedelta

    hotline.publish(*entries(), lists=LISTS, issued_at=hotline.now - timedelta(days=3), valid_hours=1, hard_hours=2)
    with serving(hotline, state, more='[enforcement]\non_hard_expiry = "stop"\n') as door:
        until(lambda: door.ask("GET", f"/m/lookup?signal_type=pdq&signal={NEAR}")[0] == 503)
        until(lambda: hotline.total("unknown") > 0)
        assert hotline.total("media_match") == 0
