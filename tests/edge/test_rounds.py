"""The threads of a node outlive a bad round, can be woken, and end when told to."""

from __future__ import annotations

import io
import json

from tests.edge.world import until

from vigil.edge.journal import journal
from vigil.edge.rounds import Rounds


def test_a_bad_round_is_logged_and_the_next_one_comes() -> None:
    stream = io.StringIO()
    seen: list[int] = []

    def work() -> float:
        seen.append(len(seen))
        if len(seen) == 2:
            raise RuntimeError("zorblat")
        return 600.0

    rounds = Rounds("work", work, journal("n-1", stream))
    rounds.start()
    until(lambda: len(seen) == 1)
    rounds.wake()
    until(lambda: stream.getvalue())
    rounds.wake()
    until(lambda: len(seen) == 3)
    rounds.stop(5)
    assert not rounds.is_alive()
    event = json.loads(stream.getvalue())
    assert (event["event"], event["fault"]) == ("round_failed", "RuntimeError")
    assert "zorblat" not in stream.getvalue()


def test_one_that_never_started_can_be_stopped() -> None:
    Rounds("work", lambda: 1.0, journal("n-1", io.StringIO())).stop(1)
