"""Answers of a refused size: announced gigabytes, bodies without end, packed bombs; from every kind of source, said in words."""

from __future__ import annotations

import gzip
import json
import re
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.editions.export.world import some_contents
from tests.hotline.conftest import NOON
from tests.hotline.partners.sources.desk import added, fetched, in_force, set_aside
from tests.hotline.partners.sources.server import Asked, Reply, World, serving

from vigil.base.clock import FixedClock
from vigil.base.limits import Limit
from vigil.editions.build import build_edition
from vigil.editions.keys import create_keys
from vigil.editions.publish import publish
from vigil.hotline.partners.sources import delimited, transport
from vigil.hotline.partners.sources.models import Source, SourceKind

# What a server says wrongly is judged before anything is kept; how it is kept: test_json_sources and test_files, on both.
pytestmark = [pytest.mark.django_db, pytest.mark.one_database]

SMALL = Limit(100_000, "bytes", "a test has no time for more")
ANNOUNCED = 2_000_000_000
ROOT_BYTES = 256 * 1024  # of the first file of an edition that is asked for
TOO_MUCH = {
    "announces gigabytes": Reply(b"{", cut=ANNOUNCED - 1),
    "never ends": Reply(b" " * 4096, endless=True),
}
BOMB = Reply(gzip.compress(b" " * 4_000_000), headers={"Content-Encoding": "gzip"})
OPTIONS: dict[SourceKind, tuple[str, dict[str, str]]] = {
    SourceKind.NCMEC: ("/base", {}),
    SourceKind.STOPNCII: ("/v1", {}),
    SourceKind.THREATEXCHANGE: ("/v21.0", {"group": "777"}),
    SourceKind.TAXII: ("/api", {"collection": "1d1e5b8a-0000-4000-8000-000000000001"}),
    SourceKind.MISP: ("/misp", {}),
    SourceKind.MISP_FEED: ("/feed", {}),
    SourceKind.DELIMITED: ("/list.csv", {}),
    SourceKind.EDITION: ("/editions", {}),
}
JSON = [SourceKind.STOPNCII, SourceKind.THREATEXCHANGE, SourceKind.TAXII]


