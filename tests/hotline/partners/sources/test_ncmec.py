"""NCMEC hash sharing: ranges, pages, tombstones; and a server that does everything wrong."""

from __future__ import annotations

import base64
import gzip
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.hotline.conftest import NOON
from tests.hotline.partners.sources.desk import added, check_mirror, fetched, in_force, mirror, set_aside
from tests.hotline.partners.sources.server import Asked, Reply, World, serving

from vigil.base.clock import FixedClock
from vigil.base.errors import InputError
from vigil.hotline.access.people import OPERATOR
from vigil.hotline.access.roles import Role
from vigil.hotline.audit.models import AuditEvent
from vigil.hotline.partners.sources import ncmec
from vigil.hotline.partners.sources.actions import do_change_source, do_vote
from vigil.hotline.partners.sources.models import ImportedEntry, ImportedPage, Source, SourceKind, SourceVote
from vigil.hotline.partners.sources.record import Record, SetAside
from vigil.hotline.partners.sources.status import status_of

# What a server says wrongly is judged before anything is kept; how it is kept: test_json_sources and test_files, on both.
pytestmark = [pytest.mark.django_db, pytest.mark.one_database]

SPACE = ncmec.NAMESPACE
START = datetime(2026, 11, 1, tzinfo=UTC)


def md5(word: str) -> str:
    return hashlib.md5(word.encode()).hexdigest()


def pdq(word: str) -> str:
    return hashlib.sha256(word.encode()).hexdigest()


@dataclass
class Entry:
    id: str
    at: datetime
    prints: dict[str, str] = field(default_factory=dict)
    deleted: bool = False
    kind: str = "image"
    member: int = 42
    raw: str = ""

    def xml(self) -> str:
        if self.raw:
            return self.raw
        block = f"deleted{self.kind.title()}" if self.deleted else self.kind
        prints = "".join(f"<{name}>{value}</{name}>" for name, value in self.prints.items())
        return (
            f'<{block}><member id="{self.member}">Zorblat</member><timestamp>{self.at:%Y-%m-%dT%H:%M:%SZ}</timestamp>'
            f"<id>{self.id}</id><classification>A1</classification><fingerprints>{prints}</fingerprints></{block}>"
        )


class Clearing(World):
    """A hash sharing service. ``entries`` by id in their newest state; ``mischief`` answers first, or returns None."""

    def __init__(self, size: int = 3) -> None:
        super().__init__(self.reply)
        self.entries: dict[str, Entry] = {}
        self.size = size
        self.mischief: Any = lambda asked: None
        self.user = "zorblat:quimber"

    def put(self, *entries: Entry) -> None:
        self.entries |= {each.id: each for each in entries}

    def reply(self, asked: Asked) -> Reply:
        if asked.headers.get("authorization") != "Basic " + base64.b64encode(self.user.encode()).decode():
            return Reply(status=401)
        wrong = self.mischief(asked)
        if wrong is not None:
            return wrong
        if asked.path == "/base/v2/status":
            return Reply(b"<status/>")
        if asked.path == "/base/v2/entries":
            return Reply(self.page(asked.query).encode())
        return Reply(status=404)

    def page(self, query: dict[str, str]) -> str:
        if "from" not in query:
            return ""
        start, end = (datetime.fromisoformat(query[name]) for name in ("from", "to"))
        found = sorted((e for e in self.entries.values() if start < e.at <= end), key=lambda e: (e.at, e.id))
        first = int(query.get("start", "0"))
        some, rest = found[first : first + self.size], found[first + self.size :]
        onward = {**{k: query[k] for k in ("from", "to")}, "start": first + self.size, "max": len(found)}
        following = "/v2/entries?" + urlencode(onward).replace("&", "&amp;") if rest else ""
        return document("".join(e.xml() for e in some), following)


def document(entries: str, following: str = "") -> str:
    paging = f"<paging><next>{following}</next></paging>" if following else "<paging/>"
    return f'<queryResult xmlns="{SPACE}"><images count="1" maxTimestamp="x">{entries}</images><videos/>{paging}</queryResult>'


@pytest.fixture
def service(clock: FixedClock) -> Iterator[Clearing]:
    clearing = Clearing()
    with serving(clearing):
        yield clearing


