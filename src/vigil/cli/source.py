"""``vigil hotline source``: sources of lists that others send, and how they are doing."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vigil.base.clock import text_of
from vigil.base.errors import InputError
from vigil.hotline.management import boot

if TYPE_CHECKING:
    from vigil.hotline.partners.sources.models import Source
    from vigil.hotline.partners.sources.status import Status

app = typer.Typer(add_completion=False, no_args_is_help=True, help="Sources of lists that others send.")

AsJson = Annotated[bool, typer.Option("--json", help="One JSON document.")]
Credentials = Annotated[
    Path | None,
    typer.Option("--credentials", help="File with a JSON object of names and secrets; - is standard input."),
]
Every = Annotated[int | None, typer.Option("--every", help="Minutes between two fetches.")]
Pace = Annotated[int | None, typer.Option("--requests-a-minute", help="No more requests than that.")]
Reconcile = Annotated[int | None, typer.Option("--reconcile-days", help="Days between two full fetches.")]
Empty = Annotated[
    int | None, typer.Option("--empty-hours", help="So long has a source to show nothing before that is believed; 0: at once.")
]


@app.command("add")
def add(
    name: str,
    kind: Annotated[
        str, typer.Option("--kind", help="ncmec, stopncii, threatexchange, delimited, misp_feed, misp, taxii …")
    ],
    address: Annotated[str, typer.Option("--address", help="https://… of the source; a path for files, feeds and editions.")],
    credentials: Credentials = None,
    option: Annotated[list[str] | None, typer.Option("--option", help="NAME=VALUE, such as collection=…; repeat.")] = None,
    every: Every = None,
    requests_a_minute: Pace = None,
    reconcile_days: Reconcile = None,
    empty_hours: Empty = None,
) -> None:
    """Set up a source. Nothing is asked before that, and nothing that comes is listed by itself."""
    boot.start("worker")
    from vigil.hotline.access.people import OPERATOR
    from vigil.hotline.partners.sources.actions import do_add_source
    from vigil.hotline.partners.sources.models import SourceKind
    from vigil.hotline.partners.sources.record import Place

    if kind not in set(SourceKind):
        raise InputError("source_kind", "There is no such kind of source.", where="--kind", mend=", ".join(SourceKind))
    place = Place(address, secrets_in(credentials), options_in(option or []))
    do_add_source(OPERATOR, name, SourceKind(kind), place, settings(every, requests_a_minute, reconcile_days, empty_hours))
    typer.echo(f"{name}: set up; the worker fetches it next")


@app.command("change")
def change(
    name: str,
    credentials: Credentials = None,
    address: Annotated[str | None, typer.Option("--address", help="The new address.")] = None,
    every: Every = None,
    requests_a_minute: Pace = None,
    reconcile_days: Reconcile = None,
    empty_hours: Empty = None,
) -> None:
    """Change the credentials, the address or the pace of a source; it is tried again at once."""
    changed = _changed(
        name, credentials=secrets_in(credentials) if credentials else None, address=address,
        settings=settings(every, requests_a_minute, reconcile_days, empty_hours),
    )  # fmt: skip
    typer.echo(f"{changed.name}: changed")


@app.command("pause")
def pause(name: str) -> None:
    """Do not ask a source until it is resumed. What came from it stays."""
    _changed(name, paused=True)
    typer.echo(f"{name}: paused")


@app.command("resume")
def resume(name: str) -> None:
    """Ask a paused source again."""
    _changed(name, paused=False)
    typer.echo(f"{name}: resumed")


@app.command("fetch")
def fetch(
    name: str,
    whole: Annotated[bool, typer.Option("--whole", help="Everything, so that what vanished at the source is found.")] = False,
    as_json: AsJson = False,
) -> None:
    """Fetch a source now, in this process; exit status 1 where it failed."""
    boot.start("worker")
    from vigil.hotline.access.people import OPERATOR
    from vigil.hotline.partners.sources import fetching
    from vigil.hotline.partners.sources.actions import do_fetch_now
    from vigil.hotline.partners.sources.queries import source_named
    from vigil.hotline.partners.sources.status import status_of

    claimed = fetching.claim(do_fetch_now(OPERATOR, source_named(name), whole=whole))
    if claimed is None:
        raise InputError(
            "source_running", "The source is being fetched by the worker.", mend="See `vigil hotline source status`."
        )
    tally = fetching.fetch(claimed)
    status = status_of(source_named(name))
    if as_json:
        counted = {
            each: getattr(tally, each)
            for each in ("pages", "known_pages", "records", "added", "changed", "withdrawn", "set_aside")
        }
        typer.echo(json.dumps({**status.document(), "fetched": counted}, indent=2))
    else:
        typer.echo(
            f"{name}: {tally.added} new, {tally.changed} changed, {tally.withdrawn} withdrawn, {tally.set_aside} set aside"
        )
        typer.echo(status.words)
    raise typer.Exit(1 if status.state == "failing" else 0)


@app.command("list")
def list_sources(as_json: AsJson = False) -> None:
    """All sources, one line each."""
    _show(
        as_json,
        lambda each: f"{each.source.name:24} {each.source.kind:15} {each.state:10} {each.in_force:9} {each.source.address}",
    )


@app.command("status")
def status(
    name: Annotated[str | None, typer.Argument(help="One source; without it, all.")] = None, as_json: AsJson = False
) -> None:
    """How sources are doing, in words: what failed, since when, how often, and the next try. Exit status 1 where one fails."""
    found = _show(as_json, lambda each: f"{each.source.name}: {each.words}\n    {_figures(each)}", name)
    raise typer.Exit(1 if any(each.state == "failing" for each in found) else 0)


@app.command("quarantine")
def quarantine(
    name: Annotated[str | None, typer.Argument(help="One source; without it, all.")] = None, as_json: AsJson = False
) -> None:
    """Records that were set aside, each by its name."""
    boot.start("worker")
    from vigil.hotline.partners.sources.queries import quarantine as set_aside
    from vigil.hotline.partners.sources.queries import source_named
    from vigil.hotline.partners.sources.record import FLAW_WORDS, Flaw

    rows = [
        {
            "number": each.pk, "source": each.source.name, "name": each.name, "page": each.page, "flaw": each.flaw,
            "words": FLAW_WORDS[Flaw(each.flaw)], "times": each.times, "first_seen": text_of(each.first_seen_at),
            "last_seen": text_of(each.last_seen_at),
        }
        for each in set_aside(source_named(name) if name else None)
    ]  # fmt: skip
    if as_json:
        typer.echo(json.dumps(rows, indent=2))
        return
    for row in rows:
        typer.echo("{number:6} {source:20} {name}: {words} ({times} times, last {last_seen})".format(**row))


@app.command("entries")
def entries(
    name: str,
    after: Annotated[str, typer.Option("--after", help="The name after which to go on.")] = "",
    most: Annotated[int, typer.Option("--most", min=1, max=10_000, help="So many at once.")] = 100,
    as_json: AsJson = False,
) -> None:
    """Entries of a source in force by the name they have there, without what they hold."""
    boot.start("worker")
    from vigil.hotline.partners.sources.queries import entries_of, source_named, types_of

    rows = [
        {"key": each.key, "media": each.media, "labels": each.labels, "types": types_of(each)}
        for each in entries_of(source_named(name), after, most)
    ]
    if as_json:
        typer.echo(json.dumps(rows, indent=2))
        return
    for row in rows:
        typer.echo(f"{row['key']}: {row['media']}; {' '.join(row['types'])}; {row['labels'] or 'no label'}")


@app.command("vote")
def vote(
    name: str,
    key: Annotated[str, typer.Argument(help="The name of the entry at the source: see `vigil hotline source entries`.")],
    kind: Annotated[str, typer.Option("--type", help="The type of the fingerprint, such as md5.")],
    agree: Annotated[bool, typer.Option("--agree/--disagree", help="Whether the source's assessment is shared.")],
    reason: Annotated[str, typer.Option("--reason", help="As the source names it; nothing that tells what is shown.")] = "",
) -> None:
    """Send an opinion on an entry back to its source, with the worker's next fetch."""
    boot.start("worker")
    from vigil.hotline.access.people import OPERATOR
    from vigil.hotline.partners.sources.actions import do_vote
    from vigil.hotline.partners.sources.queries import entry_called, source_named

    do_vote(OPERATOR, entry_called(source_named(name), key), kind, agrees=agree, reason=reason)
    typer.echo(f"{name}: noted; it goes to the source with the next fetch")


