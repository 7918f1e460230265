"""What the DNS door does with one message: answer it, hand it to the upstream, or ignore it. No socket, no waiting.

Only the name of the question is looked at, and only entries for whole hosts answer (facts/url-canonical-form.md 7).
A listed name is counted once a second, however many records of it are asked for (facts/counting-and-pages.md).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

from vigil.edge.config import Dns
from vigil.edge.counts import Adder, CountClass
from vigil.edge.decide import decide
from vigil.edge.dns import answers
from vigil.edge.dns.answers import Style, Why
from vigil.edge.dns.memory import Listed, Memory
from vigil.edge.dns.wire import HEADER_BYTES, TAIL, Ede, Flag, Ignored, Query, Rcode, Refused, plain_name, read_query
from vigil.edge.doors import DoorName
from vigil.edge.enforced import Enforced
from vigil.edge.node import Node
from vigil.edge.questions import NameQuestion
from vigil.edge.traffic import REQUESTS
from vigil.match.verdict import Outcome, Verdict

TCP_BYTES: Final = 65535
CODES: Final = {"blocked": Ede.BLOCKED, "censored": Ede.CENSORED, "filtered": Ede.FILTERED}
NOT_READY: Final = Why(Ede.NOT_READY)
NOBODY_TO_ASK: Final = Why(Ede.NOT_AUTHORITATIVE)
NO_ANSWER: Final = Why(Ede.NETWORK_ERROR)
STRANGER: Final = Why(Ede.PROHIBITED)


@dataclass(frozen=True, slots=True, repr=False)
class Forward:
    """A question for the upstream; its answer may take ``room`` bytes."""

    query: Query
    room: int


class Desk:
    """The node as the DNS door sees it; shared by UDP and TCP. ``key``: 16 random bytes."""

    def __init__(self, node: Node, key: bytes) -> None:
        self.node = node
        self.settings: Dns = node.config.file.dns
        self.style = Style(recursion=bool(self.settings.upstream), ttl=self.settings.ttl_seconds, payload=self.settings.udp_bytes)
        self._addresses = answers.packed_addresses(self.settings.page_addresses)
        code = CODES.get(self.settings.explanation)
        text, own = self.settings.explanation_text.encode(), self.settings.private_text.encode()
        self._why = Why(code, text) if code is not None else None
        self._private_why = Why(code, own or text) if code is not None else None
        self.memory = Memory(key, self._listed, node.add_hit)
        self._adders: dict[tuple[int, int], Adder | None] = {}
        self._adders_of: tuple[Enforced | None, float] = None, 0.0

    def remembered(self, message: bytes) -> bytes | None:
        """The answer to a question over UDP that was answered before under this edition: a fifth of the work."""
        node = self.node
        answer = self.memory.answer(message, node.state.enforced, int(node.clock.now().timestamp()))
        if answer is not None:
            node.traffic.numbers[REQUESTS] += 1
        return answer

    def on_message(self, message: bytes, *, tcp: bool, allowed: bool = True, private: bool = False) -> bytes | Forward | None:
        """An answer, a question for the upstream, or None for what must not be answered.

        ``private``: nobody on the way can read it, so that it may say more.
        """
        traffic = self.node.traffic
        traffic.requests += 1
        try:
            query = read_query(message)
        except Ignored:
            traffic.problems += 1
            return None
        except Refused as refused:
            traffic.problems += 1
            return answers.to_refusal(refused, self.style)
        room = TCP_BYTES if tcp else answers.room_for(query, self.settings.udp_bytes)
        if not allowed:
            return answers.plain(query, Rcode.REFUSED, self.style, STRANGER, room)
        return self._on_query(query, room, None if tcp else message, self._private_why if private else self._why)

    def failed(self, asked: Forward) -> bytes:
        """No upstream answered."""
        return answers.plain(asked.query, Rcode.SERVFAIL, self.style, NO_ANSWER, asked.room)

    def returned(self, asked: Forward, answer: bytes) -> bytes:
        """The upstream's answer for the asker."""
        if len(answer) > asked.room:
            return answers.truncated(asked.query, self.style)
        return answers.returned(answer, asked.query)

    def fault(self, message: bytes) -> bytes | None:
        """The answer where this door itself failed."""
        if len(message) < HEADER_BYTES or message[2] & 0x80:
            return None
        flags = int.from_bytes(message[2:4], "big")
        return answers.to_refusal(Refused(Rcode.SERVFAIL, int.from_bytes(message[:2], "big"), flags & Flag.RD), self.style)

    def _on_query(self, query: Query, room: int, datagram: bytes | None, why: Why | None) -> bytes | Forward:
        now, edition = self.node.clock.now(), self.node.state.enforced
        verdict = decide(NameQuestion(query.name), edition, now)
        if verdict.verdict is Outcome.LISTED:
            adder, second = self.node.adder(verdict, CountClass.DNS_ANSWER, DoorName.DNS), int(now.timestamp())
            if self.memory.repeats.is_new(self.memory.repeats.digest(query.question[: -TAIL.size]), second):
                self._count(verdict, adder, now)
            if adder is None and self.node.act(verdict, DoorName.DNS).passes:
                return self._onward(query, room)
            answer = self._blocked(query, verdict.edition or 0, room, why)
            if datagram is not None and edition is not None and adder is not None and verdict.entry is not None:
                self.memory.keep(datagram, query.question, answer, room, edition, (adder, verdict.entry), second)
            return answer
        if verdict.verdict is Outcome.NOT_LISTED:
            found = self._onward(query, room)
            if datagram is not None and edition is not None and isinstance(found, bytes):
                self.memory.keep_other(datagram, query.question, found, room, edition)
            return found
        if verdict.verdict is Outcome.UNKNOWN:
            self.node.count(verdict, CountClass.DNS_ANSWER, now, DoorName.DNS)
            if self.settings.on_unknown == "refuse":
                return answers.plain(query, Rcode.SERVFAIL, self.style, NOT_READY, room)
            self.node.bypassed(verdict, DoorName.DNS)
        return self._onward(query, room)

    def _listed(self, wire: bytes, edition: Enforced, second: int) -> Listed | Literal[False] | None:
        """How a name in wire form that is listed is counted; False where it is not; None where it must be decided with care."""
        if edition is not self._adders_of[0]:
            self._adders, self._adders_of = {}, (edition, edition.hard_until.timestamp())
        name = plain_name(wire) if second < self._adders_of[1] else None
        if name is None:
            return None
        found = edition.name_class(name, second)
        if found is None:
            return False
        rank, labels, entry = found
        if (rank, labels) not in self._adders:
            verdict = decide(NameQuestion(name), edition, self.node.clock.now())
            known = verdict.verdict is Outcome.LISTED
            self._adders[rank, labels] = self.node.adder(verdict, CountClass.DNS_ANSWER, DoorName.DNS) if known else None
        adder = self._adders[rank, labels]
        return (adder, entry) if adder is not None else None

    def _onward(self, query: Query, room: int) -> bytes | Forward:
        if not self.settings.upstream:
            return answers.plain(query, Rcode.REFUSED, self.style, NOBODY_TO_ASK, room)
        return Forward(query, room)

    def _blocked(self, query: Query, number: int, room: int, why: Why | None) -> bytes:
        choice = self.settings.answer
        if choice == "refused":
            return answers.plain(query, Rcode.REFUSED, self.style, why, room)
        if choice == "page" and (packed := self._addresses.get(query.type)):
            return answers.addresses(query, packed, self.style, why, room)
        rcode = Rcode.NXDOMAIN if choice == "nxdomain" else Rcode.NOERROR
        return answers.negative(query, rcode, number, self.style, why, room)

    def _count(self, verdict: Verdict, adder: Adder | None, now: datetime) -> None:
        """Once for a name and second; an adder knows already what the policy says."""
        if adder is None or verdict.edition is None or verdict.entry is None:
            self.node.count(verdict, CountClass.DNS_ANSWER, now, DoorName.DNS)
        else:
            self.node.add_hit(adder, verdict.edition, verdict.entry, int(now.timestamp()))
