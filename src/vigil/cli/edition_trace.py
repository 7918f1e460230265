"""``vigil edition trace``: whose copy leaked."""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from vigil.base.errors import InputError
from vigil.base.limits import Limit
from vigil.editions.leak import require_leak
from vigil.editions.marks import MarkBook, decode_book
from vigil.editions.partners import all_digest_keys
from vigil.editions.trace import Trace, trace_books

BOOK_BYTES = Limit(4 * 1024 * 1024, "bytes", "a book names partners and lists; the marks follow from its key")


def trace(
    file: Annotated[Path, typer.Argument(help="The file that leaked: plain, hashed or exported.", metavar="FILE")],
    marks: Annotated[
        Path | None, typer.Option("--marks", help="The book of marks; otherwise all of this installation.", metavar="FILE")
    ] = None,
    keys: Annotated[
        Path | None,
        typer.Option("--keys", help="Key folder: for copies under partners' digest keys, former ones too.", metavar="DIR"),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Name the partner, or the smallest set of partners, whose copy a leaked file is; exit status 1 where nobody can be named."""
    digest_keys = all_digest_keys(keys) if keys else None
    require_leak(file)
    best = trace_books(file, [_read(marks)] if marks else _of_installation(), digest_keys)
    if as_json:
        typer.echo(json.dumps(asdict(best) | {"words": best.words()}))
    else:
        _print(best)
    raise typer.Exit(0 if best.named else 1)


def _of_installation() -> list[MarkBook]:
    """Every book the hotline has used: the names of marks may have changed since the leak."""
    from vigil.hotline.management import boot
    from vigil.hotline.settings.config import VARIABLE

    if VARIABLE not in os.environ:
        raise InputError(
            "marks_missing",
            "No book of marks is named, and no installation that has them.",
            mend=f"Name a book: --marks FILE; or set {VARIABLE} to the installation's configuration.",
        )
    boot.start("worker")
    from vigil.hotline.lists.marking import books

    found = books()
    if not found:
        raise InputError("no_marks", "No partner has had a copy yet, so there are no marks.", mend="Name a book: --marks FILE.")
    return found


def _print(found: Trace) -> None:
    typer.echo(found.words())
    for each in found.named:
        typer.echo(f"{each.partner:24} {', '.join(each.evidence)}; marks of its own: {each.private}; score {each.score}")
    read = ", ".join(f"{name} ({places} places)" for name, places in found.lists.items())
    typer.echo(f"Read as {found.form}: {found.marks} marks; code of {read or 'no list'}.")
    if found.explained is not None:
        typer.echo(f"Together they can have produced {found.explained:.1%} of the places of the code.")


def _read(path: Path) -> MarkBook:
    try:
        with path.open("rb") as stream:
            return decode_book(stream.read(BOOK_BYTES.value))
    except OSError as error:
        raise InputError("marks_unreadable", "The book of marks cannot be read.", where=str(path)) from error

