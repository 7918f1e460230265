"""Many rows at once: COPY on PostgreSQL, one prepared statement elsewhere. For tables of this room without JSON columns."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from django.db import connection, models


def insert(model: type[models.Model], fields: Sequence[str], rows: Iterable[tuple[Any, ...]]) -> None:
    """Add ``rows``, whose values stand in the order of ``fields``."""
    found = _fields(model, fields)
    quote = connection.ops.quote_name
    table, columns = quote(model._meta.db_table), ", ".join(quote(str(each.column)) for each in found)
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            with cursor.copy(f"COPY {table} ({columns}) FROM STDIN") as copy:
                for row in rows:
                    copy.write_row(row)
            return
        marks = ", ".join(["%s"] * len(found))
        prepared = [_prepared(found, row) for row in rows]
        if prepared:
            cursor.executemany(f"INSERT INTO {table} ({columns}) VALUES ({marks})", prepared)  # noqa: S608 - names of ours


def update(model: type[models.Model], fields: Sequence[str], rows: Iterable[tuple[Any, ...]]) -> None:
    """Set ``fields`` of rows; the last value of each tuple is the primary key."""
    found = _fields(model, fields)
    quote = connection.ops.quote_name
    pk = model._meta.pk
    sets = ", ".join(f"{quote(str(each.column))} = %s" for each in found)
    statement = f"UPDATE {quote(model._meta.db_table)} SET {sets} WHERE {quote(str(pk.column))} = %s"  # noqa: S608 - names of ours
    prepared = [_prepared([*found, pk], row) for row in rows]
    if prepared:
        with connection.cursor() as cursor:
            cursor.executemany(statement, prepared)


def _fields(model: type[models.Model], names: Sequence[str]) -> list[Any]:
    return [model._meta.get_field(name) for name in names]


def _prepared(fields: Sequence[Any], row: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(each.get_db_prep_save(value, connection) for each, value in zip(fields, row, strict=True))
