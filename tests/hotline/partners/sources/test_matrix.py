"""Every kind of source × every misbehaviour: refused or set aside by name, never a stalled feed, never a lost entry.

One small honest server for each kind, from the same three to five entries; one table of what goes wrong. Where a kind cannot
misbehave in a way, the table says why in words, and the test holds that nothing is set aside for it.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import uuid
import zipfile
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
from tests.editions.export.world import LISTS
from tests.hotline.partners.sources import test_json_sources as services
from tests.hotline.partners.sources import test_ncmec as ncmec
from tests.hotline.partners.sources.desk import added, check_mirror, fetched, in_force, set_aside
from tests.hotline.partners.sources.server import Asked, Reply, World, serving

from vigil.base.clock import FixedClock
from vigil.editions.build import build_edition
from vigil.editions.keys import create_keys
from vigil.editions.model import EditionContents, HashEntry
from vigil.editions.publish import publish
from vigil.hotline.access.people import OPERATOR
from vigil.hotline.partners.sources.actions import do_accept_removals, do_change_source
from vigil.hotline.partners.sources.limits import GAPS_A_RUN
from vigil.hotline.partners.sources.models import Source, SourceKind
from vigil.hotline.partners.sources.status import status_of

# What a server says wrongly is judged before anything is kept; how it is kept: test_json_sources and test_files, on both.
pytestmark = [pytest.mark.django_db, pytest.mark.one_database]

STAMP = services.STAMP
GOOD = (1, 2, 3)
Rows = list[Any]


def value(number: int | str) -> str:
    return hashlib.sha256(f"thing {number}".encode()).hexdigest()


class Peer(World):
    """A server of one kind. ``rows``: what it holds, in its own form; ``wrong`` answers first, or gives None."""

    kind: SourceKind
    path = ""
    options: Mapping[str, str] = MappingProxyType({})

    def __init__(self) -> None:
        super().__init__(self.reply)
        self.rows: Rows = [self.row(number) for number in GOOD]
        self.wrong: Callable[[Asked], Reply | None] = lambda asked: None
        self.damage: Callable[[bytes], bytes] = bytes

    def reply(self, asked: Asked) -> Reply:
        wrong = self.wrong(asked)
        return wrong if wrong is not None else self.honest(asked)

    def honest(self, asked: Asked) -> Reply:
        return Reply(self.damage(self.body(asked)))

    def body(self, asked: Asked) -> bytes:
        raise NotImplementedError

    def row(self, number: int | str, text: str | None = None, at: int = STAMP, gone: bool = False) -> Any:
        """An entry in the form of this kind; ``text`` is its value."""
        raise NotImplementedError

    def source(self) -> Source:
        return added(self.kind, self.address + self.path, **self.options)

    def values(self, source: Source) -> set[str]:
        return {text for prints in in_force(source).values() for _, text in prints}


class Ncmec(Peer):
    kind, path = SourceKind.NCMEC, "/base"

    def row(self, number: int | str, text: str | None = None, at: int = STAMP, gone: bool = False) -> Any:
        moment = datetime.fromtimestamp(at, UTC)
        return ncmec.Entry(f"e{number}", moment, {"pdq": value(number) if text is None else text}, deleted=gone).xml()

    def body(self, asked: Asked) -> bytes:
        if asked.path.endswith("/status"):
            return b"<status/>"
        start, end = (datetime.fromisoformat(asked.query[name]) for name in ("from", "to"))
        inside = start < datetime.fromtimestamp(STAMP, UTC) <= end
        return ncmec.document("".join(self.rows) if inside else "").encode()


class Json(Peer):
    """All rows in one answer, wherever it is asked from: what came before is told again."""

    def body(self, asked: Asked) -> bytes:
        return json.dumps(self.document(asked)).encode()

    def document(self, asked: Asked) -> Any:
        raise NotImplementedError


class Ncii(Json):
    kind, path = SourceKind.STOPNCII, "/v1"

    def row(self, number: int | str, text: str | None = None, at: int = STAMP, gone: bool = False) -> Any:
        return {"lastModtimestamp": at, "signalType": "ImagePDQ", "hashValue": value(number) if text is None else text,
                "hashStatus": "Withdrawn" if gone else "Active", "caseNumbers": {}}  # fmt: skip

    def document(self, asked: Asked) -> Any:
        return {"nextPageToken": None, "hasMoreRecords": False, "nextSetTimestamp": STAMP, "hashRecords": self.rows}


class Threats(Json):
    kind, path, options = SourceKind.THREATEXCHANGE, "/v21.0", {"group": "777"}

    def row(self, number: int | str, text: str | None = None, at: int = STAMP, gone: bool = False) -> Any:
        known = int(value(number)[:8], 16)
        return {"id": str(known), "indicator": value(number) if text is None else text, "type": "HASH_PDQ", "last_updated": at,
                "should_delete": gone, "descriptors": {"data": [{"id": "9", "status": "MALICIOUS"}]}}  # fmt: skip

    def document(self, asked: Asked) -> Any:
        return {"data": self.rows}


class Taxii(Json):
    kind, path, options = SourceKind.TAXII, "/api", {"collection": services.COLLECTION}

    def row(self, number: int | str, text: str | None = None, at: int = STAMP, gone: bool = False) -> Any:
        stamp = services.Collection.instant(at)
        shown = value(number) if text is None else text
        return {"type": "indicator", "spec_version": "2.1", "id": f"indicator--{uuid.uuid5(uuid.NAMESPACE_DNS, str(number))}",
                "created": stamp, "modified": stamp, "pattern": f"[file:hashes.'X-PDQ' = '{shown}']", "pattern_type": "stix",
                "revoked": gone}  # fmt: skip

    def document(self, asked: Asked) -> Any:
        return {"objects": self.rows, "more": False}


class Misp(Json):
    kind, path = SourceKind.MISP, "/misp"

    def row(self, number: int | str, text: str | None = None, at: int = STAMP, gone: bool = False) -> Any:
        return {"uuid": str(uuid.uuid5(uuid.NAMESPACE_DNS, str(number))), "type": "pdq",
                "value": value(number) if text is None else text, "timestamp": str(at), "deleted": gone}  # fmt: skip

    def document(self, asked: Asked) -> Any:
        first = json.loads(asked.body).get("page") == 1
        return {"response": {"Attribute": self.rows if first else []}}


class MispFeed(Misp):
    kind, path = SourceKind.MISP_FEED, "/feed"
    event = "00000000-0000-4000-8000-000000000001"

    def document(self, asked: Asked) -> Any:
        if asked.path.endswith("manifest.json"):
            mark = hashlib.sha256(json.dumps(self.rows).encode()).hexdigest()[:8]
            return {self.event: {"timestamp": str(int(mark, 16))}}
        return {"Event": {"uuid": self.event, "Attribute": self.rows}}


class Lines(Peer):
    kind, path = SourceKind.DELIMITED, "/list.csv"

    def row(self, number: int | str, text: str | None = None, at: int = STAMP, gone: bool = False) -> Any:
        return f"e{number},pdq,{value(number) if text is None else text},{at},{'yes' if gone else 'no'}"

    def body(self, asked: Asked) -> bytes:
        return "\n".join(["id,type,value,changed,withdrawn", *self.rows]).encode() + b"\n"


class Edition(Peer):
    """Signed as a whole. A row is an entry; what goes wrong happens to files on their way."""

    kind, path = SourceKind.EDITION, "/theirs"

    def __init__(self, folder: Path, now: datetime) -> None:
        super().__init__()
        self.folder, self.now, self.number = folder, now, 0
        self.ring = create_keys(folder / "keys", now)
        self.issue()

    def row(self, number: int | str, text: str | None = None, at: int = STAMP, gone: bool = False) -> Any:
        return HashEntry(int(number), "pictures", "pdq", bytes.fromhex(value(number)))

    def issue(self) -> None:
        before, self.number = self.number or None, self.number + 1
        contents = EditionContents(LISTS, (), tuple(self.rows))
        made = build_edition(contents, number=self.number, previous=before, issued_at=self.now)
        publish(self.folder / "theirs", made, self.ring, self.now)
        self.options = {"root": str(self.folder / "theirs" / "metadata" / "1.root.json")}

    def body(self, asked: Asked) -> bytes:
        path = self.folder / asked.path.lstrip("/")
        return path.read_bytes() if path.is_file() else b""

    def honest(self, asked: Asked) -> Reply:
        found = self.body(asked)
        return Reply(self.damage(found)) if found else Reply(status=404)


PEERS: dict[SourceKind, type[Peer]] = {
    each.kind: each for each in (Ncmec, Ncii, Threats, Taxii, Misp, MispFeed, Lines, Edition)
}


@pytest.fixture(params=list(SourceKind), ids=str)
def peer(request: pytest.FixtureRequest, clock: FixedClock, tmp_path: Path, settings: Any) -> Iterator[Peer]:
    settings.EDITIONS = tmp_path / "own" / "editions"
    made = Edition(tmp_path, clock.now()) if request.param is SourceKind.EDITION else PEERS[request.param]()
    with serving(made):
        yield made


# ---- the whole answer is wrong

LAUGHS = (
    '<?xml version="1.0"?><!DOCTYPE q [<!ENTITY a "zorblat">'
    + "".join(f'<!ENTITY {after} "{f"&{before};" * 10}">' for before, after in zip("abcdefgh", "bcdefghi", strict=True))
    + "]><queryResult><images><image>&i;</image></images></queryResult>"
).encode()


def nested(peer: Peer) -> bytes:
    """As deep as an answer can be, in the form of this kind: towers of tags, of brackets, of quotes."""
    if isinstance(peer, Ncmec):
        return b"<queryResult><images>" + b"<image>" * 200_000 + b"</images></queryResult>"
    return b'id,type,value\n"' + b'""' * 200_001 if isinstance(peer, Lines) else b'{"a":[' * 100_000


def archive(data: bytes, packing: int = zipfile.ZIP_DEFLATED) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", packing) as packed:
        packed.writestr("list.csv", data)
    return stream.getvalue()


def shrunk(data: bytes) -> bytes:
    """The sizes before and behind the file say that it holds less."""
    with zipfile.ZipFile(io.BytesIO(data)) as packed:
        size = packed.infolist()[0].file_size
    return data.replace(size.to_bytes(4, "little"), (size // 3).to_bytes(4, "little"))


def damaged(data: bytes) -> bytes:
    """Its contents are no deflated data any more."""
    start = data.index(b"list.csv") + len(b"list.csv")
    return data[:start] + b"\xff" * 12 + data[start + 12 :]


ANSWERS: dict[str, Callable[[Peer, Asked], Reply]] = {
    "hangs": lambda peer, asked: Reply(b"x", hang=0.5),
    "is shorter than it says": lambda peer, asked: Reply(peer.body(asked), cut=50),
    "is a bomb": lambda peer, asked: Reply(gzip.compress(b" " * 4_000_000), headers={"Content-Encoding": "gzip"}),
    "is a bomb that is packed twice": lambda peer, asked: Reply(
        gzip.compress(gzip.compress(b" " * 4_000_000)), headers={"Content-Encoding": "gzip"}
    ),
    "is an archive that explodes": lambda peer, asked: Reply(archive(b" " * 4_000_000)),
    "is an archive of archives": lambda peer, asked: Reply(archive(archive(archive(b" " * 4_000_000)))),
    "is an archive that is packed to take memory": lambda peer, asked: Reply(archive(peer.body(asked), zipfile.ZIP_LZMA)),
    "is an archive that lies about its size": lambda peer, asked: Reply(shrunk(archive(peer.body(asked) * 3))),
    "is an archive that is damaged": lambda peer, asked: Reply(damaged(archive(peer.body(asked) * 3))),
    "is two words": lambda peer, asked: Reply(b"Not Found"),
    "is an event of nothing": lambda peer, asked: Reply(b'{"Event": {}}'),
    "is nested without end": lambda peer, asked: Reply(nested(peer)),
    "declares entities": lambda peer, asked: Reply(LAUGHS),
    "is no text": lambda peer, asked: Reply(b"\xff\xfe\x00zorblat" * 50),
    "is a page of somebody else": lambda peer, asked: Reply(b"<html><body>quimber</body></html>"),
    "is empty": lambda peer, asked: Reply(b""),
    "is cut off": lambda peer, asked: Reply(peer.body(asked)[: len(peer.body(asked)) // 3]),
    "is a failure": lambda peer, asked: Reply(b"", status=500),
    "wants other credentials": lambda peer, asked: Reply(b"", status=401),
}


@pytest.mark.parametrize("how", ANSWERS)
def test_a_server_whose_answers_are_wrong_takes_nothing_away(peer: Peer, clock: FixedClock, how: str) -> None:
    """What came before stays in use, the trouble is said in words or set aside by name, and afterwards everything is there."""
    source = peer.source()
    fetched(source)
    assert source.failures == 0, source.error_text
    assert peer.values(source) == {value(number) for number in GOOD}
    peer.rows.append(peer.row(4))
    if isinstance(peer, Edition):
        peer.rows.remove(peer.row(1))
        peer.issue()
    peer.wrong = lambda asked: ANSWERS[how](peer, asked)
    peer.asked.clear()
    clock.advance(hours=1)
    fetched(source, whole=True)
    kept = peer.values(source)
    assert {value(number) for number in GOOD} <= kept, "a wrong answer is no withdrawal"
    assert source.error_text or set_aside(source), "nothing is passed over in silence"
    assert len(peer.asked) <= 70, "and nobody is asked for ever"
    peer.wrong = lambda asked: None
    for _ in range(2):  # a full fetch that was under way ends first, and is followed by another one within a day
        clock.advance(days=1, hours=1)
        if isinstance(peer, Edition):
            peer.now = clock.now()
            peer.issue()  # a hotline signs anew each day: what it signed yesterday has run out
        fetched(source)
    assert source.failures == 0, source.error_text
    wanted = (2, 3, 4) if isinstance(peer, Edition) else (*GOOD, 4)
    assert peer.values(source) == {value(number) for number in wanted}
    check_mirror(source)


# ---- a source has nothing any more, or its server says so by mistake

SIGNED_AWAY = "signed as a whole, an edition without entries is the hotline's word, and believed at once"
NOTHING: dict[SourceKind, bytes | str] = {
    SourceKind.NCMEC: ncmec.document("").encode(),
    SourceKind.STOPNCII: b'{"nextPageToken": null, "hasMoreRecords": false, "nextSetTimestamp": 0, "hashRecords": []}',
    SourceKind.THREATEXCHANGE: b'{"data": []}',
    SourceKind.TAXII: b"{}",
    SourceKind.MISP: b'{"response": {"Attribute": []}}',
    SourceKind.MISP_FEED: b"{}",
    SourceKind.DELIMITED: b"id,type,value,changed,withdrawn\n",
    SourceKind.EDITION: SIGNED_AWAY,
}


def empties(peer: Peer) -> None:
    """From now on the source shows nothing."""
    said = NOTHING[peer.kind]
    if isinstance(peer, Edition):
        peer.rows = []
        peer.issue()
    elif isinstance(said, bytes):
        peer.wrong = lambda asked: None if asked.path.endswith("/status") else Reply(said)


UNSIGNED = pytest.mark.parametrize(
    "peer", [kind for kind, said in NOTHING.items() if said is not SIGNED_AWAY], ids=str, indirect=True
)


@UNSIGNED
def test_a_source_that_shows_nothing_is_believed_after_a_day_of_it(peer: Peer, clock: FixedClock) -> None:
    source = peer.source()
    fetched(source)
    whole = {value(number) for number in GOOD}
    empties(peer)
    for hours in (0, 5, 10, 15):
        fetched(source, whole=True)
        assert source.failures == 0, source.error_text
        assert peer.values(source) == whole, f"what may be a mistake takes nothing away, after {hours} hours"
        assert source.held_back == len(whole) and status_of(source).state == "held_back"
        clock.advance(hours=5)
    words = status_of(source).words
    assert "shows none of its 3 entries" in words and "go if it is still so at" in words
    clock.advance(hours=5)
    fetched(source)  # nobody asks for a full fetch: it is due by itself
    assert peer.values(source) == set() and source.held_back == 0
    assert status_of(source).state == "ok"
    check_mirror(source)


@UNSIGNED
def test_a_source_that_comes_back_within_the_day_has_lost_nothing_and_begins_anew(peer: Peer, clock: FixedClock) -> None:
    source = peer.source()
    fetched(source)
    for _ in range(2):  # twice eighteen hours are no day of nothing
        empties(peer)
        fetched(source, whole=True)
        assert source.empty_since == clock.now()
        clock.advance(hours=18)
        peer.wrong = lambda asked: None
        peer.rows = [peer.row(number) for number in GOOD]
        fetched(source, whole=True)
        assert peer.values(source) == {value(number) for number in GOOD}
        assert (source.held_back, source.empty_since) == (0, None)
        clock.advance(hours=1)


@UNSIGNED
def test_how_long_an_empty_source_is_doubted_is_the_operator_s_choice(peer: Peer, clock: FixedClock) -> None:
    source = peer.source()
    fetched(source)
    do_change_source(OPERATOR, source, settings={"empty_hours": 0})
    source.refresh_from_db()
    empties(peer)
    clock.advance(hours=1)
    fetched(source, whole=True)
    assert peer.values(source) == set() and source.held_back == 0


@UNSIGNED
def test_a_person_may_say_at_once_that_an_empty_source_is_empty(peer: Peer, clock: FixedClock) -> None:
    source = peer.source()
    fetched(source)
    empties(peer)
    clock.advance(hours=1)
    fetched(source, whole=True)
    assert do_accept_removals(OPERATOR, source) == len(GOOD)
    source.refresh_from_db()
    assert peer.values(source) == set() and source.empty_since is None


@UNSIGNED
def test_withdrawals_act_at_once_however_many_they_are(peer: Peer, clock: FixedClock) -> None:
    """A withdrawal is a person's wish: that all of them come together is no doubt about any."""
    source = peer.source()
    fetched(source)
    peer.rows = [peer.row(number, at=STAMP + 60, gone=True) for number in GOOD]
    clock.advance(hours=1)
    fetched(source, whole=True)
    assert peer.values(source) == set() and source.held_back == 0


