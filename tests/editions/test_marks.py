"""Marks in partners' copies, and tracing them: one partner, two who collude in whatever way, and the innocent."""

from __future__ import annotations

import gzip
import hashlib
import json
import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.editions.world import START
from typer.testing import CliRunner

from vigil.base.errors import InputError
from vigil.cli.edition import app
from vigil.editions.build import build_edition
from vigil.editions.coalition import Places
from vigil.editions.export import Occasion, export_as
from vigil.editions.load import read_edition
from vigil.editions.marks import (
    ALARMS,
    CANARY,
    PRIVATE,
    Mark,
    MarkBook,
    MarkKind,
    decode_book,
    is_mark_number,
    private_marks,
)
from vigil.editions.model import EditionContents, HashEntry, ListInfo, UrlEntry
from vigil.editions.opaque import LARGEST, OpaqueNumbers
from vigil.editions.trace import Evidence, Trace, _chance_of_code, trace_file, trace_marks
from vigil.match.urls import EntryFlag, Scope, canonical, entry_key

KEY = hashlib.sha256(b"quimber").digest()
PARTNERS = tuple(f"partner-{number}" for number in range(24))
DOMAINS = ("grelm.example", "static.pandor.example")
LISTS = (ListInfo("pages", "url"), ListInfo("names", "domain"), ListInfo("pictures", "hash_csam"), ListInfo("tests", "test"))
BOOK = MarkBook(KEY, DOMAINS, tuple(sorted((info.name, info.kind) for info in LISTS)), PARTNERS)
RIGHTS = EntryFlag.HOST_APPROVED


def some(count: int = 300) -> EditionContents:
    """Pages, whole names and pictures, numbered in one go; some of them labelled and with an end."""
    ends = [None, datetime(2027, 1, 1, tzinfo=UTC)]
    urls = [UrlEntry(n, "pages", canonical(f"http://zorblat-{n}.example/q/{n}"), Scope.PAGE, labels=("ai",) * (n % 2),
                     expires=ends[n % 2]) for n in range(1, count + 1)]  # fmt: skip
    names = [UrlEntry(count + n, "names", canonical(f"http://quimber-{n}.example/"), Scope.DOMAIN, RIGHTS)
             for n in range(1, count + 1)]  # fmt: skip
    hashes = [HashEntry(2 * count + n, "pictures", "sha256", hashlib.sha256(b"%d" % n).digest()) for n in range(1, count + 1)]
    test = UrlEntry(9 * count, "tests", canonical("http://test.grelm.example/"), Scope.PAGE, labels=("test",))
    return EditionContents(LISTS, (*urls, *names, test), tuple(hashes))


CONTENTS = some()


def copies(*partners: str) -> list[EditionContents]:
    return [BOOK.copy_for(partner, CONTENTS) for partner in partners]


def names_in(trace: Trace) -> set[str]:
    return {each.partner for each in trace.named}


# ---- copies


def test_a_copy_holds_everything_that_was_decided_and_marks_beside_it() -> None:
    (copy,) = copies(PARTNERS[0])
    decided = {(entry.list, entry.url.text()) for entry in CONTENTS.urls}
    held = {(entry.list, entry.url.text()) for entry in copy.urls}
    assert decided < held
    assert {entry.value for entry in CONTENTS.hashes} < {entry.value for entry in copy.hashes}
    assert not [entry for entry in copy.urls if entry.list == "tests" and entry.url.host != "test.grelm.example"]


def test_marks_stand_on_the_hotlines_own_names_only() -> None:
    for mark in BOOK.all_marks("pages", 64):
        host = BOOK.address_of(mark).host
        assert host.endswith(tuple(f".{domain}" for domain in DOMAINS))
    assert len({BOOK.address_of(mark).host for mark in BOOK.all_marks("pages", 768)}) == 768 + 24 * (PRIVATE + ALARMS)


