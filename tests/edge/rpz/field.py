"""Around the hidden primary: nodes that serve a zone, and dnspython as the secondary that nobody doubts."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dns.message
import dns.name
import dns.query
import dns.rdatatype
import dns.tsig
import dns.tsigkeyring
import dns.xfr
import dns.zone
from tests.edge.world import Hotline, RunningNode, config_text, running, until, url_entry

from vigil.edge.rpz.server import RpzDoor
from vigil.editions.model import UrlEntry
from vigil.match.urls import EntryFlag, Scope

SECRET = "emFibHF1aW1iZXJ6b3JibGF0bm9uc2Vuc2U="
KEY = f'key "vigil" {{\n\talgorithm hmac-sha256;\n\tsecret "{SECRET}";\n}};\n'
RING = dns.tsigkeyring.from_text({"vigil.": ("hmac-sha256", SECRET)})
NAMES = "host.example\ndomain.example\npage.example\nskipped.example\nprobe.example\nother.example\nxn--bcher-kva.example\n"
ENTRIES = (
    url_entry(1, "http://page.example/quimber"),
    url_entry(2, "http://domain.example/", Scope.DOMAIN),
    url_entry(3, "http://host.example/", Scope.HOST),
    url_entry(4, "http://skipped.example/", Scope.DOMAIN, flags=EntryFlag.HOST_ONLY_SKIPPED),
    url_entry(5, "http://probe.example/", Scope.PREFIX),
    url_entry(6, "http://bücher.example/", Scope.HOST),
    url_entry(7, "http://unnamed.example/", Scope.HOST),
    url_entry(8, "http://192.0.2.7/", Scope.IP),
)
OWNERS = {"host.example", "domain.example", "*.domain.example", "xn--bcher-kva.example"}


@contextmanager
def primary(hotline: Hotline, state: Path, settings: str = "", names: str = NAMES, key: str = KEY) -> Iterator[RunningNode]:
    """A node with the hidden primary open on any port; ``settings`` are lines of the table ``[rpz]``."""
    folder = state.parent
    (folder / "names.txt").write_text(names)
    keys = ""
    if key:
        (folder / "keys.conf").write_text(key)
        keys = f'keys_file = "{folder / "keys.conf"}"\n'
    table = f'[rpz]\nenabled = true\nport = 0\nnames = ["{folder / "names.txt"}"]\npoll_seconds = 0.1\n{keys}{settings}\n'
    with running(config_text(hotline, state, table)) as node:
        until(lambda: node.ask("GET", "/healthz").status == 200)
        if hotline.number:
            until(lambda: door_of(node).keeper.zone is not None and node.node.state.enforced is not None)
        yield node


def door_of(node: RunningNode) -> RpzDoor:
    """The door of a running node."""
    door = node.service.rpz
    assert door is not None
    return door


def serial_of(node: RunningNode) -> int:
    """The serial in force."""
    zone = door_of(node).keeper.zone
    assert zone is not None
    return zone.serial


def changed(hotline: Hotline, node: RunningNode, *entries: UrlEntry) -> int:
    """Publish other entries and wait until the zone has followed: its new serial."""
    before = serial_of(node)
    hotline.publish(*entries)
    until(lambda: serial_of(node) != before)
    return serial_of(node)


def transferred(node: RunningNode, zone: dns.zone.Zone | None = None) -> dns.zone.Zone:
    """The zone as dnspython brings it up to date by IXFR, or whole where there is none yet."""
    zone = zone if zone is not None else dns.zone.Zone("v.")
    query, _ = dns.xfr.make_query(zone, keyring=RING, keyname="vigil.")
    dns.query.inbound_xfr("127.0.0.1", zone, query, port=door_of(node).port, timeout=20, lifetime=20)
    return zone


def owners(zone: dns.zone.Zone) -> set[str]:
    """The names that the zone blocks."""
    return {str(name) for name, _ in zone.iterate_rdatasets("CNAME")}


def asked(node: RunningNode, query: dns.message.Message, *, tcp: bool = False) -> dns.message.Message:
    """One answer."""
    ask = dns.query.tcp if tcp else dns.query.udp
    return ask(query, "127.0.0.1", port=door_of(node).port, timeout=20)


def signed(name: str = "v.", kind: str = "SOA", keyring: object = RING) -> dns.message.Message:
    """A question with its signature."""
    query = dns.message.make_query(name, kind)
    query.use_tsig(keyring, keyname="vigil.")
    return query


def raw_answers(node: RunningNode, *messages: bytes) -> list[bytes]:
    """What comes back over one TCP connection until it ends."""
    with socket.create_connection(("127.0.0.1", door_of(node).port), timeout=20) as stream:
        stream.sendall(b"".join(struct.pack(">H", len(each)) + each for each in messages))
        stream.shutdown(socket.SHUT_WR)
        data = b""
        while part := stream.recv(65536):
            data += part
    found = []
    while data:
        size = struct.unpack(">H", data[:2])[0]
        found.append(data[2 : 2 + size])
        data = data[2 + size :]
    return found