@pytest.fixture
def source(service: Clearing) -> Source:
    return added(SourceKind.NCMEC, f"{service.address}/base")


def some(number: int, at: datetime = START, **others: Any) -> list[Entry]:
    def prints(n: int) -> dict[str, str]:
        return {"md5": md5(f"w{n}"), "pdq": pdq(f"w{n}")}

    return [Entry(f"e{n}", at + timedelta(minutes=n), prints(n), **others) for n in range(number)]


def expected(service: Clearing) -> dict[str, set[tuple[str, str]]]:
    return {f"{e.member}-{e.id}": set(e.prints.items()) for e in service.entries.values() if not e.deleted and not e.raw}


def test_every_entry_comes_with_every_type_known_or_not(service: Clearing, source: Source) -> None:
    service.put(*some(10), Entry("v", START, {"md5": md5("v"), "sha1": "0" * 39 + "1", "new-type": "ZORBLAT=="}, kind="video"))
    assert fetched(source).added == 11
    assert in_force(source) == expected(service)
    assert ImportedEntry.objects.get(key="42-v").media == "video"
    assert source.mirror == mirror(expected(service)) and source.mirror_entries == 11
    assert status_of(source).state == "ok" and "without error" in status_of(source).words


def test_changes_withdrawals_and_returns(service: Clearing, source: Source, clock: FixedClock) -> None:
    service.put(*some(5))
    fetched(source)
    for deleted in (True, False, True):
        clock.advance(hours=1)
        moment = clock.now() - timedelta(minutes=30)
        service.put(Entry("e1", moment, {"pdq": pdq("other")}, deleted=deleted))
        tally = fetched(source)
        assert tally.changed == 1 and tally.withdrawn == int(deleted)
        assert in_force(source) == expected(service)
        check_mirror(source)


def test_what_was_withdrawn_is_erased(service: Clearing, source: Source, clock: FixedClock) -> None:
    from vigil.hotline.partners.sources.pages import unpacked

    service.put(*some(3))
    fetched(source)
    clock.advance(hours=1)
    service.put(Entry("e1", clock.now() - timedelta(minutes=5), deleted=True))
    fetched(source)
    records = [record for row in ImportedPage.objects.all() for record in unpacked(row.content)]
    kept = "".join(record.raw + str(record.fingerprints) for record in records)
    assert md5("w0") in kept and md5("w1") not in kept


def test_a_full_fetch_finds_what_vanished_without_a_tombstone(service: Clearing, source: Source) -> None:
    service.put(*some(9))
    fetched(source)
    del service.entries["e4"]
    assert fetched(source).withdrawn == 0
    assert fetched(source, whole=True).withdrawn == 1
    assert in_force(source) == expected(service)
    check_mirror(source)
    service.put(*some(9))
    fetched(source, whole=True)
    assert in_force(source) == expected(service)


def test_many_vanished_entries_wait_for_a_person(service: Clearing, source: Source) -> None:
    from vigil.hotline.partners.sources.actions import do_accept_removals

    service.size = 1000
    service.put(*some(300))
    fetched(source)
    service.entries = {e.id: e for e in some(150)}
    fetched(source, whole=True)
    assert len(in_force(source)) == 300 and source.held_back == 150
    assert status_of(source).state == "held_back"
    assert do_accept_removals(OPERATOR, source) == 150
    assert in_force(source) == expected(service)
    check_mirror(source)


def test_fetching_again_reads_no_page_that_is_known(service: Clearing, source: Source) -> None:
    service.put(*some(9))
    fetched(source)
    again = fetched(source, whole=True)
    assert again.known_pages == again.pages > 2 and not again.altered
    assert in_force(source) == expected(service)


def test_pages_cut_otherwise_change_nothing(service: Clearing, source: Source) -> None:
    service.put(*some(9))
    fetched(source)
    before = source.mirror
    service.size = 4
    again = fetched(source, whole=True)
    assert not again.altered and again.withdrawn == 0 and source.mirror == before


