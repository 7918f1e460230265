"""Coalitions of four and more: what is named of them, and where tracing ends. Nobody innocent, whatever they did."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import pytest
from tests.editions.test_marks import BOOK, CONTENTS, PARTNERS, copies, joined, leaked, names_in

from vigil.editions.marks import Mark
from vigil.editions.model import EditionContents
from vigil.editions.trace import trace_file, trace_marks

WAYS = ("union", "intersection", "mixed", "mostly_one", "random_where_they_differ", "most_have_it", "few_have_it")
LISTS_MARKED = ("pages", "names", "pictures")


def on_all_lists(members: list[str], how: str, chance: random.Random) -> set[Mark]:
    """The same attack on each list: a leak of the whole edition has the code three times."""
    marks: set[Mark] = set()
    for name in LISTS_MARKED:
        marks |= joined(members, how, chance, name)
    return marks


@pytest.mark.parametrize("how", ["union", "intersection", "random_where_they_differ", "few_have_it"])
def test_four_who_collude_are_all_named_by_one_list_alone(how: str) -> None:
    chance = random.Random(f"four {how}")
    for _ in range(3):
        four = chance.sample(PARTNERS, 4)
        found = trace_marks(joined(four, how, chance), BOOK)
        assert names_in(found) == set(four)
        assert found.explained == 1.0 and all(each.wrong <= 1e-6 for each in found.named)


@pytest.mark.parametrize("how", ["union", "intersection", "mixed", "random_where_they_differ", "most_have_it", "few_have_it"])
def test_four_who_collude_over_several_lists_are_all_named(how: str) -> None:
    chance = random.Random(f"four everywhere {how}")
    for _ in range(3):
        four = chance.sample(PARTNERS, 4)
        found = trace_marks(on_all_lists(four, how, chance), BOOK)
        assert names_in(found) == set(four)
        assert found.explained == 1.0 and all(each.private == 0 and each.wrong <= 1e-6 for each in found.named)


@pytest.mark.parametrize("how", WAYS)
@pytest.mark.parametrize("size", [4, 5, 6, 8, 12])
def test_of_more_whoever_is_named_took_part(size: int, how: str) -> None:
    """Beyond four nothing is promised about who is found; that nobody else is named is."""
    chance = random.Random(f"{size} {how}")
    for _ in range(2):
        members = chance.sample(PARTNERS, size)
        assert names_in(trace_marks(joined(members, how, chance), BOOK)) <= set(members)
        assert names_in(trace_marks(on_all_lists(members, how, chance), BOOK)) <= set(members)


def test_of_five_who_gave_all_they_had_some_are_named_over_several_lists() -> None:
    """Where tracing ends: the code is made for four, and says less about each one more."""
    chance = random.Random("five")
    for _ in range(4):
        five = chance.sample(PARTNERS, 5)
        found = names_in(trace_marks(on_all_lists(five, "union", chance), BOOK))
        assert found and found <= set(five)


@pytest.mark.parametrize("form", ["edition", "csv", "digests"])
def test_a_file_of_what_four_have_in_common_names_the_four(tmp_path: Path, form: str) -> None:
    """A whole file, of entries that all four have, under numbers of their own."""
    four = random.Random(form).sample(PARTNERS, 4)
    held = copies(*four)
    urls = set.intersection(*({(each.list, each.url.text()) for each in copy.urls} for copy in held))
    hashes = set.intersection(*({(each.list, each.value) for each in copy.hashes} for copy in held))
    first = held[0]
    kept_urls = [each for each in first.urls if (each.list, each.url.text()) in urls]
    kept_hashes = [each for each in first.hashes if (each.list, each.value) in hashes]
    numbers = iter(range(1, 10**6))
    common = EditionContents(
        CONTENTS.lists,
        tuple(replace(each, entry=next(numbers)) for each in kept_urls),
        tuple(replace(each, entry=next(numbers)) for each in kept_hashes),
    )
    found = trace_file(leaked(tmp_path, form, common), BOOK)
    assert names_in(found) == set(four) and all(each.private == 0 for each in found.named)
