"""``vigil uploads``: the upload gate of a platform."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Annotated

import typer

from vigil.base.clock import SystemClock
from vigil.base.signals import attend

app = typer.Typer(
    add_completion=False, help="The upload gate of a platform: ask before anything is published.", no_args_is_help=True
)
ConfigOption = Annotated[Path, typer.Option("--config", help="The file of the gate (TOML).")]


@app.command("serve")
def serve(config: ConfigOption) -> None:
    """Take the events of a bucket until told to stop."""
    from vigil.client.uploads.config import build, load
    from vigil.client.uploads.server import GateServer

    server = GateServer(build(*load(config), SystemClock()))
    attend({signal.SIGTERM: server.stop, signal.SIGINT: server.stop})
    typer.echo(f"The gate takes events on port {server.port}.", err=True)
    server.run()


@app.command("refer")
def refer(
    config: ConfigOption,
    key: Annotated[str, typer.Argument(help="Key of the held object.")],
    words: Annotated[str, typer.Option("--words", help="What the hotline should know; no names.")] = "",
) -> None:
    """Report a held object that no list knows to the hotline, by its hashes, and put it into quarantine."""
    from vigil.client.uploads.config import build, load

    built = build(*load(config), SystemClock())
    try:
        typer.echo(f"Reported; the hotline's reference is {built.gate.refer(key, words).ref}.")
    finally:
        built.client.close()


@app.command("release")
def release(config: ConfigOption, key: Annotated[str, typer.Argument(help="Key of the held object.")]) -> None:
    """Publish a held object that a person has looked at."""
    from vigil.client.uploads.config import build, load

    built = build(*load(config), SystemClock())
    try:
        built.gate.release(key)
    finally:
        built.client.close()
    typer.echo("Published.")
