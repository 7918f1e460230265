"""``vigil edition trace`` over whole files: every form there is, copies under partners' own digest keys, coalitions of three."""

from __future__ import annotations

import hashlib
import json
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.editions.test_marks import BOOK, CONTENTS, LISTS, PARTNERS, leaked, names_in
from tests.editions.world import START, Host, Hotline, client
from typer.testing import CliRunner

from vigil.base.errors import InputError
from vigil.cli.edition import app
from vigil.editions.cipher import Identity, new_identity
from vigil.editions.export import FORMATS, Occasion, export_as
from vigil.editions.export.hash_list import read_hash_list
from vigil.editions.export.safebrowsing import hash_list
from vigil.editions.folder import sealed_files
from vigil.editions.marks import MarkBook
from vigil.editions.model import EditionContents, HashEntry, UrlEntry
from vigil.editions.partners import all_digest_keys, rotate_partner
from vigil.editions.publish import withdraw_partner
from vigil.editions.selftest import added_to
from vigil.editions.shares import Share
from vigil.editions.trace import Evidence, Unread, trace_books, trace_file
from vigil.match.urls import Scope

SMALL = replace(BOOK, partners=PARTNERS[:6], positions=256)


def run(*arguments: object) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["trace", *map(str, arguments)])
    return done.exit_code, done.stdout


@pytest.fixture
def book(tmp_path: Path) -> Path:
    path = tmp_path / "marks.json"
    path.write_bytes(BOOK.encoded())
    return path


# ---- every form


@pytest.mark.parametrize("form", sorted(FORMATS))
def test_every_export_format_names_its_partner(tmp_path: Path, form: str) -> None:
    """Each of the files of a format that holds addresses of marks, by itself."""
    copy = SMALL.copy_for(PARTNERS[4], CONTENTS)
    made = export_as(form, copy, Occasion(1, START + timedelta(hours=1)))
    whose = {}
    for name, data in made.files.items():
        path = tmp_path / name.replace("/", "-")
        path.write_bytes(data)
        whose[name] = names_in(trace_file(path, SMALL))
    assert {PARTNERS[4]} in whose.values()
    assert all(found in ({PARTNERS[4]}, set()) for found in whose.values())


class TestSafeBrowsing:
    def test_marks_among_whole_names_name_the_partner(self, tmp_path: Path) -> None:
        found = trace_file(leaked(tmp_path, "safebrowsing", BOOK.copy_for(PARTNERS[2], CONTENTS)), BOOK)
        assert found.form == "Safe Browsing" and names_in(found) == {PARTNERS[2]} and found.explained == 1.0

    def test_without_whole_names_it_says_that_it_carries_no_marks(self, tmp_path: Path, book: Path) -> None:
        """Pages on named hosts cannot be said in this form, so their marks are not in it either: that is no acquittal."""
        pages = replace(CONTENTS, urls=tuple(each for each in CONTENTS.urls if each.list == "pages"))
        addresses = tuple(
            UrlEntry(7000 + n, "pages", replace(CONTENTS.urls[0].url, host=f"192.0.2.{n}", path="/"), Scope.IP) for n in range(9)
        )
        copy = BOOK.copy_for(PARTNERS[2], replace(pages, urls=(*pages.urls, *addresses)))
        path = leaked(tmp_path, "safebrowsing", copy)
        assert len(read_hash_list(path.read_bytes())) == len(addresses)
        found = trace_file(path, BOOK)
        assert found.unread is Unread.FORM and not found.named
        code, words = run(path, "--marks", book)
        assert code == 1 and "carries no marks" in words and "no copy of ours" not in words

    def test_a_damaged_list_is_refused_and_never_read_as_something_else(self, tmp_path: Path) -> None:
        whole = leaked(tmp_path, "safebrowsing", BOOK.copy_for(PARTNERS[2], CONTENTS)).read_bytes()
        path = tmp_path / "damaged.bin"
        for data in (whole[:-1], whole[:40], whole[:-5] + bytes(5), whole + b"\x08", whole + b"\x0b", whole[:11]):
            path.write_bytes(data)
            with pytest.raises(InputError, match="damaged"):
                trace_file(path, BOOK)

    @given(st.sets(st.binary(min_size=32, max_size=32), max_size=40))
    def test_what_is_written_is_read_back(self, hashes: set[bytes]) -> None:
        assert read_hash_list(hash_list(sorted(hashes), bytes(8))) == sorted(hashes)

    @given(st.data())
    def test_no_bytes_end_in_anything_but_a_refusal(self, data: st.DataObject) -> None:
        whole = bytearray(hash_list(sorted(hashlib.sha256(bytes([n])).digest() for n in range(9)), bytes(8)))
        for _ in range(data.draw(st.integers(1, 4))):
            whole[data.draw(st.integers(11, len(whole) - 1))] = data.draw(st.integers(0, 255))
        try:
            found = read_hash_list(bytes(whole))
        except InputError:
            return
        assert len(found) == 9