def test_times_are_sent_in_utc_whatever_the_zone(service: Clearing, source: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    import time

    for zone in ("America/New_York", "Asia/Tokyo", "UTC"):
        monkeypatch.setenv("TZ", zone)
        time.tzset()
        fetched(source, whole=True)
        asked = service.asked[-1].query
        assert (asked["from"], asked["to"]) == ("1970-01-01T00:00:00Z", "2026-11-22T11:59:00Z")
    monkeypatch.undo()
    time.tzset()


def test_a_run_that_was_killed_goes_on_where_it_was(service: Clearing, source: Source) -> None:
    service.put(*some(12))
    pages = iter(range(2))
    service.mischief = lambda asked: None if next(pages, None) is not None else Reply(status=503)
    fetched(source)
    assert len(in_force(source)) == 6 and source.failures == 1
    service.mischief = lambda asked: None
    service.asked.clear()
    fetched(source)
    assert service.asked[0].query["start"] == "6"
    assert in_force(source) == expected(service)
    assert source.failing_since is None


def test_a_failing_source_says_what_since_when_how_often_and_when_again(
    service: Clearing, source: Source, clock: FixedClock
) -> None:
    service.user = "somebody:else"
    for _ in range(3):
        fetched(source)
        clock.advance(minutes=10)
    words = status_of(source).words
    assert "does not accept our credentials" in words and "3 times in a row since 2026-11-22T12:00:00Z" in words
    assert "it is tried again at" in words
    assert AuditEvent.objects.filter(code="source.failed").count() == 1
    do_change_source(OPERATOR, source, credentials={"user": "somebody", "password": "else"})
    fetched(source)
    assert status_of(source).state == "ok"


def test_credentials_lie_sealed(source: Source) -> None:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SELECT credentials FROM sources_source")
        assert "quimber" not in str(cursor.fetchall())
    assert "quimber" not in repr(source.credentials)


def test_one_bad_record_is_named_and_the_others_come(service: Clearing, source: Source) -> None:
    service.size = 100
    service.put(*some(4))
    bad = {
        "b1": '<image><member id="42">Z</member><id>b1</id><id>b1</id></image>',
        "b2": "<zorblat/>",
        "b3": '<image><member id="x">Z</member><id>b3</id></image>',
        "b4": '<image><member id="42">Z</member><member id="43">Z</member><id>b4</id></image>',
        "b5": '<image><member id="42">Z</member><id></id></image>',
        "b6": f'<image><member id="42">Z</member><id>b6</id><x>{"y" * 300_000}</x></image>',
    }
    service.put(*(Entry(key, START, raw=raw) for key, raw in bad.items()))
    service.put(Entry("empty", START, {"md5": md5(""), "pdq": pdq("good")}), Entry("odd", START, {"pdq": "zz", "sha1": "1" * 40}))
    assert fetched(source).added == 6
    names = {name for name, _ in set_aside(source)}
    assert ("42-b6", "enormous") in set_aside(source)
    assert {"42-b1", "x-b3", "42-b4", "42-empty (md5)", "42-odd (pdq)"} <= names
    assert in_force(source)["42-empty"] == {("pdq", pdq("good"))}
    assert in_force(source)["42-odd"] == {("sha1", "1" * 40)}
    before = set_aside(source)
    fetched(source, whole=True)
    assert set_aside(source) == before


def test_duplicate_contradictory_and_future_records(service: Clearing, source: Source, clock: FixedClock) -> None:
    service.size = 100
    twice = Entry("twice", START, {"md5": md5("a")}).xml()
    one = Entry("contra", START, {"md5": md5("a")}).xml()
    other = Entry("contra", START, {"md5": md5("b")}).xml()
    gone = Entry("gone", START, deleted=True).xml()
    stays = Entry("gone", START, {"md5": md5("c")}).xml()
    newer = Entry("moved", START + timedelta(hours=1), {"md5": md5("new")}).xml()
    older = Entry("moved", START, {"md5": md5("old")}).xml()
    ahead = Entry("ahead", clock.now() + timedelta(days=2), {"md5": md5("d")}).xml()
    ahead_gone = Entry("ahead-gone", clock.now() + timedelta(days=2), deleted=True).xml()
    service.put(Entry("all", START, raw=twice * 2 + one + other + gone + stays + newer + older + ahead + ahead_gone))
    fetched(source)
    assert in_force(source) == {
        "42-twice": {("md5", md5("a"))}, "42-contra": {("md5", md5("b"))}, "42-moved": {("md5", md5("new"))},
    }  # fmt: skip
    assert set_aside(source) == {("42-contra", "contradictory"), ("42-gone", "contradictory"), ("42-ahead", "future")}
    assert ImportedEntry.objects.get(key="42-ahead-gone").gone
    clock.advance(days=3)
    fetched(source, whole=True)
    assert "42-ahead" in in_force(source)
    assert ("42-ahead", "future") not in set_aside(source)


def test_an_older_state_that_comes_later_changes_nothing(service: Clearing, source: Source, clock: FixedClock) -> None:
    service.put(Entry("a", START + timedelta(hours=2), {"md5": md5("new")}))
    fetched(source)
    clock.advance(hours=1)
    late = Entry("a", START, {"md5": md5("old")}).xml()
    service.put(Entry("carrier", clock.now() - timedelta(minutes=10), raw=late))
    fetched(source)
    assert in_force(source)["42-a"] == {("md5", md5("new"))}


DAMAGE = {
    "latin-1": lambda page: page.replace("Zorblat", "Zörblat").encode("latin-1"),
    "utf-16": lambda page: page.encode("utf-16"),
    "not closed": lambda page: page.replace("</fingerprints>", "", 1).encode(),
    "doctype": lambda page: b'<!DOCTYPE x [<!ENTITY a "aaaa">]>' + page.encode(),
    "entities": lambda page: b'<!DOCTYPE x [<!ENTITY a "aa"><!ENTITY b "&a;&a;">]>' + page.replace("A1", "&b;").encode(),
    "nul": lambda page: page.replace("A1", "\0").encode(),
    "tower": lambda page: page.replace("A1", "<a>" * 100_000).encode(),
    "empty": lambda page: b"",
    "html": lambda page: b"<html><body>Please log in</body></html>",
}


@pytest.mark.parametrize("kind", DAMAGE)
def test_a_damaged_page_never_stops_the_feed(service: Clearing, source: Source, kind: str) -> None:
    """The second page is damaged for good. All other entries come, those of it that can be read too; it is named."""
    service.put(*some(12))

    def damaged(asked: Asked) -> Reply | None:
        if asked.path.endswith("entries") and "<id>e4<" in (page := service.page(asked.query)):
            return Reply(DAMAGE[kind](page))
        return None

    service.mischief = damaged
    fetched(source)
    assert source.failures == 0, source.error_text
    assert set(expected(service)) - set(in_force(source)) <= {"42-e3", "42-e4", "42-e5"}
    assert set_aside(source)
    service.mischief = lambda asked: None
    fetched(source, whole=True)
    assert in_force(source) == expected(service)


def test_bombs_lies_and_hangs(service: Clearing, source: Source) -> None:
    service.put(*some(6))
    bomb = gzip.compress(b"<a>" + b" " * 3_000_000, 1)
    for reply, code in (
        (Reply(bomb, headers={"Content-Encoding": "gzip"}), "ok"),
        (Reply(b"zorblat", headers={"Content-Encoding": "gzip"}), "ok"),
        (Reply(b"<queryResult/>", cut=1000), "source_broke_off"),
        (Reply(b"", hang=0.8), "source_slow"),
        (Reply(status=500), "source_status"),
        (Reply(status=302, headers={"Location": "http://192.0.2.1/x"}), "source_elsewhere"),
        (Reply(status=302, headers={"Location": "/base/loop"}), "source_redirects"),
        (Reply(status=429, headers={"Retry-After": "7200"}), "source_busy"),
    ):
        service.mischief = lambda asked, reply=reply: (
            reply if asked.path.endswith("loop") or "<id>e3<" in service.page(asked.query) else None
        )
        Source.objects.filter(pk=source.pk).update(cursor=None)
        fetched(source, whole=True)
        assert source.error_code == ("" if code == "ok" else code)
    assert (source.next_try_at - NOON).total_seconds() >= 7200
    service.mischief = lambda asked: None
    fetched(source)
    assert in_force(source) == expected(service)


def test_a_place_at_which_runs_end_is_gone_round(service: Clearing, source: Source) -> None:
    """One second of the feed always hangs. After three runs it is isolated and named; everything else is there."""
    service.size = 100
    service.put(*some(6))
    service.mischief = lambda asked: Reply(status=500) if "<id>e3<" in service.page(asked.query) else None
    for _ in range(4):
        fetched(source)
    assert source.failures == 0
    assert set(in_force(source)) == set(expected(service)) - {"42-e3"}
    assert set_aside(source) == {("seconds 2026-11-01T00:02:59Z to 2026-11-01T00:03:00Z", "gap")}


def test_a_source_that_is_down_is_not_taken_for_a_gap(service: Clearing, source: Source) -> None:
    service.put(*some(6))
    service.mischief = lambda asked: Reply(status=500)
    for _ in range(6):
        fetched(source)
    assert source.failures == 6 and not set_aside(source)
    service.mischief = lambda asked: None
    fetched(source)
    assert in_force(source) == expected(service)


def test_paging_in_a_circle_and_pages_that_expire(service: Clearing, source: Source) -> None:
    service.put(*some(9))

    def circle(asked: Asked) -> Reply | None:
        if asked.query.get("start") == "3":
            page = service.page(asked.query)
            return Reply(page.replace("start=6", "start=3").encode())
        return Reply(status=410) if asked.query.get("start") == "6" else None

    service.mischief = circle
    fetched(source)
    assert source.failures == 0
    assert in_force(source) == expected(service)


def test_thousands_of_entries_in_one_second_end(service: Clearing, source: Source) -> None:
    service.size = 800
    service.put(*(Entry(f"x{n}", START, {"md5": md5(f"x{n}")}) for n in range(4_000)))
    fetched(source)
    assert len(in_force(source)) == 4_000 and len(service.asked) < 20


def test_votes_go_back_with_reasons(service: Clearing, source: Source, make_user: Any) -> None:
    service.put(*some(2))
    fetched(source)
    anna = make_user(Role.ANALYST)
    reasons = (
        f'<availableFeedbackReasons xmlns="{SPACE}"><reason guid="g-1" name="Not it" type="PDQ"/>'
        f'<reason guid="g-2" name="Adult" type="PDQ"/></availableFeedbackReasons>'
    )

    def votes(asked: Asked) -> Reply | None:
        if asked.path.endswith("/reasons"):
            return Reply(reasons.encode())
        return Reply(status=204) if asked.method == "PUT" else None

    service.mischief = votes
    one, two = ImportedEntry.objects.order_by("key")
    do_vote(anna, one, "md5", agrees=True)
    do_vote(anna, two, "pdq", agrees=False, reason="Adult")
    do_vote(anna, two, "md5", agrees=False, reason="Because")
    fetched(source)
    put = [each for each in service.asked if each.method == "PUT"]
    assert [each.path for each in put] == ["/base/v2/entries/42/e0/MD5/feedback", "/base/v2/entries/42/e1/PDQ/feedback"]
    assert b"affirmative" in put[0].body and b"<guid>g-2</guid>" in put[1].body
    states = dict(SourceVote.objects.values_list("algorithm", "state"))
    assert SourceVote.objects.filter(state="sent").count() == 2
    refused = SourceVote.objects.get(state="refused")
    assert "does not offer this reason" in refused.answer and "Adult" in refused.answer, states
    with pytest.raises(InputError):
        do_vote(anna, one, "sha1", agrees=True)


def test_credentials_never_go_to_another_machine_or_in_clear() -> None:
    with pytest.raises(InputError, match="in clear"):
        added(SourceKind.NCMEC, "http://hashes.example/base")
    with pytest.raises(InputError):
        added(SourceKind.NCMEC, "https://user:word@hashes.example/base")


@settings(max_examples=80, deadline=None)
@given(st.binary(max_size=400) | st.text(max_size=400).map(str.encode))
def test_any_bytes_are_read_or_set_aside(data: bytes) -> None:
    for body in (data, document("").encode().replace(b"<videos/>", data), f"<images>{data!r}</images>".encode()):
        assert all(isinstance(item, Record | SetAside) for item in ncmec.read(body, "x"))
