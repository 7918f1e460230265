"""What changed between two editions: by entry number, never by content."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from vigil.editions.model import Edition, HashColumns, ListInfo

# (list, signal, entry) -> the rows of that entry, in no order
Rows = dict[tuple[str, str, int], frozenset[tuple[object, ...]]]


@dataclass(frozen=True, slots=True)
class Change:
    """One entry of one list: its number and its signal (``url`` or the name of an algorithm)."""

    list: str
    signal: str
    entry: int


@dataclass(frozen=True, slots=True)
class Difference:
    """From edition ``before`` to edition ``after``. ``changed``: scope, flags, labels, expiry or value differ."""

    before: int
    after: int
    added: tuple[Change, ...]
    removed: tuple[Change, ...]
    changed: tuple[Change, ...]
    lists_changed: tuple[str, ...]


def difference(before: Edition, after: Edition) -> Difference:
    """Compare two loaded editions; lists are compared by name, so that their order does not matter."""
    old, new = _rows(before), _rows(after)
    return Difference(
        before.number,
        after.number,
        added=_changes(new.keys() - old.keys()),
        removed=_changes(old.keys() - new.keys()),
        changed=_changes({key for key in old.keys() & new.keys() if old[key] != new[key]}),
        lists_changed=_lists_changed(before.lists, after.lists),
    )


def is_list_of(alone: Edition, whole: Edition) -> bool:
    """Whether ``alone`` is exactly one list of ``whole``, under the same number and times."""
    times = [(each.number, each.issued_at, each.valid_until, each.hard_until) for each in (alone, whole)]
    names = {info.name for info in alone.lists}
    if len(names) != 1 or times[0] != times[1] or not set(alone.lists) <= set(whole.lists):
        return False
    rows, wanted = _rows(alone), {key: rows for key, rows in _rows(whole).items() if key[0] in names}
    return rows == wanted


def _changes(keys: set[tuple[str, str, int]]) -> tuple[Change, ...]:
    return tuple(Change(*key) for key in sorted(keys))


def _lists_changed(before: tuple[ListInfo, ...], after: tuple[ListInfo, ...]) -> tuple[str, ...]:
    old, new = {info.name: info for info in before}, {info.name: info for info in after}
    return tuple(sorted(name for name in old.keys() | new.keys() if old.get(name) != new.get(name)))


def _rows(edition: Edition) -> Rows:
    names = [info.name for info in edition.lists]
    gathered: dict[tuple[str, str, int], set[tuple[object, ...]]] = {}
    for number, signal, entry, row in _all_rows(edition):
        gathered.setdefault((names[number], signal, entry), set()).add(row)
    return {key: frozenset(rows) for key, rows in gathered.items()}


def _all_rows(edition: Edition) -> Iterator[tuple[int, str, int, tuple[object, ...]]]:
    urls = edition.urls
    columns = (urls.lists, urls.entries, urls.scopes, urls.flags, urls.ports, urls.schemes, urls.expires)
    for place, (number, entry, *rest) in enumerate(zip(*(column.tolist() for column in columns), strict=True)):
        yield number, "url", entry, (urls.keys[place].tobytes(), *rest, urls.labels.of(place))
    for name, hashes in edition.hashes.items():
        yield from _hash_rows(name, hashes)


def _hash_rows(name: str, hashes: HashColumns) -> Iterator[tuple[int, str, int, tuple[object, ...]]]:
    columns = (hashes.lists, hashes.entries, hashes.expires)
    for place, (number, entry, expires) in enumerate(zip(*(column.tolist() for column in columns), strict=True)):
        yield number, name, entry, (hashes.values[place].tobytes(), expires, hashes.labels.of(place))
