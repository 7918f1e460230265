"""``vigil hotline retention`` and ``mail``: dispose of what is past its time; take in reports from the mailbox folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from vigil.hotline.management import boot

retention = typer.Typer(add_completion=False, no_args_is_help=True, help="How long what is kept is kept.")
mail = typer.Typer(add_completion=False, no_args_is_help=True, help="Reports by e-mail.")
AsJson = Annotated[bool, typer.Option("--json", help="One JSON document.")]


@retention.command("show")
def show(as_json: AsJson = False) -> None:
    """The policy in force."""
    boot.start("worker")
    from vigil.hotline.retention.actions import policy_in_force

    policy = policy_in_force()
    rows = [
        {"data_class": rule.data_class, "days": rule.days, "start_event": rule.start_event, "action": rule.action.value}
        for rule in policy.rules.rules
    ]
    if as_json:
        told = {"version": policy.rules.version, "digest": policy.digest, "rules": rows, "missing": policy.missing}
        typer.echo(json.dumps(told, indent=2))
        return
    for row in rows:
        typer.echo(f"{row['data_class']:22} {row['action']:7} {row['days']:5} days after: {row['start_event']}")
    for name in policy.missing:
        typer.echo(f"{name:22} no rule: kept")


@retention.command("check")
def check() -> None:
    """Whether the policy has a rule for each data class; ends with 1 where it has not. Nothing of those is deleted."""
    boot.start("worker")
    from vigil.hotline.retention.actions import policy_in_force

    policy = policy_in_force()
    if policy.missing:
        typer.echo(f"The retention policy has no rule for {', '.join(policy.missing)}: nothing of them is deleted.")
        raise typer.Exit(1)
    typer.echo(f"Policy {policy.rules.version} has a rule for each data class.")


@retention.command("run")
def run(rehearse: Annotated[bool, typer.Option("--dry-run", help="Only count.")] = False, as_json: AsJson = False) -> None:
    """Dispose of what is past its time, now. The worker does it by itself once an hour."""
    boot.start("worker")
    from vigil.hotline.access.people import OPERATOR
    from vigil.hotline.retention.actions import do_run_retention

    rows = [
        {"data_class": each.data_class, "action": each.action.value, "number": each.number, "held": each.held}
        for each in do_run_retention(OPERATOR, rehearse=rehearse)
    ]
    if as_json:
        typer.echo(json.dumps(rows, indent=2))
        return
    for row in rows:
        typer.echo(f"{row['data_class']:22} {row['action']:7} {row['number']:6} held {row['held']}")


@mail.command("import")
def import_mail(folder: Annotated[Path, typer.Argument(help="A maildir: a folder with new and cur.")]) -> None:
    """Take in the messages of a mailbox folder, once each. The worker does it for the configured folder by itself."""
    boot.start("worker")
    from vigil.base.errors import InputError
    from vigil.hotline.access.people import OPERATOR
    from vigil.hotline.reports.mailbox import do_import_mail

    if not (folder / "new").is_dir():
        raise InputError("no_maildir", "This is no mailbox folder.", where=str(folder), mend="Name a maildir.")
    done = do_import_mail(OPERATOR, folder)
    typer.echo(f"taken in {done.taken}, taken in before {done.again}, refused {done.refused}")
