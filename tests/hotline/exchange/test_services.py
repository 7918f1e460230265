"""Lists in the forms of other clearing houses, read by the very clients of those: each gets exactly what stands there."""

from __future__ import annotations

import hashlib
import json
import threading
import types
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, make_server

import pytest
import stix2
from django.core.handlers.wsgi import WSGIHandler
from django.db import connections
from pymisp import MISPEvent
from taxii2client.v21 import Collection, Server, as_pages
from tests.hotline.conftest import DoorClient
from tests.hotline.partners.sources.desk import fetched, in_force, mirror
from threatexchange.exchanges.clients.fb_threatexchange.api import ThreatExchangeAPI
from threatexchange.exchanges.clients.fb_threatexchange.threat_updates import ThreatUpdateJSON
from threatexchange.exchanges.clients.ncmec import hash_api
from threatexchange.exchanges.clients.stopncii.api import StopNCIIAPI, StopNCIICaseStatus
from threatexchange.exchanges.impl.ncmec_api import NCMECCollabConfig, NCMECSignalExchangeAPI

from vigil.base.errors import RefusedError
from vigil.editions.model import EditionContents, HashEntry, ListInfo, ListKind, UrlEntry
from vigil.hotline.access.people import OFFICE, OPERATOR, PUBLIC
from vigil.hotline.doors.partner.exchange.shapes import group_of
from vigil.hotline.doors.partner.exchange.taxii import collection_id
from vigil.hotline.lists.actions import do_create_list
from vigil.hotline.lists.exchange.journal import do_take
from vigil.hotline.lists.models import ListEntry
from vigil.hotline.partners.actions import do_enrol_node, do_revoke_node
from vigil.hotline.partners.sources.actions import do_add_source
from vigil.hotline.partners.sources.models import Source, SourceKind
from vigil.hotline.partners.sources.record import Place
from vigil.match.hashing import algorithm_named
from vigil.match.urls import Scope, canonical

pytestmark = pytest.mark.django_db(transaction=True)

PICTURES = ListInfo("pictures", "hash_csam", ("NL",))
PAGES = ListInfo("pages", "url")


def value(algorithm: str, word: str) -> bytes:
    long = hashlib.sha512(word.encode()).digest()
    sizes = {"md5": 16, "sha1": 20, "sha256": 32, "pdq": 32}
    return long[: sizes[algorithm]] if algorithm in sizes else algorithm_named(algorithm).parse(f"ZORBLAT {word}")


def hashes(number: int, first: int = 1) -> tuple[HashEntry, ...]:
    kinds = ("md5", "sha1", "sha256", "pdq", "photodna", "tmk_pdqf")
    return tuple(
        HashEntry(n, "pictures", kinds[n % 6], value(kinds[n % 6], f"w{n}"), ("quimber",)) for n in range(first, first + number)
    )


URLS = (
    UrlEntry(901, "pages", canonical("http://zorblat.example/a?b=1"), Scope.URL),
    UrlEntry(902, "pages", canonical("http://zorblat.example/dir/"), Scope.PREFIX),
    UrlEntry(903, "pages", canonical("http://quimber.test/"), Scope.DOMAIN),
)


def said(entry: HashEntry) -> str:
    return algorithm_named(entry.algorithm).text(entry.value)


class Desk:
    """What stands on the lists, published as often as a test wants, in the past."""

    def __init__(self) -> None:
        self.number = 0
        self.at = datetime.now(UTC) - timedelta(days=2)
        self.contents = EditionContents((PICTURES, PAGES), URLS, hashes(12))
        self.node, self.token = do_enrol_node(OPERATOR, "zorblat-node")
        self.address = ""

    def publish(self, contents: EditionContents | None = None) -> None:
        self.contents = contents or self.contents
        self.number += 1
        self.at += timedelta(hours=1)
        do_take(OFFICE, self.contents, self.number, self.at)

    def without(self, *numbers: int) -> EditionContents:
        return replace(
            self.contents, hashes=tuple(each for each in self.contents.hashes if each.entry not in numbers),
            urls=tuple(each for each in self.contents.urls if each.entry not in numbers),
        )  # fmt: skip