@pytest.mark.parametrize("peer", [SourceKind.EDITION], ids=str, indirect=True)
def test_an_edition_without_entries_is_believed_at_once(peer: Peer, clock: FixedClock) -> None:
    source = peer.source()
    fetched(source)
    empties(peer)
    clock.advance(hours=1)
    fetched(source)
    assert source.failures == 0, source.error_text
    assert peer.values(source) == set() and source.held_back == 0


def test_each_kind_has_a_way_to_say_that_it_has_nothing() -> None:
    assert {*NOTHING} == {*SourceKind}


# ---- pages lead back

ONE_ANSWER = "there is one answer, and no next page that could lead anywhere"
CIRCLES: dict[SourceKind, Callable[[Peer, Asked], dict[str, Any] | bytes] | str] = {
    SourceKind.NCMEC: lambda peer, asked: ncmec.document("".join(peer.rows), "/v2/entries?page=again").encode(),
    SourceKind.STOPNCII: lambda peer, asked: {"nextPageToken": "again", "hasMoreRecords": True, "hashRecords": peer.rows},
    SourceKind.THREATEXCHANGE: lambda peer, asked: {
        "data": peer.rows, "paging": {"next": f"{peer.address}/v21.0/777/threat_updates/?after=again"}
    },
    SourceKind.TAXII: lambda peer, asked: {"objects": peer.rows, "more": True, "next": "again"},
    SourceKind.MISP: lambda peer, asked: {"response": {"Attribute": peer.rows}},
    SourceKind.MISP_FEED: ONE_ANSWER, SourceKind.DELIMITED: ONE_ANSWER, SourceKind.EDITION: ONE_ANSWER,
}  # fmt: skip


