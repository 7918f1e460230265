"""Every form a list leaves in, read by what really reads it: exactly the same set, before and after withdrawals.

One table of forms and readers; a form that has no row here fails the first test. What a form cannot say stands in its report,
and is left out of what is expected for that reason alone.
"""

from __future__ import annotations

import hashlib
import io
import json
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import duckdb
import pytest
import stix2
from pymisp import MISPEvent
from taxii2client.v21 import Collection, as_pages
from tests.editions.export.proxies import OURS
from tests.editions.export.readers import (
    adblock_has,
    blocky_has,
    lines_of,
    safe_browsing_expressions,
    safe_browsing_hashes,
    stix_matches,
    zone_has,
    zone_names,
)
from tests.editions.export.test_addresses import nginx
from tests.editions.export.test_e2guardian import e2guardian
from tests.editions.export.test_squid import refused, squid
from tests.editions.export.world import PAGES, PICTURES, SITES, around, host_rights, is_covered, made
from tests.hotline.exchange.test_services import Desk, desk, ncmec_client, raw
from threatexchange.exchanges.clients.fb_threatexchange.api import ThreatExchangeAPI
from threatexchange.exchanges.clients.fb_threatexchange.threat_updates import ThreatUpdateJSON
from threatexchange.exchanges.clients.stopncii.api import StopNCIIAPI, StopNCIICaseStatus

from vigil.editions.export import Exported
from vigil.editions.export.registry import FORMATS
from vigil.editions.model import EditionContents, HashEntry, ListInfo, UrlEntry
from vigil.editions.source import read_source
from vigil.hotline.doors.partner.exchange import urls as exchange_urls
from vigil.hotline.doors.partner.exchange.shapes import group_of
from vigil.hotline.doors.partner.exchange.taxii import collection_id
from vigil.match.hashing import algorithm_named
from vigil.match.urls import CanonicalUrl, Scope, canonical

__all__ = ["desk"]

Asking = Callable[[CanonicalUrl], bool]


def url(number: int, text: str, scope: Scope, name: str = PAGES.name) -> UrlEntry:
    return UrlEntry(number, name, canonical(text), scope)


def value(number: int, size: int) -> bytes:
    return hashlib.sha512(b"quimber %d" % number).digest()[:size]


ADDRESSES = (
    url(1, "http://zorblat.example/quimber/1.html", Scope.PAGE),
    url(2, "http://zorblat.example/Quimber/?page=2", Scope.URL),
    url(3, "http://zorblat.example/folder/a+b/", Scope.PREFIX),
    url(4, "http://zorblat.example/other.html", Scope.PAGE),
    url(10, "http://quimber.test/", Scope.DOMAIN, SITES.name),
    url(11, "http://host.zorblat.test/", Scope.HOST, SITES.name),
    url(12, "http://snarp.test/", Scope.DOMAIN, SITES.name),
    url(13, "http://one.snarp.example/", Scope.HOST, SITES.name),
)
SIZES = {"md5": 16, "sha1": 20, "sha256": 32, "pdq": 32}
HASHES = tuple(
    HashEntry(20 + place, PICTURES.name, kind, value(place, SIZES[kind])) for place, kind in enumerate([*SIZES, *SIZES])
)
WHOLE = EditionContents((PAGES, SITES, PICTURES), ADDRESSES, HASHES)


def without(contents: EditionContents, *numbers: int) -> EditionContents:
    return replace(
        contents, urls=tuple(each for each in contents.urls if each.entry not in numbers),
        hashes=tuple(each for each in contents.hashes if each.entry not in numbers),
    )  # fmt: skip


def states(contents: EditionContents, *numbers: int) -> list[EditionContents]:
    """All of it; some withdrawn; those back and others withdrawn; nothing left."""
    others = [each.entry for each in (*contents.urls, *contents.hashes) if each.entry not in numbers][:2]
    return [contents, without(contents, *numbers), without(contents, *others), EditionContents(contents.lists)]


# ---- forms that enforce: asked about every entry and what lies beside it, they answer as the entries do


@contextmanager
def rpz(files: dict[str, bytes]) -> Iterator[Asking]:
    with tempfile.TemporaryDirectory() as folder:  # named-checkzone loads it and says what it read
        _, owners = zone_names(files["rpz.zone"], Path(folder))
    yield lambda asked: zone_has(owners, asked.host)


@contextmanager
def by_squid(files: dict[str, bytes]) -> Iterator[Asking]:
    with squid(files) as ask:
        yield lambda asked: refused(ask, asked)


@contextmanager
def by_nginx(files: dict[str, bytes]) -> Iterator[Asking]:
    with nginx(files["vigil-maps.conf"]) as server:
        yield lambda asked: any(server.answers(asked))


@contextmanager
def by_e2guardian(files: dict[str, bytes]) -> Iterator[Asking]:
    with tempfile.TemporaryDirectory() as folder, e2guardian(Path(folder), files["bannedsitelist"]) as ask:
        yield lambda asked: ask(asked.host) != OURS


