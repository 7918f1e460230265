"""What changed from one edition to the next, by number."""

from __future__ import annotations

from dataclasses import replace

from tests.editions.world import LISTS, START, page, picture

from vigil.editions.build import build_edition
from vigil.editions.difference import Change, difference
from vigil.editions.load import read_edition
from vigil.editions.model import Edition, EditionContents, ListInfo


def edition(contents: EditionContents, number: int = 1) -> Edition:
    files = build_edition(contents, number=number, previous=number - 1 or None, issued_at=START).files
    return read_edition(lambda name, limit: files[name])


def test_added_removed_and_changed() -> None:
    before = edition(EditionContents(LISTS, (page(1), page(2)), (picture(3), picture(4))))
    now = EditionContents(LISTS, (page(2, labels=("ai",)), page(7)), (picture(3, "md5"), picture(4)))
    found = difference(before, edition(now, 2))
    assert (found.before, found.after) == (1, 2)
    assert found.added == (Change("pages", "url", 7), Change("pictures", "md5", 3))
    assert found.removed == (Change("pages", "url", 1), Change("pictures", "pdq", 3))
    assert found.changed == (Change("pages", "url", 2),)
    assert found.lists_changed == ()


def test_another_address_under_the_same_number_is_a_change() -> None:
    before = edition(EditionContents(LISTS, (page(1),)))
    after = edition(EditionContents(LISTS, (page(1, "http://quimber.example/"),)))
    assert difference(before, after).changed == (Change("pages", "url", 1),)


def test_the_order_of_lists_is_no_change_but_their_description_is() -> None:
    contents = EditionContents(LISTS, (page(1),), (picture(2),))
    turned = replace(contents, lists=LISTS[::-1])
    found = difference(edition(contents), edition(turned))
    assert not (found.added or found.removed or found.changed or found.lists_changed)
    other = replace(contents, lists=(LISTS[0], replace(LISTS[1], max_distance=10), ListInfo("more", "domain")))
    assert difference(edition(contents), edition(other)).lists_changed == ("more", "pictures")
