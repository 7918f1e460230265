"""StopNCII, ThreatExchange, TAXII and MISP: pages by token, withdrawals, votes; and servers that do everything wrong."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.hotline.conftest import NOON
from tests.hotline.partners.sources.desk import added, check_mirror, fetched, in_force, set_aside
from tests.hotline.partners.sources.server import Asked, Reply, World, serving

from vigil.base.clock import FixedClock
from vigil.hotline.access.people import OPERATOR
from vigil.hotline.access.roles import Role
from vigil.hotline.partners.sources import misp, stopncii, taxii, threatexchange
from vigil.hotline.partners.sources.actions import do_add_source, do_vote
from vigil.hotline.partners.sources.models import ImportedEntry, ImportedPage, Source, SourceKind, SourceVote
from vigil.hotline.partners.sources.pages import unpacked
from vigil.hotline.partners.sources.record import Place, Record, SetAside
from vigil.hotline.partners.sources.taxii import read_pattern

pytestmark = pytest.mark.django_db

STAMP = int(NOON.timestamp()) - 10_000
COLLECTION = "1d1e5b8a-0000-4000-8000-000000000001"


def hexes(word: str, size: int = 64) -> str:
    return hashlib.sha512(word.encode()).hexdigest()[:size]


@dataclass
class Thing:
    """One record of any of these services: a number, a hash, when it changed, whether it is gone."""

    number: int
    at: int = STAMP
    gone: bool = False
    word: str = ""

    @property
    def value(self) -> str:
        return hexes(self.word or f"thing {self.number}")


@dataclass
class Service(World):
    """What the four services have in common: things in the order of their change, in pages."""

    things: dict[int, Thing] = field(default_factory=dict)
    size: int = 3
    mischief: Callable[[Asked], Reply | None] = lambda asked: None
    damage: Callable[[bytes], bytes] = bytes
    posted: list[Any] = field(default_factory=list)
    where: str = ""

    def __post_init__(self) -> None:
        World.__init__(self, self.reply)

    def put(self, *things: Thing) -> None:
        self.things |= {each.number: each for each in things}

    def since(self, stamp: int, *, inclusive: bool = True) -> list[Thing]:
        found = [each for each in self.things.values() if each.at > stamp or (inclusive and each.at == stamp)]
        return sorted(found, key=lambda each: (each.at, each.number))

    def reply(self, asked: Asked) -> Reply:
        wrong = self.mischief(asked)
        return wrong if wrong is not None else Reply(self.damage(json.dumps(self.answer_to(asked)).encode()))

    def answer_to(self, asked: Asked) -> Any:
        raise NotImplementedError

    def make(self) -> Source:
        raise NotImplementedError

    def key(self, thing: Thing) -> str:
        return str(thing.number)

    def expected(self) -> set[str]:
        return {each.value for each in self.things.values() if not each.gone}


class Ncii(Service):
    def make(self) -> Source:
        return added(SourceKind.STOPNCII, f"{self.address}/v1")

    def answer_to(self, asked: Asked) -> Any:
        if asked.path == "/v1/SubmitFeedback":
            self.posted.append(json.loads(asked.body))
            return {}
        assert asked.headers["x-functions-key"] == "zorblat"
        found = self.since(int(asked.query["startTimestamp"]))
        first, size = int(asked.query.get("nextPageToken", 0)), min(self.size, int(asked.query["pageSize"]))
        some, rest = found[first : first + size], found[first + size :]
        return {
            "count": len(some), "nextPageToken": str(first + size) if rest else None, "hasMoreRecords": bool(rest),
            "nextSetTimestamp": max([each.at for each in some], default=0), "hashRecords": [self.record(each) for each in some],
        }  # fmt: skip

    def record(self, each: Thing) -> dict[str, Any]:
        status = ("Withdrawn" if each.number % 2 else "Deleted") if each.gone else "Active"
        return {
            "lastModtimestamp": each.at, "signalType": "ImagePDQ", "hashValue": self.steady(each), "hashStatus": status,
            "caseNumbers": {"1": status}, "CSPFeedbacks": [],
        }  # fmt: skip

    def steady(self, each: Thing) -> str:
        return hexes(f"thing {each.number}")

    def expected(self) -> set[str]:
        return {self.steady(each) for each in self.things.values() if not each.gone}


class Threats(Service):
    def make(self) -> Source:
        return added(SourceKind.THREATEXCHANGE, f"{self.address}/v21.0", group="777")

    def answer_to(self, asked: Asked) -> Any:
        if asked.method == "POST":
            self.posted.append((asked.path, asked.body.decode()))
            return {"success": True}
        assert asked.path == "/v21.0/777/threat_updates/"
        assert asked.query["access_token"] == "12345678|zorblat_quimber_snarp_0001"
        found = self.since(int(asked.query.get("start_time", 0)))
        first, size = int(asked.query.get("after", 0)), min(self.size, int(asked.query["limit"]))
        some, rest = found[first : first + size], found[first + size :]
        document: dict[str, Any] = {"data": [self.record(each) for each in some]}
        if rest:
            kept = "&".join(f"{name}={value}" for name, value in asked.query.items() if name not in ("after", "fields"))
            document["paging"] = {"next": f"{self.address}{asked.path}?{kept.replace('|', '%7C')}&after={first + size}"}
        return document

    def record(self, each: Thing) -> dict[str, Any]:
        shown = {"id": str(each.number), "indicator": each.value, "type": "HASH_PDQ", "last_updated": each.at,
                 "should_delete": each.gone}  # fmt: skip
        descriptors = [{"id": f"9{each.number}", "owner": {"id": "5"}, "status": "MALICIOUS",
                        "tags": {"data": [{"text": "video"}]}}]  # fmt: skip
        return shown | ({} if each.gone else {"descriptors": {"data": descriptors}})


class Collection(Service):
    def make(self) -> Source:
        return added(SourceKind.TAXII, f"{self.address}/api", collection=COLLECTION)

    def key(self, thing: Thing) -> str:
        return f"indicator--{uuid.UUID(int=thing.number)}"

    def reply(self, asked: Asked) -> Reply:
        reply = super().reply(asked)
        reply.headers.setdefault("X-TAXII-Date-Added-Last", self.last)
        return reply

    last = ""

    def answer_to(self, asked: Asked) -> Any:
        assert asked.path == f"/api/collections/{COLLECTION}/objects/"
        if asked.method == "POST":
            self.posted.append(json.loads(asked.body))
            return {}
        after = asked.query.get("added_after", "")
        found = [each for each in self.since(0) if self.instant(each.at) > after]
        first, size = int(asked.query.get("next", 0)), min(self.size, int(asked.query["limit"]))
        some, rest = found[first : first + size], found[first + size :]
        self.last = self.instant(some[-1].at) if some else ""
        document: dict[str, Any] = {"objects": [self.record(each) for each in some], "more": bool(rest)}
        return document | ({"next": str(first + size)} if rest else {})

    @staticmethod
    def instant(stamp: int) -> str:
        from datetime import UTC, datetime

        return datetime.fromtimestamp(stamp, UTC).strftime("%Y-%m-%dT%H:%M:%S.000000Z")

    def record(self, each: Thing) -> dict[str, Any]:
        return {
            "type": "indicator", "spec_version": "2.1", "id": self.key(each), "created": "1970-01-01T00:00:00.000Z",
            "modified": self.instant(each.at), "pattern": f"[file:hashes.'X-PDQ' = '{each.value}']", "pattern_type": "stix",
            "revoked": each.gone,
        }  # fmt: skip


class Misp(Service):
    def make(self) -> Source:
        return added(SourceKind.MISP, f"{self.address}/misp")

    def key(self, thing: Thing) -> str:
        return str(uuid.UUID(int=thing.number))

    def answer_to(self, asked: Asked) -> Any:
        if asked.path.startswith("/misp/sightings/add/"):
            self.posted.append((asked.path, json.loads(asked.body)))
            return {}
        assert asked.headers["authorization"] == "zorblat"
        question = json.loads(asked.body)
        found = self.since(question.get("timestamp", 0))
        first, size = (question["page"] - 1) * self.size, self.size
        return {"response": {"Attribute": [self.record(each) for each in found[first : first + size]]}}

    def record(self, each: Thing) -> dict[str, Any]:
        return {"uuid": self.key(each), "type": "pdq", "value": each.value, "timestamp": str(each.at), "deleted": each.gone}


KINDS = {"stopncii": Ncii, "threatexchange": Threats, "taxii": Collection, "misp": Misp}
WITH_TOKENS = ["stopncii", "threatexchange", "taxii"]  # a MISP server has pages by number: no token, no circle


@pytest.fixture(params=list(KINDS))
def service(request: pytest.FixtureRequest, clock: FixedClock) -> Iterator[Service]:
    made: Service = KINDS[request.param]()
    with serving(made):
        yield made


def values(source: Source) -> set[str]:
    return {value for prints in in_force(source).values() for _, value in prints}


def kept_text() -> str:
    records = [record for row in ImportedPage.objects.all() for record in unpacked(row.content)]
    return "".join(record.raw + str(record.fingerprints) for record in records)


def test_everything_comes_and_later_only_what_changed(service: Service, clock: FixedClock) -> None:
    source = service.make()
    service.put(*(Thing(n, STAMP + n) for n in range(1, 11)))
    assert fetched(source).added == 10
    assert source.failures == 0, source.error_text
    assert values(source) == service.expected()
    clock.advance(hours=3)
    later = int(clock.now().timestamp()) - 300
    service.put(Thing(11, later), Thing(3, later, gone=True))
    service.asked.clear()
    tally = fetched(source)
    assert tally.added == 1 and tally.withdrawn == 1
    assert len(service.asked) <= 3
    assert values(source) == service.expected()
    check_mirror(source)


def test_withdraw_return_withdraw(service: Service, clock: FixedClock) -> None:
    source = service.make()
    service.put(*(Thing(n) for n in range(1, 5)))
    fetched(source)
    for gone in (True, False, True):
        clock.advance(hours=1)
        service.put(Thing(2, int(clock.now().timestamp()) - 60, gone=gone))
        fetched(source)
        assert values(source) == service.expected()
        assert (hexes("thing 2") in kept_text()) is (not gone) or not isinstance(service, Ncii)


def test_a_full_fetch_lets_go_of_what_vanished(service: Service) -> None:
    source = service.make()
    service.put(*(Thing(n) for n in range(1, 8)))
    fetched(source)
    del service.things[4]
    assert fetched(source, whole=True).withdrawn == 1
    assert values(source) == service.expected()
    assert fetched(source, whole=True).known_pages > 0 or isinstance(service, Misp)


def test_a_long_silence_leads_to_a_full_fetch(service: Service, clock: FixedClock) -> None:
    source = service.make()
    service.put(*(Thing(n) for n in range(1, 8)))
    fetched(source)
    del service.things[4]
    Source.objects.filter(pk=source.pk).update(reconcile_days=365)
    clock.advance(days=100)
    fetched(source)
    if isinstance(service, Ncii | Threats):
        assert values(source) == service.expected()
    else:
        assert hexes("thing 4") in values(source)  # they keep tombstones; the weekly full fetch finds the rest


BAD: list[Any] = [None, 7, "x", [], {}, {"id": "x"}, {"signalType": 5}, {"uuid": "x", "type": "md5", "value": "y"}]


def test_bad_records_are_named_and_the_others_come(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    source = service.make()
    service.size = 100
    service.put(*(Thing(n) for n in range(1, 6)))
    names = {"stopncii": "hashRecords", "threatexchange": "data", "taxii": "objects", "misp": "Attribute"}
    member = names[source.kind]

    def damage(body: bytes) -> bytes:
        document = json.loads(body)
        holder = document["response"] if source.kind == "misp" else document
        holder[member] = BAD[:4] + holder[member] + BAD[4:] if holder[member] else []
        return json.dumps(document).encode()

    service.damage = damage  # type: ignore[assignment]
    fetched(source)
    assert source.failures == 0, source.error_text
    assert values(source) == service.expected()
    assert len(set_aside(source)) >= 6 and {flaw for _, flaw in set_aside(source)} == {"malformed"}


CUTS = {
    "cut in a record": lambda body: body[: len(body) * 2 // 3],
    "not utf-8": lambda body: body.replace(b'"', b'"\xff', 9),
    "trailing garbage": lambda body: body + b"<html>",
    "a tower": lambda body: body[:-1] + b', "x": ' + b"[" * 200_000,
}


@pytest.mark.parametrize("cut", CUTS)
def test_a_damaged_page_never_stops_the_feed(service: Service, cut: str) -> None:
    """Whatever page holds thing 5 is damaged, in every run. What lies outside that page comes; the damage is named."""
    source = service.make()
    service.put(*(Thing(n, STAMP + n) for n in range(1, 13)))
    mark = f'"{hexes("thing 5")}"'.encode() if not isinstance(service, Collection) else hexes("thing 5").encode()
    service.damage = lambda body: CUTS[cut](body) if mark in body else body  # type: ignore[assignment,method-assign]
    for _ in range(3):
        fetched(source)
    assert source.failures == 0, source.error_text
    missing = service.expected() - values(source)
    near = {hexes(f"thing {n}") for n in range(4, 7)}
    assert missing <= near, len(missing)
    assert set_aside(source)
    service.damage = lambda body: body  # type: ignore[assignment,method-assign]
    fetched(source, whole=True)
    assert values(source) == service.expected()


@pytest.mark.parametrize("service", WITH_TOKENS, indirect=True)
def test_circles_and_tokens_that_expire(service: Service) -> None:
    source = service.make()
    service.put(*(Thing(n, STAMP + n) for n in range(1, 13)))
    gone = iter([True])

    def expiring(asked: Asked) -> Reply | None:
        token = asked.query.get("nextPageToken") or asked.query.get("after") or asked.query.get("next")
        return Reply(b"{}", status=400) if token == "6" and next(gone, False) else None

    service.mischief = expiring
    fetched(source)
    assert source.failures == 0 and values(source) == service.expected()

    def circle(asked: Asked) -> Reply | None:
        document = service.answer_to(asked)
        text = json.dumps(document)
        for name in ('"nextPageToken": "6"', 'after=6"', '"next": "6"'):
            text = text.replace(name, name.replace("6", "3"))
        return Reply(text.encode())

    service.mischief = circle
    service.asked.clear()
    service.put(Thing(13, STAMP + 13))
    for _ in range(6):
        fetched(source)
        assert source.failures == 0
    assert len(service.asked) < 60
    assert values(source) == service.expected()


REFUSALS = {
    "hangs": (Reply(b"", hang=0.4), "source_slow"),
    "breaks off": (Reply(b"{}", cut=50), "source_broke_off"),
    "refuses credentials": (Reply(b"{}", status=401), "source_credentials"),
    "is away for an hour": (Reply(b"{}", status=503, headers={"Retry-After": "4000"}), "source_status"),
    "leads elsewhere": (Reply(b"", status=302, headers={"Location": "https://elsewhere.example/"}), "source_elsewhere"),
}


@pytest.mark.parametrize("how", REFUSALS)
def test_hangs_and_refusals_are_said_in_words(service: Service, clock: FixedClock, how: str) -> None:
    reply, code = REFUSALS[how]
    source = service.make()
    service.put(*(Thing(n, STAMP + n) for n in range(1, 4)))
    service.mischief = lambda asked: reply
    fetched(source)
    assert source.error_code == code and source.error_text
    assert source.failing_since == NOON and source.next_try_at > NOON
    assert len(service.asked) <= 8, "a server that is away is left alone"
    service.mischief = lambda asked: None
    clock.advance(hours=2)
    fetched(source, whole=True)
    assert values(source) == service.expected()
    assert source.failing_since is None and not source.error_text


def test_future_dates_never_move_the_checkpoint_ahead(service: Service, clock: FixedClock) -> None:
    source = service.make()
    ahead = int((clock.now() + timedelta(days=300)).timestamp())
    service.put(Thing(1), Thing(2, ahead))
    fetched(source)
    assert {flaw for _, flaw in set_aside(source)} == {"future"}
    clock.advance(hours=1)
    service.put(Thing(3, int(clock.now().timestamp()) - 5))
    fetched(source)
    assert hexes("thing 3") in values(source) and hexes("thing 2") not in values(source)


def test_opinions_go_back(service: Service, make_user: Callable[..., Any]) -> None:
    source = service.make()
    service.put(Thing(1), Thing(2))
    fetched(source)
    anna = make_user(Role.ANALYST)
    for place, entry in enumerate(ImportedEntry.objects.filter(source=source)):
        do_vote(anna, entry, "pdq", agrees=place == 0, reason="quimber")
    fetched(source)
    assert SourceVote.objects.filter(state="sent").count() == 2, list(SourceVote.objects.values_list("answer"))
    text = json.dumps(service.posted)
    agree, disagree = {
        "stopncii": ("Blocked", "NotBlocked"), "threatexchange": ("HELPFUL", "DISAGREE_WITH_TAGS"),
        "taxii": ("strongly-agree", "strongly-disagree"), "misp": ('"type": "0"', '"type": "1"'),
    }[source.kind]  # fmt: skip
    assert f'{agree}' in text and disagree in text
    assert "source.vote_sent" in str(list(SourceVote.objects.none())) or SourceVote.objects.filter(attempts=1).count() == 2


def test_types_nobody_knows_are_kept(clock: FixedClock) -> None:
    made = Threats()
    made.record = lambda each: {  # type: ignore[method-assign]
        "id": str(each.number), "indicator": "ZORBLAT", "type": "HASH_NEXT_YEARS", "last_updated": each.at,
        "descriptors": {"data": [{"id": "1", "owner": {"id": "2"}, "status": "MALICIOUS", "tags": ["a_b"]}]},
    }  # fmt: skip
    made.put(Thing(1))
    with serving(made):
        source = made.make()
        fetched(source)
    assert in_force(source) == {"1": {("hash_next_years", "ZORBLAT")}}
    assert ImportedEntry.objects.get().labels == "malicious a_b"


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("[file:hashes.'SHA-256' = 'ab']", [("sha256", "ab")]),
        ("[file:hashes.MD5 = 'ab' OR file:hashes.'X-PDQ' = 'cd']", [("md5", "ab"), ("pdq", "cd")]),
        (r"[url:value = 'http://zorblat.example/\'x']", [("url", "http://zorblat.example/'x")]),
        ("[url:value = 'a' OR url:value MATCHES '^a']", [("url", "a")]),
        ("[domain-name:value = 'zorblat.example']", [("host", "zorblat.example")]),
        ("[file:hashes.MD5 = 'ab' AND file:size = 5]", None),
        ("[file:hashes.MD5 != 'ab']", None),
        ("[file:hashes.MD5 = 'ab'] FOLLOWEDBY [url:value = 'x']", None),
        ("[url:value MATCHES '^a']", None),
        ("", None),
    ],
)
def test_stix_patterns(pattern: str, found: list[tuple[str, str]] | None) -> None:
    assert read_pattern(pattern) == found


ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from(["id", "type", "uuid", "value", "hashRecords", "data", "objects", "signalType", "hashValue", "hashStatus",
                         "indicator", "descriptors", "pattern", "deleted", "timestamp", "labels", "tags", "caseNumbers"]),
        inner, max_size=5),
    max_leaves=12,
)  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(ANY_JSON | st.text(max_size=60), st.integers(0, 200))
def test_any_document_is_read_or_set_aside(value: Any, cut: int) -> None:
    for member, read in (
        ("hashRecords", lambda body: stopncii._read(body)[0]),
        ("data", lambda body: threatexchange._read(body)[0]),
        ("objects", lambda body: taxii._read(body, NOON)[0]),
    ):
        body = json.dumps({member: [value, value]}).encode()
        for data in (body, body[:cut], json.dumps(value).encode()):
            assert all(isinstance(item, Record | SetAside) for item in read(data))
    assert isinstance(misp.item_of(value, "x"), Record | SetAside)


def test_a_group_that_is_no_number_is_refused(db: None) -> None:
    from vigil.base.errors import InputError

    for kind, options in ((SourceKind.THREATEXCHANGE, {"group": "x/y"}), (SourceKind.TAXII, {}), (SourceKind.NCMEC, {"x": 1})):
        with pytest.raises(InputError):
            credentials = {"token": "1", "user": "a", "password": "b"}
            do_add_source(OPERATOR, "x", kind, Place("https://a.example/", credentials, options))
