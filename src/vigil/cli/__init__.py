"""The command line: one thin file per verb.

Exit status: 0 done, 1 the answer is no, 2 bad input or usage.
A verb's module is imported only when the verb is used, so that an enforcement node needs no hotline installed.
"""

from __future__ import annotations

import errno
import importlib
import sys
from typing import Any, Final

import typer
from typer.core import TyperGroup

from vigil.base.errors import VigilError

VERBS: Final[dict[str, tuple[str, str]]] = {
    "up": ("vigil.cli.up", "Start the hotline, its worker and an edge node in one go."),
    "hash": ("vigil.cli.hash", "Hash files: md5 sha1 sha256 pdq."),
    "index": ("vigil.cli.index", "Build, search and verify an index of hashes."),
    "match": ("vigil.cli.match", "Verdict per file against an edition."),
    "scan": ("vigil.cli.scan", "Look through an archive of one's own: folders, archives, buckets, Parquet."),
    "url": ("vigil.cli.url", "Canonical form of addresses, and their verdicts."),
    "edition": ("vigil.cli.edition", "Build, show, compare, verify, pull and export editions; manage keys."),
    "edge": ("vigil.cli.edge", "Run an enforcement node."),
    "uploads": ("vigil.cli.uploads", "Run the upload gate of a platform."),
    "hotline": ("vigil.cli.hotline", "Administer the case system."),
    "doctor": ("vigil.cli.doctor", "What is wrong with this installation, and how to mend it."),
}

EXTRAS: Final = {"up": "hotline", "hotline": "hotline", "doctor": "hotline", "scan": "scan"}


class LazyVerbs(TyperGroup):
    """Knows the verbs by name; loads the one that is asked for."""

    def list_commands(self, ctx: Any) -> list[str]:
        return list(VERBS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name not in VERBS:
            return None
        module_name, summary = VERBS[cmd_name]
        if ctx.resilient_parsing or _only_listing(ctx):
            return _placeholder(cmd_name, summary)
        try:
            module = importlib.import_module(module_name)
        except ModuleNotFoundError as error:
            raise _part_missing(cmd_name, error) from error
        command = typer.main.get_command(module.app)
        command.name = cmd_name
        return command


def _part_missing(verb: str, error: ModuleNotFoundError) -> SystemExit:
    """Say which extra has what is not installed; the exit to leave with."""
    extra = EXTRAS.get(verb, "edge")
    typer.echo(
        f"vigil {verb} needs a part that is not installed ({error.name}). Install it with: pip install 'vigil[{extra}]'",
        err=True,
    )
    return SystemExit(2)


def _only_listing(ctx: Any) -> bool:
    """True while the overview of all verbs is printed."""
    arguments = sys.argv[1:]
    return not arguments or arguments[0] in {"--help", "-h"}


def _placeholder(name: str, summary: str) -> Any:
    overview = typer.Typer(help=summary)

    @overview.command(name=name, help=summary)
    def nothing() -> None:
        """Stands in the overview only."""

    return typer.main.get_command(overview)


app = typer.Typer(
    cls=LazyVerbs,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="From a report to a block: software for hotlines and their partners.",
)


@app.callback()
def root() -> None:
    """From a report to a block: software for hotlines and their partners."""


def main() -> None:
    """Run the command line; errors of ours become one plain message and an exit status."""
    try:
        app()
    except VigilError as error:
        typer.echo(f"vigil: {error} [{error.code}]", err=True)
        raise SystemExit(error.exit_status) from error
    except ModuleNotFoundError as error:  # what a command loads by itself
        if (error.name or "vigil").startswith("vigil"):
            raise
        raise _part_missing(sys.argv[1], error) from error
    except BrokenPipeError as error:
        raise SystemExit(0) from error
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        typer.echo("vigil: There is no room left to write to. Make room, then try again. [disk_full]", err=True)
        raise SystemExit(1) from error
