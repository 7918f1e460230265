"""The table ``[hma]`` of a node's file, and what a worker process is handed of it."""

from __future__ import annotations

import hashlib
import ipaddress
from pathlib import Path
from typing import Final, Literal
from urllib.parse import urlsplit

import msgspec

from vigil.base.errors import InputError

ROLES: Final = frozenset({"hasher", "matcher"})
TOKEN_LENGTH_LEAST: Final = 16
TOKEN_FILE_BYTES: Final = 64 * 1024
Rule = tuple[str, bool, str]


class Hma(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The HMA-compatible door; off unless enabled.

    ``tokens_file``: one ``ROLE TOKEN`` a line, roles ``hasher``, ``matcher`` or both with a comma. ``open_on_loopback``: no token
    is asked of who asks on this machine itself. ``banks``: the feed of the hotline's partner door (``…/v1/banks``).
    ``curation``: the partner door, to which ``/c/`` is passed on; with ``open_on_loopback`` the node adds the curator's token of
    ``curation_token_file`` to what this machine asks without one. ``max_stale_seconds``: 0 for never. ``lists``: the lists of the
    edition in force are matched too, each as a bank of its own name.
    """

    enabled: bool = False
    host: str = "127.0.0.1"
    port: int = 5100
    workers: int = 1
    open_on_loopback: bool = False
    tokens_file: str | None = None
    banks: str | None = None
    banks_token_file: str | None = None
    poll_seconds: float = 0.5
    max_stale_seconds: int = 300
    curation: str | None = None
    curation_token_file: str | None = None
    fetch_hosts: tuple[str, ...] = ()
    fetch_networks: tuple[str, ...] = ()
    empty_for_low_quality: bool = False
    lists: bool = False


class RoleToken(msgspec.Struct, frozen=True):
    """A token as a worker knows it: its SHA-256 (hex), and what it may do."""

    digest: str
    roles: tuple[str, ...]


class WorkerOptions(msgspec.Struct, frozen=True, kw_only=True):
    """Everything a worker process is handed, as JSON on its standard input; the curator's token is the only one among it."""

    state: str
    hma: Hma
    tokens: tuple[RoleToken, ...]
    curation_token: str | None = None
    on_hard_expiry: Literal["keep_urls", "keep_all", "stop"] = "keep_urls"
    media_bytes: int
    json_bytes: int
    batch_items: int
    body_seconds: float
    media_seconds: float
    media_at_once: int
    media_waiting: int


def hma_rules(hma: Hma) -> list[Rule]:
    """One row a rule: the field, whether it holds, what to do."""
    loopback = _is_loopback(hma.host)
    return [
        ("hma.port", 0 <= hma.port <= 65535, "Use 0 to 65535; 0 takes any free port."),
        ("hma.workers", 1 <= hma.workers <= 64, "Use 1 to 64."),
        ("hma.open_on_loopback", not hma.open_on_loopback or loopback, "Listen on 127.0.0.1, or give tokens."),
        (
            "hma.tokens_file",
            not hma.enabled or hma.open_on_loopback or hma.tokens_file is not None,
            "Name a file of tokens, or set hma.open_on_loopback = true to answer this machine without one.",
        ),
        ("hma.banks", not hma.enabled or _is_link(hma.banks), "Give the address of the hotline's feed, …/v1/banks."),
        ("hma.curation", hma.curation is None or _is_link(hma.curation), "Give the address of the partner door."),
        ("hma.poll_seconds", 0.05 <= hma.poll_seconds <= 3600, "Use 0.05 to 3600 seconds."),
        (
            "hma.max_stale_seconds",
            hma.max_stale_seconds == 0 or 5 * hma.poll_seconds <= hma.max_stale_seconds <= 86400,
            "Use at least five times poll_seconds, so that a slow round is no alarm; or 0.",
        ),
        ("hma.fetch_networks", _are_networks(hma.fetch_networks), "Name networks such as 10.0.0.0/8."),
    ]


def role_tokens(path: Path) -> tuple[RoleToken, ...]:
    """The tokens in a file. Raises InputError."""
    try:
        raw = path.read_bytes()[:TOKEN_FILE_BYTES].decode("ascii")
    except (OSError, UnicodeDecodeError) as error:
        raise _malformed(path) from error
    lines = [line.split() for line in raw.splitlines() if line.strip() and not line.startswith("#")]
    if not lines or any(len(words) != 2 or len(words[1]) < TOKEN_LENGTH_LEAST for words in lines):
        raise _malformed(path)
    found = tuple(
        RoleToken(hashlib.sha256(token.encode()).hexdigest(), tuple(sorted(set(roles.split(","))))) for roles, token in lines
    )
    if any(not set(token.roles) <= ROLES for token in found):
        raise _malformed(path)
    return found


def _malformed(path: Path) -> InputError:
    return InputError(
        "tokens_malformed",
        "The file of tokens cannot be used.",
        where=path.name,
        mend=f"Write one 'ROLE TOKEN' a line: hasher, matcher or hasher,matcher; at least {TOKEN_LENGTH_LEAST} characters.",
    )


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _is_link(address: str | None) -> bool:
    parts = urlsplit(address or "")
    return parts.scheme in {"http", "https"} and bool(parts.hostname)


def _are_networks(networks: tuple[str, ...]) -> bool:
    try:
        return all(ipaddress.ip_network(network) is not None for network in networks)
    except ValueError:
        return False
