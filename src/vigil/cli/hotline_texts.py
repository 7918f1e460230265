"""``vigil hotline texts``: which texts of the public door somebody has read, message by message."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Annotated

import typer

from vigil.hotline.doors.translations import LanguageReview, review_of, reviews


def texts(
    language: Annotated[str, typer.Option("--language", help="Its messages, those that nobody read first.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False,
) -> None:
    """How far the translations of the public door have been read; exit status 1 where a message was read by nobody."""
    found = [review_of(language)] if language else reviews()
    if as_json:
        typer.echo(json.dumps([asdict(each) | {"read": each.read} for each in found], ensure_ascii=False, indent=1))
    elif language:
        _print_messages(found[0])
    else:
        for each in found:
            typer.echo(f"{each.code}  {each.state:16} {each.read:4} of {len(each.messages)} messages read  {each.name}")
    raise typer.Exit(1 if any(each.read < len(each.messages) for each in found) else 0)


def _print_messages(found: LanguageReview) -> None:
    for message in sorted(found.messages, key=lambda each: bool(each.read_by)):
        typer.echo(f"{message.mark}  {message.read_by or 'read by nobody'}")
        typer.echo(f"    {message.source}\n    {message.text}")
    for mark in found.gone:
        typer.echo(f"{mark}  of a text that is no longer there")
