"""``vigil url``: the canonical form of addresses, and their verdicts by an edition."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from vigil.base.clock import SystemClock
from vigil.match.index.url import UrlHit, UrlIndex, UrlUnknown
from vigil.match.urls import CANON, CanonicalUrl, UrlRefused, canonical, canonical_from_person
from vigil.match.verdict import Outcome, Verdict

app = typer.Typer(add_completion=False, help="Canonical form of addresses, and their verdicts.", no_args_is_help=True)

Addresses = Annotated[list[str], typer.Argument(help="Addresses; - reads one a line from standard input.", metavar="URL…")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object a line.")]


@app.command("canonical")
def show_canonical(
    addresses: Addresses,
    as_json: AsJson = False,
    wire: Annotated[bool, typer.Option("--wire", help="As an edge node reads it: nothing is guessed.")] = False,
) -> None:
    """Print the canonical form of each address; exit status 1 where one has none.

    Addresses are read as a person types them, without a scheme for instance, unless --wire is given.
    """
    read = canonical if wire else canonical_from_person
    refused = False
    for place, address in enumerate(_each(addresses), 1):
        try:
            _print_form(read(address), as_json)
        except UrlRefused as error:
            refused = True
            _print_refusal(place, error, as_json)
    raise typer.Exit(1 if refused else 0)


@app.command("match")
def match(
    addresses: Addresses,
    edition: Annotated[Path, typer.Option("--edition", help="An edition folder, or a client's state folder.", metavar="DIR")],
    as_json: AsJson = False,
) -> None:
    """Say of each address whether the edition lists it; exit status 1 where one is not listed or cannot be read."""
    from vigil.editions.load import load_edition  # the canonical form alone needs no editions installed

    loaded = load_edition(edition)
    index = UrlIndex.from_columns(loaded.urls, loaded.hosts)
    names = [info.name for info in loaded.lists]
    now = int(SystemClock().now().timestamp())
    all_listed = True
    for address in _each(addresses):
        answer = index.check(address, now)
        labels = loaded.urls.labels.of(answer.row) if isinstance(answer, UrlHit) else ()
        verdict = verdict_of(answer, loaded.number, names, labels)
        all_listed &= verdict.verdict is Outcome.LISTED
        typer.echo(json.dumps(verdict.as_dict()) if as_json else _line(verdict))
    raise typer.Exit(0 if all_listed else 1)


def verdict_of(
    answer: UrlHit | UrlUnknown | None, edition: int, lists: list[str], labels: tuple[str, ...] = ()
) -> Verdict:
    """The index's answer in the shape of every door."""
    if answer is None:
        return Verdict(Outcome.NOT_LISTED, edition, "url")
    if isinstance(answer, UrlUnknown):
        return Verdict(Outcome.UNKNOWN, edition, "url", reason=answer.reason)
    notes = ("second_pass",) if answer.second_pass else ()
    return Verdict(Outcome.LISTED, edition, "url", lists[answer.list], answer.entry, 0, (*labels, *notes))


def _each(addresses: list[str]) -> Iterator[str]:
    """The addresses, with those of standard input in place of ``-``. Bytes that are not UTF-8 arrive as halves of pairs."""
    for address in addresses:
        if address == "-":
            yield from (line.rstrip("\r\n") for line in sys.stdin)
        else:
            yield address


def _print_form(url: CanonicalUrl, as_json: bool) -> None:
    if not as_json:
        typer.echo(url.text())
        return
    members: dict[str, Any] = {"canonical": url.text(), "scheme": url.scheme, "host": url.host, "port": url.port}
    typer.echo(json.dumps(members | {"path": url.path, "query": url.query, "flags": sorted(url.flags), "canon": CANON}))


def _print_refusal(place: int, error: UrlRefused, as_json: bool) -> None:
    """Which address by its place, never by its text: the terminal may be a log."""
    if as_json:
        typer.echo(json.dumps({"canonical": None, "code": error.code, "place": place, "canon": CANON}))
    else:
        typer.echo(f"vigil: address {place}: {error} [{error.code}]", err=True)


def _line(verdict: Verdict) -> str:
    if verdict.verdict is Outcome.LISTED:
        return f"listed {verdict.list} {verdict.entry} {' '.join(verdict.labels)}".rstrip()
    return f"{verdict.verdict} {verdict.reason or ''}".rstrip()
