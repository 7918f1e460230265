"""``vigil hotline sender``: partners that report through the partner door, and their tokens."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from vigil.base.clock import text_of
from vigil.hotline.management import boot

app = typer.Typer(add_completion=False, no_args_is_help=True, help="Partners that report, and their tokens.")


@app.command("add")
def add(
    name: str,
    source_class: Annotated[str, typer.Option("--source-class", help="police, member, hotline, other or child_service")],
    scope: Annotated[list[str], typer.Option("--scope", help="What the token may do; repeat for several.")],
    days: Annotated[int, typer.Option("--days", help="How long the token lives.")] = 365,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False,
) -> None:
    """Give a partner a token. It is printed once."""
    boot.start("worker")
    from vigil.base.errors import InputError
    from vigil.hotline.access.people import OPERATOR
    from vigil.hotline.partners.senders import do_enrol_sender
    from vigil.hotline.reports.enumerations import SourceClass

    if source_class not in set(SourceClass):
        raise InputError("source_class_unknown", "There is no such class of source.", where="--source-class")
    made, token = do_enrol_sender(OPERATOR, name, source_class, scope, days)
    row = {"name": name, "token": token, "scopes": made.scopes, "expires_at": text_of(made.expires_at)}
    if as_json:
        typer.echo(json.dumps(row, indent=2))
    else:
        typer.echo(f"{name}: token {token}   (shown once; expires {row['expires_at']}; {' '.join(made.scopes)})")


@app.command("revoke")
def revoke(name: str) -> None:
    """End the token of a partner at once."""
    boot.start("worker")
    from vigil.hotline.access.people import OPERATOR
    from vigil.hotline.partners.senders import do_revoke_sender, sender_named

    do_revoke_sender(OPERATOR, sender_named(name))
    typer.echo(f"{name}: revoked")


@app.command("list")
def list_all(as_json: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False) -> None:
    """All partners that have or had a token."""
    boot.start("worker")
    from vigil.hotline.access.clock import now
    from vigil.hotline.partners.senders import senders

    moment = now()
    rows = [
        {
            "name": each.name,
            "source_class": each.source_class,
            "scopes": each.scopes,
            "expires_at": text_of(each.expires_at),
            "in_force": each.in_force(moment),
        }
        for each in senders()
    ]
    if as_json:
        typer.echo(json.dumps(rows, indent=2))
        return
    for row in rows:
        typer.echo(f"{row['name']:30} {row['source_class']:14} expires {row['expires_at']} in force={row['in_force']}")


@app.command("openapi")
def openapi() -> None:
    """The description of the reporting interface, as the file docs/reference/partner-openapi.json."""
    boot.start("worker")
    from vigil.hotline.doors.partner.openapi import document_text

    typer.echo(document_text(), nl=False)