@pytest.mark.parametrize("peer", [kind for kind, how in CIRCLES.items() if how is not ONE_ANSWER], ids=str, indirect=True)
def test_pages_that_lead_in_a_circle_end_and_everything_on_them_comes(peer: Peer, clock: FixedClock) -> None:
    how = CIRCLES[peer.kind]

    def circle(asked: Asked) -> Reply | None:
        if isinstance(how, str) or asked.path.endswith("/status"):
            return None
        if peer.kind is SourceKind.NCMEC and "from" in asked.query and not ncmec_holds(asked):
            return None
        found = how(peer, asked)
        return Reply(found if isinstance(found, bytes) else json.dumps(found).encode())

    source = peer.source()
    peer.wrong = circle
    fetched(source)
    assert peer.values(source) == {value(number) for number in GOOD}, "what was on the pages is in use"
    assert source.error_text or any(flaw in ("cycle", "gap") for _, flaw in set_aside(source)), "and the circle is named"
    assert len(peer.asked) <= 2 * GAPS_A_RUN.value + 20, "and nobody is asked for ever"
    peer.wrong = lambda asked: None
    peer.rows.append(peer.row(4))
    for _ in range(2):
        clock.advance(days=1, hours=1)
        fetched(source, whole=True)
    assert source.failures == 0, source.error_text
    assert peer.values(source) == {value(number) for number in (*GOOD, 4)}
    check_mirror(source)


