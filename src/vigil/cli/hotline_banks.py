"""``vigil hotline bank``: machines that use banks, and what is there."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from vigil.base.clock import text_of
from vigil.base.errors import InputError
from vigil.hotline.management import boot

app = typer.Typer(add_completion=False, no_args_is_help=True, help="Banks of a platform, and the machines that use them.")
AsJson = Annotated[bool, typer.Option("--json", help="One JSON document.")]


@app.command("enrol")
def enrol(
    name: str,
    role: Annotated[str, typer.Option("--role", help="reader, curator, or follower (a node of the platform).")],
    days: Annotated[int, typer.Option("--days", help="How long the token lives.")] = 365,
    as_json: AsJson = False,
) -> None:
    """Enrol a machine. The token is printed once."""
    boot.start("worker")
    from vigil.hotline.access.people import OPERATOR
    from vigil.hotline.banks.machines import do_enrol_machine
    from vigil.hotline.banks.models import MachineRole

    if role not in set(MachineRole):
        raise InputError("machine_role", "There is no such role.", where="--role", mend=", ".join(MachineRole))
    made, token = do_enrol_machine(OPERATOR, name, MachineRole(role), days)
    row = {"name": name, "role": role, "token": token, "expires_at": text_of(made.expires_at)}
    typer.echo(json.dumps(row, indent=2) if as_json else f"{name}: token {token}   (shown once; expires {row['expires_at']})")


@app.command("revoke")
def revoke(name: str) -> None:
    """End the token of a machine at once."""
    boot.start("worker")
    from vigil.hotline.access.people import OPERATOR
    from vigil.hotline.banks.machines import do_revoke_machine, machine_named

    do_revoke_machine(OPERATOR, machine_named(name))
    typer.echo(f"{name}: revoked")


@app.command("machines")
def machines(as_json: AsJson = False) -> None:
    """All machines."""
    boot.start("worker")
    from vigil.hotline.access.clock import now
    from vigil.hotline.banks.models import Machine

    moment = now()
    rows = [
        {"name": each.name, "role": each.role, "expires_at": text_of(each.expires_at), "in_force": each.in_force(moment)}
        for each in Machine.objects.order_by("name")
    ]
    if as_json:
        typer.echo(json.dumps(rows, indent=2))
    for row in [] if as_json else rows:
        state = f"in force until {row['expires_at']}" if row["in_force"] else "ended"
        typer.echo(f"{row['name']:30} {row['role']:10} {state}")


@app.command("show")
def show(as_json: AsJson = False) -> None:
    """All banks, with the number of contents."""
    boot.start("worker")
    from django.db.models import Count, Q

    from vigil.hotline.banks.queries import banks

    counted = banks().annotate(held=Count("contents", filter=Q(contents__gone=False)))
    rows = [{"name": each.name, "ratio": each.ratio, "contents": each.held} for each in counted]
    if as_json:
        typer.echo(json.dumps(rows, indent=2))
    for row in [] if as_json else rows:
        typer.echo("{name:40} ratio {ratio:<6} {contents} contents".format(**row))
