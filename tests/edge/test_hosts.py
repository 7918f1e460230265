"""Doors that see only a host: entries for whole hosts answer, entries for pages never do. Several readings count once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.edge.world import Hotline, RunningNode, config_text, running, until, url_entry

from vigil.edge.counts import CountClass
from vigil.edge.questions import HostQuestion, UrlQuestion
from vigil.match.urls import EntryFlag, Scope
from vigil.match.verdict import Outcome


@pytest.fixture
def node(hotline: Hotline, state: Path) -> Iterator[RunningNode]:
    hotline.publish(
        url_entry(1, "http://page.example/"),
        url_entry(2, "http://domain.example/", Scope.DOMAIN),
        url_entry(3, "http://host.example/", Scope.HOST),
        url_entry(4, "http://skipped.example/", Scope.DOMAIN, flags=EntryFlag.HOST_ONLY_SKIPPED),
        url_entry(5, "http://domain.example/", Scope.PREFIX),
    )
    with running(config_text(hotline, state)) as node:
        until(lambda: node.node.state.enforced is not None)
        yield node


@pytest.mark.parametrize(
    ("authority", "outcome", "entry"),
    [
        ("page.example:443", Outcome.NOT_LISTED, None),
        ("domain.example:443", Outcome.LISTED, 2),
        (b"DEEP.domain.example.:443", Outcome.LISTED, 2),
        ("host.example", Outcome.LISTED, 3),
        ("deep.host.example:443", Outcome.NOT_LISTED, None),
        ("skipped.example:443", Outcome.NOT_LISTED, None),
        ("quimber.example:443", Outcome.NOT_LISTED, None),
        ("276.2.3", Outcome.UNKNOWN, None),
        ("domain.example:99999", Outcome.LISTED, 2),  # the port cannot be read, the host can
        ("quimber.example:99999", Outcome.UNKNOWN, None),
    ],
)
def test_only_whole_hosts_answer(node: RunningNode, authority: str | bytes, outcome: Outcome, entry: int | None) -> None:
    verdict = node.node.answer(HostQuestion(authority), node.node.state.enforced, CountClass.UNDETERMINED)
    assert (verdict.verdict, verdict.entry) == (outcome, entry)


def test_any_listed_reading_answers_and_counts_once(node: RunningNode) -> None:
    edge, edition = node.node, node.node.state.enforced
    readings = [UrlQuestion("http://quimber.example/"), UrlQuestion("http://276.2.3/"), UrlQuestion("http://page.example/")]
    assert edge.answer_any(readings, edition, CountClass.NAVIGATION).entry == 1
    assert edge.answer_any(readings[:2], edition, CountClass.NAVIGATION).verdict is Outcome.UNKNOWN
    assert edge.answer_any(readings[:1], edition, CountClass.NAVIGATION).verdict is Outcome.NOT_LISTED
    edge.unread(edition)
    assert edge.tally.totals() == {("urls", CountClass.NAVIGATION): 1, ("*", CountClass.UNKNOWN): 2}


def test_questions_do_not_show_what_they_hold() -> None:
    assert "zorblat" not in repr(HostQuestion("zorblat.example:443"))
