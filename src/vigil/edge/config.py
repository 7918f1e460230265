"""Policy of one enforcement node: one strict TOML file.

Unknown keys are refused, because a misspelt key is a setting that silently does not hold. The digest of the file
goes to the log, so that an operator can tell which settings a node runs. Relative paths start at the file's folder.
Every field, its unit and its default are described in ``docs/guides/edge-node.md``; a test compares the two.
"""

from __future__ import annotations

import hashlib
import re
from datetime import date
from pathlib import Path
from typing import Any, Final, Literal
from urllib.parse import urlsplit

import msgspec

from vigil.base import limits
from vigil.base.errors import InputError
from vigil.base.redaction import Sealed
from vigil.edge.hma.config import Hma, RoleToken, hma_rules, role_tokens
from vigil.edge.policy import Policy
from vigil.edge.rpz.settings import Rpz, rpz_rules
from vigil.edge.spoe.settings import Spoe, spoe_rules
from vigil.edge.tables import Table, are_networks, endpoint_of, is_address, is_loopback
from vigil.edge.webhooks.settings import Endpoint, Webhook, endpoints, webhook_rules

KEPT: Final = "editions"  # below the state folder: what the client of editions keeps
WEB_PATH: Final = re.compile(r"/[A-Za-z0-9._/-]{0,100}")
NAME: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,59}")
HOST_SUFFIX: Final = re.compile(r"\.?[a-z0-9]([a-z0-9.-]{0,250}[a-z0-9])?")
PART: Final = re.compile(r"(?:lists/[a-z0-9][a-z0-9_.-]{0,63}|partners/[a-z0-9][a-z0-9-]{0,31})?")
TOKEN_LENGTH_LEAST: Final = 16
HELP_MEND: Final = (
    "A warning names somebody who helps: set pages.help_lines, pages.services or pages.help_url, or screen.without_help."
)


class Token(Sealed[str]):
    """A bearer token; never shown, never logged."""


class Listen(Table, frozen=True, kw_only=True):
    """Where the node answers. Off loopback it needs tokens, or ``open_to_network`` as a choice in writing."""

    host: str = "127.0.0.1"
    port: int = 8470
    open_to_network: bool = False
    workers: int = 1


class Editions(Table, frozen=True, kw_only=True):
    """Where editions come from, and which root of trust they must lead to.

    ``part`` is what of it this node gets: all, ``lists/NAME`` or ``partners/ID``, which ``identity_file`` opens.
    ``events`` is the address of the hotline's event stream. The last three are for TLS.
    """

    source: str
    root: str | None = None
    token: Token | None = None
    token_file: str | None = None
    poll_seconds: float = 45.0
    lists: tuple[str, ...] = ()
    part: str = ""
    identity_file: str | None = None
    events: str | None = None
    ca_file: str | None = None
    certificate_file: str | None = None
    key_file: str | None = None


class Enforcement(Table, frozen=True, kw_only=True):
    """What to do where an answer is not plain."""

    on_unknown: Literal["refuse", "pass"] = "refuse"
    on_hard_expiry: Literal["keep_urls", "keep_all", "stop"] = "keep_urls"
    min_pdq_quality: int = 50


class Counts(Table, frozen=True, kw_only=True):
    """Where aggregate counts go, and what is done to them first.

    ``suppress``: numbers below ``k`` stay here (0 sends all). ``laplace``: noise of ``epsilon`` on each number, drawn once.
    ``floods``: also tell of single entries that match a hundred times an hour or more, in steps, so that wrong ones are found.
    """

    url: str | None = None
    token: Token | None = None
    token_file: str | None = None
    k: int = 10
    interval_seconds: float = 60.0
    flush_seconds: float = 5.0
    send_open_hour: bool = False
    privacy: Literal["suppress", "laplace"] = "suppress"
    epsilon: float = 0.5
    repeat_seconds: float = 1.0
    floods: bool = True