@app.command("votes")
def votes(
    name: Annotated[str | None, typer.Argument(help="One source; without it, all.")] = None,
    most: Annotated[int, typer.Option("--most", min=1, max=10_000, help="So many, the latest first.")] = 100,
    as_json: AsJson = False,
) -> None:
    """Opinions on entries, and what their sources said. Exit status 1 where one was refused."""
    boot.start("worker")
    from vigil.hotline.partners.sources.queries import source_named
    from vigil.hotline.partners.sources.queries import votes as opinions

    rows = [
        {
            "source": each.entry.source.name, "key": each.entry.key, "type": each.algorithm, "agrees": each.agrees,
            "reason": each.reason, "by": each.created_by, "state": each.state, "answer": each.answer,
            "at": text_of(each.created_at),
        }
        for each in opinions(source_named(name) if name else None)[:most]
    ]  # fmt: skip
    if as_json:
        typer.echo(json.dumps(rows, indent=2))
    else:
        for row in rows:
            opinion = "agrees" if row["agrees"] else "disagrees"
            typer.echo(f"{row['source']} {row['key']} {row['type']}: {opinion}; {row['state']} {row['answer']}".rstrip())
    raise typer.Exit(1 if any(row["state"] == "refused" for row in rows) else 0)


@app.command("verify")
def verify(name: str, as_json: AsJson = False) -> None:
    """Compute the mirror digest of a source from what is kept, to compare with the other side's."""
    boot.start("worker")
    from vigil.hotline.partners.sources.queries import source_named
    from vigil.hotline.partners.sources.reconcile import mirror_of

    mirror = mirror_of(source_named(name))
    row = {"name": name, "entries": mirror.entries, "mirror": mirror.hexdigest()}
    typer.echo(json.dumps(row, indent=2) if as_json else f"{name}: {mirror.entries} entries, digest {row['mirror']}")


