"""``vigil hotline partner``: who gets lists, the kill switch, marks and hits on them; and exports for a partner."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from vigil.base.clock import text_of
from vigil.base.errors import InputError
from vigil.base.files import write_atomically
from vigil.cli.partner_keys import partner_key, partner_rotate, partner_withdraw
from vigil.hotline.management import boot

partner = typer.Typer(add_completion=False, no_args_is_help=True, help="Partners, their agreements, marks in their copies.")
partner.command("key")(partner_key)
partner.command("rotate")(partner_rotate)
partner.command("withdraw")(partner_withdraw)
AsJson = Annotated[bool, typer.Option("--json", help="One JSON document.")]
Code = Annotated[str, typer.Argument(help="The partner's code, such as p-3f9k.", metavar="CODE")]


@partner.command("list")
def partner_list(as_json: AsJson = False) -> None:
    """Every partner, and until when something is agreed."""
    boot.start("worker")
    from vigil.hotline.access.clock import now
    from vigil.hotline.partners.agreements import agreements_in_force, partners

    until: dict[str, Any] = {}
    for agreement in agreements_in_force(now()):
        until[agreement.partner.code] = max(until.get(agreement.partner.code, agreement.ends_at), agreement.ends_at)
    rows = [
        {"code": each.code, "title": each.title, "stopped": each.stopped_at is not None,
         "until": text_of(until[each.code]) if each.code in until else None}
        for each in partners()
    ]  # fmt: skip
    if as_json:
        typer.echo(json.dumps(rows, indent=2))
        return
    if not rows:
        typer.echo("No partner yet. A list publisher proposes one in the console, Partners.")
    for row in rows:
        state = "STOPPED" if row["stopped"] else f"until {row['until']}" if row["until"] else "without agreement"
        typer.echo(f"{row['code']:16} {row['title']:40} {state}")


@partner.command("stop")
def partner_stop(
    code: Code, reason: Annotated[str, typer.Option("--reason", help="Why, for the audit log; nothing confidential.")]
) -> None:
    """The kill switch: end every token of a partner and refuse it at the door, at once."""
    boot.start("worker")
    from vigil.hotline.access.people import OPERATOR
    from vigil.hotline.partners.agreements import do_stop_partner, partner_coded

    do_stop_partner(OPERATOR, partner_coded(code), reason)
    typer.echo(f"{code}: stopped; its next poll gets nothing")


@partner.command("marks")
def partner_marks(
    out: Annotated[Path, typer.Option("--out", help="File for the book of marks; as secret as a signing key.", metavar="FILE")],
) -> None:
    """Write the book of marks, to trace a leaked file with: vigil edition trace FILE --marks BOOK."""
    boot.start("worker")
    from vigil.hotline.access.people import OPERATOR
    from vigil.hotline.lists.marking import do_take_book

    _write(out, do_take_book(OPERATOR).encoded())
    typer.echo(f"The book of marks is in {out}. Keep it from everybody who gets lists.")


@partner.command("hits")
def partner_hits(
    log: Annotated[Path, typer.Argument(help="Log of the server that answers for the names of marks.", metavar="LOG")],
    as_json: AsJson = False,
) -> None:
    """Look for requests for marks in a log and raise alarms; exit status 1 where there are any. Who asked is not kept."""
    boot.start("worker")
    from vigil.hotline.access.people import OPERATOR
    from vigil.hotline.statistics.canaries import do_read_log

    try:
        with log.open("r", encoding="utf-8", errors="replace") as lines:
            found = do_read_log(OPERATOR, lines)
    except OSError as error:
        raise InputError("log_unreadable", "The log cannot be read.", where=str(log)) from error
    if as_json:
        typer.echo(json.dumps(dict(sorted(found.items()))))
    else:
        for code, number in sorted(found.items()):
            typer.echo(f"{code or 'several partners':20} {number} requests")
        typer.echo("See Alarms in the console." if found else "No request for a mark.")
    raise typer.Exit(1 if found else 0)


def list_export(
    code: Annotated[str, typer.Option("--partner", help="Code of the partner it is for.")],
    form: Annotated[str, typer.Option("--format", help="Name of a format that the agreement names.")],
    out: Annotated[Path, typer.Option("--out", help="Folder for the files.", metavar="DIR")],
    as_json: AsJson = False,
) -> None:
    """Write a partner's lists in a form that its agreement names: marked, with withdrawals, logged."""
    boot.start("worker")
    from vigil.hotline.access.people import OPERATOR
    from vigil.hotline.lists.exporting import do_export_for

    made = do_export_for(OPERATOR, code, form)
    try:
        out.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise InputError("export_unwritable", "The export cannot be written.", where=str(out)) from error
    for name, data in made.files.items():
        _write(out / name, data)
    if as_json:
        typer.echo(json.dumps({"files": sorted(made.files), "left": len(made.left)}))
    else:
        typer.echo(f"{' '.join(sorted(made.files))} in {out}; {len(made.left)} entries not expressed, or in part only.")


def list_terms(
    name: Annotated[str, typer.Argument(help="A keyword list.", metavar="LIST")],
    out: Annotated[Path, typer.Option("--out", help="File for the words; readable by you only.", metavar="FILE")],
) -> None:
    """Write the words of a keyword list for a screening node of the hotline, once a second person has approved it."""
    boot.start("worker")
    from vigil.hotline.access.people import OPERATOR
    from vigil.hotline.lists.models import List
    from vigil.hotline.lists.words import do_export_words

    target = List.objects.filter(name=name, kind="keyword").first()
    if target is None:
        raise InputError("list_unknown", "There is no keyword list of that name.", where=name)
    _write(out, do_export_words(OPERATOR, target))
    typer.echo(f"The words of {name} are in {out}.")


def _write(path: Path, data: bytes) -> None:
    try:
        write_atomically(path, data, mode=0o600)
    except OSError as error:
        raise InputError("file_unwritable", "The file cannot be written.", where=str(path)) from error
