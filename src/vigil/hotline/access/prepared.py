"""A question that is asked many times a second, or on every page: Django makes its text once, then it is asked with new values.

Building the text of a query takes Django ten times as long as the database needs to answer it. What is asked stays written
in one place, as a queryset; nothing of an answer is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, Generic, TypeVar
from uuid import UUID

from django.core.exceptions import EmptyResultSet
from django.db import connection
from django.db.models import Model, QuerySet
from django.db.models.query import ModelIterable, get_related_populators

Row = TypeVar("Row", bound=Model)
Value = str | datetime | UUID | int | bytes
Given = Value | Sequence[Value]

SAMPLE_ID: Final = UUID("5a3b1e00-0000-4000-8000-00000000a000")
OTHER_ID: Final = UUID("5a3b1e00-0000-4000-8000-00000000b000")
SAMPLE_MOMENT: Final = datetime(1987, 6, 5, 4, 3, 2, tzinfo=UTC)
"""Samples that are like no constant of a question."""

Converter = tuple[int, Callable[..., Any], Any]


class NoPlaceError(TypeError):
    """A sample did not come back among the values of the text that Django made. A mistake in the code."""


@dataclass(frozen=True, slots=True)
class _Text:
    """The text for one kind of database. ``places`` says which of its ``values`` are given anew each time, and by which."""

    sql: str
    values: tuple[Any, ...]
    places: tuple[tuple[int, int], ...]
    converters: tuple[Converter, ...]
    row_of: Callable[[Sequence[Any]], Any]


class Prepared(Generic[Row]):
    """``build`` makes the queryset from as many values as there are ``samples``, unlike each other and any constant in it.
    ``model`` is that of its rows.

    A sample that is a list stands for a list of any length: a text is made for each power of two, and the last value fills up
    what is left. An empty list is asked about as Django would. Each sample must have a place in the text, unless questions are
    put together in ways that need not ask all of them (``some``).
    """

    def __init__(
        self, model: type[Row], build: Callable[..., QuerySet[Row, Any]], *samples: Value | list[Any], some: bool = False
    ) -> None:
        self._some: Final = some
        self._build: Final = build
        self._samples: Final = samples
        self._texts: Final[dict[tuple[object, ...], _Text | None]] = {}

    def first(self, *values: Given) -> Row | None:
        """The first row, in no order."""
        found: Row | None = next(iter(self._rows(values, one=True)), None)
        return found

    def exists(self, *values: Given) -> bool:
        """Whether there is a row."""
        return bool(self._found(values, one=True)[1])

    def all(self, *values: Given) -> list[Row]:
        """All rows, in the order of the queryset, with the related ones that it selects."""
        return self._rows(values, one=False)

    def tuples(self, *values: Given) -> list[tuple[Any, ...]]:
        """All rows of a queryset that is a ``values_list``, in its order."""
        return self._rows(values, one=False)

    def _rows(self, values: tuple[Given, ...], *, one: bool) -> list[Any]:
        text, found = self._found(values, one=one)
        if text is None:
            return []
        if not text.converters:
            return [text.row_of(row) for row in found]
        return [text.row_of(_converted(row, text.converters)) for row in found]

    def _found(self, values: tuple[Given, ...], *, one: bool) -> tuple[_Text | None, list[tuple[Any, ...]]]:
        sizes = tuple(
            _size(value) if isinstance(sample, list) else -1 for sample, value in zip(self._samples, values, strict=True)
        )
        key = (connection.vendor, one, sizes)
        if key not in self._texts:
            self._texts[key] = self._made(sizes, one=one)
        text = self._texts[key]
        if text is None:
            return None, []
        given = [_adapted(each) for each in _spread(values, sizes)]
        asked = list(text.values)
        for place, number in text.places:
            asked[place] = given[number]
        with connection.cursor() as cursor:
            cursor.execute(text.sql, asked)
            return text, cursor.fetchall()

    def _made(self, sizes: tuple[int, ...], *, one: bool) -> _Text | None:
        """The text that Django makes of the queryset; None where it knows that there is no such row."""
        samples = [
            _many(sample[0], size) if isinstance(sample, list) else sample
            for sample, size in zip(self._samples, sizes, strict=True)
        ]
        found = self._build(*samples)
        query = (found.order_by()[:1] if one else found).query
        compiler = query.get_compiler(connection.alias)
        try:
            sql, values = compiler.as_sql()
        except EmptyResultSet:
            return None
        columns = [column for column, _, _ in compiler.select]
        found_by = compiler.get_converters(columns)
        converters = [(place, each, column) for place, (several, column) in found_by.items() for each in several]
        spread = _spread(samples, sizes)
        places = _places(values, spread)
        if not self._some and {number for _, number in places} != set(range(len(spread))):
            raise NoPlaceError("a sample has no place in the text of a prepared question")
        return _Text(sql, tuple(values), places, tuple(converters), _row_of(found, compiler))


def loaded(row: Model, name: str, others: list[Any]) -> None:
    """Give ``row`` the related rows that ``name`` stands for, read by another question, as ``prefetch_related`` does it."""
    found = getattr(row, name).all()
    found._result_cache, found._prefetch_done = others, True
    row.__dict__.setdefault("_prefetched_objects_cache", {})[name] = found


def _size(values: Any) -> int:
    """The next power of two."""
    return 1 << (len(values) - 1).bit_length() if values else 0


def _spread(values: Iterable[Any], sizes: Iterable[int]) -> list[Any]:
    """All values one after the other, lists filled up to their size with their last value."""
    spread: list[Any] = []
    for value, size in zip(values, sizes, strict=True):
        if size < 0:
            spread.append(value)
        elif size:
            spread += [*value, *[value[-1]] * (size - len(value))]
    return spread


def _many(sample: Any, size: int) -> list[Any]:
    """``size`` samples like this one."""
    return [_another(sample, number) for number in range(size)]


def _another(sample: Any, number: int) -> Any:
    if isinstance(sample, UUID):
        return UUID(int=sample.int + number)
    if isinstance(sample, bytes):
        return sample + number.to_bytes(4, "big")
    return sample + (number if isinstance(sample, int) else str(number))


def _places(values: Iterable[Any], samples: list[Any]) -> tuple[tuple[int, int], ...]:
    numbers = {_compared(_adapted(sample)): number for number, sample in enumerate(samples)}
    return tuple((place, numbers[each]) for place, value in enumerate(values) if (each := _compared(value)) in numbers)


def _compared(value: Any) -> Any:
    """What tells values apart: bytes by what they hold, whatever the driver wraps them in; what cannot be, by nothing."""
    held = getattr(value, "obj", value)
    if isinstance(held, bytes | memoryview):
        return bytes(held)
    return (type(held) is bool, held) if isinstance(held, str | datetime | UUID | int) else None


def _adapted(value: Any) -> Any:
    """A value as the driver of the database wants it."""
    if isinstance(value, datetime):
        return connection.ops.adapt_datetimefield_value(value)
    if isinstance(value, UUID):
        return value if connection.features.has_native_uuid_field else value.hex
    database: Any = connection  # its driver is not in Django's types
    return database.Database.Binary(value) if isinstance(value, bytes) else value


def _converted(row: Sequence[Any], converters: Iterable[Converter]) -> list[Any]:
    """A row's columns as Python has them, from what the database gives."""
    values = list(row)
    for place, convert, expression in converters:
        values[place] = convert(values[place], expression, connection)
    return values


def _row_of(found: QuerySet[Any, Any], compiler: Any) -> Callable[[Sequence[Any]], Any]:
    """What makes a row of the model, with those that it selects along, or a tuple; as Django does it."""
    select, info, alias = compiler.select, compiler.klass_info, connection.alias
    if not issubclass(found._iterable_class, ModelIterable):
        return lambda values: tuple(values[: compiler.col_count])
    start, end = info["select_fields"][0], info["select_fields"][-1] + 1
    model, names = info["model"], [column.target.attname for column, _, _ in select[start:end]]
    populators: Any = get_related_populators  # later versions of Django, which the types are of, take one more argument
    related = populators(info, select, alias)

    def row_of(values: Sequence[Any]) -> Any:
        row = model.from_db(alias, names, values[start:end])
        for each in related:
            each.populate(values, row)
        return row

    return row_of