@app.command("accept-removals")
def accept_removals(name: str) -> None:
    """Let go of the entries that vanished from a source in its last full fetch and were kept for a person to decide."""
    boot.start("worker")
    from vigil.hotline.access.people import OPERATOR
    from vigil.hotline.partners.sources.actions import do_accept_removals
    from vigil.hotline.partners.sources.queries import source_named

    typer.echo(f"{name}: {do_accept_removals(OPERATOR, source_named(name))} entries let go")


@app.command("remove")
def remove(
    name: str, yes: Annotated[bool, typer.Option("--yes", help="Really: everything that came from it goes.")] = False
) -> None:
    """Remove a source with everything that came from it."""
    boot.start("worker")
    from vigil.hotline.access.people import OPERATOR
    from vigil.hotline.partners.sources.actions import do_remove_source
    from vigil.hotline.partners.sources.queries import source_named

    source = source_named(name)
    if not yes:
        raise InputError(
            "not_confirmed", "Everything that came from this source would go.", mend="Add --yes, or pause it instead."
        )
    typer.echo(f"{name}: removed, with {do_remove_source(OPERATOR, source)} entries")


def secrets_in(path: Path | None) -> dict[str, str]:
    """The credentials in a file: a JSON object of texts. Never an argument, where other people of the machine could read it."""
    if path is None:
        return {}
    try:
        text = sys.stdin.read() if str(path) == "-" else path.read_text(encoding="utf-8")
        found = json.loads(text)
    except (OSError, ValueError) as error:
        raise InputError("credentials_unreadable", "The file of credentials cannot be read.", where="--credentials") from error
    if not isinstance(found, dict) or not all(isinstance(value, str) for value in found.values()):
        raise InputError("credentials_malformed", "The file of credentials is not a JSON object of texts.", where="--credentials")
    return found


def options_in(pairs: list[str]) -> dict[str, str]:
    """NAME=VALUE pairs."""
    found = {}
    for pair in pairs:
        name, mark, value = pair.partition("=")
        if not mark or not name:
            raise InputError("option_malformed", "An option is not written as NAME=VALUE.", where="--option")
        found[name] = value
    return found


def settings(every: int | None, pace: int | None, reconcile: int | None, empty: int | None) -> dict[str, int]:
    """The settings that were given."""
    given = {"every_minutes": every, "requests_a_minute": pace, "reconcile_days": reconcile, "empty_hours": empty}
    return {name: value for name, value in given.items() if value is not None}


def _changed(name: str, **changes: Any) -> Source:
    boot.start("worker")
    from vigil.hotline.access.people import OPERATOR
    from vigil.hotline.partners.sources.actions import do_change_source
    from vigil.hotline.partners.sources.queries import source_named

    return do_change_source(OPERATOR, source_named(name), **changes)


def _show(as_json: bool, line: Any, name: str | None = None) -> list[Status]:
    boot.start("worker")
    from vigil.hotline.partners.sources.queries import source_named, sources
    from vigil.hotline.partners.sources.status import status_of

    found = [status_of(each) for each in ([source_named(name)] if name else sources())]
    if as_json:
        typer.echo(json.dumps([each.document() for each in found], indent=2))
    else:
        for each in found:
            typer.echo(line(each))
    return found


def _figures(each: Status) -> str:
    kinds = ", ".join(f"{number} {name}" for name, number in each.document()["fingerprints"].items())
    parts = [
        f"{each.in_force} entries in force ({kinds or 'no fingerprints'})",
        f"{each.gone} gone",
        f"{each.set_aside} set aside",
    ]
    return "; ".join(parts)