def ncmec_holds(asked: Asked) -> bool:
    start, end = (datetime.fromisoformat(asked.query[name]) for name in ("from", "to"))
    return start < datetime.fromtimestamp(STAMP, UTC) <= end


# ---- single records are wrong

SIGNED = SourceKind.EDITION  # built and signed as a whole: a wrong record cannot stand in it, a damaged file is refused whole
NAMED_BY_VALUE = "the value names the record: the same name with other contents is another record"


def malformed(peer: Peer) -> Any:
    return "only,two" if isinstance(peer, Lines) else "<image><id>x</id></image>" if isinstance(peer, Ncmec) else {"id": "x"}


def enormous(peer: Peer) -> Any:
    """A record beyond the limit, in the place where each form has room for it."""
    long = "x" * 400_000
    if isinstance(peer, Lines):
        return peer.row("long", long)
    if isinstance(peer, Ncmec):
        return peer.row("long").replace("<classification>", f"<classification>{long}")
    return {**peer.row("long"), "comment": long}


def coded(peer: Peer) -> Any:
    """A record whose value is no value of its type."""
    return peer.row("odd", "zz" * 32)


RECORDS: dict[str, tuple[Callable[[Peer], Rows], set[str], dict[SourceKind, str]]] = {
    "malformed": (lambda peer: [malformed(peer)], {"malformed"}, {}),
    "enormous": (lambda peer: [enormous(peer)], {"enormous"}, {}),
    "no value of its type": (lambda peer: [coded(peer)], {"fingerprint"}, {}),
    "duplicate": (lambda peer: [peer.row(2), peer.row(2)], set(), {}),
    "future-dated": (
        lambda peer: [peer.row("ahead", at=STAMP + 90 * 86400)], {"future"}, {},
    ),
    "contradictory": (
        lambda peer: [peer.row("twice", value("one")), peer.row("twice", value("other"))], {"contradictory"},
        {SourceKind.STOPNCII: NAMED_BY_VALUE},
    ),
    "withdrawn and not": (
        lambda peer: [peer.row("both", gone=True), peer.row("both")], {"contradictory"}, {},
    ),
}  # fmt: skip