class Quiet(WSGIRequestHandler):
    def log_message(self, *arguments: Any) -> None:
        return


@contextmanager
def partner_door() -> Iterator[str]:
    """The partner door on loopback, as its own settings make it."""
    with DoorClient("partner").standing_there():
        server = make_server("127.0.0.1", 0, WSGIHandler(), handler_class=Quiet)
        shared = connections["default"] if connections["default"].vendor == "sqlite" else None
        if shared is not None:
            connections["default"].inc_thread_sharing()

        def serve() -> None:
            if shared is not None:
                connections["default"] = shared
            server.serve_forever(0.02)
            if shared is None:
                connections.close_all()

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()
            server.server_close()
            if shared is not None:
                connections["default"].dec_thread_sharing()


@pytest.fixture
def desk() -> Iterator[Desk]:
    made = Desk()
    made.publish()
    with partner_door() as address:
        made.address = f"{address}/exchange"
        yield made


def states(desk: Desk) -> Iterator[None]:
    """As published first; with two withdrawn and one added; with one back; with nothing left."""
    yield
    desk.publish(replace(desk.without(3, 4, 902), hashes=(*desk.without(3, 4).hashes, *hashes(1, 50))))
    yield
    desk.publish(replace(desk.contents, hashes=(*desk.contents.hashes, *hashes(1, 3))))
    yield
    desk.publish(EditionContents((PICTURES, PAGES)))
    yield


def ncmec_client(desk: Desk, name: str = "pictures") -> hash_api.NCMECHashAPI:
    environment: Any = types.SimpleNamespace(value=f"{desk.address}/ncmec/{name}")
    return hash_api.NCMECHashAPI(desk.node.name, desk.token, environment)


def names(entry: HashEntry) -> str:
    return {"photodna": "pdna", "tmk_pdqf": "tmk-pdqf"}.get(entry.algorithm, entry.algorithm)


def test_the_unmodified_hash_sharing_client_pulls_every_entry_and_every_withdrawal(desk: Desk) -> None:
    for _ in states(desk):
        known: dict[str, dict[str, str]] = {}
        gone = set()
        for page in ncmec_client(desk).get_entries_iter(start_timestamp=0):
            for update in page.updates:
                gone |= {update.id} if update.deleted else set()
                known |= {} if update.deleted else {update.id: update.fingerprints}
        assert known == {str(each.entry): {names(each): said(each)} for each in desk.contents.hashes}
        assert gone == {"1", *map(str, range(1, 13)), *(["50"] if desk.number > 1 else [])} - set(known)


class Redirected(NCMECSignalExchangeAPI):
    """The exchange of the public client, pointed at another base as its guide says."""

    base = ""

    def get_client(self, environment: Any) -> hash_api.NCMECHashAPI:
        there: Any = types.SimpleNamespace(value=self.base)
        return hash_api.NCMECHashAPI(self._username, self._password, there)


def test_the_exchange_of_the_public_client_follows_from_its_checkpoint(desk: Desk) -> None:
    api = Redirected(NCMECCollabConfig(hash_api.NCMECEnvironment.Industry, "x"), desk.node.name, desk.token)
    api.base = f"{desk.address}/ncmec/pictures"
    checkpoint, known = None, {}
    for _ in states(desk):
        for delta in api.fetch_iter([], checkpoint):
            for key, entry in delta.updates.items():
                merged = api.fetch_value_merge(known.get(key), entry)
                known.pop(key, None)
                known |= {} if merged is None else {key: merged}
            checkpoint = delta.checkpoint
        # The next round begins where this one ended: what is published meanwhile lies behind that, as in real life.
        desk.at = datetime.now(UTC) - timedelta(hours=1, seconds=75)
        if checkpoint is not None:
            checkpoint.get_entries_max_ts = int((datetime.now(UTC) - timedelta(seconds=80)).timestamp())
        assert set(known) == {f"1-{each.entry}" for each in desk.contents.hashes}


