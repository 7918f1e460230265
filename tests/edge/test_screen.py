"""What a screen says, by itself: which list answers, where nothing can be said, and what of a file of terms counts."""

from __future__ import annotations

import json
from typing import Any

import pytest

from vigil.base.errors import InputError
from vigil.edge.screen import NO_TERMS, QUERY_CHARACTERS, TOO_LONG, load_terms, screened, screens_of
from vigil.match.verdict import Outcome


def document(name: str, *terms: dict[str, Any], **more: Any) -> bytes:
    return json.dumps({"list": name, "terms": terms, **more}).encode()


def term(entry: int, text: str, **more: Any) -> dict[str, Any]:
    return {"entry": entry, "text": text, **more}


A = document("a", term(1, "zorblat", labels=["first"]), term(2, "quimber"))
B = document("b", term(3, "flimsel"))


def test_the_first_hit_answers_with_its_own_entry_and_labels() -> None:
    screen = load_terms(A)
    for query, entry, labels in (("a quimber and a zorblat", 2, ()), ("a zorblat and a quimber", 1, ("first",))):
        verdict = screen.verdict(query, 9)
        assert (verdict.verdict, verdict.list, verdict.entry, verdict.labels) == (Outcome.LISTED, "a", entry, labels)
        assert (verdict.edition, verdict.signal, verdict.distance, verdict.reason) == (9, "keyword", 0, None)
    assert screen.verdict("nothing", None).verdict is Outcome.NOT_LISTED


def test_a_list_behind_others_is_asked_and_one_without_words_is_passed_over() -> None:
    for order in (["a", "b"], ["none", "a", "b"], ["b", "none", "a"]):
        screens = screens_of([A, B], order)
        assert [screen.list for screen in screens] == order
        assert screened("flimsel", screens, 3).list == "b"
        assert screened("zorblat", screens, 3).list == "a"
        assert screened("nothing", screens, 3).verdict is Outcome.NOT_LISTED
    assert screened("flimsel", screens_of([A, B], ["a"]), 3).verdict is Outcome.NOT_LISTED, "b is not enforced"
    with pytest.raises(InputError, match="same list"):
        screens_of([A, B, A], ["a", "b"])


def test_what_is_too_long_for_the_first_list_is_unknown_and_not_clear() -> None:
    screens = screens_of([A, B], ["a", "b"])
    longest = "x" * (QUERY_CHARACTERS.value - 8) + " zorblat"
    assert screened(longest, screens, 3).verdict is Outcome.LISTED
    verdict = screened(longest + " ", screens, 3)
    assert (verdict.verdict, verdict.reason, verdict.edition) == (Outcome.UNKNOWN, TOO_LONG, 3)
    verdict = screened("zorblat", (), 3)
    assert (verdict.verdict, verdict.reason, verdict.edition) == (Outcome.UNKNOWN, NO_TERMS, 3)


def test_every_field_of_a_term_counts() -> None:
    def listed(query: str, *terms: dict[str, Any], **more: Any) -> bool:
        return load_terms(document("a", *terms, **more)).verdict(query, 1).verdict is Outcome.LISTED

    assert not listed("zorblats", term(1, "zorblat"))
    assert listed("zorblats", term(1, "zorblat", whole_word=False))
    assert listed("z0rblat", term(1, "zorblat")) and not listed("z0rblat", term(1, "zorblat", evasions=False))
    both = (term(1, "zorblat", group="x"), term(2, "quimber", group="y"))
    pair = [{"entry": 5, "first": "x", "second": "y", "window": 3}]
    assert listed("zorblat a quimber", *both, together=pair)
    assert not listed("zorblat", *both, together=pair) and not listed("zorblat a b c d e f quimber", *both, together=pair)
    phrase = [{"text": "zorblat bakery"}]
    assert not listed("the zorblat bakery", term(1, "zorblat"), allowed=phrase)
    assert listed("the zorblat", term(1, "zorblat"), allowed=phrase)
    other = [{"text": "zorblat bakery", "entry": 2}]
    assert listed("the zorblat bakery", term(1, "zorblat"), allowed=other)


UNKNOWN_MEMBERS = (document("a", {"entry": 1, "text": "zorblat", "more": 1}), document("a", more=1))


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b'{"list": "a"}', b"\xff", b"[" * 100_000, *UNKNOWN_MEMBERS])
def test_what_is_no_file_of_terms_is_refused_without_a_word_of_it(data: bytes) -> None:
    with pytest.raises(InputError) as found:
        load_terms(data)
    assert found.value.code == "terms_malformed" and "zorblat" not in str(found.value)
    assert found.value.__cause__ is None and found.value.__suppress_context__
