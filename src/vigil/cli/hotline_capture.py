"""``vigil hotline capture``: whether reported pages may be fetched, and on which legal basis."""

from __future__ import annotations

from typing import Annotated

import typer

from vigil.hotline.management import boot

app = typer.Typer(
    add_completion=False, no_args_is_help=True, help="Whether reported pages may be fetched, and on which legal basis."
)


@app.command("allow")
def allow(legal_basis: Annotated[str, typer.Option("--legal-basis", help="Which law or permit allows it.")]) -> None:
    """Record the legal basis; from now on captures run, where a way out is configured."""
    boot.start("worker")
    from vigil.hotline.access.people import OPERATOR
    from vigil.hotline.reports.captures import captures_on, do_allow_captures

    do_allow_captures(OPERATOR, legal_basis)
    typer.echo("captures are on" if captures_on() else "recorded; captures stay off until [capture] is configured")


@app.command("forbid")
def forbid() -> None:
    """End it at once: nothing more is fetched."""
    boot.start("worker")
    from vigil.hotline.access.people import OPERATOR
    from vigil.hotline.reports.captures import do_forbid_captures

    do_forbid_captures(OPERATOR)
    typer.echo("captures are off")


@app.command("status")
def status() -> None:
    """Whether captures are on (exit status 1 where they are off)."""
    boot.start("worker")
    from vigil.hotline.reports.captures import basis_in_force, captures_on

    basis = basis_in_force()
    typer.echo(f"captures are {'on' if captures_on() else 'off'}; legal basis: {basis.basis if basis else 'none recorded'}")
    raise typer.Exit(0 if captures_on() else 1)
