"""``vigil up``: the hotline, its worker, the list office and an edge node in one go."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from vigil.installation.folder import DataFolder
from vigil.installation.prepare import LOOPBACK, Ports
from vigil.installation.up import Installation, run

app = typer.Typer(add_completion=False)


@app.command()
def up(
    demo: Annotated[bool, typer.Option("--demo", help="Benign sample data and a small outside world.")] = False,
    data: Annotated[Path, typer.Option("--data", help="The data folder; kept between starts.")] = Path("data"),
    host: Annotated[str, typer.Option("--host", help="Address to listen on.")] = LOOPBACK,
    port: Annotated[int, typer.Option("--port", min=1024, max=65000, help="First of seven ports in a row.")] = 8470,
    hma: Annotated[bool, typer.Option("--hma", help="HMA-compatible routes on the last of the ports, for this machine.")] = False,
) -> None:
    """Start everything, say when it is ready, and run until Ctrl-C."""
    console = Console(highlight=False, soft_wrap=True)
    installation = Installation(DataFolder(data.resolve()), demo, host, Ports(port), hma)
    run(installation, lambda text: console.print(text if text.startswith("  ") or not text else f"vigil: {text}", markup=False))
