"""``vigil match``: the verdict on each file by an edition, as an enforcement node would give it."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from vigil.base.clock import SystemClock
from vigil.base.errors import InputError
from vigil.base.limits import MEDIA_BYTES
from vigil.edge.config import Enforcement
from vigil.edge.decide import decide
from vigil.edge.enforced import Enforced, enforce
from vigil.edge.screening import question_of_file
from vigil.editions.load import load_edition
from vigil.match.verdict import Outcome, Verdict
from vigil.media import Decoder

app = typer.Typer(add_completion=False, help="Verdict per file against an edition.")


@app.command()
def match(
    files: Annotated[list[Path], typer.Argument(help="Files to look at.")],
    edition: Annotated[Path, typer.Option("--edition", help="Folder of an edition.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object a file.")] = False,
) -> None:
    """Exit status 1 where no file is listed, 0 where at least one is, 2 where a file cannot be read."""
    rules = Enforcement()
    with tempfile.TemporaryDirectory(prefix="vigil-match-") as folder:
        enforced = enforce(load_edition(edition), Path(folder), (), rules.on_hard_expiry)
        decoder = Decoder(workers=1)
        try:
            verdicts = [_show(path, _verdict(path, enforced, decoder, rules), as_json) for path in files]
        finally:
            decoder.close()
    raise typer.Exit(0 if Outcome.LISTED in verdicts else 1)


def _verdict(path: Path, enforced: Enforced, decoder: Decoder, rules: Enforcement) -> Verdict:
    question = question_of_file(decoder.hash_image(_bytes_of(path)), rules.min_pdq_quality)
    return decide(question, enforced, SystemClock().now())


def _bytes_of(path: Path) -> bytes:
    try:
        with path.open("rb") as stream:
            data = stream.read(MEDIA_BYTES.value + 1)
    except OSError as error:
        raise InputError("file_unreadable", "A file cannot be read.", where=str(path), mend="Check the path.") from error
    if len(data) > MEDIA_BYTES.value:
        raise InputError("file_too_large", "A file is too large to look at.", where=str(path))
    return data


def _show(path: Path, verdict: Verdict, as_json: bool) -> Outcome:
    if as_json:
        sys.stdout.write(msgspec.json.encode({"file": str(path), **verdict.as_dict()}).decode() + "\n")
    else:
        fields = (verdict.verdict, verdict.list, verdict.entry, verdict.signal, verdict.distance, verdict.reason)
        typer.echo("\t".join(["-" if field is None else str(field) for field in fields] + [str(path)]))
    return verdict.verdict