class HelpLine(Table, frozen=True, kw_only=True):
    """A service that helps, as data; shown only within 180 days of ``verified_on``."""

    country: str
    name: str
    for_whom: Literal["self", "child", "anyone"]
    languages: tuple[str, ...]
    verified_on: date
    verified_by: str
    url: str | None = None
    phone: str | None = None
    hours: str = ""
    anonymous: bool = False
    free: bool = False


class Service(Table, frozen=True, kw_only=True):
    """A row of the directory of help services that an operator has verified; other fields complete or correct the row."""

    id: str
    verified_on: date
    verified_by: str
    url: str | None = None
    phone: str | None = None
    languages: tuple[str, ...] = ()
    hours: str = ""
    anonymous: bool = False
    free: bool = False


Message = Literal["law", "harm", "help"]


class Pages(Table, frozen=True, kw_only=True):
    """What the pages say of this deployment. ``messages`` rotate at random, in languages whose texts were reviewed."""

    deployer: str = ""  # none: "the operator of this network", in the language of the page
    deployer_url: str | None = None
    ground: Literal["voluntary", "law"] = "voluntary"
    status: Literal[403, 451] = 451
    language: str = "en"
    complaint_url: str | None = None
    complaint_days: int | None = None
    report_url: str | None = None
    help_url: str | None = None
    base_url: str | None = None
    help_lines: tuple[HelpLine, ...] = ()
    services: tuple[Service, ...] = ()
    messages: tuple[Message, ...] = ("help",)


class Api(Table, frozen=True, kw_only=True):
    """Who may ask: bearer tokens, in the file or one a line in ``tokens_file``; none means whoever reaches the port."""

    tokens: tuple[Token, ...] = ()
    tokens_file: str | None = None


class Gate(Table, frozen=True, kw_only=True):
    """A minimal enforcement door for demonstrations: ``GET /gate?url=``; only for hosts under ``hosts``."""

    enabled: bool = False
    hosts: tuple[str, ...] = ()


class Icap(Table, frozen=True, kw_only=True):
    """The ICAP door. ``bodies_bytes``: memory for all files that are being read, together."""

    enabled: bool = False
    host: str = "127.0.0.1"
    port: int = 1344
    open_to_network: bool = False
    on_unknown: Literal["refuse", "pass"] = "refuse"
    on_unknown_media: Literal["refuse", "pass"] = "pass"
    preview_bytes: int = 1024
    early_head_bytes: int = 48 * 1024
    options_seconds: int = 60
    idle_seconds: float = 60.0
    connections: int = 1000
    bodies_bytes: int = 256 * 1024 * 1024


class ForwardAuth(Table, frozen=True, kw_only=True):
    """Which proxies may ask before they pass a request on, and from which addresses; none unless named."""

    proxies: tuple[Literal["nginx", "traefik", "caddy", "envoy", "squid"], ...] = ()
    peers: tuple[str, ...] = ("127.0.0.0/8", "::1")
    on_unknown: Literal["refuse", "pass"] = "refuse"


class Dns(Table, frozen=True, kw_only=True):
    """The DNS door: who may ask, who answers for names that are not listed, and what a listed name gets instead.

    ``clients`` are networks; others are refused, so that the node is no open resolver. ``upstream``: ``address`` or
    ``address:port`` (``[address]:port``), tried in order. ``waiting``: questions that wait for it at one time.
    """

    enabled: bool = False
    host: str = "127.0.0.1"
    port: int = 5300
    clients: tuple[str, ...] = ("127.0.0.0/8", "::1")
    upstream: tuple[str, ...] = ()
    upstream_seconds: float = 2.0
    waiting: int = 400
    answer: Literal["nxdomain", "nodata", "page", "refused"] = "nxdomain"
    page_addresses: tuple[str, ...] = ()
    explanation: Literal["blocked", "censored", "filtered", "none"] = "blocked"
    explanation_text: str = ""
    ttl_seconds: int = 10
    on_unknown: Literal["refuse", "pass"] = "refuse"
    udp_bytes: int = 1232
    idle_seconds: float = 10.0
    connections: int = 200
    tls_port: int | None = None
    https_port: int | None = None
    https_path: str = "/dns-query"
    certificate: str | None = None
    key: str | None = None
    private_text: str = ""


