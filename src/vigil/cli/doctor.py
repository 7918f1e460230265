"""``vigil doctor``: what is wrong with this installation, and how to mend it."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from vigil.base.clock import SystemClock
from vigil.installation.doctor import Finding, Level
from vigil.installation.doctor.examinations import examine
from vigil.installation.doctor.patient import Patient
from vigil.installation.folder import DataFolder

app = typer.Typer(add_completion=False)

MARKS = {Level.GOOD: "  good", Level.NOTE: "  note", Level.BAD: "▶ mend"}


@app.command()
def doctor(
    data: Annotated[Path, typer.Option("--data", help="The data folder to examine.")] = Path("data"),
    deploy: Annotated[bool, typer.Option("--deploy", help="Also ask for what production needs.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False,
) -> None:
    """Examine an installation; exit status 1 where something must be mended."""
    findings = examine(Patient(DataFolder(data.resolve()), SystemClock().now(), deploy))
    if as_json:
        typer.echo(json.dumps({"findings": [asdict(finding) for finding in findings]}, indent=2))
    else:
        for finding in findings:
            _show(finding)
    if any(finding.level is Level.BAD for finding in findings):
        raise typer.Exit(1)


def _show(finding: Finding) -> None:
    typer.echo(f"{MARKS[finding.level]}  {finding.subject}: {finding.saw}")
    if finding.mend:
        typer.echo(f"          {finding.mend}")
