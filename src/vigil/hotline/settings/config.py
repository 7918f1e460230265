"""The configuration of one installation: a strict TOML file.

The file is named by ``VIGIL_HOTLINE_CONFIG``. Unknown keys, empty names and wrong types are refused with the place
of the mistake. Relative paths count from the folder of the file. No secret stands in the file, the environment or
an argument: secrets are files of their own (see :mod:`vigil.hotline.settings.keyfiles`).
"""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Final, Literal
from urllib.parse import urlsplit

import msgspec

from vigil.base.errors import InputError, UnavailableError
from vigil.base.limits import Limit
from vigil.hotline.doors.languages import LANGUAGES
from vigil.hotline.doors.portals import Portal, flaws_of
from vigil.hotline.settings.keyfiles import Keys, fleeting_secrets

VARIABLE: Final = "VIGIL_HOTLINE_CONFIG"

Text = Annotated[str, msgspec.Meta(min_length=1, max_length=500)]
CHOSEN: Final = Limit(4, "processes", "with 8 threads each they stay below the 100 connections that PostgreSQL takes unasked")
Port = Annotated[int, msgspec.Meta(ge=1, le=65535)]


class Door(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where one door listens (``host``, ``port``) and where people find it (``url``).

    ``proxy``   address of the reverse proxy in front, whose ``X-Forwarded-Proto`` is believed; production only.
    ``threads`` requests answered at the same time, by each process.
    ``processes`` that answer at the port of the partner door: about one for each processor; the database has to take
                ``threads`` times ``processes`` connections. 0: as many as are useful (:meth:`Config.processes_at`). The others
                serve people, for whom one is enough.
    """

    host: Text
    port: Port
    url: Annotated[str, msgspec.Meta(pattern=r"^https?://[^/?#]+$")]
    proxy: Text = "127.0.0.1"
    threads: Annotated[int, msgspec.Meta(ge=1, le=64)] = 8
    processes: Annotated[int, msgspec.Meta(ge=0, le=64)] = 1


class Events(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where the partner door's event stream listens; without the table there is none, and nodes poll."""

    host: Text
    port: Port


class Doors(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The three doors."""

    public: Door
    console: Door
    partner: Door


class Vault(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The evidence vault is off unless this table is there, and it is not there without a recorded ``legal_basis``.

    ``folder``  of sealed objects; ``keys`` is a file of its own, best on another disk, readable by its owner only.
    """

    folder: Text
    keys: Text
    legal_basis: Annotated[str, msgspec.Meta(min_length=10, max_length=500)]
    retention_days: Annotated[int, msgspec.Meta(ge=1, le=3650)] = 180


class Capture(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Captures are off unless this table is there, and until a legal basis is recorded (`vigil hotline capture allow`).

    Exactly one way out: ``proxy`` (http://host:port), ``tor`` (socks5h://host:port), or ``direct``.
    ``allow_networks`` are private networks that may be reached all the same.
    """

    proxy: Annotated[str, msgspec.Meta(pattern=r"^(http://[^/?#]+)?$")] = ""
    tor: Annotated[str, msgspec.Meta(pattern=r"^(socks5h://[^/?#]+)?$")] = ""
    direct: bool = False
    allow_networks: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if [bool(self.proxy), bool(self.tor), self.direct].count(True) != 1:
            raise ValueError("capture needs exactly one of proxy, tor and direct")
        for network in self.allow_networks:
            ipaddress.ip_network(network)


class Banks(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Banks of a platform at the partner door: off unless this table is there.

    ``media_bytes``       the largest file that is banked; it is held in memory, hashed and dropped.
    ``fetch_hosts``       names that files are fetched from (``media.example``, ``.media.example``, ``name:port``); none: never.
    ``fetch_networks``    addresses reached although they are not public, such as ``10.0.0.0/8``.
    """

    media_bytes: Annotated[int, msgspec.Meta(ge=1024, le=67_108_864)] = 33_554_432
    fetch_hosts: tuple[Text, ...] = ()
    fetch_networks: tuple[Text, ...] = ()


class Lists(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What lists know of the world outside, all of it the operator's own.

    ``canary_domains``  names of the hotline with everything below them, for marks in partners' copies.
    ``mark_positions``  places of the presence code in each list.
    ``own_hosts``       the hotline's own names: an entry there is looked at twice.
    ``popular_hosts``   file of popular hosts, ``host`` or ``rank,host`` a line: an entry there is looked at twice.
    ``benign_sample``   file of harmless addresses, one a line, against which a new entry is tried.
    """

    canary_domains: tuple[Text, ...] = ()
    mark_positions: Annotated[int, msgspec.Meta(ge=16, le=8192)] = 768
    own_hosts: tuple[Text, ...] = ()
    popular_hosts: str = ""
    benign_sample: str = ""


class SingleSignOn(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An OpenID Connect provider of the operator's, for people linked by ``vigil hotline user link``.

    ``provider``   a short name that stands in addresses; ``name`` what the button says.
    ``issuer``     the provider's address; its secret for us is the file ``single-sign-on.secret`` among the secrets.
    """

    provider: Annotated[str, msgspec.Meta(pattern=r"^[a-z][a-z0-9-]{0,30}$")]
    name: Text
    issuer: Annotated[str, msgspec.Meta(pattern=r"^https?://[^?#]+$")]
    client_id: Text


class HelpLine(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One row of the help directory shown to reporters; fields as in the directory of enforcement nodes."""

    country: Annotated[str, msgspec.Meta(pattern=r"^[A-Z]{2}$")]
    name: Text
    url: Annotated[str, msgspec.Meta(pattern=r"^https?://")] = ""
    phone: str = ""
    hours: str = ""
    languages: tuple[str, ...] = ()
    for_whom: str = ""
    young: bool = False
    anonymous: bool = False
    free: bool = False
    verified_on: str = ""
    verified_by: str = ""


class Config(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One installation. ``mode = "demo"`` only allows cookies and pages without TLS, and only on loopback."""

    name: Text
    mode: Literal["production", "demo"]
    database: Annotated[str, msgspec.Meta(pattern=r"^(sqlite:///.|postgresql://)")]
    secrets: Text
    editions: Text
    doors: Doors
    vault: Vault | None = None
    capture: Capture | None = None
    lists: Lists = Lists()
    help_lines: tuple[HelpLine, ...] = ()
    portals: tuple[Portal, ...] = ()
    triage_policy: str = ""
    retention_policy: str = ""
    mail_folder: str = ""
    time_zone: Text = "UTC"
    banks: Banks | None = None
    single_sign_on: SingleSignOn | None = None
    events: Events | None = None

    def processes_at(self, door: Door, processors: int) -> int:
        """How many processes answer at ``door``: as configured; for 0 one for each of ``processors`` up to ``CHOSEN``, and one
        on SQLite, where they would only wait for one another's writes."""
        if door.processes:
            return door.processes
        return 1 if self.database.startswith("sqlite:") else min(processors, CHOSEN.value)

    @property
    def demo(self) -> bool:
        """True where the installation is for looking, not for work."""
        return self.mode == "demo"


LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})

FLEETING: Final = ":fleeting:"

_chosen: list[Config] = []


def read(path: Path) -> Config:
    """The configuration in ``path``, with every path made absolute."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UnavailableError(
            "config_unreadable", "The configuration file cannot be read.", where=str(path), mend=f"Name it in {VARIABLE}."
        ) from error
    try:
        config = msgspec.toml.decode(content, type=Config)
    except UnicodeDecodeError as error:
        raise InputError(
            "config_wrong", "The configuration is not text in UTF-8.", where=str(path), mend="Save it as UTF-8."
        ) from error
    except msgspec.MsgspecError as error:
        raise InputError(
            "config_wrong", f"The configuration is not valid: {error}.", where=str(path), mend="See docs/reference/settings.md."
        ) from error
    return checked(_absolute(config, path.parent.resolve()))


def checked(config: Config) -> Config:
    """The configuration, unless its doors contradict its mode or its portals each other."""
    if flaws := flaws_of(config.portals, frozenset(code for code, _ in LANGUAGES)):
        raise InputError("portals_wrong", f"The portals do not fit: {'; '.join(flaws)}.", where="portals")
    for name in ("public", "console", "partner"):
        door: Door = getattr(config.doors, name)
        _check_door(name, door, demo=config.demo)
    sign_on = config.single_sign_on
    if sign_on and not config.demo and not sign_on.issuer.startswith("https://"):
        raise InputError(
            "sign_on_without_tls", "In production single sign-on is reached over https.", where="single_sign_on.issuer"
        )
    if config.vault is not None and Path(config.vault.keys).parent == Path(config.vault.folder):
        raise InputError(
            "vault_keys_beside", "The vault's keys lie beside what they seal.", where="vault.keys", mend="Keep them apart."
        )
    return config


def _check_door(name: str, door: Door, *, demo: bool) -> None:
    if door.processes != 1 and name != "partner":
        raise InputError(
            "door_processes", "Only the partner door is served by several processes.", where=f"doors.{name}.processes",
            mend="Leave it out; more at the same time is `threads`.",
        )  # fmt: skip
    if demo and door.host not in LOOPBACK:
        raise InputError(
            "demo_not_on_loopback", "A demo listens on loopback only.", where=f"doors.{name}.host", mend="Use 127.0.0.1."
        )
    if not demo and not door.url.startswith("https://"):
        raise InputError(
            "door_without_tls", "In production every door is reached over https.", where=f"doors.{name}.url",
            mend="Give the https address of the reverse proxy in front of it.",
        )  # fmt: skip


def _absolute(config: Config, folder: Path) -> Config:
    return msgspec.structs.replace(
        config,
        secrets=str(folder / config.secrets),
        editions=str(folder / config.editions),
        **{
            name: str(folder / given)
            for name in ("triage_policy", "retention_policy", "mail_folder")
            if (given := getattr(config, name))
        },
        database=_absolute_database(config.database, folder),
        lists=_absolute_lists(config.lists, folder),
        vault=_absolute_vault(config.vault, folder),
    )


def _absolute_lists(lists: Lists, folder: Path) -> Lists:
    files = {name: str(folder / path) for name in ("popular_hosts", "benign_sample") if (path := getattr(lists, name))}
    return msgspec.structs.replace(lists, **files)


def _absolute_vault(vault: Vault | None, folder: Path) -> Vault | None:
    if vault is None:
        return None
    return msgspec.structs.replace(vault, folder=str(folder / vault.folder), keys=str(folder / vault.keys))


def _absolute_database(database: str, folder: Path) -> str:
    path = database.removeprefix("sqlite:///")
    return database if path == database else f"sqlite:///{folder / path}"


def use(config: Config) -> None:
    """Settle the configuration of this process; tests and checks call it before the settings are loaded."""
    _chosen[:] = [config]


def current() -> Config:
    """The configuration of this process, read on first use from the file that ``VIGIL_HOTLINE_CONFIG`` names."""
    if not _chosen:
        name = os.environ.get(VARIABLE)
        if not name:
            raise UnavailableError(
                "config_missing", "No configuration is named.", mend=f"Set {VARIABLE} to the path of the TOML file."
            )
        use(read(Path(name)))
    return _chosen[0]


def use_for_tests(*, database: str, folder: str) -> None:
    """Settle a made-up configuration: a demo on loopback without files of its own."""
    door = {name: Door("127.0.0.1", 1, f"http://{name}.test") for name in ("public", "console", "partner")}
    use(Config("Vigil under test", "demo", database, FLEETING, f"{folder}/vigil-no-editions", Doors(**door)))


def keys_of(config: Config, load: Callable[[Path], Keys]) -> Keys:
    """The installation's secrets; made-up configurations have fleeting ones."""
    return fleeting_secrets() if config.secrets == FLEETING else load(Path(config.secrets))


def host_of(door: Door) -> str:
    """The host name in the door's address, without the port."""
    return urlsplit(door.url).hostname or door.host