class Screening(Table, frozen=True, kw_only=True):
    """Listed terms in queries: those of the keyword lists that come with a partner's copy, and of ``terms_file``.

    Without either ``on_unknown`` decides. A warning that names nobody to turn to must be wanted: ``without_help``.
    """

    enabled: bool = False
    without_help: bool = False
    terms_file: str | None = None
    on_unknown: Literal["refuse", "pass"] = "pass"


class OtherDoor(Table, frozen=True, kw_only=True):
    """Something in front of the node: a proxy or a resolver that clients use, or a site behind a web server that asks."""

    kind: Literal["proxy", "resolver", "site"]
    name: str
    address: str


class Certification(Table, frozen=True, kw_only=True):
    """The self-test: how often it runs by itself (0: never), and doors beyond the node's own that must block as well."""

    every_hours: float = 0.0
    report_url: str | None = None
    doors: tuple[OtherDoor, ...] = ()


class Limits(Table, frozen=True, kw_only=True):
    """Bounds on what clients may cost; units in the names."""

    media_bytes: int = 32 * 1024 * 1024
    json_bytes: int = 1024 * 1024
    batch_items: int = limits.BATCH_ITEMS.value
    header_bytes: int = 3 * limits.URL_BYTES.value + 64 * 1024
    header_seconds: float = 5.0
    body_seconds: float = 20.0
    idle_seconds: float = 15.0
    media_seconds: float = 20.0
    media_at_once: int = 2
    media_waiting: int = 8
    connections: int = 1000
    drain_seconds: float = 15.0


class NodeFile(Table, frozen=True, kw_only=True):
    """The whole file."""

    node: str
    state: str
    editions: Editions
    listen: Listen = Listen()
    enforcement: Enforcement = Enforcement()
    counts: Counts = Counts()
    pages: Pages = Pages()
    api: Api = Api()
    gate: Gate = Gate()
    icap: Icap = Icap()
    forward_auth: ForwardAuth = ForwardAuth()
    dns: Dns = Dns()
    hma: Hma = Hma()
    rpz: Rpz = Rpz()
    spoe: Spoe = Spoe()
    limits: Limits = Limits()
    policy: Policy = Policy()
    screen: Screening = Screening()
    certify: Certification = Certification()
    webhooks: tuple[Webhook, ...] = ()


class ShadowFile(Table, frozen=True, kw_only=True):
    """The file of ``policy.shadow``."""

    policy: Policy


class DnsPaths(msgspec.Struct, frozen=True, kw_only=True):
    """The files that ``[dns]`` names, made absolute."""

    certificate: Path | None
    key: Path | None


class RpzPaths(msgspec.Struct, frozen=True, kw_only=True):
    """The files that ``[rpz]`` names, made absolute."""

    names: tuple[Path, ...]
    keys: Path | None
    certificate: Path | None
    key: Path | None
    clients: Path | None
    file: Path | None


class NodeConfig(msgspec.Struct, frozen=True, kw_only=True):
    """The file with its paths and tokens resolved."""

    file: NodeFile
    digest: str
    state: Path
    source: str
    root: bytes | None
    edition_token: Token | None
    identity: Token | None
    tls: tuple[Path | None, Path | None, Path | None]
    counts_token: Token | None
    api_tokens: tuple[Token, ...]
    rpz: RpzPaths
    dns: DnsPaths
    shadow: Policy | None = None
    banks_token: Token | None = None
    curation_token: Token | None = None
    hma_tokens: tuple[RoleToken, ...] = ()
    terms: bytes | None = None
    webhooks: tuple[Endpoint, ...] = ()