@pytest.mark.parametrize("peer", [kind for kind in SourceKind if kind is not SIGNED], ids=str, indirect=True)
@pytest.mark.parametrize("what", RECORDS)
def test_a_record_that_is_wrong_is_set_aside_and_the_others_come(peer: Peer, clock: FixedClock, what: str) -> None:
    rows, flaws, excused = RECORDS[what]
    source = peer.source()
    wrong = rows(peer)
    peer.rows = [peer.rows[0], *wrong, *peer.rows[1:]]
    fetched(source)
    assert source.failures == 0, source.error_text
    good = {value(number) for number in GOOD}
    extra = {"contradictory": {value("other")}}.get(what, set())
    if peer.kind in excused:
        assert peer.values(source) == good | {value("one"), value("other")}
        assert not set_aside(source)
        return
    assert peer.values(source) == good | extra
    assert {flaw for _, flaw in set_aside(source)} == flaws
    assert all(name.strip() and value("other") not in name for name, _ in set_aside(source)), "each has a name, none a value"
    check_mirror(source)
    peer.rows = [peer.row(number) for number in (*GOOD, 4)]
    clock.advance(hours=1)
    fetched(source, whole=True)
    assert {value(number) for number in (*GOOD, 4)} <= peer.values(source), "the feed goes on"


def test_another_order_of_records_and_pages_changes_nothing(peer: Peer, clock: FixedClock) -> None:
    source = peer.source()
    fetched(source)
    before, mirror = in_force(source), source.mirror
    assert mirror
    for rows in (peer.rows[::-1], [peer.rows[1], peer.rows[0], peer.rows[2], peer.rows[1]]):
        peer.rows = rows
        if isinstance(peer, Edition):
            peer.rows = rows[:3]
            peer.issue()
        clock.advance(hours=1)
        fetched(source, whole=True)
        assert source.failures == 0, source.error_text
        assert in_force(source) == before and source.mirror == mirror
        assert not set_aside(source)


def test_every_kind_of_source_is_in_the_table() -> None:
    assert {*PEERS} == {*SourceKind}
