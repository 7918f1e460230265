"""``vigil edge``: run an enforcement node, or check its configuration."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from vigil.base.clock import SystemClock
from vigil.edge import config as edge_config
from vigil.edge.journal import journal
from vigil.edge.node import Node
from vigil.edge.pages import texts

app = typer.Typer(help="Run an enforcement node.", no_args_is_help=True)


@app.command("serve")
def serve(config: Annotated[Path, typer.Option("--config", help="The node's configuration (TOML).")]) -> None:
    """Answer requests until told to stop; SIGTERM lets running requests finish."""
    from vigil.edge.http.server import Service

    loaded = edge_config.load(config)
    log = journal(loaded.file.node)
    log.info("starting", digest=loaded.digest)
    for code in unreviewed():
        log.warning("page_text_unreviewed", language=code)
    Service(Node(loaded, SystemClock(), log)).run()


@app.command("check-config")
def check_config(
    config: Annotated[Path, typer.Argument(help="The node's configuration (TOML).")],
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Read the configuration as a start would, and say what should be known about it."""
    loaded = edge_config.load(config)
    notes = edge_config.warnings(loaded)
    notes += [f"The text of the block page in {texts()[code].name} has not been reviewed." for code in unreviewed()]
    if as_json:
        document = {"valid": True, "node": loaded.file.node, "digest": loaded.digest, "notes": notes}
        sys.stdout.write(msgspec.json.encode(document).decode() + "\n")
        return
    typer.echo(f"The configuration of node {loaded.file.node} is valid; digest {loaded.digest[:12]}.")
    for note in notes:
        typer.echo(f"Note: {note}")


@app.command("openapi")
def openapi() -> None:
    """Print the OpenAPI document of the node's HTTP door."""
    from vigil.edge.http.openapi import document_text

    sys.stdout.write(document_text())


def unreviewed() -> list[str]:
    """Languages whose block page nobody has reviewed."""
    return [code for code, text in texts().items() if text.review.state != "reviewed"]
