"""Probes of the doors that other programs stand behind: HAProxy's agent, the hidden primary, and the HMA-compatible door."""

from __future__ import annotations

import hashlib
import json
import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

from vigil.edge.certify import transfer
from vigil.edge.certify.probes import SECONDS, Answer, Http
from vigil.edge.certify.transfer import exactly
from vigil.edge.rpz.tsig import Key
from vigil.edge.spoe import wire as spop
from vigil.edge.spoe.wire import Broken, FrameType, Kind
from vigil.editions.certificate import Seen
from vigil.editions.selftest import CASES, LIST, Case, Sees, picture

ALIVE: Final = b"I-AM-ALIVE"
UNBANKED: Final = "0f" * 32  # a PDQ hash that no picture has
ACTIONS: Final = {b"block": Seen.BLOCKED, b"deny": Seen.BLOCKED, b"pass": Seen.PASSED, b"refuse": Seen.UNKNOWN}


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
                    size = int.from_bytes(exactly(connection, spop.LENGTH_BYTES), "big")
                    if size > spop.FRAME_BYTES:
                        return Seen.FAILED, "too_big"
                    found = spop.read_frame(exactly(connection, size))
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


@dataclass(slots=True)
class RpzProbe:
    """The hidden primary: the whole zone is transferred as a secondary does, once, by a process of its own.

    So neither the memory nor the interpreter of the node is busy with a zone of a million names. ``now``: unix seconds.
    """

    host: str
    port: int
    zone: str
    key: Key | None = field(repr=False)
    now: Callable[[], int] = field(repr=False)
    name: str = "rpz"
    sees: frozenset[Sees] = frozenset({Sees.HOST})
    _seen: transfer.Seen | None = field(default=None, repr=False)

    def ask(self, case: Case) -> Answer:
        if self._seen is None:
            owners = [self._owner(each) for each in CASES if Sees.HOST is each.sees]
            self._seen = transfer.in_child(transfer.Wanted(self.host, self.port, self.zone, owners, self.now()), self.key)
        found = self._seen
        if found.failed:
            return Seen.FAILED, found.failed
        return (Seen.BLOCKED if self._owner(case) in found.owners else Seen.PASSED), f"{found.records} records"

    def _owner(self, case: Case) -> str:
        return f"{urlsplit(case.address).hostname}.{self.zone}"


@dataclass(frozen=True, slots=True)
class HmaProbe:
    """The HMA-compatible door: its index is loaded and fresh; where this machine may ask without a token, it also looks up.

    Where lists of the edition answer there too (``hma.lists``), the picture of the test list must be found. Banks are the
    platform's own, and no test hash is in them: of them it can only be told that they are loaded and do not match everything.
    """

    server: Http
    asks: bool
    lists: bool = False
    name: str = "hma"

    @property
    def sees(self) -> frozenset[Sees]:
        return frozenset({Sees.BANKS, Sees.BANKED_LISTS}) if self.asks and self.lists else frozenset({Sees.BANKS})

    def ask(self, case: Case) -> Answer:
        if case.sees is Sees.BANKED_LISTS:
            digest = hashlib.sha256(picture()).hexdigest()
            return self._found(f"/m/lookup?signal_type=sha256&signal={digest}", lambda found: LIST in found)
        status, body = self.server.ask("GET", "/status")
        if status != 200 or body.strip() != ALIVE:
            return Seen.FAILED, body[:40].decode("ascii", "replace").strip() or str(status)
        if not self.asks:
            return Seen.PASSED, "status"
        return self._found(f"/m/raw_lookup?signal_type=pdq&signal={UNBANKED}", lambda found: bool(found.get("matches")))

    def _found(self, path: str, matches: Callable[[dict[str, object]], bool]) -> Answer:
        status, body = self.server.ask("GET", path)
        if status != 200:
            return Seen.FAILED, str(status)
        return (Seen.BLOCKED if matches(json.loads(body)) else Seen.PASSED), "lookup"
