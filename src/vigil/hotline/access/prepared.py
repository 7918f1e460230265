"""A question that machines ask the database many times a second: Django makes its text once, then it is asked with new values.

Building the text of a query takes Django ten times as long as the database needs to answer it. What is asked stays written
in one place, as a queryset; nothing of an answer is kept.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, Final, Generic, TypeVar

from django.db import connection
from django.db.models import Model, QuerySet

Row = TypeVar("Row", bound=Model)
Value = str | datetime


class Prepared(Generic[Row]):
    """``build`` makes the queryset from as many values as there are ``samples``, unlike each other and any constant in it."""

    def __init__(self, model: type[Row], build: Callable[..., QuerySet[Row]], *samples: Value) -> None:
        self._model: Final = model
        self._build: Final = build
        self._samples: Final = samples
        self._texts: dict[str, tuple[str, list[Any]]] = {}
        self._shapes: dict[str, tuple[list[str], list[tuple[int, Callable[..., Any], Any]]]] = {}

    def first(self, *values: Value) -> Row | None:
        """The first row, in no order."""
        with connection.cursor() as cursor:
            cursor.execute(*self._asked(values))
            row = cursor.fetchone()
        return None if row is None else self._row_of(list(row))

    def _row_of(self, values: list[Any]) -> Row:
        """A row of the model, from what the database gives for its columns."""
        names, converters = self._shapes[connection.vendor]
        for place, convert, expression in converters:
            values[place] = convert(values[place], expression, connection)
        return self._model.from_db(connection.alias, names, values)

    def exists(self, *values: Value) -> bool:
        """Whether there is a row."""
        with connection.cursor() as cursor:
            cursor.execute(*self._asked(values))
            return cursor.fetchone() is not None

    def _asked(self, values: tuple[Value, ...]) -> tuple[str, list[Any]]:
        """The text for this kind of database, and its values in their places."""
        if connection.vendor not in self._texts:
            compiler = self._build(*self._samples).order_by()[:1].query.get_compiler(connection.alias)
            text, places = compiler.as_sql()
            columns = [column for column, _, _ in compiler.select]
            converters = compiler.get_converters(columns)
            self._shapes[connection.vendor] = (
                [column.target.attname for column in columns],
                [(place, each, column) for place, (found, column) in converters.items() for each in found],
            )
            self._texts[connection.vendor] = text, list(places)
        text, found = self._texts[connection.vendor]
        given = {_adapted(sample): _adapted(value) for sample, value in zip(self._samples, values, strict=True)}
        return text, [given.get(each, each) for each in found]


def _adapted(value: Value) -> Any:
    return connection.ops.adapt_datetimefield_value(value) if isinstance(value, datetime) else value