@contextmanager
def hosts(files: dict[str, bytes]) -> Iterator[Asking]:
    names = {line.split()[1] for line in lines_of(files["hosts.txt"])}
    yield lambda asked: asked.host in names


@contextmanager
def adguard(files: dict[str, bytes]) -> Iterator[Asking]:
    yield lambda asked: adblock_has(files["adguard-home.txt"], asked.host)


@contextmanager
def pihole(files: dict[str, bytes]) -> Iterator[Asking]:
    yield lambda asked: adblock_has(files["pi-hole.txt"], asked.host)


@contextmanager
def blocky(files: dict[str, bytes]) -> Iterator[Asking]:
    yield lambda asked: blocky_has(files["blocky.txt"], asked.host)


@contextmanager
def safe_browsing(files: dict[str, bytes]) -> Iterator[Asking]:
    _, written = safe_browsing_hashes(files["safebrowsing.bin"])

    def has(asked: CanonicalUrl) -> bool:
        texts = safe_browsing_expressions(asked.host, asked.path, asked.query, asked.is_address())
        return any(hashlib.sha256(text.encode()).digest() in written for text in texts)

    yield has


@dataclass(frozen=True)
class Enforcing:
    """``by_host``: the reader sees the host alone. ``plain``: it is asked over plain HTTP only, at the usual port."""

    open: Callable[[dict[str, bytes]], Any]
    by_host: bool = False
    plain: bool = False


ENFORCING = {
    "rpz": Enforcing(rpz, by_host=True),
    "squid": Enforcing(by_squid, plain=True),
    "nginx": Enforcing(by_nginx),
    "e2guardian": Enforcing(by_e2guardian, by_host=True, plain=True),
    "hosts": Enforcing(hosts, by_host=True),
    "adguard": Enforcing(adguard, by_host=True),
    "pihole": Enforcing(pihole, by_host=True),
    "blocky": Enforcing(blocky, by_host=True),
    "safebrowsing": Enforcing(safe_browsing),
}


def expected(contents: EditionContents, export: Exported, asked: CanonicalUrl, *, by_host: bool) -> bool:
    """What the entries say, less those that the report names; of a host that stands partly in it, the host itself."""
    missing = {each.entry for each in export.left if not each.partly}
    partly = {each.entry for each in export.left if each.partly}
    kept = [each for each in contents.urls if each.entry not in missing and (host_rights(each) or not by_host)]
    narrowed = [replace(each, scope=Scope.HOST) if each.entry in partly else each for each in kept]
    return is_covered(narrowed, asked)


def probes(reader: Enforcing) -> list[CanonicalUrl]:
    found = [each for each in around(WHOLE, []) if not each.is_address()]
    if reader.plain:
        found = [each for each in found if each.scheme == "http" and each.port in (None, 80)]
    if reader.by_host:
        found = [canonical(f"http://{host}/") for host in sorted({each.host for each in found})]
    return found


@pytest.mark.parametrize("name", ENFORCING)
def test_what_enforces_a_form_covers_exactly_the_entries(name: str) -> None:
    reader = ENFORCING[name]
    asked = probes(reader)
    counted = []
    for contents in states(WHOLE, 1, 10, 11):
        export = made(name, contents)
        with reader.open(export.files) as is_listed:
            found = {each.text() for each in asked if is_listed(each)}
        assert found == {each.text() for each in asked if expected(contents, export, each, by_host=reader.by_host)}
        counted.append(len(found))
    assert counted[0] > counted[1] > 0 and counted[2] > 0 and counted[3] == 0


# ---- forms that are taken up: what was read is what was written


Said = set[tuple[int, str]]


def text_of(entry: UrlEntry | HashEntry) -> str:
    return entry.url.text() if isinstance(entry, UrlEntry) else algorithm_named(entry.algorithm).text(entry.value)


def csv_read(files: dict[str, bytes]) -> Said:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "entries.csv"
        path.write_bytes(files["entries.csv"])
        if len(files["entries.csv"].splitlines()) == 1:  # the header alone, which a source file never is
            return set()
        again = read_source(path)
    return {(each.entry, text_of(each)) for each in (*again.urls, *again.hashes)}


def parquet_read(files: dict[str, bytes]) -> Said:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "entries.parquet"
        path.write_bytes(files["entries.parquet"])
        return set(duckdb.sql(f"SELECT entry, value FROM '{path}'").fetchall())


def stix_read(files: dict[str, bytes]) -> Said:
    bundle = stix2.parse(io.BytesIO(files["stix.json"]).read().decode(), allow_custom=False)
    standing = [each for each in bundle.objects if each.type == "indicator" and not each.get("revoked")]
    patterns = {int(each.name.partition("/")[2]): each.pattern for each in standing}
    named = {each.entry: each for each in (*WHOLE.urls, *WHOLE.hashes)}
    found = set()
    for number, pattern in patterns.items():
        entry = named[number]
        if isinstance(entry, HashEntry):
            kind = {"md5": "MD5", "sha1": "SHA-1", "sha256": "SHA-256", "pdq": "X-PDQ"}[entry.algorithm]
            matched = stix_matches(pattern, f"file:hashes.'{kind}'", text_of(entry))
        else:
            places = {"url:value": text_of(entry), "domain-name:value": entry.url.host}
            matched = any(stix_matches(pattern, place, text) for place, text in places.items())
        assert matched, pattern
        found.add((number, text_of(entry)))
    return found


