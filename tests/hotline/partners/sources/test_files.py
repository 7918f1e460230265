"""Delimited files, MISP feed folders, another hotline's editions: full states, whatever the bytes."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import uuid
import zipfile
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.editions.export.world import LISTS, some_contents
from tests.hotline.partners.sources.desk import added, check_mirror, fetched, in_force, set_aside

from vigil.base.clock import FixedClock, SystemClock
from vigil.editions.build import build_edition
from vigil.editions.export import Occasion, export_as
from vigil.editions.keys import create_keys
from vigil.editions.model import EditionContents
from vigil.editions.publish import publish
from vigil.hotline.partners.sources import delimited
from vigil.hotline.partners.sources.models import SourceKind
from vigil.hotline.partners.sources.queries import met_by_address
from vigil.hotline.partners.sources.record import Record, SetAside

pytestmark = pytest.mark.django_db


def md5(word: str) -> str:
    return hashlib.md5(word.encode()).hexdigest()


FORMS = {
    "csv": f"md5,sha1,tags\n{md5('a')},{'1' * 39}2,x y\n{md5('b')},,\n",
    "tabs": f"id\ttype\tvalue\n1\tMD5\t{md5('a')}\n2\tzorblat-hash\tABC\n",
    "lines": f"md5 {md5('a')}\n# said by hand\n\npdq {'ab' * 32}\n",
    "one type": f"{md5('a')}\n{md5('b')}\n",
}


@pytest.mark.parametrize("form", FORMS)
def test_every_usual_form_is_read(form: str, tmp_path: Path) -> None:
    path = tmp_path / "list.txt"
    path.write_text(FORMS[form])
    source = added(SourceKind.DELIMITED, str(path), **({"type": "md5"} if form == "one type" else {}))
    fetched(source)
    assert source.failures == 0, source.error_text
    values = {pair for prints in in_force(source).values() for pair in prints}
    assert ("md5", md5("a")) in values and len(in_force(source)) == 2 and not set_aside(source)
    check_mirror(source)


def test_what_is_gone_from_the_file_is_gone(tmp_path: Path) -> None:
    path = tmp_path / "list.txt"
    source = None
    for words in (["a", "b", "c"], ["a", "c"], ["a", "b", "c", "d"], ["d"]):
        path.write_text("".join(f"md5 {md5(word)}\n" for word in words))
        source = source or added(SourceKind.DELIMITED, str(path))
        fetched(source)
        assert {value for prints in in_force(source).values() for _, value in prints} == {md5(word) for word in words}
    path.write_text("")
    assert source is not None
    fetched(source)
    assert source.error_code == "file_empty" and len(in_force(source)) == 1


def zipped(*names: str) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in names:
            archive.writestr(name, f"md5 {md5('a')}\n")
    return stream.getvalue()


def test_packed_files_within_limits(tmp_path: Path) -> None:
    path = tmp_path / "list"
    plain = f"md5 {md5('a')}\n".encode()
    path.write_bytes(gzip.compress(plain))
    source = added(SourceKind.DELIMITED, str(path))
    for data, code in (
        (gzip.compress(plain), ""), (zipped("a.txt"), ""), (zipped("a", "b"), "source_packing"),
        (gzip.compress(b"\n" * 5_000_000), "source_bomb"), (gzip.compress(plain)[:-9], "source_packing"),
        (b"PK\x03\x04xx", "source_packing"),
    ):  # fmt: skip
        path.write_bytes(data)
        fetched(source)
        assert source.error_code == code
        assert len(in_force(source)) == 1


def test_bad_lines_are_named_by_their_number(tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    good = [f"{md5(str(n))},md5".encode() for n in range(3)]
    long = b"x" * 70_000 + b",md5"
    lines = [b"value,type", good[0], b"\xff\xfe,md5", good[1], b"only-one", b'"open,md5', long, good[2], b"zz,md5"]
    path.write_bytes(b"\n".join(lines))
    source = added(SourceKind.DELIMITED, str(path))
    fetched(source)
    assert sum(bool(prints) for prints in in_force(source).values()) == 3
    named = {name: flaw for name, flaw in set_aside(source) if name.startswith("line")}
    assert named == {"line 3": "not_utf8", "line 5": "malformed", "line 6": "malformed", "line 7": "enormous"}
    assert any(flaw == "fingerprint" for _, flaw in set_aside(source))


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=300))
def test_any_bytes_are_lines_or_set_aside(data: bytes) -> None:
    lines = data.split(b"\n")
    form = delimited._Form.of(lines[0], "", "")
    assert all(isinstance(item, Record | SetAside) for item in form.items(lines, 0))


def feed(folder: Path, contents: EditionContents, before: EditionContents | None, number: int) -> set[str]:
    folder.mkdir(exist_ok=True)
    moment = SystemClock().now() - timedelta(minutes=10 - number)  # a manifest tells states apart by the second
    made = export_as("misp", contents, Occasion(number, moment, before))
    for name, data in made.files.items():
        (folder / name).write_bytes(data)
    return {
        each["uuid"]
        for name, data in made.files.items() if len(name) == 41
        for each in json.loads(data)["Event"]["Attribute"] if not each.get("deleted")
    }  # fmt: skip


def test_a_misp_feed_of_ours_is_read_back_and_follows_withdrawals(tmp_path: Path) -> None:
    whole = some_contents()
    fewer = EditionContents(whole.lists, whole.urls[2:], whole.hashes[1:])
    folder = tmp_path / "feed"
    standing = feed(folder, whole, None, 1)
    source = added(SourceKind.MISP_FEED, str(folder))
    fetched(source)
    assert set(in_force(source)) == standing
    assert fetched(source).known_pages == len(whole.lists)
    standing = feed(folder, fewer, whole, 2)
    fetched(source)
    assert source.failures == 0 and set(in_force(source)) == standing
    check_mirror(source)


def test_a_feed_with_damaged_events_names_them(tmp_path: Path) -> None:
    known = [str(uuid.UUID(int=n)) for n in range(4)]
    (tmp_path / "manifest.json").write_text(json.dumps({name: {"timestamp": "1"} for name in [*known, "../../etc/passwd"]}))
    attribute = {"uuid": str(uuid.UUID(int=9)), "type": "md5", "value": md5("a"), "timestamp": "5"}
    (tmp_path / f"{known[0]}.json").write_text(json.dumps({"Event": {"Attribute": [attribute, 7]}}))
    (tmp_path / f"{known[1]}.json").write_text("{")
    other = {**attribute, "uuid": str(uuid.UUID(int=8))}
    (tmp_path / f"{known[2]}.json").write_text('{"Event": {"Attribute": [' + json.dumps(other) + ', {"uuid"')
    (tmp_path / f"{known[3]}.json").write_text('{"Event": 5}')
    source = added(SourceKind.MISP_FEED, str(tmp_path))
    fetched(source)
    assert source.failures == 0, source.error_text
    assert len(in_force(source)) == 2 and len(set_aside(source)) >= 5


def test_another_hotlines_editions_are_verified_and_mirrored(tmp_path: Path, clock: FixedClock, settings: object) -> None:
    settings.EDITIONS = tmp_path / "own" / "editions"  # type: ignore[attr-defined]
    repository, whole = tmp_path / "theirs", some_contents()
    ring = create_keys(tmp_path / "keys", clock.now())
    publish(repository, build_edition(whole, number=1, previous=None, issued_at=clock.now()), ring, clock.now())
    source = added(SourceKind.EDITION, str(repository), root=str(repository / "metadata" / "1.root.json"))
    fetched(source)
    assert source.failures == 0, source.error_text
    assert len(in_force(source)) == len(whole.urls) + len(whole.hashes)
    assert met_by_address("http://zorblat.example/quimber/1.html", [source])
    assert not met_by_address("http://unlisted.example/", [source])
    fewer = EditionContents(LISTS, whole.urls[:1], whole.hashes[:1])
    publish(repository, build_edition(fewer, number=2, previous=1, issued_at=clock.now()), ring, clock.now())
    fetched(source)
    assert len(in_force(source)) == 2
    for path in (repository / "targets").iterdir():
        path.write_bytes(path.read_bytes() + b"x")
    publish_number = source.generation
    clock.advance(hours=1)
    fetched(source)
    assert len(in_force(source)) == 2 and source.generation >= publish_number
