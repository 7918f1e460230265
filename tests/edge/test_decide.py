"""The decision on real editions: lists in order, expiry, distances, files, and never a silent "no"."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.edge.world import hash_entry, sha256, url_entry

from vigil.base.errors import InputError
from vigil.edge.decide import decide, strongest
from vigil.edge.enforced import Enforced, enforce
from vigil.edge.questions import HashQuestion, MediaQuestion, UrlQuestion, question_of
from vigil.edge.screening import question_of_file, values_of_file
from vigil.editions.build import build_edition
from vigil.editions.load import load_edition
from vigil.editions.model import EditionContents, HashEntry, ListInfo, UrlEntry
from vigil.match.hashing import ALGORITHMS
from vigil.match.urls import Scope
from vigil.match.verdict import Outcome, Verdict
from vigil.media.model import Flag, ImageHashes, Mode, PdqHash, Reason, Unhashable, View

NOW = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)
LISTS = (
    ListInfo("urls", "url"),
    ListInfo("near", "hash_csam", max_distance=31),
    ListInfo("strict", "hash_csam", max_distance=4),
    ListInfo("more", "np_url"),
)
PAGE = "http://quimber.example/zorblat"
CODE = bytes(range(32))
Make = Callable[..., Enforced]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Builds an edition of the given entries, reads it back as a stranger's, and puts it into force."""

    def made(*entries: UrlEntry | HashEntry, order: tuple[str, ...] = (), hard: Any = "keep_urls") -> Enforced:
        contents = EditionContents(
            LISTS,
            tuple(entry for entry in entries if isinstance(entry, UrlEntry)),
            tuple(entry for entry in entries if isinstance(entry, HashEntry)),
        )
        folder = tmp_path / "edition"
        folder.mkdir(exist_ok=True)
        for name, data in build_edition(contents, number=5, previous=None, issued_at=NOW).files.items():
            (folder / name).write_bytes(data)
        return enforce(load_edition(folder), tmp_path / "indexes", order, hard)

    return made


def flipped(code: bytes, bits: int) -> bytes:
    number = int.from_bytes(code, "big")
    for place in range(bits):
        number ^= 1 << (place * 7)
    return number.to_bytes(len(code), "big")


def test_without_an_edition_the_answer_is_unknown() -> None:
    for question in (UrlQuestion(PAGE), HashQuestion("md5", bytes(16)), MediaQuestion(())):
        verdict = decide(question, None, NOW)
        assert (verdict.verdict, verdict.reason, verdict.edition) == (Outcome.UNKNOWN, "no_edition", None)


def test_addresses_in_many_forms(make: Make) -> None:
    edition = make(url_entry(7, PAGE, labels=("test",)))
    for address in (PAGE, b"http://quimber.example/zorblat", "http://quimber.example/%7Aorblat#x"):
        verdict = decide(UrlQuestion(address), edition, NOW)
        assert (verdict.verdict, verdict.list, verdict.entry, verdict.labels) == (Outcome.LISTED, "urls", 7, ("test",))
    assert decide(UrlQuestion("http://quimber.example/"), edition, NOW).verdict is Outcome.NOT_LISTED


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("data:zorblat", "scheme"),
        ("http://", "host_empty"),
        ("http://quimber.example:99999/", "port"),
        ("http://" + "a" * 100_000 + ".example/", "too_long"),
        ("http://a b.example/\x00\x07", "host_code_point"),
        (b"http://\xff\xfe/", None),
        ("\ud800", "surrogate"),
        ("", None),
    ],
)
def test_what_nobody_can_read_is_unknown(make: Make, address: str | bytes, reason: str | None) -> None:
    verdict = decide(UrlQuestion(address), make(), NOW)
    assert verdict.verdict is Outcome.UNKNOWN
    assert reason is None or verdict.reason == reason


def test_a_lax_reading_that_is_listed_is_a_hit_and_says_so(make: Make) -> None:
    verdict = decide(UrlQuestion("http:// quimber.example/zorblat"), make(url_entry(7, PAGE)), NOW)
    assert (verdict.verdict, verdict.labels) == (Outcome.LISTED, ("second_pass",))


def test_an_entry_stops_at_its_own_date(make: Make) -> None:
    edition = make(
        url_entry(7, PAGE, expires=NOW + timedelta(hours=1)),
        hash_entry(8, "sha256", sha256(b"zorblat"), list="near", expires=NOW + timedelta(hours=1)),
    )
    for question in (UrlQuestion(PAGE), HashQuestion("sha256", sha256(b"zorblat"))):
        assert decide(question, edition, NOW + timedelta(minutes=59)).verdict is Outcome.LISTED
        assert decide(question, edition, NOW + timedelta(hours=1)).verdict is Outcome.NOT_LISTED


def test_the_first_list_in_configured_order_answers(make: Make) -> None:
    entries = (url_entry(1, PAGE), url_entry(2, PAGE, list="more"))
    assert decide(UrlQuestion(PAGE), make(*entries), NOW).list == "urls"
    assert decide(UrlQuestion(PAGE), make(*entries, order=("more", "urls")), NOW).list == "more"