def test_a_book_without_marks_of_addresses_says_so(tmp_path: Path) -> None:
    unmarked = MarkBook(BOOK.key, (), (("pages", "url"),), PARTNERS[:3])
    found = trace_file(leaked(tmp_path, "csv", CONTENTS), unmarked)
    assert found.unread is Unread.UNMARKED and "canary_domains" in found.words()


# ---- copies under partners' own digest keys, as the office makes them


@pytest.fixture
def house(hotline: Hotline, host: Host, tmp_path: Path) -> dict[str, Path]:
    """Three partners pulled their keyed copies; since then one has got new keys and one was withdrawn."""
    people = {name: Identity(new_identity()) for name in PARTNERS[:3]}
    copies = {name: added_to(BOOK.copy_for(name, CONTENTS)) for name in people}
    hotline.publish(CONTENTS, shares=[Share(name, copies[name], who.recipient) for name, who in people.items()])
    for name, identity in people.items():
        client(host, hotline, tmp_path / name, part=f"partners/{name}", identity=identity).pull(hotline.now)
    rotate_partner(hotline.keys_folder, PARTNERS[0], hotline.now)
    withdraw_partner(hotline.repository, hotline.keys, PARTNERS[1], hotline.now)
    return {name: plain(tmp_path / name, identity, tmp_path / f"found-{name}") for name, identity in people.items()}


def plain(state: Path, identity: Identity, out: Path) -> Path:
    """The files of a partner's copy as its node reads them: what an insider can take away."""
    read = sealed_files(state / "current", identity).read
    out.mkdir()
    for name in ("edition.json", "urls.parquet", "hosts.parquet", "hashes.parquet"):
        (out / name).write_bytes(read(name, 10**8))
    return out


class TestKeyedCopies:
    def test_each_file_of_a_copy_names_its_partner_also_of_former_keys_and_partners(
        self, house: dict[str, Path], book: Path, hotline: Hotline
    ) -> None:
        for partner, folder in house.items():
            for name in ("edition.json", "urls.parquet", "hosts.parquet"):
                code, told = run(folder / name, "--marks", book, "--keys", hotline.keys_folder, "--json")
                (named,) = json.loads(told)["named"]
                assert code == 0 and named["partner"] == partner and "key" in named["evidence"], name

    def test_a_list_of_keyed_digests_needs_the_key_folder_and_says_so(
        self, house: dict[str, Path], tmp_path: Path, book: Path, hotline: Hotline
    ) -> None:
        path = digests_of(tmp_path / "list.txt", house[PARTNERS[1]])
        code, words = run(path, "--marks", book)
        assert code == 1 and "--keys" in words and "is no copy of ours" not in words
        code, words = run(path, "--marks", book, "--keys", hotline.keys_folder)
        assert code == 0 and words.startswith(f"The copy of {PARTNERS[1]}.")

    def test_three_who_merged_their_keyed_copies_are_all_named(
        self, house: dict[str, Path], tmp_path: Path, book: Path, hotline: Hotline
    ) -> None:
        path = digests_of(tmp_path / "list.txt", *house.values())
        found = trace_file(path, BOOK, all_digest_keys(hotline.keys_folder))
        assert names_in(found) == set(house) and all(Evidence.KEY in each.evidence for each in found.named)

    def test_without_any_mark_the_addresses_that_every_edition_tests_with_name_it(
        self, house: dict[str, Path], hotline: Hotline
    ) -> None:
        unmarked = MarkBook(BOOK.key, (), (), ())
        found = trace_file(house[PARTNERS[2]] / "urls.parquet", unmarked, all_digest_keys(hotline.keys_folder))
        assert names_in(found) == {PARTNERS[2]}

    def test_no_file_of_a_copy_acquits_anybody_without_the_keys(self, house: dict[str, Path], hotline: Hotline) -> None:
        for name in ("hosts.parquet", "urls.parquet"):
            found = trace_file(house[PARTNERS[2]] / name, BOOK)
            assert names_in(found) == {PARTNERS[2]} if found.named else found.unread is Unread.DIGESTED, name

    def test_a_folder_that_is_none_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(InputError, match="no key folder"):
            all_digest_keys(tmp_path / "nowhere")


def digests_of(path: Path, *copies: Path) -> Path:
    """Addresses as keyed digests in hexadecimal and nothing else, of one copy or of several in one heap."""
    keys = [key for copy in copies for key in pq.read_table(copy / "urls.parquet", columns=["key"])["key"].to_pylist()]
    path.write_text("\n".join(sorted(key.hex() for key in keys)))
    return path


