"""The tables ``[[webhooks]]``: who is told what, and the secrets that sign it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final, Literal
from urllib.parse import urlsplit

from vigil.base.errors import InputError
from vigil.base.redaction import Sealed
from vigil.base.webhooks import SECRET_LEAST, secret_of
from vigil.edge.tables import Rule, Table, is_loopback

SECRETS_MOST: Final = 4
ENDPOINTS_MOST: Final = 8


class Event(StrEnum):
    """What a node tells of; the one place they are named."""

    MEDIA_VERDICT = "media.verdict"
    EDITION_IN_FORCE = "edition.in_force"
    ENTRIES_WITHDRAWN = "entries.withdrawn"


class Webhook(Table, frozen=True, kw_only=True):
    """One receiver. ``secret_file``: one ``whsec_…`` a line, each signs. ``private``: it may be on this machine or network."""

    url: str
    secret_file: str
    events: tuple[Literal["media.verdict", "edition.in_force", "entries.withdrawn"], ...] = (
        "media.verdict", "edition.in_force", "entries.withdrawn",
    )  # fmt: skip
    private: bool = False


class Secret(Sealed[bytes]):
    """Signs notices; never shown, never logged."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A receiver, its secrets read."""

    url: str
    events: frozenset[Event]
    private: bool
    secrets: tuple[Secret, ...]


def webhook_rules(webhooks: tuple[Webhook, ...]) -> list[Rule]:
    """What must hold."""
    rules: list[Rule] = [("webhooks", len(webhooks) <= ENDPOINTS_MOST, f"Name at most {ENDPOINTS_MOST}.")]
    for number, each in enumerate(webhooks):
        where = f"webhooks[{number}]"
        rules.append(
            (f"{where}.url", _is_address(each.url), "Give https://…; http:// only for this machine.")
        )
        rules.append((f"{where}.events", len(set(each.events)) == len(each.events), "Name each event once."))
    return rules


def endpoints(webhooks: tuple[Webhook, ...], folder: Path) -> tuple[Endpoint, ...]:
    """The receivers with what is in their files of secrets."""
    return tuple(
        Endpoint(each.url, frozenset(map(Event, each.events)), each.private, _secrets(folder / each.secret_file, number))
        for number, each in enumerate(webhooks)
    )


def _secrets(path: Path, number: int) -> tuple[Secret, ...]:
    where = f"webhooks[{number}].secret_file"
    try:
        lines = path.read_text(encoding="ascii").split()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError("config_unreadable", "The secrets of a webhook cannot be read.", where=where) from error
    found = [secret_of(line) for line in lines]
    if not 0 < len(found) <= SECRETS_MOST or None in found:
        raise InputError(
            "webhook_secret", "The file does not hold secrets of a webhook.", where=where,
            mend=f"Write whsec_ and the base64 of at least {SECRET_LEAST} random bytes, one to {SECRETS_MOST} lines.",
        )  # fmt: skip
    return tuple(Secret(each) for each in found if each is not None)


def _is_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return False
    if (
        not host
        or not url.isascii()
        or any(sign <= " " for sign in url)
        or parts.fragment
        or parts.username is not None
        or port == 0
    ):
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and is_loopback(host))
