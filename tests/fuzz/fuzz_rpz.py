"""Fuzz target: whatever the bytes, the hidden primary answers with what dnspython can read, or not at all."""

from __future__ import annotations

import dns.exception
import dns.message

from vigil.edge.rpz import tsig, wire
from vigil.edge.rpz.desk import Desk
from vigil.edge.rpz.policy import Policy
from vigil.edge.rpz.tsig import Key, Secret, Signer
from vigil.edge.rpz.wire import Malformed
from vigil.edge.rpz.zone import History, Step, Zone
from vigil.editions.export.names import Names

NOW = 1_795_000_000
KEY = Key("vigil", "hmac-sha256", Secret(b"zorblat quimber nonsense"))
POLICY = Policy(30, 60, 30, 2_419_200, "nxdomain")
ZONE = Zone(7, Names(frozenset({"host.example"}), frozenset({f"d{n}.example" for n in range(9)})))
HISTORY = History(3, [Step(6, 7, ("old.example",), ("host.example",))])


def TestOneInput(data: bytes) -> None:
    """Raises where a promise is broken. The first byte: UDP or TCP, with keys or without, signed rightly or as it came."""
    if not data:
        return
    choice, raw = data[0], data[1:]
    desk = Desk("v", POLICY, {"vigil": KEY} if choice & 1 else {}, lambda: (ZONE, HISTORY), 1)
    if choice & 2:
        raw = signed(raw)
    answers = list(desk.on_message(raw, NOW, tcp=bool(choice & 4), allowed=bool(choice & 8)))
    if len(raw) > 2 and raw[2] & 0x80 and answers:
        raise AssertionError("an answer was answered")
    for answer in answers:
        check(raw, answer)


def signed(raw: bytes) -> bytes:
    """``raw`` with a good signature, where it can carry one."""
    return Signer(KEY, b"").sign(raw, NOW) if len(raw) >= 12 and raw[10:12] != b"\xff\xff" else raw


def check(raw: bytes, answer: bytes) -> None:
    if answer[:2] != raw[:2] or not answer[2] & 0x80:
        raise AssertionError("the answer is not one to this question")
    message = wire.read_message(answer, 1000)
    tsig.signature_in(answer, message)
    try:
        theirs = dns.message.from_wire(answer, continue_on_error=True)
    except dns.exception.DNSException as error:
        raise AssertionError("dnspython cannot read the answer") from error
    if len(theirs.answer) and message.rcode:
        raise AssertionError("an error with records")
    twin(raw)


def twin(raw: bytes) -> None:
    """A request that we can read, dnspython reads the same."""
    try:
        ours = wire.read_message(raw)
    except Malformed:
        return
    if ours.question:
        theirs = dns.message.from_wire(raw, continue_on_error=True)
        if theirs.question and theirs.question[0].name.to_wire().lower() != ours.question[:-4].lower():
            raise AssertionError("the names differ")
