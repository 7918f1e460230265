"""Many rows in one statement.

An ORM prepares every value of every row by itself; with thousands of reports a second that is most of the work. Here a
table's rows travel as one JSON document, which PostgreSQL reads by the types of the table (``json_populate_recordset``).
On other databases Django's own way does the same. Values must be given: nothing is computed while a row is saved.

Rows that nobody asks anything before they are written need not be models at all: :func:`insert_values` takes their values.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Final, TypeVar

import msgspec
from django.db import connection, models
from django.db.models.base import ModelState

from vigil.hotline.access.sealing import SealedTextField

BATCH: Final = 500
"""Rows a statement where Django's own way is taken: SQLite bounds the values of one."""

Convert = Callable[[Any], Any]
Row = TypeVar("Row", bound=models.Model)
Values = Mapping[str, Any]
"""The values of one row by the names of a model's attributes (``report_id``, not ``report``); the others have their defaults."""


@dataclass(frozen=True, slots=True)
class _Column:
    """``constant`` is the default where ``default`` does not compute one for each row."""

    attribute: str
    name: str
    convert: Convert | None
    default: Callable[[], Any] | None
    constant: Any = None

    def fresh(self) -> Any:
        """What a new row has here where it is given nothing."""
        return self.constant if self.default is None else self.default()


def made(model: type[Row], values: Values) -> Row:
    """A new row of ``model``, not saved: what its constructor makes of the same values, with less work. Related rows are given by
    their keys."""
    row = model.__new__(model)
    row._state = ModelState()
    kept, blank = row.__dict__, _blank(model)
    kept.update(blank.attributes)
    kept.update(values)
    for each in blank.computed:
        if each.attribute not in values:
            kept[each.attribute] = each.fresh()
    for each in blank.sealed:
        if (value := kept.pop(each.attribute)) is not None:
            setattr(row, each.attribute, value)  # is sealed by its descriptor
        else:
            kept[each.attribute] = None
    return row


def insert(rows: Sequence[models.Model]) -> None:
    """Add rows of one model. The caller holds the transaction."""
    if not rows:
        return
    if connection.vendor == "postgresql":
        _execute(_insertion(type(rows[0])), rows, _columns(type(rows[0])))
        _added(rows)
    else:
        type(rows[0])._base_manager.bulk_create(rows, batch_size=BATCH)


def insert_values(model: type[models.Model], rows: Sequence[Values]) -> None:
    """Add rows of one model by their values. The caller holds the transaction."""
    if not rows:
        return
    if connection.vendor == "postgresql":
        _send(_insertion(model), _documents(model, rows))
    else:
        model._base_manager.bulk_create([model(**each) for each in rows], batch_size=BATCH)


def insert_with(rows: Sequence[models.Model], *others: tuple[type[models.Model], Sequence[Values]]) -> None:
    """:func:`insert`, and :func:`insert_values` of other models, in one statement: rows may name rows that it adds, because the
    database looks at foreign keys when the transaction ends."""
    filled = [(model, values) for model, values in others if values]
    if connection.vendor != "postgresql" or not rows or not filled:
        insert(rows)
        for model, values in filled:
            insert_values(model, values)
        return
    kinds = [type(rows[0]), *(model for model, _ in filled)]
    parts = [f"part{number} AS ({_insertion(kind)})" for number, kind in enumerate(kinds)]
    _ask(
        f"WITH {', '.join(parts)} SELECT 1",
        [_document(_of_rows(rows, _columns(kinds[0]))), *(_document(_documents(model, values)) for model, values in filled)],
    )
    _added(rows)


def insert_and(model: type[models.Model], rows: Sequence[Values], change: str, values: Sequence[Any]) -> None:
    """:func:`insert_values`, and ``change``, the text of an UPDATE of another table with its ``values``, in one statement."""
    if connection.vendor == "postgresql" and rows:
        _ask(f"WITH changed AS ({change}) {_insertion(model)}", [*values, _document(_documents(model, rows))])
        return
    insert_values(model, rows)
    _ask(change, values)