# ---- coalitions of three and four, from files


def joined(members: Sequence[str], how: str, chance: random.Random) -> EditionContents:
    """What several make of their copies, entry by entry, under numbers of their own; of what all have they take everything."""
    copies = [BOOK.copy_for(member, CONTENTS) for member in members]
    places: dict[object, UrlEntry | HashEntry] = {}
    held: Counter[object] = Counter()
    for copy in copies:
        for entry in (*copy.urls, *copy.hashes):
            place = (entry.list, entry.url.text() if isinstance(entry, UrlEntry) else entry.value)
            places[place] = entry
            held[place] += 1
    kept = [place for place in sorted(places, key=str) if held[place] == len(copies) or _taken(how, held[place], chance)]
    numbered = [replace(places[place], entry=number) for number, place in enumerate(kept, 1)]
    urls = tuple(entry for entry in numbered if isinstance(entry, UrlEntry))
    return EditionContents(LISTS, urls, tuple(entry for entry in numbered if isinstance(entry, HashEntry)))


def _taken(how: str, held: int, chance: random.Random) -> bool:
    """Of what not all have: nothing, what two have, or whatever the dice say but nothing that one alone has."""
    return {"common": False, "majority": held >= 2, "dice": held >= 2 and chance.random() < 0.5}[how]


@pytest.mark.parametrize("how", ["common", "majority", "dice"])
@pytest.mark.parametrize("form", ["edition", "hashes", "digests", "csv", "rpz", "safebrowsing", "stix"])
def test_three_who_put_their_copies_together_are_the_set_that_is_named(tmp_path: Path, form: str, how: str) -> None:
    """Nothing of one alone is left in the file, and no number of a copy: only the code tells."""
    chance = random.Random(f"{form} {how}")
    three = chance.sample(PARTNERS, 3)
    found = trace_file(leaked(tmp_path, form, joined(three, how, chance)), BOOK)
    assert names_in(found) == set(three)
    assert found.explained == 1.0 and all(each.private == 0 and each.wrong <= 1e-6 for each in found.named)
    assert all(Evidence.NUMBERS not in each.evidence for each in found.named)
    *others, last = (each.partner for each in found.named)
    assert f"The copies of {', '.join(others)} and {last}." in found.words()


@pytest.mark.parametrize("form", ["hashes", "csv", "rpz"])
def test_of_four_some_may_stay_unnamed_but_nobody_else_is_named(tmp_path: Path, form: str) -> None:
    chance = random.Random(f"{form} majority")
    four = chance.sample(PARTNERS, 4)
    named = names_in(trace_file(leaked(tmp_path, form, joined(four, "majority", chance)), BOOK))
    assert len(named) >= 2 and named <= set(four)


# ---- books of before, other encodings, and what the command says


def test_partners_of_an_old_book_and_of_the_new_one_in_one_file_are_both_named(tmp_path: Path) -> None:
    """The names of marks were changed, and two partners put an old copy and a new one together."""
    newer = replace(BOOK, key=hashlib.sha256(b"grelm").digest())
    one, other = BOOK.copy_for(PARTNERS[3], CONTENTS), newer.copy_for(PARTNERS[8], CONTENTS)
    path = tmp_path / "both.txt"
    path.write_text("\n".join(sorted({entry.url.text() for entry in (*one.urls, *other.urls)})))
    found = trace_books(path, [BOOK, newer])
    assert names_in(found) == {PARTNERS[3], PARTNERS[8]} and all(each.wrong <= 1e-6 for each in found.named)
    assert found.named[0].wrong >= 2 * min(each.wrong for each in trace_file(path, BOOK).named)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be", "utf-8-sig"])
def test_text_as_spreadsheets_save_it_is_searched(tmp_path: Path, encoding: str) -> None:
    text = leaked(tmp_path, "csv", BOOK.copy_for(PARTNERS[5], CONTENTS)).read_text("utf-8")
    path = tmp_path / "saved.csv"
    path.write_bytes(("\ufeff" if encoding == "utf-16-be" else "").encode(encoding) + text.encode(encoding))
    assert names_in(trace_file(path, BOOK)) == {PARTNERS[5]}


def test_the_command_says_which_file_or_book_it_lacks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("VIGIL_HOTLINE_CONFIG", raising=False)
    there = leaked(tmp_path, "csv", CONTENTS)
    for arguments, code in (((tmp_path / "nothing",), "leak_unreadable"), ((there, "--marks", there), "marks_malformed")):
        error = CliRunner().invoke(app, ["trace", *map(str, arguments)]).exception
        assert isinstance(error, InputError) and error.code == code
