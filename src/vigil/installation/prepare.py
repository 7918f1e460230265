"""Writes the configuration of a new installation. An existing one is never changed."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Final

from vigil.base.clock import SystemClock
from vigil.base.files import write_atomically
from vigil.installation.folder import DataFolder

NODE_NAME: Final = "edge-1"
LOOPBACK: Final = "127.0.0.1"
LANGUAGE: Final = "/{language}/"  # the edge node puts the reader's language here
HELP_LINE: Final = """
[[{table}]]
country = "ZZ"
name = "Harbour help line (made up)"
url = "https://help.example/"
phone = "000 000 000"
hours = "every day, day and night"
languages = ["en", "nl", "fr", "ar"]
for_whom = "anyone"
anonymous = true
free = true
verified_on = {date}
verified_by = "demo"
"""


@dataclass(frozen=True, slots=True)
class Ports:
    """The ports of an installation: eight in a row from ``first``; the seventh is for the HMA-compatible door."""

    first: int

    @property
    def public(self) -> int:
        return self.first

    @property
    def console(self) -> int:
        return self.first + 1

    @property
    def partner(self) -> int:
        return self.first + 2

    @property
    def edge(self) -> int:
        return self.first + 3

    @property
    def world(self) -> int:
        return self.first + 4

    @property
    def provider(self) -> int:
        return self.first + 5

    @property
    def hma(self) -> int:
        return self.first + 6

    @property
    def events(self) -> int:
        return self.first + 7

    def named(self, *, demo: bool) -> dict[str, int]:
        """Port by process; the world and the provider exist in a demo only."""
        doors = {"public": self.public, "console": self.console, "partner": self.partner, "edge": self.edge}
        return doors | ({"world": self.world, "provider": self.provider} if demo else {})


def write_configuration(folder: DataFolder, *, demo: bool, host: str, ports: Ports, today: date) -> None:
    """Write ``hotline.toml`` and ``edge.toml`` for a new data folder; ``today`` dates the made-up help line of a demo."""
    hotline, edge = hotline_file(demo=demo, host=host, ports=ports), edge_file(demo=demo, host=host, ports=ports)
    if demo:
        hotline += HELP_LINE.format(table="help_lines", date=quoted(today.isoformat()))
        edge += HELP_LINE.format(table="pages.help_lines", date=today.isoformat())
    write_atomically(folder.edge_config, edge.encode(), mode=0o600)
    write_atomically(folder.hotline_config, hotline.encode(), mode=0o600)


def add_hma(folder: DataFolder, *, host: str, ports: Ports) -> None:
    """Add the tables of the HMA-compatible routes where they are missing; nothing else of the files is touched."""
    partner = f"http://{_shown(host)}:{ports.partner}"
    hotline, edge = folder.hotline_config.read_text(), folder.edge_config.read_text()
    if "\n[banks]\n" not in hotline:
        table = "\n# Banks of a platform: docs/guides/hma.md\n[banks]\n"
        write_atomically(folder.hotline_config, (hotline + table).encode(), mode=0o600)
    if "\n[hma]\n" not in edge:
        table = (
            "\n# The HMA-compatible routes, curation included: docs/guides/hma.md\n"
            f"[hma]\nenabled = true\nport = {ports.hma}\nopen_on_loopback = true\n"
            f"banks = {quoted(partner + '/v1/banks')}\nbanks_token_file = \"secrets/banks.token\"\ncuration = {quoted(partner)}\n"
            'curation_token_file = "secrets/banks-curator.token"\n'
        )
        write_atomically(folder.edge_config, (edge + table).encode(), mode=0o600)


def write_production_example(folder: Path) -> Path:
    """A production configuration in ``folder``, for Django's deploy checks; its path."""
    from vigil.hotline.settings.keyfiles import create_secrets

    data = DataFolder(folder)
    data.create()
    create_secrets(data.secrets)
    write_configuration(data, demo=False, host=LOOPBACK, ports=Ports(8470), today=SystemClock().now().date())
    return data.hotline_config


def quoted(text: str) -> str:
    """A TOML basic string: JSON's escapes are a subset of TOML's."""
    return json.dumps(text, ensure_ascii=False)


def hotline_file(*, demo: bool, host: str, ports: Ports) -> str:
    """The text of ``hotline.toml``. Production doors are reached over https, through a reverse proxy of the operator."""
    scheme = "http" if demo else "https"
    name = "Vigil demo hotline" if demo else "Hotline"
    doors = "".join(
        f"\n[doors.{door}]\nhost = {quoted(host)}\nport = {port}\nurl = {quoted(f'{scheme}://{_shown(host)}:{port}')}\n"
        for door, port in (("public", ports.public), ("console", ports.console), ("partner", ports.partner))
    )
    return (
        "# Configuration of the case system; every field is described in docs/reference/settings.md.\n"
        f"name = {quoted(name)}\n"
        f"mode = {quoted('demo' if demo else 'production')}\n"
        'database = "sqlite:///vigil.sqlite3"\nsecrets = "secrets"\neditions = "editions"\n'
        + doors
        + "processes = 0  # of the partner door: as many as are useful, which is one on SQLite\n"
        + f"\n[events]\nhost = {quoted(host)}\nport = {ports.events}\n"
        + (_demo_tables(ports) if demo else "")
    )


def _shown(host: str) -> str:
    return LOOPBACK if host in {"0.0.0.0", "::"} else host  # noqa: S104 - compared, not bound to


def _demo_tables(ports: Ports) -> str:
    return f"""
[capture]
proxy = {quoted(f"http://{LOOPBACK}:{ports.world}")}
"""


def edge_file(*, demo: bool, host: str, ports: Ports) -> str:
    """The text of ``edge.toml``. The node of the same machine reads the editions through the partner door in a demo,
    as a node elsewhere would, and from the folder otherwise."""
    scheme = "http" if demo else "https"
    partner = f"{scheme}://{_shown(host)}:{ports.partner}"
    public = f"{scheme}://{_shown(host)}:{ports.public}"
    source = f"{partner}/editions/" if demo else "editions"
    return (
        "# Configuration of the enforcement node; every field is described in docs/guides/edge-node.md.\n"
        f'node = "{NODE_NAME}"\nstate = "edge"\n'
        f"\n[listen]\nhost = {quoted(LOOPBACK)}\nport = {ports.edge}\n"
        f'\n[editions]\nsource = {quoted(source)}\nroot = "1.root.json"\n'
        + ('token_file = "secrets/edge-node.token"\n' if demo else "")
        + (f"poll_seconds = {0.5 if demo else 45}\n")
        + (f"events = {quoted(f'http://{_shown(host)}:{ports.events}/v1/events')}\n" if demo else "")
        + f'\n[counts]\nurl = {quoted(partner + "/v1/counts")}\ntoken_file = "secrets/edge-node.token"\n'
        + ("k = 0\ninterval_seconds = 1\nflush_seconds = 0.5\nsend_open_hour = true\n" if demo else "")
        + f"\n[pages]\ndeployer = {quoted('Demo provider' if demo else '')}\n"
        + f"complaint_url = {quoted(public + LANGUAGE + 'appeal/')}\nreport_url = {quoted(public + LANGUAGE + 'report/')}\n"
    )