def insert_or_advance(model: type[models.Model], rows: Sequence[Values], name: str, moment: str) -> dict[Any, Any]:
    """Add rows, in the given order, each known by the unique value ``name``. Where one with it is there already, it is locked
    and its ``moment`` moves on to the later of both. Gives the primary key of each row by that value.

    A row that another transaction is adding at this moment is waited for.
    """
    if not rows:
        return {}
    if connection.vendor == "postgresql":
        return dict(_send(_advance(model, name, moment), _documents(model, rows)))
    wanted = {each[name]: each for each in rows}
    model._base_manager.bulk_create([model(**each) for each in rows], batch_size=BATCH, ignore_conflicts=True)
    found = list(model._base_manager.filter(**{f"{name}__in": list(wanted)}).only(name, moment))
    later = [row for row in found if wanted[getattr(row, name)][moment] > getattr(row, moment)]
    for row in later:
        setattr(row, moment, wanted[getattr(row, name)][moment])
    update(later, moment)
    return {getattr(row, name): row.pk for row in found}


def insert_unless_there(rows: Sequence[models.Model]) -> set[Any]:
    """Add those rows of one model that break no rule of uniqueness, in the given order: the primary keys that went in.

    A row that another transaction is adding at this moment is waited for.
    """
    if not rows:
        return set()
    model = type(rows[0])
    if connection.vendor == "postgresql":
        key = connection.ops.quote_name(_key(model))
        found = _execute(f"{_insertion(model)} ON CONFLICT DO NOTHING RETURNING {key}", rows, _columns(model))
        made = {row[0] for row in found}
        _added([row for row in rows if row.pk in made])
        return made
    model._base_manager.bulk_create(rows, batch_size=BATCH, ignore_conflicts=True)
    return set(model._base_manager.filter(pk__in=[row.pk for row in rows]).values_list("pk", flat=True))


def update(rows: Iterable[models.Model], *names: str) -> None:
    """Save the named fields of rows of one model that are there already."""
    changed = list(rows)
    if not changed:
        return
    model = type(changed[0])
    if connection.vendor != "postgresql":
        model._base_manager.bulk_update(changed, names, batch_size=BATCH)
        return
    quote, table, key = connection.ops.quote_name, _table(model), _key(model)
    wanted = [column for column in _columns(model) if column.attribute in names or column.name == key]
    setting = ", ".join(f"{quote(each.name)} = new.{quote(each.name)}" for each in wanted if each.name != key)
    same = f"old.{quote(key)} = new.{quote(key)} AND old.{quote(key)} = ANY(%s)"
    # The keys once more, by themselves: of a document the planner does not know how many rows it has, and reads the whole table
    # for a few. Names of tables and columns only; every value is in the document or among the keys.
    sql = f"UPDATE {table} AS old SET {setting} FROM {_recordset(model)} AS new WHERE {same}"  # noqa: S608
    _ask(sql, [_document(_of_rows(changed, wanted)), [row.pk for row in changed]])


def _execute(sql: str, rows: Sequence[models.Model], columns: Sequence[_Column]) -> list[tuple[Any, ...]]:
    return _send(sql, _of_rows(rows, columns))


def _of_rows(rows: Sequence[models.Model], columns: Sequence[_Column]) -> list[dict[str, Any]]:
    return [
        {each.name: each.convert(value) if each.convert is not None else value
         for each in columns for value in (getattr(row, each.attribute),)}
        for row in rows
    ]  # fmt: skip


def _documents(model: type[models.Model], rows: Sequence[Values]) -> list[dict[str, Any]]:
    blank = _blank(model)
    unknown = {name for each in rows for name in each} - blank.columns.keys()
    if unknown:
        raise TypeError(f"{model.__name__} has no {sorted(unknown)}")
    return [_document_of(row, blank) for row in rows]


