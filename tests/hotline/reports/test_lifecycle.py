"""The tables of the life cycle hold together."""

from __future__ import annotations

from vigil.hotline.reports.enumerations import URGENCY, Outcome, Priority, Status
from vigil.hotline.reports.lifecycle import (
    ASSESSED_OUTCOMES,
    CONCLUDED,
    DESK_OUTCOMES,
    IN_HAND,
    OPEN,
    QUEUED,
    TRANSITIONS,
)
from vigil.hotline.reports.queries import PublicState, public_state_of


def test_every_status_has_a_way_on_and_a_way_to_the_end() -> None:
    assert set(TRANSITIONS) == set(Status)
    for start in Status:
        reached, edge = {start}, {start}
        while edge:
            edge = {after for status in edge for after in TRANSITIONS[status]} - reached
            reached |= edge
        assert Status.CLOSED in reached


def test_every_status_is_open_or_concluded() -> None:
    assert OPEN == QUEUED | IN_HAND
    assert not QUEUED & IN_HAND
    assert set(Status) == OPEN | CONCLUDED


def test_every_outcome_belongs_to_one_group() -> None:
    assert ASSESSED_OUTCOMES | DESK_OUTCOMES | {Outcome.DUPLICATE} == set(Outcome)
    assert not ASSESSED_OUTCOMES & DESK_OUTCOMES


def test_urgency_falls() -> None:
    assert [priority for priority, _ in sorted(URGENCY.items(), key=lambda pair: pair[1])] == list(Priority)


def test_reporters_are_told_three_states_only() -> None:
    told = {status: public_state_of(status) for status in Status}
    assert set(told.values()) == {PublicState.RECEIVED, PublicState.IN_HAND, PublicState.CLOSED}
    assert told[Status.NEW] is PublicState.RECEIVED
    assert told[Status.REOPENED] is PublicState.IN_HAND
    assert told[Status.ACTIONED] is PublicState.CLOSED