def load(path: Path) -> NodeConfig:
    """The configuration in ``path``; refuses what is not exactly right, with the field named."""
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise InputError(
            "config_unreadable",
            "The configuration file cannot be read.",
            where=str(path),
            mend="Check the path and its rights.",
        ) from error
    return resolve(parse(raw), raw, path.parent)


def parse(raw: bytes) -> NodeFile:
    """The file's tables, checked field by field."""
    try:
        file = msgspec.toml.decode(raw, type=NodeFile, dec_hook=_decode_token)
        _refuse_empty(msgspec.toml.decode(raw), "")
    except (msgspec.ValidationError, msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InputError(
            "config_malformed",
            f"The configuration is not valid: {error}.",
            mend="Compare with docs/guides/edge-node.md; 'vigil edge check-config FILE' tries again.",
        ) from error
    _check(file)
    return file


def resolve(file: NodeFile, raw: bytes, folder: Path) -> NodeConfig:
    """``file`` with paths made absolute and token files read."""
    source = file.editions.source
    if "://" not in source:
        source = str((folder / source).resolve())
    root = (folder / file.editions.root).resolve() if file.editions.root else None
    return NodeConfig(
        file=file,
        digest=hashlib.sha256(raw).hexdigest(),
        state=(folder / file.state).resolve(),
        source=source,
        root=_read(root, "editions.root") if root else None,
        edition_token=_token(file.editions.token, file.editions.token_file, folder, "editions.token_file"),
        identity=_identity(file.editions.identity_file, folder),
        tls=(
            _path(file.editions.ca_file, folder),
            _path(file.editions.certificate_file, folder),
            _path(file.editions.key_file, folder),
        ),
        counts_token=_token(file.counts.token, file.counts.token_file, folder, "counts.token_file"),
        api_tokens=file.api.tokens + _tokens(file.api.tokens_file, folder),
        rpz=_rpz_paths(file.rpz, folder),
        dns=_dns_paths(file.dns, folder),
        shadow=_shadow(file.policy.shadow, folder),
        banks_token=_token(None, file.hma.banks_token_file, folder, "hma.banks_token_file"),
        curation_token=_token(None, file.hma.curation_token_file, folder, "hma.curation_token_file"),
        hma_tokens=role_tokens((folder / file.hma.tokens_file).resolve()) if file.hma.tokens_file else (),
        terms=_read(folder / file.screen.terms_file, "screen.terms_file") if file.screen.terms_file else None,
        webhooks=endpoints(file.webhooks, folder),
    )


def _rpz_paths(rpz: Rpz, folder: Path) -> RpzPaths:
    return RpzPaths(
        names=tuple((folder / name).resolve() for name in rpz.names),
        keys=_absolute(rpz.keys_file, folder),
        certificate=_absolute(rpz.tls_certificate, folder),
        key=_absolute(rpz.tls_key, folder),
        clients=_absolute(rpz.tls_clients, folder),
        file=_absolute(rpz.file, folder),
    )


def _dns_paths(dns: Dns, folder: Path) -> DnsPaths:
    return DnsPaths(certificate=_absolute(dns.certificate, folder), key=_absolute(dns.key, folder))


def _absolute(name: str | None, folder: Path) -> Path | None:
    return (folder / name).resolve() if name is not None else None


def _shadow(name: str | None, folder: Path) -> Policy | None:
    """The policy that is only counted: a file with nothing but a table ``[policy]``."""
    if name is None:
        return None
    try:
        found = msgspec.toml.decode(_read(folder / name, "policy.shadow"), type=ShadowFile)
    except (msgspec.ValidationError, msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InputError("config_malformed", f"The shadow policy is not valid: {error}.", where="policy.shadow") from error
    return found.policy


def _refuse_empty(value: Any, where: str) -> None:
    """A list that names nothing could mean "all" or "none": it is refused, and leaving it out is the way to the default."""
    if isinstance(value, dict):
        for name, part in value.items():
            _refuse_empty(part, f"{where}.{name}" if where else name)
    elif isinstance(value, list):
        if not value:
            raise InputError("config_value", "A list is empty.", where=where, mend="Leave the setting out, or name something.")
        for place, part in enumerate(value):
            _refuse_empty(part, f"{where}[{place}]")


def warnings(config: NodeConfig) -> list[str]:
    """What is allowed but should be known, one sentence each."""
    file, found = config.file, []
    if config.root is None:
        found.append(_without_root(config))
    if file.counts.url is None:
        found.append("counts.url is not set: counts are kept here and sent nowhere.")
    if file.policy.mode == "dry_run":
        found.append("policy.mode is dry_run: nothing is blocked; what would be is counted as let through.")
    if file.counts.privacy == "suppress" and file.counts.k < 5:
        found.append(f"counts.k is {file.counts.k}: small numbers leave the node.")
    if file.pages.complaint_url is None:
        found.append("pages.complaint_url is not set: the block page names no way to complain.")
    if file.dns.enabled and not file.dns.upstream:
        found.append("dns.upstream is not set: names that are not listed are answered with REFUSED.")
    if file.screen.enabled and file.screen.terms_file is None and not file.editions.part.startswith("partners/"):
        found.append("screen.enabled has no terms: they come with a partner's copy (editions.part) or in screen.terms_file.")
    if file.screen.enabled and file.screen.without_help:
        found.append("screen.without_help is set: a warning on a search names nobody who helps, unless a help line is set.")
    if not is_loopback(file.listen.host) and not config.api_tokens:
        found.append("The node answers anyone on the network: it lets them test guesses against the list.")
    return found


def _without_root(config: NodeConfig) -> str:
    """Nothing is trusted on first sight: without a root a node takes no edition (``root_missing``), ever."""
    if (config.state / KEPT / "metadata" / "root.json").exists():
        return "editions.root is not set: the node goes on with the root in its state; if the state is lost, it takes no edition."
    return (
        "editions.root is not set and the state holds no root: every edition will be refused (root_missing), "
        "and the node will not become ready."
    )


def _decode_token(kind: type, value: Any) -> Token:
    if kind is not Token:
        raise NotImplementedError(f"no rule to read {kind.__name__}")
    if not isinstance(value, str) or len(value) < TOKEN_LENGTH_LEAST or not value.isascii() or not value.isprintable():
        raise ValueError(f"a token is a printable text of at least {TOKEN_LENGTH_LEAST} characters")
    return Token(value)


def _check(file: NodeFile) -> None:
    for what, good, mend in _rules(file):
        if not good:
            raise InputError("config_value", "A setting cannot be used.", where=what, mend=mend)


def _rules(file: NodeFile) -> list[tuple[str, bool, str]]:
    """One row a rule: the field, whether it holds, what to do."""
    bounds = file.limits
    loopback = is_loopback(file.listen.host)
    return [
        ("node", bool(NAME.fullmatch(file.node)), "Use small letters, digits, dots, hyphens; at most 60."),
        ("listen.port", 0 <= file.listen.port <= 65535, "Use 0 to 65535; 0 takes any free port."),
        (
            "listen.host",
            loopback or file.listen.open_to_network or bool(file.api.tokens or file.api.tokens_file),
            "Set api.tokens_file, or listen.open_to_network = true if anyone who reaches the port may ask.",
        ),
        ("editions.source", _is_source(file.editions.source), "Give a folder, an http(s) address, or s3://BUCKET/PREFIX."),
        ("editions.part", _is_part(file.editions.part), "Use lists/NAME or partners/ID, or leave it out."),
        (
            "editions.identity_file",
            file.editions.part.startswith("partners/") == (file.editions.identity_file is not None),
            "Name the file of the identity where part is partners/ID, and only there.",
        ),
        ("editions.events", _is_link(file.editions.events), "Give a whole http(s) address."),
        (
            "editions.key_file",
            (file.editions.certificate_file is None) == (file.editions.key_file is None),
            "Give certificate_file and key_file together.",
        ),
        ("editions.poll_seconds", 0.2 <= file.editions.poll_seconds <= 86400, "Use 0.2 to 86400 seconds."),
        ("editions.lists", _are_names(file.editions.lists), "Name each list once."),
        (
            "editions.token",
            not (file.editions.token and file.editions.token_file),
            "Give a token or a file, not both.",
        ),
        (
            "counts.token",
            not (file.counts.token and file.counts.token_file),
            "Give a token or a file, not both.",
        ),
        ("counts.url", _is_link(file.counts.url), "Give a whole http(s) address."),
        ("counts.k", 0 <= file.counts.k <= 1000, "Use 0 to 1000."),
        ("counts.epsilon", 0.01 <= file.counts.epsilon <= 10, "Use 0.01 to 10; 0.5 is usual."),
        (
            "counts.send_open_hour",
            not (file.counts.send_open_hour and file.counts.privacy == "laplace"),
            "Leave it out: noise is drawn once, when the hour is over.",
        ),
        ("counts.repeat_seconds", 0 <= file.counts.repeat_seconds <= 60, "Use 0 to 60 seconds; 0 counts every request."),
        ("listen.workers", 0 <= file.listen.workers <= 256, "Use 1 to 256, or 0 for one a core."),
        ("certify.every_hours", 0 <= file.certify.every_hours <= 24 * 366, "Use 0 (never) to 8784 hours."),
        ("certify.report_url", _is_link(file.certify.report_url), "Give a whole http(s) address."),
        ("certify.doors", _are_names(tuple(door.name for door in file.certify.doors)), "Give each door a name of its own."),
        ("policy.rules", _are_known(file), "Name lists in editions.lists, or leave that out."),
        (
            "counts.interval_seconds",
            0.2 <= file.counts.interval_seconds <= 86400,
            "Use 0.2 to 86400 seconds.",
        ),
        ("counts.flush_seconds", 0.1 <= file.counts.flush_seconds <= 60, "Use 0.1 to 60 seconds."),
        ("enforcement.min_pdq_quality", 0 <= file.enforcement.min_pdq_quality <= 100, "Use 0 to 100."),
        ("pages.deployer", len(file.pages.deployer) <= 200, "Give a name of at most 200 characters."),
        (
            "pages.complaint_days",
            file.pages.complaint_days is None or 0 < file.pages.complaint_days <= 365,
            "Use 1 to 365.",
        ),
        *((f"pages.{name}", _is_link(link), "Give a whole http(s) address.") for name, link in _page_links(file.pages)),
        *(_help_rule(number, line) for number, line in enumerate(file.pages.help_lines)),
        *(
            (f"pages.services[{place}].url", _is_link(service.url), "Give a whole http(s) address.")
            for place, service in enumerate(file.pages.services)
        ),
        ("screen.enabled", _reaches_somebody(file), HELP_MEND),
        ("pages.messages", bool(file.pages.messages) and _are_names(file.pages.messages), "Name each message once."),
        (
            "gate.hosts",
            _are_suffixes(file.gate),
            'Name at least one host suffix such as ".example" where the gate is on.',
        ),
        *_icap_rules(file.icap),
        *_dns_rules(file.dns),
        *hma_rules(file.hma),
        *rpz_rules(file.rpz),
        *spoe_rules(file.spoe),
        *webhook_rules(file.webhooks),
        ("forward_auth.peers", are_networks(file.forward_auth.peers), "Name addresses or networks such as 10.0.0.0/24."),
        ("forward_auth.proxies", _are_names(file.forward_auth.proxies), "Name each proxy once."),
        ("limits.media_bytes", 1 <= bounds.media_bytes <= limits.MEDIA_BYTES.value, "Use 1 to 67108864."),
        ("limits.json_bytes", 1 <= bounds.json_bytes <= limits.JSON_BODY_BYTES.value, "Use 1 to 4194304."),
        ("limits.batch_items", 1 <= bounds.batch_items <= limits.BATCH_ITEMS.value, "Use 1 to 1000."),
        ("limits.header_bytes", 1024 <= bounds.header_bytes <= 1024 * 1024, "Use 1024 to 1048576."),
        ("limits.media_at_once", 1 <= bounds.media_at_once <= 64, "Use 1 to 64."),
        ("limits.media_waiting", 0 <= bounds.media_waiting <= 1024, "Use 0 to 1024."),
        ("limits.connections", 1 <= bounds.connections <= 100_000, "Use 1 to 100000."),
        *((f"limits.{name}", 0.1 <= value <= 600, "Use 0.1 to 600 seconds.") for name, value in _seconds(bounds)),
    ]


def _icap_rules(icap: Icap) -> list[tuple[str, bool, str]]:
    return [
        ("icap.port", 0 <= icap.port <= 65535, "Use 0 to 65535; 0 takes any free port."),
        (
            "icap.host",
            is_loopback(icap.host) or icap.open_to_network,
            "Set icap.open_to_network = true if anyone who reaches the port may ask: ICAP knows no tokens.",
        ),
        ("icap.preview_bytes", 0 <= icap.preview_bytes <= 65536, "Use 0 to 65536."),
        ("icap.early_head_bytes", 0 <= icap.early_head_bytes <= 2**30, "Use 0 (never) to 1073741824."),
        ("icap.options_seconds", 1 <= icap.options_seconds <= 86400, "Use 1 to 86400 seconds."),
        ("icap.idle_seconds", 0.1 <= icap.idle_seconds <= 3600, "Use 0.1 to 3600 seconds."),
        ("icap.connections", 1 <= icap.connections <= 100_000, "Use 1 to 100000."),
        ("icap.bodies_bytes", 65536 <= icap.bodies_bytes <= 2**36, "Use 65536 to 68719476736."),
    ]


def _dns_rules(dns: Dns) -> list[tuple[str, bool, str]]:
    addresses = [endpoint_of(server) for server in dns.upstream]
    return [
        ("dns.host", is_address(dns.host), "Give an IP address; on a host with several, the one that is asked."),
        ("dns.port", 0 <= dns.port <= 65535, "Use 0 to 65535; 0 takes any free port."),
        ("dns.clients", are_networks(dns.clients), "Name addresses or networks such as 10.0.0.0/24."),
        ("dns.upstream", None not in addresses and len(addresses) <= 8, 'Name at most 8 resolvers such as "192.0.2.53:53".'),
        ("dns.upstream", (dns.host, dns.port) not in addresses, "Name another resolver: this is the door itself."),
        ("dns.upstream_seconds", 0.05 <= dns.upstream_seconds <= 30, "Use 0.05 to 30 seconds."),
        ("dns.waiting", 1 <= dns.waiting <= 10_000, "Use 1 to 10000; each takes an open file."),
        ("dns.page_addresses", _are_page_addresses(dns), 'Name 1 to 8 IP addresses where dns.answer is "page", else none.'),
        ("dns.explanation_text", _is_said(dns.explanation_text), "Use at most 100 printable bytes."),
        ("dns.private_text", _is_said(dns.private_text), "Use at most 100 printable bytes."),
        (
            "dns.tls_port",
            (dns.tls_port is None and dns.https_port is None) or (dns.certificate is not None and dns.key is not None),
            "Set dns.certificate and dns.key.",
        ),
        ("dns.tls_port", dns.tls_port is None or 0 <= dns.tls_port <= 65535, "Use 0 to 65535."),
        ("dns.https_port", dns.https_port is None or 0 <= dns.https_port <= 65535, "Use 0 to 65535."),
        ("dns.https_path", bool(WEB_PATH.fullmatch(dns.https_path)), "Begin with a slash; letters, digits, hyphens, slashes."),
        ("dns.ttl_seconds", 0 <= dns.ttl_seconds <= 3600, "Use 0 to 3600 seconds."),
        ("dns.udp_bytes", 512 <= dns.udp_bytes <= 4096, "Use 512 to 4096."),
        ("dns.idle_seconds", 0.1 <= dns.idle_seconds <= 600, "Use 0.1 to 600 seconds."),
        ("dns.connections", 1 <= dns.connections <= 100_000, "Use 1 to 100000."),
    ]


def _are_known(file: NodeFile) -> bool:
    """A rule for a list that the node does not enforce would silently do nothing."""
    enforced = set(file.editions.lists)
    return not enforced or all(set(rule.lists or ()) <= enforced for rule in file.policy.rules)


def _is_said(text: str) -> bool:
    return len(text.encode()) <= 100 and (not text or text.isprintable())


def _are_page_addresses(dns: Dns) -> bool:
    fits = 1 <= len(dns.page_addresses) <= 8 if dns.answer == "page" else not dns.page_addresses
    return fits and all(map(is_address, dns.page_addresses))


def _seconds(bounds: Limits) -> list[tuple[str, float]]:
    return [(name, getattr(bounds, name)) for name in bounds.__struct_fields__ if name.endswith("_seconds")]


def _page_links(pages: Pages) -> list[tuple[str, str | None]]:
    return [(name, getattr(pages, name)) for name in ("deployer_url", "complaint_url", "report_url", "help_url", "base_url")]


def _reaches_somebody(file: NodeFile) -> bool:
    """Whether a warning on a search names anybody who helps, or the operator said that it shall not."""
    pages, screen = file.pages, file.screen
    return not screen.enabled or screen.without_help or bool(pages.help_lines or pages.services or pages.help_url)


def _help_rule(number: int, line: HelpLine) -> tuple[str, bool, str]:
    good = _is_link(line.url) and bool(line.url or line.phone) and bool(line.languages) and len(line.name) <= 200
    return (
        f"pages.help_lines[{number}]",
        good,
        "Give a name, languages, and a telephone number or an http(s) address.",
    )


def _is_source(source: str) -> bool:
    return bool(source) and ("://" not in source or source.startswith("s3://") or _is_link(source))


def _is_part(part: str) -> bool:
    return bool(PART.fullmatch(part))


def _path(name: str | None, folder: Path) -> Path | None:
    return (folder / name).resolve() if name else None


def _identity(name: str | None, folder: Path) -> Token | None:
    """The text of an identity; whether it is one is seen when it is used."""
    return Token(_read(folder / name, "editions.identity_file").decode("utf-8", "replace")) if name else None


def _is_link(link: str | None) -> bool:
    """True for no link, and for a whole http(s) address: behind a proxy a relative one would go to the listed site."""
    if link is None:
        return True
    try:
        parts = urlsplit(link)
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and bool(parts.hostname) and link.isprintable() and " " not in link


def _are_names(names: tuple[str, ...]) -> bool:
    return len(set(names)) == len(names) and all(0 < len(name) <= 64 for name in names)


def _are_suffixes(gate: Gate) -> bool:
    return (not gate.enabled or bool(gate.hosts)) and all(HOST_SUFFIX.fullmatch(host) for host in gate.hosts)


def _token(token: Token | None, file: str | None, folder: Path, where: str) -> Token | None:
    if file is None:
        return token
    text = _read(folder / file, where).decode("utf-8", "replace").strip()
    return _checked_token(text, where)


def _tokens(file: str | None, folder: Path) -> tuple[Token, ...]:
    if file is None:
        return ()
    lines = _read(folder / file, "api.tokens_file").decode("utf-8", "replace").split()
    if not lines:
        raise InputError(
            "config_value",
            "The file of tokens is empty.",
            where="api.tokens_file",
            mend="Put one token on each line.",
        )
    return tuple(_checked_token(line, "api.tokens_file") for line in lines)


def _checked_token(text: str, where: str) -> Token:
    try:
        return _decode_token(Token, text)
    except ValueError as error:
        raise InputError("config_value", f"A token cannot be used: {error}.", where=where) from error


def _read(path: Path, where: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError("config_unreadable", "A file that the configuration names cannot be read.", where=where) from error
