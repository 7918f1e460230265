"""The run of a self-test: which doors there are by the configuration, what each did, and where the report goes."""

from __future__ import annotations

import http.client
import json
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from vigil.base.clock import Clock, text_of
from vigil.base.errors import InputError, RefusedError, UnavailableError
from vigil.base.files import write_atomically
from vigil.edge.certify.probes import (
    ApiProbe,
    AuthProbe,
    DnsProbe,
    GateProbe,
    Http,
    IcapProbe,
    Probe,
    ProxyProbe,
    SiteProbe,
    seen_by,
)
from vigil.edge.certify.programs import HmaProbe, RpzProbe, SpoeProbe
from vigil.edge.config import NodeConfig, OtherDoor
from vigil.edge.delivery import post
from vigil.edge.identity import NodeKey
from vigil.edge.rpz.settings import read_keys
from vigil.edge.tables import endpoint_of
from vigil.editions.certificate import VERSION, Check, DoorReport, Report, Seen, read, sign
from vigil.editions.selftest import CASES, Case, Sees

KEPT: Final = "certificate.json"
NOTHING_KNOWN: Final = "No door knows the test list, which each edition of a hotline holds: does editions.lists leave it out?"


def doors_of(config: NodeConfig, clock: Clock) -> list[Probe]:
    """Every door that the configuration opens, and those it names in front of the node."""
    file = config.file
    token = config.api_tokens[0].open() if config.api_tokens else ""
    node, bare = Http(_reached(file.listen.host), file.listen.port, token), Http(_reached(file.listen.host), file.listen.port)
    files = frozenset({Sees.ADDRESS, Sees.FILE})
    found: list[Probe] = [ApiProbe(node, sees=files | {Sees.QUERY} if file.screen.enabled else files)]
    if file.gate.enabled:
        found.append(GateProbe(bare))
    if file.icap.enabled:
        found.append(IcapProbe(_reached(file.icap.host), file.icap.port))
    found += [AuthProbe(bare, proxy) for proxy in file.forward_auth.proxies]
    if file.dns.enabled:
        found.append(DnsProbe(_reached(file.dns.host), file.dns.port, page_addresses=frozenset(file.dns.page_addresses)))
    if file.spoe.enabled:
        found.append(SpoeProbe(_reached(file.spoe.host), file.spoe.port))
    if file.rpz.enabled:
        keys = read_keys(config.rpz.keys) if config.rpz.keys is not None else {}
        now = partial(_unix, clock)
        found.append(RpzProbe(_reached(file.rpz.host), file.rpz.port, file.rpz.zone, next(iter(keys.values()), None), now))
    if file.hma.enabled:
        found.append(HmaProbe(Http(_reached(file.hma.host), file.hma.port), file.hma.open_on_loopback, file.hma.lists))
    return found + [_other(door, frozenset(file.dns.page_addresses)) for door in file.certify.doors]


def run(config: NodeConfig, clock: Clock, probes: Sequence[Probe] | None = None) -> Report:
    """Ask every door for every case that it can see."""
    doors = tuple(_ask(probe) for probe in (probes if probes is not None else doors_of(config, clock)))
    file = config.file
    return Report(VERSION, file.node, text_of(clock.now()), _edition(config), config.digest, doors)


def run_and_keep(config: NodeConfig, clock: Clock, out: Path | None = None, *, send: bool = False) -> Report:
    """The same; the certificate is written to ``out`` or into the state folder, and handed in where ``send`` says so."""
    found = run(config, clock)
    certificate = sign(found, NodeKey.of(config.state))
    write_atomically(out or config.state / KEPT, certificate, mode=0o644)
    if send:
        hand_in(config, certificate)
    return found


def hand_in(config: NodeConfig, certificate: bytes) -> None:
    """Hand the certificate to ``certify.report_url``. Raises UnavailableError where it is not taken."""
    address = config.file.certify.report_url
    if address is None:
        raise InputError("report_url_missing", "It is not said where reports go.", mend="Set certify.report_url.")
    status = post(urlsplit(address), certificate, config.counts_token, {})
    if status not in (200, 201):
        raise UnavailableError("report_not_taken", "The hotline did not take the report.", where=f"status {status}")


def check(data: bytes, key: str) -> Report:
    """The report in ``data``, signed by ``key`` (hexadecimal). Raises RefusedError where another key signed it."""
    checked = read(data)
    if checked.key != key.strip().lower():
        raise RefusedError("certificate_other_key", "Another node's key signed this certificate.")
    return checked.report


def lines_of(found: Report) -> list[str]:
    """What a person reads: one line a door, and what was wrong with it."""
    lines = []
    for door in found.doors:
        lines.append(f"{door.door}: {'right' if door.good else 'WRONG'} ({len(door.checks)} questions)")
        lines += [
            f"  {each.case}: should be {each.expected}, was {each.seen}{f' ({each.detail})' if each.detail else ''}"
            for each in door.checks
            if not each.good
        ]
    if _nothing_known(found):
        lines.append(NOTHING_KNOWN)
    lines.append("All doors are right." if found.good else f"Failing: {', '.join(found.failing()) or 'there is no door'}.")
    return lines


def _nothing_known(found: Report) -> bool:
    """True where doors answer, and none blocks anything of the edition's test list; words may stand in a file."""
    of_edition = {case.name for case in CASES if case.listed and case.sees is not Sees.QUERY}
    seen = {check.seen for door in found.doors for check in door.checks if check.case in of_edition}
    return Seen.PASSED in seen and Seen.BLOCKED not in seen


def _ask(probe: Probe) -> DoorReport:
    return DoorReport(probe.name, tuple(_check(probe, case) for case in CASES if case.sees in probe.sees))


def _check(probe: Probe, case: Case) -> Check:
    seen, detail = seen_by(probe, case)
    return Check(case.name, Seen.BLOCKED if case.listed else Seen.PASSED, seen, detail)


def _edition(config: NodeConfig) -> int | None:
    listen = config.file.listen
    try:
        _, body = Http(_reached(listen.host), listen.port).ask("GET", "/readyz")
        number = json.loads(body).get("edition")
    except (OSError, http.client.HTTPException, ValueError, AttributeError):
        return None
    return number if isinstance(number, int) else None


def _other(door: OtherDoor, page_addresses: frozenset[str]) -> Probe:
    if door.kind == "resolver":
        endpoint = endpoint_of(door.address)
        if endpoint is None:
            raise InputError("config_value", "This is not the address of a resolver.", where=f"certify.doors: {door.name}")
        return DnsProbe(*endpoint, name=door.name, page_addresses=page_addresses)
    parts = urlsplit(door.address)
    if parts.scheme != "http" or not parts.hostname:
        raise InputError("config_value", "Give an address that begins with http://.", where=f"certify.doors: {door.name}")
    server = Http(parts.hostname, parts.port or 80)
    return ProxyProbe(server, door.name) if door.kind == "proxy" else SiteProbe(server, door.name)


def _unix(clock: Clock) -> int:
    return int(clock.now().timestamp())


def _reached(host: str) -> str:
    """Where a server that listens on every address is reached from here."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104  compared, not bound