def _document_of(row: Values, blank: _Blank) -> dict[str, Any]:
    """A row by the names of its columns: what stands there in every row, then what this one is given or computes."""
    document, columns = dict(blank.document), blank.columns
    for attribute, value in row.items():
        each = columns[attribute]
        document[each.name] = value if each.convert is None else each.convert(value)
    for each in blank.computed:
        if each.attribute not in row:
            value = each.fresh()
            document[each.name] = value if each.convert is None else each.convert(value)
    return document


def _send(sql: str, document: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    return _ask(sql, [_document(document)])


def _document(rows: list[dict[str, Any]]) -> str:
    return msgspec.json.encode(rows).decode()


def _ask(sql: str, values: Sequence[Any]) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        return list(cursor.fetchall()) if cursor.description else []


def _added(rows: Sequence[models.Model]) -> None:
    for row in rows:
        row._state.adding, row._state.db = False, connection.alias


@cache
def _insertion(model: type[models.Model]) -> str:
    names = ", ".join(connection.ops.quote_name(each.name) for each in _columns(model))
    return f"INSERT INTO {_table(model)} ({names}) SELECT {names} FROM {_recordset(model)}"  # noqa: S608 - names of the model


@cache
def _advance(model: type[models.Model], name: str, moment: str) -> str:
    quote, column, time = connection.ops.quote_name, _column(model, name), _column(model, moment)
    there = f"{_table(model)}.{quote(time)}"
    return (
        f"{_insertion(model)} ON CONFLICT ({quote(column)}) "
        f"DO UPDATE SET {quote(time)} = GREATEST({there}, EXCLUDED.{quote(time)}) RETURNING {quote(column)}, {quote(_key(model))}"
    )


def _column(model: type[models.Model], name: str) -> str:
    return str(next(each.name for each in _columns(model) if each.attribute == name))


def _table(model: type[models.Model]) -> str:
    return connection.ops.quote_name(model._meta.db_table)


def _key(model: type[models.Model]) -> str:
    return str(model._meta.pk.column)


def _recordset(model: type[models.Model]) -> str:
    return f"json_populate_recordset(NULL::{_table(model)}, %s::json)"


@dataclass(frozen=True, slots=True)
class _Blank:
    """What a model's rows have in common, worked out once: the ``attributes`` of a fresh one, the same as a ``document``; the
    columns whose value is ``computed`` for each row (sealed defaults too: each is sealed by itself); those that are ``sealed``.
    """

    columns: Mapping[str, _Column]
    attributes: Mapping[str, Any]
    document: Mapping[str, Any]
    computed: tuple[_Column, ...]
    sealed: tuple[_Column, ...]


@cache
def _blank(model: type[models.Model]) -> _Blank:
    columns = _columns(model)
    computed = tuple(each for each in columns if each.default is not None or (each.convert and each.constant is not None))
    constant = [each for each in columns if each not in computed]
    return _Blank(
        {each.attribute: each for each in columns},
        {each.attribute: each.constant for each in constant},
        {each.name: each.constant for each in constant},
        computed,
        tuple(each for each in columns if each.convert is not None),
    )


@cache
def _columns(model: type[models.Model]) -> tuple[_Column, ...]:
    return tuple(_column_of(field) for field in model._meta.concrete_fields)


def _column_of(field: models.Field[Any, Any]) -> _Column:
    """A field that computes its default is asked each time; others have the same one always."""
    default = field.get_default if field.has_default() and callable(field.default) else None
    return _Column(field.attname, str(field.column), _convert_of(field), default, None if default else field.get_default())


def _convert_of(field: models.Field[Any, Any]) -> Convert | None:
    """How a value becomes one of JSON; None where it is one, or msgspec writes it as PostgreSQL reads it."""
    if isinstance(field, SealedTextField):
        return field.get_prep_value
    if isinstance(field, models.BinaryField | models.FileField):
        raise TypeError(f"{field} is not written as JSON")
    return None
