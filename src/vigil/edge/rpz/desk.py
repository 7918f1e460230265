"""What the hidden primary says to one message: nothing, one answer, or the messages of a transfer. No socket, no waiting.

A secondary may ask for the SOA and NS of the zone and for its transfer, nothing else; where keys are set, only signed.
The errors are the protocol's own: NOTAUTH for another zone or a signature that does not hold (RFC 5936 2.2.1, RFC 8945 5.2),
REFUSED for who may not ask and for NOTIFY (nobody is our primary), SERVFAIL while there is no zone or too many transfers run.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from vigil.edge.dns.answers import OUR_PAYLOAD
from vigil.edge.dns.wire import IN, NOTIFY, OPT_FIXED, QUERY, Flag, Rcode, Type
from vigil.edge.rpz import tsig, wire
from vigil.edge.rpz.policy import Policy
from vigil.edge.rpz.tsig import Key, Signature, Signer, TsigError
from vigil.edge.rpz.wire import Malformed, Message
from vigil.edge.rpz.zone import Batch, History, Zone, incremental, is_worth_it, name_server, whole

TRANSFERS: Final = frozenset({int(Type.AXFR), int(Type.IXFR)})
KEPT_FLAGS: Final = 0x7800 | Flag.RD | Flag.CD
SEEN_MOST: Final = 65_536
OPT: Final = b"\0" + OPT_FIXED.pack(Type.OPT, OUR_PAYLOAD, 0, 0)
Versions = Callable[[], tuple[Zone | None, History]]


class Seen:
    """Signatures of transfers that were answered, while their time holds: a second one like it is a replay.

    Questions for the SOA are not kept: a client repeats them over UDP, and the answer tells nobody anything new.
    """

    def __init__(self) -> None:
        self._until: OrderedDict[bytes, int] = OrderedDict()

    def is_new(self, found: Signature, now: int) -> bool:
        """True the first time. At most 65,536 are kept; the oldest go first."""
        while self._until and next(iter(self._until.values())) < now:
            self._until.popitem(last=False)
        if found.mac in self._until:
            return False
        self._until[found.mac] = now + 2 * found.fudge
        if len(self._until) > SEEN_MOST:
            self._until.popitem(last=False)
        return True


@dataclass(frozen=True, slots=True, repr=False)
class Asked:
    """A request and who signed it; ``error`` where the signature does not hold."""

    message: Message
    signature: Signature | None
    key: Key | None
    error: TsigError


class Desk:
    """The primary of ``zone`` as secondaries see it. ``versions``: the zone in force and how it came about."""

    def __init__(self, zone: str, policy: Policy, keys: dict[str, Key], versions: Versions, most_transfers: int) -> None:
        self._name, self._policy, self._keys, self._versions = zone, policy, keys, versions
        self._seen = Seen()
        self._left = most_transfers
        self.problems = 0
        self.transfers = {"axfr": 0, "ixfr": 0}

    def on_message(self, raw: bytes, now: int, *, tcp: bool, allowed: bool) -> Iterator[bytes]:
        """The answer to one message as one or, for a transfer, several; none for what must not be answered."""
        try:
            message = wire.read_message(raw)
            if message.flags & Flag.QR:
                raise Malformed
            signature = tsig.signature_in(raw, message)
        except Malformed as malformed:
            yield from self._to_malformed(malformed)
            return
        asked = self._judged(message, signature, now)
        rcode = self._refusal(asked, tcp=tcp, allowed=allowed)
        transfer = rcode is None and message.type in TRANSFERS and tcp
        if transfer and signature is not None and not self._seen.is_new(signature, now):
            asked, rcode = Asked(message, signature, asked.key, TsigError.BADTIME), Rcode.NOTAUTH
        if rcode is not None:
            self.problems += 1
            yield self._error(asked, rcode, now)
            return
        yield from self._answer(asked, now, tcp=tcp)

    def _to_malformed(self, malformed: Malformed) -> Iterator[bytes]:
        """FORMERR to what at least has the header of a question; silence to the rest: answers to answers never end."""
        self.problems += 1
        if malformed.number is not None and not malformed.flags & Flag.QR:
            flags = Flag.QR | malformed.flags & KEPT_FLAGS | Rcode.FORMERR
            yield wire.message(malformed.number, flags, b"")

    def _judged(self, message: Message, signature: Signature | None, now: int) -> Asked:
        if signature is None:
            return Asked(message, None, None, TsigError.NONE)
        return Asked(message, signature, self._keys.get(signature.key), tsig.verify(signature, self._keys, now))

    def _refusal(self, asked: Asked, *, tcp: bool, allowed: bool) -> Rcode | None:
        """Why this is not answered; None where it is."""
        message = asked.message
        if asked.error is not TsigError.NONE:
            return Rcode.NOTAUTH
        if message.opcode != QUERY:
            return Rcode.REFUSED if message.opcode == NOTIFY else Rcode.NOTIMP
        if message.question == b"" or message.answers or _version_of(message):
            return Rcode.BADVERS if _version_of(message) else Rcode.FORMERR
        if not allowed or (self._keys and asked.key is None) or message.kind != IN:
            return Rcode.REFUSED
        if message.name != self._name:
            return Rcode.NOTAUTH
        if message.type == Type.AXFR and not tcp:
            return Rcode.FORMERR  # RFC 5936 4.2: not defined over UDP
        if message.type not in TRANSFERS and message.type not in (Type.SOA, Type.NS):
            return Rcode.REFUSED
        return None

    def _answer(self, asked: Asked, now: int, *, tcp: bool) -> Iterator[bytes]:
        zone, history = self._versions()
        if zone is None:
            yield self._error(asked, Rcode.SERVFAIL, now)
        elif asked.message.type == Type.NS:
            yield self._one(asked, name_server(self._policy), now)
        elif asked.message.type == Type.SOA or not tcp:
            # An IXFR over UDP that does not fit is answered by the SOA alone: come again over TCP (RFC 1995 4).
            yield self._one(asked, self._soa(zone), now)
        elif self._left <= 0:
            self.problems += 1
            yield self._error(asked, Rcode.SERVFAIL, now)
        else:
            yield from self._transfer(asked, zone, history, now)

    def _transfer(self, asked: Asked, zone: Zone, history: History, now: int) -> Iterator[bytes]:
        self._left -= 1
        try:
            signer = self._signer(asked)
            for number, (records, count) in enumerate(self._batches(asked.message, zone, history)):
                head = self._head(asked, Rcode.NOERROR)
                opt = OPT if number == 0 and _has_edns(asked.message) else b""
                raw = wire.message(asked.message.number, head, asked.message.question, records, count, additional=opt)
                yield signer.sign(raw, now) if signer else raw
        finally:
            self._left += 1

    def _batches(self, message: Message, zone: Zone, history: History) -> Iterator[Batch]:
        held = self._held(message)
        if message.type == Type.AXFR or held is None:
            self.transfers["axfr"] += 1
            return whole(zone, self._policy)
        if not wire.is_newer(zone.serial, held):
            return iter([(self._soa(zone), 1)])
        steps = history.since(held)
        if steps is None or not is_worth_it(zone, steps):
            self.transfers["axfr"] += 1
            return whole(zone, self._policy)
        self.transfers["ixfr"] += 1
        return incremental(zone, steps, self._policy)

    def _held(self, message: Message) -> int | None:
        """The serial that the asker of an IXFR has."""
        for each in message.authorities:
            if each.type == Type.SOA and len(each.data) >= wire.SOA_TIMES.size:
                return int.from_bytes(each.data[-wire.SOA_TIMES.size :][:4], "big")
        return None

    def _soa(self, zone: Zone) -> bytes:
        return wire.soa_record(self._policy.soa(zone.serial), self._policy.ttl)

    def _signer(self, asked: Asked) -> Signer | None:
        return Signer(asked.key, asked.signature.mac) if asked.key and asked.signature else None

    def _one(self, asked: Asked, record: bytes, now: int) -> bytes:
        opt = OPT if _has_edns(asked.message) else b""
        raw = wire.message(
            asked.message.number, self._head(asked, Rcode.NOERROR), asked.message.question, record, 1, additional=opt
        )
        signer = self._signer(asked)
        return signer.sign(raw, now) if signer else raw

    def _error(self, asked: Asked, rcode: Rcode, now: int) -> bytes:
        opt = b"" if not _has_edns(asked.message) else b"\0" + OPT_FIXED.pack(Type.OPT, OUR_PAYLOAD, (rcode >> 4) << 24, 0)
        raw = wire.message(asked.message.number, self._head(asked, rcode), asked.message.question, additional=opt)
        if asked.signature is None:
            return raw
        if asked.error in (TsigError.BADKEY, TsigError.BADSIG) or asked.key is None:
            return tsig.unsigned_error(raw, asked.signature, asked.error)
        return Signer(asked.key, asked.signature.mac).sign(raw, now, asked.error)

    def _head(self, asked: Asked, rcode: Rcode) -> int:
        authoritative = Flag.AA if rcode is Rcode.NOERROR else 0
        return Flag.QR | authoritative | asked.message.flags & KEPT_FLAGS | rcode & 15


def _has_edns(message: Message) -> bool:
    return any(each.type == Type.OPT for each in message.additional)


def _version_of(message: Message) -> int:
    """The EDNS version; 0 for none."""
    return next((each.ttl >> 16 & 255 for each in message.additional if each.type == Type.OPT), 0)