def test_each_copy_has_at_least_eight_marks_of_its_own_on_each_list() -> None:
    one, other = copies(PARTNERS[0], PARTNERS[1])
    for name in ("pages", "names"):
        mine = {entry.url.host for entry in one.urls if entry.list == name}
        theirs = {entry.url.host for entry in other.urls if entry.list == name}
        own = {BOOK.address_of(mark).host for mark in private_marks(PARTNERS[0], name)}
        assert len(own) == PRIVATE + ALARMS >= 8 and own <= mine and not own & theirs


def test_hidden_marks_look_like_their_neighbours() -> None:
    (copy,) = copies(PARTNERS[0])
    real = {(entry.list, entry.scope, entry.flags, entry.labels, entry.expires) for entry in CONTENTS.urls}
    labelled = [entry for entry in copy.urls if CANARY in entry.labels]
    assert len(labelled) == 2 * ALARMS
    hidden = [entry for entry in copy.urls if CANARY not in entry.labels]
    assert {(entry.list, entry.scope, entry.flags, entry.labels, entry.expires) for entry in hidden} <= real
    marks = {BOOK.address_of(mark).host for mark in BOOK.all_marks("pages", 768)}
    ours = [entry for entry in copy.urls if entry.url.host in marks]
    assert {bool(entry.labels) for entry in ours} == {True, False} and {entry.expires is None for entry in ours} == {True, False}


def test_numbers_of_a_copy_do_not_show_what_was_made_together() -> None:
    (copy,) = copies(PARTNERS[0])
    marks = {BOOK.address_of(mark).host for mark in BOOK.all_marks("pages", 768)}
    pages = sorted((entry.entry, entry.url.host in marks) for entry in copy.urls if entry.list == "pages")
    changes = sum(one[1] != other[1] for one, other in pairwise(pages))
    share = sum(mark for _, mark in pages) / len(pages)
    assert changes > 0.8 * 2 * share * (1 - share) * len(pages)  # as often as in a shuffled row


@given(st.lists(st.integers(0, LARGEST), min_size=1, max_size=50))
def test_the_number_of_an_entry_can_be_had_back_with_the_key_only(numbers: list[int]) -> None:
    one, other = BOOK.numbers_of(PARTNERS[0]), BOOK.numbers_of(PARTNERS[1])
    assert one.meant(one.shown(numbers)).tolist() == numbers
    assert other.shown(numbers).tolist() != one.shown(numbers).tolist()


def test_a_number_beyond_what_is_numbered_is_refused() -> None:
    with pytest.raises(InputError, match="number"):
        OpaqueNumbers(KEY).shown([2**48])


def test_a_mark_stays_when_others_come_and_go() -> None:
    """A mark that changed with each edition would give itself away in the deltas."""
    before = {(entry.url.text(), entry.entry) for entry in BOOK.copy_for(PARTNERS[0], CONTENTS).urls}
    fewer = replace(CONTENTS, urls=CONTENTS.urls[10:])
    after = {(entry.url.text(), entry.entry) for entry in BOOK.copy_for(PARTNERS[0], fewer).urls}
    gone = {entry.url.text() for entry in CONTENTS.urls[:10]}
    assert {text for text, _ in before - after} == gone and not after - before


def test_small_lists_get_few_marks_and_empty_ones_none() -> None:
    small = EditionContents(LISTS, CONTENTS.urls[:3])
    copy = BOOK.copy_for(PARTNERS[0], small)
    assert 3 + PRIVATE + ALARMS <= len(copy.urls) <= 3 + 16 + PRIVATE + ALARMS and not copy.hashes
    assert BOOK.copy_for(PARTNERS[0], EditionContents(LISTS)).urls == ()


def test_without_names_of_its_own_only_lists_of_digests_are_marked() -> None:
    book = replace(BOOK, domains=())
    copy = book.copy_for(PARTNERS[0], CONTENTS)
    assert len(copy.urls) == len(CONTENTS.urls) and len(copy.hashes) > len(CONTENTS.hashes)