def test_only_named_lists_are_enforced(make: Make) -> None:
    edition = make(url_entry(1, PAGE), hash_entry(2, "pdq", CODE, list="near"), order=("more", "absent"))
    assert edition.missing_lists == ("absent",)
    assert decide(UrlQuestion(PAGE), edition, NOW).verdict is Outcome.NOT_LISTED
    assert decide(HashQuestion("pdq", CODE), edition, NOW).verdict is Outcome.NOT_LISTED


@pytest.mark.parametrize(("bits", "found"), [(0, "near"), (4, "near"), (31, "near"), (32, None)])
def test_each_list_has_its_own_distance(make: Make, bits: int, found: str | None) -> None:
    edition = make(hash_entry(1, "pdq", CODE, list="near"), hash_entry(2, "pdq", CODE, list="strict"))
    verdict = decide(HashQuestion("pdq", flipped(CODE, bits)), edition, NOW)
    assert (verdict.list, verdict.distance) == (found, bits if found else None)
    first = make(hash_entry(1, "pdq", CODE, list="near"), hash_entry(2, "pdq", CODE, list="strict"), order=("strict", "near"))
    assert decide(HashQuestion("pdq", flipped(CODE, 4)), first, NOW).list == "strict"
    assert decide(HashQuestion("pdq", flipped(CODE, 5)), first, NOW).list == "near"


def test_the_nearest_entry_of_a_list_answers(make: Make) -> None:
    edition = make(hash_entry(1, "pdq", flipped(CODE, 9), list="near"), hash_entry(2, "pdq", flipped(CODE, 2), list="near"))
    verdict = decide(HashQuestion("pdq", CODE), edition, NOW)
    assert (verdict.entry, verdict.distance) == (2, 2)


def test_a_kind_of_hash_that_is_listed_but_not_comparable_is_unknown(make: Make) -> None:
    edition = make(hash_entry(1, "vpdq", bytes(range(32)), list="near"))
    assert edition.ignored_signals == ("vpdq",)
    assert decide(HashQuestion("vpdq", bytes(range(32))), edition, NOW).reason == "signal_unsupported"
    assert decide(HashQuestion("md5", bytes(range(16))), edition, NOW).verdict is Outcome.NOT_LISTED


def test_foreign_signals_are_matched_by_equality(make: Make) -> None:
    value = ALGORITHMS["photodna"].parse("zorblat,quimber")
    edition = make(hash_entry(1, "photodna", value, list="near"), hash_entry(2, "sha1", bytes(range(20)), list="near"))
    assert decide(question_of("photodna", " zorblat,quimber "), edition, NOW).entry == 1
    assert decide(question_of("photodna", "zorblat"), edition, NOW).verdict is Outcome.NOT_LISTED


def test_after_the_hard_date_whole_hosts_are_not_blocked_any_more(make: Make) -> None:
    late = NOW + timedelta(hours=168)
    entries = (url_entry(1, PAGE), url_entry(2, "http://zorblat.example/", Scope.HOST))
    host = UrlQuestion("http://zorblat.example/any")
    edition = make(*entries)
    assert decide(host, edition, late - timedelta(seconds=1)).verdict is Outcome.LISTED
    assert decide(host, edition, late).reason == "entry_stale"
    assert decide(UrlQuestion(PAGE), edition, late).verdict is Outcome.LISTED
    assert decide(host, make(*entries, hard="keep_all"), late).verdict is Outcome.LISTED
    assert decide(UrlQuestion(PAGE), make(*entries, hard="stop"), late).reason == "edition_expired"


def picture(quality: int = 100, extras: tuple[PdqHash, ...] = (), pdq: bytes = CODE) -> ImageHashes:
    return ImageHashes(bytes([1] * 16), bytes([2] * 20), bytes([3] * 32), pdq, quality, 9, 9, "PNG", Mode.EXACT, Flag(0), extras)


def test_a_file_is_listed_by_its_strongest_evidence(make: Make) -> None:
    entries = [
        hash_entry(4, "pdq", CODE, list="near"),
        hash_entry(3, "md5", bytes([1] * 16), list="near"),
        hash_entry(2, "sha1", bytes([2] * 20), list="near"),
        hash_entry(1, "sha256", bytes([3] * 32), list="strict"),
    ]
    for signal in ("sha256", "sha1", "md5", "pdq"):
        assert decide(question_of_file(picture(), 50), make(*entries), NOW).signal == signal
        entries.pop()
    verdict = decide(question_of_file(picture(), 50), make(), NOW)
    assert (verdict.verdict, verdict.signal) == (Outcome.NOT_LISTED, "media")


def test_parts_of_a_file_come_in_any_order_and_one_that_cannot_be_compared_is_a_reason(make: Make) -> None:
    strong, weak = HashQuestion("sha256", bytes([3] * 32)), HashQuestion("pdq", CODE)
    both = make(hash_entry(1, "pdq", CODE, list="near"), hash_entry(2, "sha256", bytes([3] * 32), list="strict"))
    assert {decide(MediaQuestion(parts), both, NOW).signal for parts in ((strong, weak), (weak, strong))} == {"sha256"}
    opaque = HashQuestion("vpdq", bytes(range(32)))
    verdict = decide(MediaQuestion((opaque, strong)), make(hash_entry(1, "vpdq", opaque.value, list="near")), NOW)
    assert (verdict.verdict, verdict.reason) == (Outcome.UNKNOWN, "signal_unsupported")


