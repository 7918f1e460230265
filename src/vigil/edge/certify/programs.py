"""Probes of the doors that other programs stand behind: HAProxy's agent, the hidden primary, and the HMA-compatible door."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

from vigil.edge.certify.probes import SECONDS, Answer, Http
from vigil.edge.dns.wire import Type
from vigil.edge.rpz import tsig
from vigil.edge.rpz import wire as dns
from vigil.edge.rpz.tsig import Key, Signer, TsigError
from vigil.edge.spoe import wire as spop
from vigil.edge.spoe.wire import Broken, FrameType, Kind
from vigil.editions.certificate import Seen
from vigil.editions.selftest import Case, Sees

RECORDS_MOST: Final = 65_535
MESSAGES_MOST: Final = 100_000
LENGTH_BYTES: Final = 2
ALIVE: Final = b"I-AM-ALIVE"
UNBANKED: Final = "0f" * 32  # a PDQ hash that no picture has
ACTIONS: Final = {b"block": Seen.BLOCKED, b"deny": Seen.BLOCKED, b"pass": Seen.PASSED, b"refuse": Seen.UNKNOWN}


def _exactly(connection: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        part = connection.recv(size - len(data))
        if not part:
            raise ConnectionError("the door ended the connection")
        data += part
    return data


@dataclass(frozen=True, slots=True)
class SpoeProbe:
    """HAProxy's agent, asked as HAProxy asks."""

    host: str
    port: int
    name: str = "spoe"
    sees: frozenset[Sees] = frozenset({Sees.ADDRESS})

    def ask(self, case: Case) -> Answer:
        parts = urlsplit(case.address)
        target, host = parts.path.encode(), parts.netloc.encode()
        asked: list[tuple[bytes, spop.Value]] = [(b"method", b"GET"), (b"target", target), (b"host", host), (b"tls", False)]
        payload = spop.string(b"check-request") + bytes((len(asked),))
        payload += b"".join(spop.string(name) + spop.typed(value, Kind.STRING) for name, value in asked)
        with socket.create_connection((self.host, self.port), timeout=SECONDS) as connection:
            connection.sendall(_hello() + spop.frame(FrameType.NOTIFY, 1, 1, payload))
            try:
                for wanted in (FrameType.AGENT_HELLO, FrameType.ACK):
                    found = spop.read_frame(_exactly(connection, int.from_bytes(_exactly(connection, spop.LENGTH_BYTES), "big")))
                    if found.kind != wanted:
                        return Seen.FAILED, "disconnected"
                action = spop.read_variables(found.payload).get(b"action")
            except Broken as broken:
                return Seen.FAILED, broken.status.name.lower()
        words = action if isinstance(action, bytes) else b""
        return ACTIONS.get(words, Seen.FAILED), words.decode("ascii", "replace")


def _hello() -> bytes:
    pairs = spop.string(b"supported-versions") + spop.typed(b"2.0", Kind.STRING)
    pairs += spop.string(b"max-frame-size") + spop.typed(spop.FRAME_BYTES, Kind.UINT32)
    pairs += spop.string(b"capabilities") + spop.typed(b"", Kind.STRING)
    return spop.frame(FrameType.HAPROXY_HELLO, 0, 0, pairs)


@dataclass(frozen=True, slots=True)
class RpzProbe:
    """The hidden primary: the whole zone is transferred as a secondary does. ``now``: unix seconds, for the signature."""

    host: str
    port: int
    zone: str
    key: Key | None = field(repr=False)
    now: Callable[[], int] = field(repr=False)
    name: str = "rpz"
    sees: frozenset[Sees] = frozenset({Sees.HOST})

    def ask(self, case: Case) -> Answer:
        wanted = f"{urlsplit(case.address).hostname}.{self.zone}"
        blocked, count = False, 0
        try:
            for message in self._transfer():
                if message.rcode:
                    return Seen.FAILED, str(message.rcode)
                blocked = blocked or any(each.owner == wanted for each in message.answers)
                count += len(message.answers)
        except dns.Malformed:
            return Seen.FAILED, "malformed"
        return (Seen.BLOCKED if blocked else Seen.PASSED), f"{count} records"

    def _transfer(self) -> Iterator[dns.Message]:
        """The messages of an AXFR, up to the SOA that ends it."""
        raw, mac = dns.request(int.from_bytes(os.urandom(2), "big"), self.zone, Type.AXFR), b""
        if self.key is not None:
            raw = Signer(self.key, b"").sign(raw, self.now())
            signed = tsig.signature_in(raw, dns.read_message(raw))
            mac = signed.mac if signed is not None else b""
        with socket.create_connection((self.host, self.port), timeout=SECONDS) as connection:
            connection.sendall(len(raw).to_bytes(LENGTH_BYTES, "big") + raw)
            soas = 0
            for number in range(MESSAGES_MOST):
                raw = _exactly(connection, int.from_bytes(_exactly(connection, LENGTH_BYTES), "big"))
                message = dns.read_message(raw, RECORDS_MOST)
                if number == 0 and not self._is_signed(raw, message, mac):
                    raise ConnectionError("the answer is not signed with the key")
                soas += sum(each.type == Type.SOA for each in message.answers)
                yield message
                if soas > 1 or message.rcode:
                    return

    def _is_signed(self, raw: bytes, message: dns.Message, mac: bytes) -> bool:
        if self.key is None or message.rcode:
            return True
        found = tsig.signature_in(raw, message)
        return found is not None and tsig.verify(found, {self.key.name: self.key}, self.now(), mac) is TsigError.NONE


@dataclass(frozen=True, slots=True)
class HmaProbe:
    """The HMA-compatible door: its index is loaded and fresh; where this machine may ask without a token, it also looks up.

    That a banked hash matches cannot be told here: banks are a platform's own, and no test hash is in them.
    """

    server: Http
    asks: bool
    name: str = "hma"
    sees: frozenset[Sees] = frozenset({Sees.BANKS})

    def ask(self, case: Case) -> Answer:
        status, body = self.server.ask("GET", "/status")
        if status != 200 or body.strip() != ALIVE:
            return Seen.FAILED, body[:40].decode("ascii", "replace").strip() or str(status)
        if not self.asks:
            return Seen.PASSED, "status"
        status, body = self.server.ask("GET", f"/m/raw_lookup?signal_type=pdq&signal={UNBANKED}")
        if status != 200:
            return Seen.FAILED, str(status)
        return (Seen.PASSED if not json.loads(body).get("matches") else Seen.BLOCKED), "lookup"