def test_the_hotlines_own_copy_has_every_mark_labelled_and_its_own_numbers() -> None:
    own = BOOK.own(CONTENTS)
    marks = [entry for entry in (*own.urls, *own.hashes) if is_mark_number(entry.entry)]
    assert len(marks) == 3 * (768 + 24 * (PRIVATE + ALARMS))
    assert all(CANARY in entry.labels for entry in marks)
    assert {entry.entry for entry in CONTENTS.urls} < {entry.entry for entry in own.urls}
    assert replace(BOOK, partners=()).own(CONTENTS) is CONTENTS


def test_a_copy_is_the_same_each_time_and_becomes_an_edition() -> None:
    (copy,) = copies(PARTNERS[0])
    assert copy == copies(PARTNERS[0])[0]
    built = build_edition(copy, number=1, previous=None, issued_at=START)
    assert read_edition(lambda name, _: built.files[name]).number == 1


def test_a_partner_that_the_book_does_not_know_gets_no_copy() -> None:
    with pytest.raises(InputError, match="does not know"):
        BOOK.copy_for("stranger", CONTENTS)


def test_a_book_is_kept_as_a_file_and_never_printed() -> None:
    assert decode_book(BOOK.encoded()) == BOOK
    assert KEY.hex() not in repr(BOOK)
    for data in (b"", b"{}", b"[" * 9000, BOOK.encoded().replace(b"vigil-marks-1", b"vigil-marks-9"), BOOK.encoded()[:-9]):
        with pytest.raises(InputError):
            decode_book(data)


@pytest.mark.parametrize(
    "wrong",
    [{"key": b"short"}, {"positions": 3}, {"positions": 10**6}, {"domains": ("Grelm.example",)}, {"domains": ("192.0.2.1",)},
     {"domains": ("test",)}, {"partners": ("a", "a")}, {"partners": ("A b",)}],
)  # fmt: skip
def test_a_book_that_cannot_be_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(InputError):
        replace(BOOK, **wrong)


# ---- leaked files


def leaked(tmp_path: Path, form: str, contents: EditionContents) -> Path:
    """The file that somebody found, in one of the forms a list is passed on in."""
    at = START + timedelta(hours=1)
    if form == "edition":
        files = build_edition(contents, number=1, previous=None, issued_at=START).files
        path = tmp_path / "urls.parquet"
        path.write_bytes(files["urls.parquet"])
        return path
    if form == "hashes":
        files = build_edition(contents, number=1, previous=None, issued_at=START).files
        path = tmp_path / "hashes.parquet"
        path.write_bytes(files["hashes.parquet"])
        return path
    if form == "digests":
        path = tmp_path / "list.txt"
        path.write_text("\n".join(hashlib.sha256(entry.url.text().encode()).hexdigest().upper() for entry in contents.urls))
        return path
    made = export_as(form, contents, Occasion(1, at))
    name = max(made.files, key=lambda each: len(made.files[each]))
    path = tmp_path / Path(name).name
    path.write_bytes(made.files[name])
    return path


FORMS = ["edition", "hashes", "digests", "csv", "parquet", "rpz", "hosts", "squid", "adguard", "stix", "misp"]


@pytest.mark.parametrize("form", FORMS)
def test_a_leaked_file_of_any_form_names_its_partner(tmp_path: Path, form: str) -> None:
    (copy,) = copies(PARTNERS[7])
    found = trace_file(leaked(tmp_path, form, copy), BOOK)
    assert names_in(found) == {PARTNERS[7]}
    assert found.named[0].wrong <= 1e-6 and found.explained == 1.0
    assert PARTNERS[7] in found.words()


def test_a_file_that_the_partner_stripped_of_its_own_marks_and_numbers(tmp_path: Path) -> None:
    """Somebody who took out each entry that no other copy has, and the numbers."""
    one, other = copies(PARTNERS[7], PARTNERS[8])
    both = {entry.url.host for entry in other.urls} | {entry.url.host for entry in CONTENTS.urls}
    path = tmp_path / "list.txt"
    path.write_text("\n".join(entry.url.text() for entry in one.urls if entry.url.host in both))
    found = trace_file(path, BOOK)
    assert PARTNERS[7] in names_in(found) <= {PARTNERS[7], PARTNERS[8]}


