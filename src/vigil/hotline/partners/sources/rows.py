"""Many rows at once: COPY on PostgreSQL, one prepared statement elsewhere. For tables of this room without JSON columns."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from itertools import islice
from typing import Any, Final

import msgspec
from django.db import connection, models
from django.db.models.expressions import RawSQL

Convert = Callable[[Any], str]
_LINES: Final = 2000
_MEANINGFUL: Final = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})


def insert(model: type[models.Model], fields: Sequence[str], rows: Iterable[tuple[Any, ...]]) -> None:
    """Add ``rows``, whose values stand in the order of ``fields``."""
    found = _fields(model, fields)
    quote = connection.ops.quote_name
    table, columns = quote(model._meta.db_table), ", ".join(quote(str(each.column)) for each in found)
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            converters = [_copied_by(each) for each in found]
            with cursor.copy(f"COPY {table} ({columns}) FROM STDIN") as copy:
                for some in batched(rows, _LINES):
                    copy.write("".join([_line(converters, row) for row in some]))
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


def among(texts: list[str]) -> Any:
    """``texts`` for a comparison with ``__in``: one parameter on PostgreSQL, where thousands are slow to write out."""
    if connection.vendor != "postgresql":
        return texts
    return RawSQL("SELECT json_array_elements_text(%s::json)", [msgspec.json.encode(texts).decode()])


def batched(rows: Iterable[tuple[Any, ...]], size: int) -> Iterator[list[tuple[Any, ...]]]:
    """Lists of up to ``size`` rows."""
    left = iter(rows)
    while some := list(islice(left, size)):
        yield some


def _line(converters: Sequence[Convert], row: tuple[Any, ...]) -> str:
    """A row as COPY reads it: values between tabs, \\N for none."""
    return "\t".join(["\\N" if value is None else convert(value) for convert, value in zip(converters, row, strict=True)]) + "\n"


def _copied_by(field: Any) -> Convert:
    """How a value of ``field`` is written for COPY. Only texts can hold what has a meaning there."""
    target = field.target_field if isinstance(field, models.ForeignKey) else field
    if isinstance(target, models.CharField | models.TextField):
        return _escaped
    if isinstance(target, models.BinaryField):
        return _hexadecimal
    if isinstance(target, models.DateTimeField):
        return datetime.isoformat
    if isinstance(target, models.UUIDField | models.IntegerField | models.BooleanField):
        return str
    raise TypeError(f"{field} is not copied")


def _escaped(text: str) -> str:
    return text if text.isprintable() and "\\" not in text else text.translate(_MEANINGFUL)


def _hexadecimal(value: bytes) -> str:
    return "\\\\x" + value.hex()


def _fields(model: type[models.Model], names: Sequence[str]) -> list[Any]:
    return [model._meta.get_field(name) for name in names]


def _prepared(fields: Sequence[Any], row: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(each.get_db_prep_save(value, connection) for each, value in zip(fields, row, strict=True))