def test_other_looks_at_a_picture_count_too(make: Make) -> None:
    look = PdqHash(View.TRIMMED, flipped(CODE, 3), 90)
    question = question_of_file(picture(pdq=bytes([170] * 32), extras=(look,)), 50)
    assert decide(question, make(hash_entry(1, "pdq", CODE, list="near")), NOW).distance == 3


def test_what_one_look_calls_unlisted_is_decided_so_and_nothing_that_is_listed_is_called_so(make: Make) -> None:
    look = PdqHash(View.TRIMMED, flipped(CODE, 3), 90)
    other = bytes([170] * 32)
    entries = (
        hash_entry(1, "sha256", bytes([3] * 32), list="strict"),
        hash_entry(1, "sha1", bytes([2] * 20), list="strict"),
        hash_entry(1, "md5", bytes([1] * 16), list="strict"),
        hash_entry(1, "pdq", flipped(CODE, 31), list="near"),
        hash_entry(1, "md5", bytes([1] * 16), list="near", expires=NOW - timedelta(days=1)),
    )
    for seen in (picture(), picture(pdq=other), picture(pdq=other, extras=(look,))):
        values = values_of_file(seen, 50)
        assert values is not None
        for entry in (None, *entries):
            edition = make(*(() if entry is None else (entry,)))
            verdict, by_one_look = decide(question_of_file(seen, 50), edition, NOW), edition.is_unlisted_file(values)
            assert not (by_one_look and verdict != Verdict(Outcome.NOT_LISTED, 5, "media"))
            assert by_one_look or entry is not None
    assert make().is_unlisted_file(values)
    assert not make(*entries[:1]).is_unlisted_file((("sha256", bytes([3] * 32)),))


def test_one_look_leaves_to_the_decision_what_has_a_reason_or_an_edition_that_stopped(make: Make) -> None:
    broken = Unhashable(Reason.TRUNCATED, bytes(16), bytes(20), bytes(32))
    assert values_of_file(broken, 50) is None and values_of_file(picture(quality=49), 50) is None
    values = values_of_file(picture(quality=50), 50)
    assert values is not None and not make(hard="stop").is_unlisted_file(values)
    assert not make(hash_entry(1, "vpdq", bytes(range(32)), list="near")).is_unlisted_file(values)


def test_a_picture_without_structure_is_compared_for_equality_only(make: Make) -> None:
    edition = make(hash_entry(1, "pdq", CODE, list="near"))
    assert decide(question_of_file(picture(quality=49), 50), edition, NOW).verdict is Outcome.LISTED
    near = question_of_file(picture(quality=49, pdq=flipped(CODE, 1)), 50)
    verdict = decide(near, edition, NOW)
    assert (verdict.verdict, verdict.reason) == (Outcome.UNKNOWN, "low_quality")


def test_a_file_that_cannot_be_hashed_is_unknown_unless_its_bytes_are_listed(make: Make) -> None:
    broken = Unhashable(Reason.TRUNCATED, bytes([1] * 16), bytes([2] * 20), bytes([3] * 32))
    verdict = decide(question_of_file(broken, 50), make(), NOW)
    assert (verdict.verdict, verdict.reason, verdict.signal) == (Outcome.UNKNOWN, "truncated", "media")
    listed = make(hash_entry(1, "md5", bytes([1] * 16), list="near"))
    assert decide(question_of_file(broken, 50), listed, NOW).signal == "md5"


def test_of_several_reasons_the_first_is_told(make: Make) -> None:
    question = MediaQuestion((), ("truncated", "busy"))
    assert decide(question, make(), NOW).reason == "truncated"


def test_of_several_readings_a_listed_one_counts_then_an_unknown_one_then_the_first() -> None:
    clear, other = Verdict(Outcome.NOT_LISTED, 1, "url"), Verdict(Outcome.NOT_LISTED, 2, "url")
    unsure, listed = Verdict(Outcome.UNKNOWN, 1, "url", reason="x"), Verdict(Outcome.LISTED, 1, "url", list="urls", entry=1)
    assert strongest([clear, unsure, listed]) is strongest([listed, clear]) is strongest([unsure, listed]) is listed
    assert strongest([clear, unsure]) is strongest([unsure, clear]) is unsure
    assert strongest([clear, other]) is clear
    with pytest.raises(ValueError, match="empty"):
        strongest([])


def test_questions_hide_what_they_hold() -> None:
    assert "zorblat" not in repr(UrlQuestion("http://zorblat.example/"))
    assert "abab" not in repr(question_of("md5", "ab" * 16))
    for kind, value in (("zorblat", "x"), ("md5", "x"), ("md5", b"\xff")):
        with pytest.raises(InputError) as caught:
            question_of(kind, value)
        assert "zorblat" not in str(caught.value)