def misp_read(files: dict[str, bytes]) -> Said:
    standing = set()
    for known in json.loads(files["manifest.json"]):
        event = MISPEvent()
        event.from_json(files[f"{known}.json"].decode())
        standing |= {each.value for each in event.attributes if not getattr(each, "deleted", False)}
    named = {text_of(each): each.entry for each in (*WHOLE.urls, *WHOLE.hashes)}
    named |= {each.url.host: each.entry for each in WHOLE.urls if each.list == SITES.name}
    texts = {each.entry: text_of(each) for each in (*WHOLE.urls, *WHOLE.hashes)}
    assert standing <= set(named), "wider than its entries"
    return {(named[each], texts[named[each]]) for each in standing}


TAKEN_UP: dict[str, Callable[[dict[str, bytes]], Said]] = {
    "csv": csv_read, "parquet": parquet_read, "stix": stix_read, "misp": misp_read,
}  # fmt: skip


@pytest.mark.parametrize("name", TAKEN_UP)
def test_what_takes_up_a_form_has_exactly_the_entries(name: str) -> None:
    before: EditionContents | None = None
    for contents in states(WHOLE, 1, 10, 20, 21):
        export = made(name, contents, before)
        missing = {each.entry for each in export.left if not each.partly}
        wanted = {(each.entry, text_of(each)) for each in (*contents.urls, *contents.hashes) if each.entry not in missing}
        assert TAKEN_UP[name](export.files) == wanted
        assert len(wanted) >= (len(contents.urls) + len(contents.hashes)) // 2
        before = contents


# ---- services: the clients of other clearing houses pull it


def ncmec_read(desk: Desk) -> set[str]:
    known: dict[str, str] = {}
    for page in ncmec_client(desk).get_entries_iter(start_timestamp=0):
        for update in page.updates:
            known.pop(update.id, None)
            known |= {} if update.deleted else {update.id: next(iter(update.fingerprints.values()))}
    return set(known.values())


def stopncii_read(desk: Desk) -> set[str]:
    client = StopNCIIAPI("unused", desk.token, base_url_override=f"{desk.address}/stopncii/pictures")
    records = [each for page in client.fetch_hashes_iter() for each in page.hashRecords]
    return {each.hashValue for each in records if each.hashStatus is StopNCIICaseStatus.Active}


def threatexchange_read(desk: Desk) -> set[str]:
    client = ThreatExchangeAPI(f"12345678|{desk.token}", endpoint_override=f"{desk.address}/threatexchange")
    known: dict[str, bool] = {}
    for batch in client.get_threat_updates(group_of("pictures"), page_size=4, decode_fn=ThreatUpdateJSON):
        known |= {update.indicator: not update.should_delete for update in batch}
    return {indicator for indicator, standing in known.items() if standing}


def taxii_read(desk: Desk) -> set[str]:
    url = f"{desk.address}/taxii/api/collections/{collection_id('pictures')}/"
    collection = Collection(url, user=desk.node.name, password=desk.token)
    objects = [each for page in as_pages(collection.get_objects, per_request=5) for each in page.get("objects", [])]
    newest = {each["id"]: stix2.parse(each) for each in objects}
    return {each.pattern.split("'")[-2] for each in newest.values() if not each.get("revoked")}


def misp_service_read(desk: Desk) -> set[str]:
    standing = set()
    for known in json.loads(raw(desk, "misp/manifest.json")):
        event = MISPEvent()
        event.from_json(raw(desk, f"misp/{known}.json").decode())
        standing |= {each.value for each in event.attributes if not getattr(each, "deleted", False)}
    return standing


SERVICES: dict[str, tuple[Callable[[Desk], set[str]], frozenset[str]]] = {
    "ncmec": (ncmec_read, frozenset(SIZES)),
    "stopncii": (stopncii_read, frozenset({"pdq"})),
    "threatexchange": (threatexchange_read, frozenset(SIZES)),
    "taxii": (taxii_read, frozenset(SIZES)),
    "misp": (misp_service_read, frozenset({"md5", "sha1", "sha256"})),
}
"""The reader of each service, and the types of hashes that its form can say."""


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("name", SERVICES)
def test_the_client_of_a_service_has_exactly_the_entries(name: str, desk: Desk) -> None:
    read, kinds = SERVICES[name]
    pictures = EditionContents((ListInfo("pictures", "hash_csam", ("NL",)),), (), HASHES)
    for contents in states(pictures, 20, 21, 23):
        desk.publish(contents)
        assert read(desk) == {text_of(each) for each in contents.hashes if each.algorithm in kinds}


def test_no_form_is_left_out() -> None:
    """Neither a format of the command line nor a service of the partner door."""
    assert {*ENFORCING, *TAKEN_UP} == set(FORMATS)
    served = {str(each.pattern).partition("/")[0] for each in exchange_urls.urlpatterns}
    assert {*SERVICES} == served - {""}
