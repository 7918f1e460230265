"""How sources are asked: never more often than was set, later when they ask for it; and feeds that go wrong midway."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.hotline.conftest import NOON
from tests.hotline.partners.sources import test_json_sources as services
from tests.hotline.partners.sources import test_matrix as matrix
from tests.hotline.partners.sources.desk import CREDENTIALS, check_mirror, fetched, set_aside
from tests.hotline.partners.sources.server import HASTE, Reply, serving

from vigil.base.clock import FixedClock
from vigil.hotline.access.people import OPERATOR
from vigil.hotline.partners.sources import fetching
from vigil.hotline.partners.sources.actions import do_change_source
from vigil.hotline.partners.sources.ahead import Pages
from vigil.hotline.partners.sources.fetching import open_feed
from vigil.hotline.partners.sources.keeping import Reading
from vigil.hotline.partners.sources.models import ImportedEntry, Source, SourceKind
from vigil.hotline.partners.sources.record import Feed, Page
from vigil.hotline.partners.sources.transport import FetchError, Line, Pacer

pytestmark = pytest.mark.django_db
peer = matrix.peer
service = services.service
LATER = "a file of an edition that is refused ends the run, and the next one goes on from the files that are there"


class Watch:
    """A time that passes only while somebody sleeps or works."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.slept: list[float] = []

    def sleep(self, seconds: float) -> None:
        assert seconds > 0
        self.slept.append(seconds)
        self.now += seconds