def test_a_tenth_of_a_file_still_names_its_partner(tmp_path: Path) -> None:
    (copy,) = copies(PARTNERS[3])
    path = tmp_path / "part.csv"
    lines = leaked(tmp_path, "csv", copy).read_text().splitlines()
    path.write_text("\n".join(random.Random(3).sample(lines, len(lines) // 10)))
    assert names_in(trace_file(path, BOOK)) == {PARTNERS[3]}


def test_a_file_without_marks_names_nobody(tmp_path: Path) -> None:
    found = trace_file(leaked(tmp_path, "csv", CONTENTS), BOOK)
    assert not found.named and not found.marks and "No mark" in found.words()


def test_an_older_leak_is_traced_after_the_list_has_grown_and_partners_were_added(tmp_path: Path) -> None:
    (copy,) = copies(PARTNERS[5])
    later = replace(BOOK, partners=(*PARTNERS, "newcomer"))
    assert names_in(trace_file(leaked(tmp_path, "csv", copy), later)) == {PARTNERS[5]}


def test_files_that_cannot_be_read_are_refused(tmp_path: Path) -> None:
    for name, data, code in [
        ("a", b"age-encryption.org/v1\n", "leak_encrypted"), ("b", gzip.compress(b"x"), "leak_packed"),
        ("c", b"PAR1 and nothing else", "leak_malformed"), ("d", None, "leak_unreadable"), (".", None, "leak_unreadable"),
    ]:  # fmt: skip
        path = tmp_path / name
        if data is not None:
            path.write_bytes(data)
        with pytest.raises(InputError) as refusal:
            trace_file(path, BOOK)
        assert refusal.value.code == code


@given(st.binary(max_size=2000))
def test_any_bytes_can_be_searched(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "any"
    path.write_bytes(b" " + data)
    assert not trace_file(path, SMALL).named


SMALL = MarkBook(KEY, DOMAINS, (("pages", "url"),), PARTNERS[:2], 16)


def test_addresses_under_a_partners_own_digest_key_name_it(tmp_path: Path) -> None:
    (copy,) = copies(PARTNERS[6])
    keys = {PARTNERS[6]: [b"k" * 32, b"o" * 32], PARTNERS[1]: [b"p" * 32]}
    path = tmp_path / "keyed.txt"
    path.write_text("\n".join(entry_key(entry.scope, entry.url, b"k" * 32).hex() for entry in copy.urls))
    assert not trace_file(path, BOOK).named
    found = trace_file(path, BOOK, keys)
    assert names_in(found) == {PARTNERS[6]} and Evidence.KEY in found.named[0].evidence


# ---- coalitions


def joined(members: Sequence[str], how: str, chance: random.Random, name: str = "pages") -> set[Mark]:
    """What those who compare their copies can make of the presence code of one list: where all agree they cannot know."""
    words = np.stack([BOOK.code_word(member, name) for member in members])
    first = np.array([chance.random() for _ in range(words.shape[1])])
    made = {
        "union": words.any(axis=0),
        "intersection": words.all(axis=0),
        "mixed": np.choose((first * len(words)).astype(int), words),
        "mostly_one": np.choose(np.where(first < 0.75, 0, 1 + (first * 64).astype(int) % (len(words) - 1)), words),
        "random_where_they_differ": np.where(words.all(axis=0) | ~words.any(axis=0), words[0], first < 0.5),
        "most_have_it": words.sum(axis=0) * 2 > len(words),
        "few_have_it": words.any(axis=0) & (words.all(axis=0) | (words.sum(axis=0) * 2 <= len(words))),
    }[how]
    return {Mark(name, MarkKind.SHARED, int(place)) for place in np.flatnonzero(made)}


@pytest.mark.parametrize("how", ["union", "intersection", "mixed", "mostly_one", "random_where_they_differ"])
def test_two_who_collude_are_both_named_and_nobody_else(how: str) -> None:
    """Only the code of one list is left: no private mark, no number."""
    chance = random.Random(how)
    for _ in range(6):
        pair = chance.sample(PARTNERS, 2)
        found = trace_marks(joined(pair, how, chance), BOOK)
        assert names_in(found) == set(pair)
        assert found.explained == 1.0
        assert all(each.private == 0 and Evidence.PRIVATE not in each.evidence for each in found.named)


def test_a_leaked_file_of_two_partners_who_merged_their_copies(tmp_path: Path) -> None:
    """The file keeps what both have, so that no entry of one alone is left in it."""
    one, other = copies(PARTNERS[2], PARTNERS[9])
    common = {entry.url.text() for entry in one.urls} & {entry.url.text() for entry in other.urls}
    path = tmp_path / "merged.txt"
    path.write_text("\n".join(sorted(common)))
    found = trace_file(path, BOOK)
    assert names_in(found) == {PARTNERS[2], PARTNERS[9]}
    assert all(each.wrong <= 1e-6 and each.private == 0 for each in found.named)


@pytest.mark.parametrize("how", ["union", "intersection", "mixed", "random_where_they_differ", "most_have_it", "few_have_it"])
def test_three_who_collude_are_all_named_and_nobody_else(how: str) -> None:
    """By the code of one list alone."""
    chance = random.Random(f"three {how}")
    for _ in range(6):
        three = chance.sample(PARTNERS, 3)
        found = trace_marks(joined(three, how, chance), BOOK)
        assert names_in(found) == set(three)
        assert found.explained == 1.0 and all(each.wrong <= 1e-6 for each in found.named)


def test_the_innocent_are_not_named_in_many_runs() -> None:
    """Leaks that no partner of the book had a part in, and coalitions of others, again and again."""
    chance = random.Random(99)
    strangers = replace(BOOK, partners=tuple(f"other-{number}" for number in range(40)))
    for run in range(40):
        members = chance.sample(strangers.partners, 1 + run % 3)
        words = np.stack([strangers.code_word(member, "pages") for member in members])
        made = words.any(axis=0) if run % 2 else words.all(axis=0)
        marks = {Mark("pages", MarkKind.SHARED, int(place)) for place in np.flatnonzero(made)}
        assert not trace_marks(marks, BOOK).named


def test_the_stated_chance_is_an_upper_bound() -> None:
    """Of 4,000 innocent words, no more look guilty at a chance than that chance says (within four standard deviations)."""
    chance = np.random.default_rng(7)
    biases = BOOK.biases("pages")
    seen = BOOK.code_word(PARTNERS[0], "pages") | BOOK.code_word(PARTNERS[1], "pages")
    words = chance.random((4000, len(biases))) < biases
    stated = np.array([_chance_of_code(Places(seen, biases, words), word) for word in words])
    for level in (0.2, 0.05, 0.01):
        assert np.mean(stated <= level) <= level + 4 * np.sqrt(level / 4000)


# ---- the command


def test_the_command_names_the_partner(tmp_path: Path) -> None:
    book = tmp_path / "marks.json"
    book.write_bytes(BOOK.encoded())
    (copy,) = copies(PARTNERS[4])
    run = CliRunner().invoke(app, ["trace", str(leaked(tmp_path, "csv", copy)), "--marks", str(book), "--json"])
    assert run.exit_code == 0, run.output
    told = json.loads(run.stdout)
    assert [each["partner"] for each in told["named"]] == [PARTNERS[4]]
    assert PARTNERS[4] in told["words"] and "below 10^-" in told["words"]
    run = CliRunner().invoke(app, ["trace", str(leaked(tmp_path, "csv", CONTENTS)), "--marks", str(book)])
    assert run.exit_code == 1 and "No mark" in run.output
