"""Many rows at once: COPY on PostgreSQL, one prepared statement elsewhere. For tables of this room without JSON columns."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from itertools import islice
from operator import is_
from typing import Any, Final
from uuid import UUID

from django.db import connection, models
from django.db.models.expressions import RawSQL

Column = Callable[[Sequence[Any]], Iterable[str]]
_ROWS: Final = 10_000
_MEANINGFUL: Final = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})


@dataclass(frozen=True, slots=True)
class Written:
    """Rows as the database takes them: ``lines`` for COPY, or ``values`` for a prepared statement."""

    model: type[models.Model]
    fields: Sequence[Any]
    lines: list[str]
    values: list[tuple[Any, ...]]


def written(model: type[models.Model], fields: Sequence[str], rows: Iterable[tuple[Any, ...]]) -> Written:
    """``rows``, whose values stand in the order of ``fields``, ready to be added. Asks the database nothing: any thread may."""
    found = _fields(model, fields)
    if connection.vendor == "postgresql":
        ways = [_written_by(each) for each in found]
        return Written(model, found, [_lines(ways, some) for some in batched(rows, _ROWS)], [])
    return Written(model, found, [], [_prepared(found, row) for row in rows])


def insert(model: type[models.Model], fields: Sequence[str], rows: Iterable[tuple[Any, ...]]) -> None:
    """Add ``rows``, whose values stand in the order of ``fields``."""
    add(written(model, fields, rows))


def add(ready: Written) -> None:
    """Add rows that were written out before."""
    quote = connection.ops.quote_name
    table, columns = quote(ready.model._meta.db_table), ", ".join(quote(str(each.column)) for each in ready.fields)
    with connection.cursor() as cursor:
        if ready.lines:
            with cursor.copy(f"COPY {table} ({columns}) FROM STDIN") as copy:
                for some in ready.lines:
                    copy.write(some)
        if ready.values:
            marks = ", ".join(["%s"] * len(ready.fields))
            cursor.executemany(f"INSERT INTO {table} ({columns}) VALUES ({marks})", ready.values)  # noqa: S608 - names of ours


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
    return RawSQL("SELECT unnest(%s::text[])", [_array(texts)])


def batched(rows: Iterable[tuple[Any, ...]], size: int) -> Iterator[list[tuple[Any, ...]]]:
    """Lists of up to ``size`` rows."""
    left = iter(rows)
    while some := list(islice(left, size)):
        yield some


def _array(texts: Sequence[str]) -> str:
    """An array of texts as PostgreSQL reads it."""
    if any(sign in text for text in texts for sign in '"\\'):
        texts = [text.replace("\\", "\\\\").replace('"', '\\"') for text in texts]
    return '{"' + '","'.join(texts) + '"}' if texts else "{}"


def _lines(written: Sequence[Column], rows: Sequence[tuple[Any, ...]]) -> str:
    """Rows as COPY reads them: values between tabs, \\N for none. Written column by column, which is much faster."""
    columns = [_column(write, values) for write, values in zip(written, zip(*rows, strict=True), strict=True)]
    return "\n".join(map("\t".join, zip(*columns, strict=True))) + "\n"


def _column(write: Column, values: Sequence[Any]) -> Iterable[str]:
    """The values as texts. Many columns hold one value all the way down, which is written once."""
    if values[0] is values[-1] and all(map(partial(is_, values[0]), values)) and values[0] is not None:
        return list(write(values[:1])) * len(values)
    if not any(map(partial(is_, None), values)):  # by identity: comparing ids one by one runs code of theirs
        return write(values)
    there = iter(write([value for value in values if value is not None]))
    return ["\\N" if value is None else next(there) for value in values]


def _written_by(field: Any) -> Column:
    """How the values of ``field`` are written for COPY. Only texts can hold what has a meaning there."""
    target = field.target_field if isinstance(field, models.ForeignKey) else field
    if isinstance(target, models.CharField | models.TextField):
        return _escaped
    if isinstance(target, models.BinaryField):
        return _hexadecimal
    if isinstance(target, models.DateTimeField):
        return partial(map, datetime.isoformat)
    if isinstance(target, models.UUIDField):
        return _uuids
    if isinstance(target, models.IntegerField | models.BooleanField):
        return partial(map, str)
    raise TypeError(f"{field} is not copied")


def _escaped(texts: Sequence[str]) -> Iterable[str]:
    whole = "".join(texts)
    return texts if whole.isprintable() and "\\" not in whole else [text.translate(_MEANINGFUL) for text in texts]


def _hexadecimal(values: Sequence[bytes]) -> Iterable[str]:
    return ["\\\\x" + value.hex() for value in values]


def _uuids(values: Sequence[UUID]) -> Iterable[str]:
    return [value.hex for value in values]


def _fields(model: type[models.Model], names: Sequence[str]) -> list[Any]:
    return [model._meta.get_field(name) for name in names]


def _prepared(fields: Sequence[Any], row: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(each.get_db_prep_save(value, connection) for each, value in zip(fields, row, strict=True))