def test_the_services_say_who_asks_and_take_votes(desk: Desk, settings: Any) -> None:
    client = ncmec_client(desk)
    assert client.status().esp_id == 1 and [each.esp_id for each in client.members()] == [1]
    reasons = client.feedback_reasons(hash_api.FingerprintType.md5)
    assert set(reasons.values()) == {"Not the same", "Lawful here", "Own content", "Other"}
    with pytest.raises(Exception, match="404"):
        client.submit_upvote(1, "999", hash_api.FingerprintType.md5)


def test_a_range_that_ends_in_the_future_is_refused_and_one_before_1970_is_not(desk: Desk) -> None:
    client = ncmec_client(desk)
    with pytest.raises(Exception, match="400"):
        client.get_entries(end_timestamp=int(datetime.now(UTC).timestamp()) + 3600)
    assert len(client.get_entries(start_timestamp=-18_000).updates) == 12


def test_pages_are_cut_by_key_while_everything_changes(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    from vigil.hotline.doors.partner.exchange import ncmec

    monkeypatch.setattr(ncmec, "PAGE", 5)
    desk.publish(replace(desk.contents, hashes=hashes(40)))
    seen: set[str] = set()
    pages = ncmec_client(desk).get_entries_iter(start_timestamp=0)
    seen |= {each.id for each in next(pages).updates}
    desk.publish(desk.without(2))
    for page in pages:
        seen |= {each.id for each in page.updates}
    assert seen == {str(n) for n in range(1, 41)}


def test_stopncii_clients_read_what_their_form_can_say(desk: Desk) -> None:
    for name, kinds in (("pictures", {"pdq": "ImagePDQ", "tmk_pdqf": "VideoTMK"}), ("pages", {})):
        client = StopNCIIAPI("unused", desk.token, base_url_override=f"{desk.address}/stopncii/{name}")
        records = [each for page in client.fetch_hashes_iter() for each in page.hashRecords]
        active = {(each.signalType.value, each.hashValue) for each in records if each.hashStatus is StopNCIICaseStatus.Active}
        wanted = {(kinds[each.algorithm], said(each)) for each in desk.contents.hashes if each.algorithm in kinds}
        assert active == (wanted if kinds else {("URL", "http://zorblat.example/a?b=1")})
    desk.publish(desk.without(3, 9))
    client = StopNCIIAPI("unused", desk.token, base_url_override=f"{desk.address}/stopncii/pictures")
    records = [each for page in client.fetch_hashes_iter() for each in page.hashRecords]
    assert [each.hashStatus.value for each in records if each.hashValue == said(hashes(1, 9)[0])] == ["Withdrawn"]
    assert left_out(desk, "stopncii/pictures") == {n for n in range(1, 13) if n % 6 in (0, 1, 2, 4)}
    assert left_out(desk, "stopncii/pages") == {902, 903}


def test_threatexchange_clients_read_and_delete(desk: Desk) -> None:
    kinds = {"pdq": "HASH_PDQ", "md5": "HASH_MD5", "sha1": "HASH_SHA1", "sha256": "HASH_SHA256", "tmk_pdqf": "HASH_TMK"}
    client = ThreatExchangeAPI(f"12345678|{desk.token}", endpoint_override=f"{desk.address}/threatexchange")
    for _ in states(desk):
        known: dict[tuple[str, str], Any] = {}
        for batch in client.get_threat_updates(group_of("pictures"), page_size=4, decode_fn=ThreatUpdateJSON):
            for update in batch:
                known.pop((update.threat_type, update.indicator), None)
                known |= {} if update.should_delete else {(update.threat_type, update.indicator): update}
        assert set(known) == {(kinds[each.algorithm], said(each)) for each in desk.contents.hashes if each.algorithm in kinds}


def test_taxii_clients_read_stix_that_the_standards_library_accepts(desk: Desk) -> None:
    server = Server(f"{desk.address}/taxii/", user=desk.node.name, password=desk.token)
    assert {each.title for each in server.api_roots[0].collections} == {"pictures", "pages"}
    after = None
    known: dict[str, dict[str, Any]] = {}
    for _ in states(desk):
        url = f"{desk.address}/taxii/api/collections/{collection_id('pictures')}/"
        collection = Collection(url, user=desk.node.name, password=desk.token)
        for page in as_pages(collection.get_objects, per_request=5, **({"added_after": after} if after else {})):
            for each in page.get("objects", []):
                parsed = stix2.parse(each, allow_custom=False)
                assert parsed.object_marking_refs == ["marking-definition--5e57c739-391a-4eb3-b6be-7d15ca92d5ed"]
                known[each["id"]] = each
        standing = {each["name"] for each in known.values() if not each.get("revoked")}
        assert standing == {f"pictures/{each.entry}" for each in desk.contents.hashes}
        after = (desk.at + timedelta(seconds=61)).strftime("%Y-%m-%dT%H:%M:%S.000000Z")
    one = next(iter(known))
    assert collection.get_object(one)["objects"][0]["id"] == one
    assert len(collection.get_manifest()["objects"]) == len(known)


def test_the_misp_feed_is_read_by_pymisp(desk: Desk) -> None:
    for _ in states(desk):
        manifest = json.loads(raw(desk, "misp/manifest.json"))
        standing = set()
        for known in manifest:
            event = MISPEvent()
            event.from_json(raw(desk, f"misp/{known}.json").decode())
            standing |= {each.value for each in event.attributes if not getattr(each, "deleted", False)}
        exact = {said(each) for each in desk.contents.hashes if each.algorithm in ("md5", "sha1", "sha256")}
        web = {"http://zorblat.example/a?b=1", "quimber.test"} if desk.contents.urls else set()
        assert standing == exact | web


@pytest.mark.parametrize("kind", ["ncmec", "taxii", "threatexchange", "stopncii"])
def test_one_vigil_feeds_another_until_both_digests_agree(desk: Desk, kind: str) -> None:
    """The mirror digest of the reader equals the one computed from what the other has published, after every change."""
    ours = receiver(desk, kind)
    for _ in states(desk):
        fetched(ours, whole=True)
        assert ours.failures == 0, ours.error_text
        expressible = {"stopncii": {"pdq", "tmk_pdqf"}, "threatexchange": {"pdq", "md5", "sha1", "sha256", "tmk_pdqf"}}
        wanted = [each for each in desk.contents.hashes if each.algorithm in expressible.get(kind, {each.algorithm})]
        held = {pair for prints in in_force(ours).values() for pair in prints}
        assert held == {(each.algorithm, said(each)) for each in wanted}
        if kind == "ncmec":
            assert ours.mirror == mirror({f"1-{each.entry}": {(each.algorithm, said(each))} for each in wanted})
            assert ours.mirror_entries == len(wanted)
        assert ours.mirror == mirror(in_force(ours))


def receiver(desk: Desk, kind: str) -> Source:
    basic = {"user": desk.node.name, "password": desk.token}
    places = {
        "ncmec": Place(f"{desk.address}/ncmec/pictures", basic),
        "taxii": Place(f"{desk.address}/taxii/api", basic, {"collection": collection_id("pictures")}),
        "threatexchange": Place(f"{desk.address}/threatexchange", {"token": f"12345678|{desk.token}"},
                                {"group": str(group_of("pictures"))}),
        "stopncii": Place(f"{desk.address}/stopncii/pictures", {"fetch_key": desk.token, "subscription_key": "unused"}),
    }  # fmt: skip
    return do_add_source(OPERATOR, f"from-{kind}", SourceKind(kind), places[kind])


def raw(desk: Desk, path: str, **headers: str) -> bytes:
    request = urllib.request.Request(f"{desk.address}/{path}", headers=headers or {"X-Functions-Key": desk.token})
    with urllib.request.urlopen(request) as answer:
        return bytes(answer.read())


def left_out(desk: Desk, path: str) -> set[int]:
    rows = raw(desk, f"{path}/left.csv").decode().splitlines()
    assert rows[0] == "list,entry,reason,missing"
    return {int(row.split(",")[1]) for row in rows[1:]}


def test_each_form_says_what_it_could_not_say(desk: Desk) -> None:
    assert left_out(desk, "ncmec/pages") == {901, 902, 903} and left_out(desk, "ncmec/pictures") == set()
    assert left_out(desk, f"threatexchange/{group_of('pictures')}") == {4, 10}
    assert left_out(desk, f"taxii/api/collections/{collection_id('pictures')}") == {3, 9}
    assert {902} <= left_out(desk, "misp")


def test_words_stand_in_every_report_since_no_form_can_say_them(desk: Desk) -> None:
    """Told by list and number only; a list of nothing but words has no form, and says so."""
    words = do_create_list(OPERATOR, "words", ListKind.KEYWORD)
    entry = ListEntry.objects.create(
        list=words, signal="keyword", content="zorblat", digest="0" * 64, reason="evidence_of_need", added_by="system:operator"
    )
    assert left_out(desk, "misp") >= {902, entry.number}
    assert left_out(desk, "ncmec/words") == left_out(desk, "stopncii/words") == {entry.number}
    assert b",keyword,whole" in raw(desk, "ncmec/words/left.csv") and b"zorblat" not in raw(desk, "ncmec/words/left.csv")
    assert json.loads(raw(desk, ""))["without_a_form"] == ["words"]
    ListEntry.objects.update(tombstone=True, removed_at=datetime.now(UTC), removed_reason="error")
    assert entry.number not in left_out(desk, "misp") and json.loads(raw(desk, ""))["without_a_form"] == []


def test_nothing_shows_before_its_stamp(desk: Desk) -> None:
    do_take(OFFICE, replace(desk.contents, hashes=(*desk.contents.hashes, *hashes(1, 70))), 9, datetime.now(UTC))
    found = [each.id for page in ncmec_client(desk).get_entries_iter(start_timestamp=0) for each in page.updates]
    assert "70" not in found and len(found) == 12


def test_an_entry_that_expires_is_withdrawn_by_itself(desk: Desk) -> None:
    soon = replace(hashes(1, 80)[0], expires=datetime.now(UTC) - timedelta(minutes=1))
    desk.publish(replace(desk.contents, hashes=(*desk.contents.hashes, soon)))
    pages = ncmec_client(desk).get_entries_iter(start_timestamp=0)
    states_of = {each.id: each.deleted for page in pages for each in page.updates}
    assert states_of["80"] is True and states_of["1"] is False


def test_only_tokens_open_and_only_where_they_are_meant(partner_client: DoorClient) -> None:
    desk = Desk()
    desk.publish()
    path = "/exchange/ncmec/pictures/v2/status"

    def status(at: str = path, **headers: str) -> int:
        return int(partner_client.get(at, headers=headers).status_code)

    import base64

    def basic(name: str, token: str) -> str:
        return "Basic " + base64.b64encode(f"{name}:{token}".encode()).decode()

    assert status(authorization=basic(desk.node.name, desk.token)) == 200
    assert status(authorization=f"Bearer {desk.token}") == 200
    assert status(x_functions_key=desk.token) == 200
    for wrong in (basic("other", desk.token), basic(desk.node.name, "x"), "Basic !!!", "Basic /w==", "Basic", ""):
        assert status(authorization=wrong) == 401
    assert status(f"{path}?access_token=12345678|{desk.token}") == 401
    assert status(f"/exchange/threatexchange/{group_of('pictures')}/threat_updates/?access_token=12345678|{desk.token}") == 200
    assert status("/v1/counts", x_functions_key=desk.token) == 401
    assert status("/exchange/ncmec/elsewhere/v2/entries", x_functions_key=desk.token) == 404
    do_revoke_node(OPERATOR, desk.node)
    assert status(authorization=basic(desk.node.name, desk.token)) == 401


def test_a_partner_sees_its_own_copy_only_and_nothing_once_stopped(partner_client: DoorClient) -> None:
    desk = Desk()
    desk.publish()
    node, token = do_enrol_node(OPERATOR, "n-2")
    type(node).objects.filter(pk=node.pk).update(partner="p-zorblat")
    answer = partner_client.get("/exchange/ncmec/pictures/v2/entries", headers={"x-functions-key": token})
    assert answer.status_code in (403, 404)


def test_only_the_office_writes_the_journal() -> None:
    with pytest.raises(RefusedError):
        do_take(PUBLIC, EditionContents(()), 1, datetime.now(UTC))