@pytest.fixture
def world() -> Iterator[World]:
    made = World(lambda asked: Reply(b"{}"))
    with serving(made):
        yield made


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same limits, smaller: an endless body need not fill 128 MB in a test."""
    monkeypatch.setattr(transport.Line.get, "__kwdefaults__", {"accept": "*/*", "limit": SMALL})
    monkeypatch.setattr(transport, "ANSWER_BYTES", SMALL)
    monkeypatch.setattr(delimited, "FILE_BYTES", SMALL)


@pytest.fixture
def made(world: World, tmp_path: Path, settings: object) -> Callable[[SourceKind], Source]:
    """A source of any kind at the server; for editions the root is handed over, as it has to be."""

    def make(kind: SourceKind) -> Source:
        path, options = OPTIONS[kind]
        if kind is SourceKind.EDITION:
            settings.EDITIONS = tmp_path / "own" / "editions"  # type: ignore[attr-defined]
            create_repository(tmp_path)
            options = {"root": str(tmp_path / "theirs" / "metadata" / "1.root.json")}
        return added(kind, world.address + path, **options)

    return make


def create_repository(folder: Path) -> None:
    ring = create_keys(folder / "keys", NOON)
    publish(folder / "theirs", build_edition(some_contents(), number=1, previous=None, issued_at=NOON), ring, NOON)


@pytest.mark.parametrize("kind", list(OPTIONS), ids=str)
@pytest.mark.parametrize("how", list(TOO_MUCH))
def test_a_size_beyond_the_limit_is_refused_at_once(
    world: World, made: Callable[[SourceKind], Source], kind: SourceKind, how: str, clock: FixedClock
) -> None:
    source = made(kind)
    world.answer = lambda asked: TOO_MUCH[how]
    fetched(source)
    assert source.failures == 1 and source.next_try_at > clock.now()
    assert source.error_code == ("length" if kind is SourceKind.EDITION else "source_too_large")
    limit = ROOT_BYTES if kind is SourceKind.EDITION else SMALL.value
    assert str(limit) in source.error_text
    if how == "announces gigabytes":
        assert str(ANNOUNCED) in source.error_text
    assert len(world.asked) == 1, "a refused size is not asked for again in the same run"


@pytest.mark.parametrize("kind", [kind for kind in OPTIONS if kind is not SourceKind.EDITION], ids=str)
def test_a_source_of_nothing_but_bombs_is_left_alone(
    world: World, made: Callable[[SourceKind], Source], kind: SourceKind
) -> None:
    """Editions are never unpacked by the transport: python-tuf asks for bytes as they are."""
    source = made(kind)
    world.answer = lambda asked: BOMB
    fetched(source)
    assert source.error_code == "source_bomb", source.error_text
    found = re.search(r"answer of (\d+) bytes unpacks into more than (\d+) bytes", source.error_text)
    assert found is not None and int(found[1]) == len(BOMB.body) and int(found[2]) >= 1 << 20
    assert len(world.asked) <= 66


@pytest.mark.parametrize("kind", [*JSON, SourceKind.NCMEC], ids=str)
def test_the_worst_never_asks_for_ever(
    world: World, made: Callable[[SourceKind], Source], kind: SourceKind, clock: FixedClock
) -> None:
    """Run after run against a server that only announces gigabytes: each ends soon, and each says why."""
    source = made(kind)
    world.answer = lambda asked: TOO_MUCH["announces gigabytes"]
    for number in range(1, 6):
        world.asked.clear()
        fetched(source)
        assert source.error_code == "source_too_large" and source.failures == number
        assert len(world.asked) <= 130
        clock.advance(hours=2)


def test_an_event_of_a_folder_is_set_aside_by_its_name(world: World, made: Callable[[SourceKind], Source]) -> None:
    names = [str(uuid.UUID(int=number)) for number in range(1, 4)]

    def answer(asked: Asked) -> Reply:
        name = asked.path.rpartition("/")[2].removesuffix(".json")
        if name == "manifest":
            return Reply(json.dumps({each: {"timestamp": "1"} for each in names}).encode())
        if name == names[1]:
            return TOO_MUCH["announces gigabytes"]
        value = {"uuid": name.replace("0000", "1111", 1), "type": "md5", "value": name.replace("-", "")}
        return Reply(json.dumps({"Event": {"uuid": name, "Attribute": [value]}}).encode())

    world.answer = answer
    source = made(SourceKind.MISP_FEED)
    fetched(source)
    assert source.failures == 0, source.error_text
    assert len(in_force(source)) == 2
    assert set_aside(source) == {(f"event {names[1]}", "enormous")}


def test_a_page_too_large_in_the_middle_is_gone_round_after_some_runs(
    world: World, made: Callable[[SourceKind], Source], clock: FixedClock
) -> None:
    """One hash brings an answer of gigabytes whenever it is in it: refused, refused, refused; then named, and all others come."""
    stamp = int(clock.now().timestamp()) - 10_000
    values = [f"{number:064x}" for number in range(1, 9)]

    def answer(asked: Asked) -> Reply:
        since, size = int(asked.query["startTimestamp"]), int(asked.query["pageSize"])
        found = [place for place in range(len(values)) if stamp + place >= since]
        first = int(asked.query.get("nextPageToken", 0))
        some, rest = found[first : first + size], found[first + size :]
        if 4 in some:
            return TOO_MUCH["announces gigabytes"]
        records = [
            {"lastModtimestamp": stamp + n, "signalType": "ImagePDQ", "hashValue": values[n], "hashStatus": "Active",
             "caseNumbers": {}} for n in some
        ]  # fmt: skip
        return Reply(json.dumps({
            "nextPageToken": str(first + size) if rest else None, "hasMoreRecords": bool(rest), "hashRecords": records,
            "nextSetTimestamp": max([stamp + n for n in some], default=0),
        }).encode())  # fmt: skip

    world.answer = answer
    source = made(SourceKind.STOPNCII)
    for _ in range(3):
        fetched(source)
        assert source.error_code == "source_too_large"
        clock.advance(hours=2)
    fetched(source)
    assert source.failures == 0, source.error_text
    assert {value for prints in in_force(source).values() for _, value in prints} == set(values) - {values[4]}
    assert {flaw for _, flaw in set_aside(source)} == {"enormous"}


def bombed(stamps: dict[int, str], bombs: set[int]) -> Callable[[Asked], Reply]:
    """StopNCII with a value for each second of ``stamps``; an answer with one of ``bombs`` in it explodes."""

    def answer(asked: Asked) -> Reply:
        since, size = int(asked.query["startTimestamp"]), int(asked.query["pageSize"])
        found = [each for each in sorted(stamps) if each >= since]
        first = int(asked.query.get("nextPageToken", 0))
        some, rest = found[first : first + size], found[first + size :]
        if bombs & set(some):
            return BOMB
        records = [
            {"lastModtimestamp": each, "signalType": "ImagePDQ", "hashValue": stamps[each], "hashStatus": "Active",
             "caseNumbers": {}} for each in some
        ]  # fmt: skip
        return Reply(json.dumps({
            "nextPageToken": str(first + size) if rest else None, "hasMoreRecords": bool(rest), "hashRecords": records,
            "nextSetTimestamp": max(some, default=0),
        }).encode())  # fmt: skip

    return answer


@pytest.mark.parametrize("days", [0, 3, 400])
def test_a_bomb_far_ahead_never_holds_a_feed(
    world: World, made: Callable[[SourceKind], Source], clock: FixedClock, days: int
) -> None:
    """An answer that explodes, dated seconds, days or a year after the last good one: gone round, named, within one run."""
    start = int(clock.now().timestamp()) - 500 * 86400
    bomb = start + 10 + days * 86400
    stamps = {each: f"{each:064x}" for each in (start, start + 5, bomb, bomb + 1, bomb + 90 * 86400)}
    world.answer = bombed(stamps, {bomb})
    source = made(SourceKind.STOPNCII)
    fetched(source)
    assert source.failures == 0, source.error_text
    assert {value for prints in in_force(source).values() for _, value in prints} == {
        value for each, value in stamps.items() if each != bomb
    }
    assert len(world.asked) < 120
    assert {flaw for _, flaw in set_aside(source)} == {"bomb"}
    assert any(name.endswith(f"to {bomb}") or name == f"changes after {bomb}" for name, _ in set_aside(source))


def test_a_bomb_dated_in_the_future_holds_back_nothing(
    world: World, made: Callable[[SourceKind], Source], clock: FixedClock
) -> None:
    start = int(clock.now().timestamp()) - 10_000
    stamps = {start: f"{start:064x}", start + 10**9: "ff00" * 16}
    world.answer = bombed(stamps, {start + 10**9})
    source = made(SourceKind.STOPNCII)
    for later in (0, 7000, 9000):
        if later:
            clock.advance(hours=1)
            stamps[start + later] = f"{start + later:064x}"
        world.asked.clear()
        fetched(source)
        assert source.failures == 0, source.error_text
        assert len(in_force(source)) == len(stamps) - 1
        assert len(world.asked) < 80
    assert ("bomb", True) in {(flaw, "dated later than now" in name) for name, flaw in set_aside(source)}


def test_several_bombs_are_gone_round_one_after_the_other(
    world: World, made: Callable[[SourceKind], Source], clock: FixedClock
) -> None:
    start = int(clock.now().timestamp()) - 10_000
    stamps = {start + 100 * place: f"{start + 100 * place:064x}" for place in range(1, 9)}
    bombs = {start + 200, start + 300, start + 600}
    world.answer = bombed(stamps, bombs)
    source = made(SourceKind.STOPNCII)
    fetched(source)
    assert source.failures == 0, source.error_text
    assert {value for prints in in_force(source).values() for _, value in prints} == {
        value for each, value in stamps.items() if each not in bombs
    }
