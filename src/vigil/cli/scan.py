"""``vigil scan``: a verdict on everything in an operator's own archive, by one edition."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from vigil.scan.run import Wish, scan

app = typer.Typer(add_completion=False, help="Look through an archive of one's own.")


@app.command()
def run(
    source: Annotated[str, typer.Argument(help="A folder, file, .zip, .tar, .parquet, s3://bucket/prefix, or urls:FILE.")],
    edition: Annotated[Path, typer.Option("--edition", help="Folder of an edition.")],
    out: Annotated[Path, typer.Option("--out", help="Results: a name that ends in .jsonl or .parquet.")],
    column: Annotated[str, typer.Option("--column", help="The column of a Parquet file with the files, or addresses.")] = "",
    on: Annotated[str, typer.Option("--on", help="processes, ray, or ray:ADDRESS of a cluster.")] = "processes",
    workers: Annotated[int, typer.Option("--workers", min=0, help="Processes; 0 for one a processor.")] = 0,
    allow_host: Annotated[
        list[str] | None, typer.Option("--allow-host", help="A host of yours that addresses may name; repeat.")
    ] = None,
    allow_network: Annotated[
        list[str] | None, typer.Option("--allow-network", help="Addresses reached although not public; repeat.")
    ] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Begin anew instead of going on.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the summary as one JSON object.")] = False,
) -> None:
    """Interrupted, it goes on where it was when it is started again. Every item is in the results, also as `unknown`."""
    wish = Wish(source, edition, out, column, on, workers, fresh, tuple(allow_host or ()), tuple(allow_network or ()))
    summary = scan(wish, lambda line: typer.echo(f"scan: {line}", err=True))
    if as_json:
        sys.stdout.write(msgspec.json.encode(summary).decode() + "\n")
    else:
        typer.echo(f"{summary.items} items: {summary.listed} listed, {summary.unknown} unknown. Results: {out}")