# ---- the rate


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 600), st.lists(st.floats(0, 20), min_size=2, max_size=80))
def test_no_minute_has_more_requests_than_the_operator_allowed(a_minute: int, work: list[float]) -> None:
    """Whatever the pauses of the one who asks: any sixty seconds hold that many at most."""
    watch = Watch()
    pacer = Pacer(a_minute, lambda: watch.now, watch.sleep)
    sent = []
    for pause in work * (1 + 3 * a_minute // len(work) if a_minute < 60 else 1):
        pacer.wait()
        sent.append(watch.now)
        watch.now += pause if a_minute > 5 else pause / 10
    for first, later in zip(sent, sent[a_minute:], strict=False):
        assert later - first >= 60 - 1e-6


def test_every_request_of_every_kind_waits_for_its_turn(
    peer: matrix.Peer, clock: FixedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    turns: list[int] = []

    class Counting(Pacer):
        def __init__(self, a_minute: int) -> None:
            super().__init__(0)
            self.a_minute = a_minute

        def wait(self) -> None:
            turns.append(self.a_minute)

    monkeypatch.setattr(fetching, "Pacer", Counting)
    source = peer.source()
    do_change_source(OPERATOR, source, settings={"requests_a_minute": 7})
    claimed = fetching.claim(source)
    assert claimed is not None
    fetching.fetch(claimed)
    source.refresh_from_db()
    assert source.failures == 0, source.error_text
    assert turns == [7] * len(peer.asked) and turns


def watched(watch: Watch) -> Any:
    def open_watched(source: Source) -> AbstractContextManager[Feed]:
        def line(address: str, headers: dict[str, str] | None = None, *, secret_in_query: bool = False) -> Line:
            return Line(address, headers, patience=HASTE, sleep=watch.sleep, secret_in_query=secret_in_query)

        return open_feed(source, line)

    return open_watched


def test_a_source_that_asks_for_a_short_pause_gets_it(peer: matrix.Peer, clock: FixedClock) -> None:
    """429 and Retry-After in seconds: waited for, asked again, and nothing is said to have failed."""
    if isinstance(peer, matrix.Edition):
        assert LATER
        return
    busy = iter([True])
    peer.wrong = lambda asked: Reply(status=429, headers={"Retry-After": "7"}) if next(busy, False) else None
    watch, source = Watch(), peer.source()
    claimed = fetching.claim(source)
    assert claimed is not None
    fetching.fetch(claimed, watched(watch))
    source.refresh_from_db()
    assert source.failures == 0, source.error_text
    assert watch.slept == [7.0]
    assert peer.values(source) == {matrix.value(number) for number in matrix.GOOD}


@pytest.mark.parametrize("later", ["7200", "Sun, 22 Nov 2026 14:00:00 GMT"])
def test_a_source_that_asks_for_hours_is_left_alone_for_hours(peer: matrix.Peer, clock: FixedClock, later: str) -> None:
    source = peer.source()
    peer.wrong = lambda asked: Reply(status=429, headers={"Retry-After": later})
    fetched(source)
    asked = len(peer.asked)
    assert source.error_code == ("http_error" if isinstance(peer, matrix.Edition) else "source_busy"), source.error_text
    assert source.next_try_at > NOON and asked <= 2
    assert (source.next_try_at - NOON).total_seconds() == 7200
    assert fetching.claim_next() is None and len(peer.asked) == asked
    peer.wrong = lambda asked: None
    clock.advance(hours=25)
    if isinstance(peer, matrix.Edition):
        peer.now = clock.now()
        peer.issue()  # a hotline signs anew each day
    fetched(source)
    assert peer.values(source) == {matrix.value(number) for number in matrix.GOOD}


def test_a_run_that_waits_for_its_turn_keeps_its_claim_and_ends_where_it_lost_it() -> None:
    """A slow pace is no death: another worker must not take a source over that waits. Asked from the thread that keeps pages."""
    go, asked = threading.Event(), list[int]()

    def pages() -> Iterator[Page]:
        for number in range(2):
            go.wait(10)
            yield Page(f"page {number}", "", list, {})

    def held() -> None:
        asked.append(threading.get_ident())
        if len(asked) == 3:
            go.set()

    with Pages(pages(), lambda page: Reading({}, []), held, every=0.02) as coming:
        assert [each.page.name for each in coming] == ["page 0", "page 1"]
    assert len(asked) >= 3 and {*asked} == {threading.get_ident()}

    def lost() -> None:
        go.set()
        raise fetching.ClaimLost

    go.clear()
    with Pages(pages(), lambda page: Reading({}, []), lost, every=0.02) as coming, pytest.raises(fetching.ClaimLost):
        list(coming)


def test_a_claim_that_another_worker_has_is_not_held_on_to(peer: matrix.Peer, clock: FixedClock) -> None:
    source = peer.source()
    claimed = fetching.claim(source)
    assert claimed is not None
    clock.advance(minutes=4)
    fetching._hold(claimed, lambda: False)
    claimed.refresh_from_db()
    assert claimed.claimed_until is not None and (claimed.claimed_until - clock.now()).total_seconds() == 300
    clock.advance(minutes=6)
    other = fetching.claim(source)
    assert other is not None, "after five silent minutes somebody else takes it"
    with pytest.raises(fetching.ClaimLost):
        fetching._hold(claimed, lambda: False)
    with pytest.raises(fetching.ClaimLost):
        fetching._hold(other, lambda: True)


@pytest.mark.parametrize("later", ["", "soon", "-5", "\xb2", "9" * 400, "nan", "Mon, 99 Nov 2026 12:00:00 GMT"])
def test_a_pause_that_is_none_harms_nobody(later: str) -> None:
    world = matrix.World(lambda asked: Reply(status=429, headers={"Retry-After": later} if later else {}))
    watch = Watch()
    with serving(world):
        line = Line(world.address, patience=HASTE, sleep=watch.sleep)
        with closing(line), pytest.raises(FetchError) as error:
            line.get("/zorblat")
    assert error.value.code == "source_busy"
    assert sum(watch.slept) < 60 and len(world.asked) <= 6


# ---- midway


def test_credentials_that_end_midway_lose_nothing(service: services.Service, clock: FixedClock) -> None:
    """What came stays, the trouble is named, and with new credentials the feed goes on behind the last page."""
    source = service.make()
    service.put(*(services.Thing(n, services.STAMP + n) for n in range(1, 13)))
    service.mischief = lambda asked: Reply(b"{}", status=401) if len(service.asked) > 2 else None
    fetched(source)
    came = ImportedEntry.objects.filter(source=source).count()
    assert source.error_code == "source_credentials" and "credentials" in source.error_text
    assert 0 < came < 12
    service.mischief = lambda asked: None
    do_change_source(OPERATOR, source, credentials=CREDENTIALS[SourceKind(source.kind)])
    service.asked.clear()
    tally = fetched(source)
    assert source.failures == 0, source.error_text
    assert tally.added == 12 - came
    assert services.values(source) == service.expected()
    check_mirror(source)


@pytest.mark.parametrize("kind", [SourceKind.MISP_FEED, SourceKind.EDITION, SourceKind.NCMEC])
@pytest.mark.parametrize("after", [1, 2])
def test_credentials_that_end_between_the_parts_lose_nothing(
    kind: SourceKind, after: int, clock: FixedClock, tmp_path: Path, settings: Any
) -> None:
    """Sources of several files: nothing of a fetch that broke off counts as all there is."""
    settings.EDITIONS = tmp_path / "own" / "editions"
    made = matrix.Edition(tmp_path, clock.now()) if kind is SourceKind.EDITION else matrix.PEERS[kind]()
    with serving(made):
        source = made.source()
        fetched(source)
        made.rows.append(made.row(4))
        if isinstance(made, matrix.Edition):
            made.issue()
        made.asked.clear()
        made.wrong = lambda asked: Reply(status=401) if len(made.asked) > after else None
        fetched(source, whole=True)
        wanted = {matrix.value(number) for number in matrix.GOOD}
        assert wanted <= made.values(source), "credentials that ended are no withdrawal"
        assert source.error_text or wanted < made.values(source)
        made.wrong = lambda asked: None
        fetched(source, whole=True)
        assert source.failures == 0, source.error_text
        assert made.values(source) == wanted | {matrix.value(4)}
        check_mirror(source)


def test_a_server_that_lists_backwards_and_breaks_off_loses_nothing(
    service: services.Service, clock: FixedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The newest change comes first: where the feed broke off, it must not go on behind that."""
    source = service.make()
    service.put(*(services.Thing(n, services.STAMP + n) for n in range(1, 13)))
    honest = service.since
    monkeypatch.setattr(service, "since", lambda stamp, *, inclusive=True: honest(stamp, inclusive=inclusive)[::-1])
    service.mischief = lambda asked: Reply(b"{}", status=500) if len(service.asked) > 2 else None
    fetched(source)
    assert source.failures == 1
    service.mischief = lambda asked: None
    clock.advance(hours=2)
    fetched(source)
    assert source.failures == 0, source.error_text
    assert services.values(source) == service.expected()
    later = int(clock.now().timestamp()) - 300
    service.put(services.Thing(13, later), services.Thing(3, later - 1, gone=True))
    clock.advance(hours=1)
    fetched(source)
    assert services.values(source) == service.expected()
    check_mirror(source)


UNREADABLE = (b"", b"zorblat", b"\xff\xfe", b'{"Event": {"Attribute": [', b"[" * 200_000, b"{}")


@pytest.mark.parametrize("body", UNREADABLE, ids=lambda body: repr(body[:12]))
def test_an_event_of_a_feed_that_cannot_be_read_takes_nothing_away(body: bytes, clock: FixedClock) -> None:
    """The manifest is whole, one of its files is not: what that file held before stays until it can be read again."""
    made = matrix.MispFeed()
    with serving(made):
        source = made.source()
        fetched(source)
        wanted = {matrix.value(number) for number in matrix.GOOD}
        made.rows.append(made.row(4))
        made.wrong = lambda asked: None if asked.path.endswith("manifest.json") else Reply(body)
        clock.advance(hours=1)
        fetched(source, whole=True)
        assert made.values(source) == wanted
        assert source.error_text or {name for name, _ in set_aside(source)} == {f"event {made.event}"}
        made.wrong = lambda asked: None
        clock.advance(days=1, hours=1)
        fetched(source)
        assert made.values(source) == wanted | {matrix.value(4)}
        check_mirror(source)
