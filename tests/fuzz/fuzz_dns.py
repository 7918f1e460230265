"""Fuzz target: whatever the bytes, a DNS message is read, refused or ignored; what is read, dnspython reads the same."""

from __future__ import annotations

import dns.message
import dns.name

from vigil.edge.dns import answers
from vigil.edge.dns.answers import Style, Why
from vigil.edge.dns.wire import Ede, Ignored, Query, Rcode, Refused, read_query

STYLE = Style(recursion=True)
WHY = Why(Ede.BLOCKED, b"Ask the operator.")


def TestOneInput(data: bytes) -> None:
    """Raises where a promise is broken. The first byte chooses between bytes as they are and one well-formed header."""
    message = data[1:] if data[:1] < b"\x80" else b"\0\7\1\0\0\1\0\0\0\0\0" + (data[1:2] or b"\0") + data[2:]
    try:
        query = read_query(message)
    except Ignored:
        return
    except Refused as refused:
        require(len(answers.to_refusal(refused, STYLE)) <= max(len(message), 12), "a refusal is longer than its question")
        return
    check_twin(query, message)
    check_answers(query)
    check_way_back(query, message)


def check_twin(query: Query, message: bytes) -> None:
    name, size = dns.name.from_wire(message, 12)
    require(query.question == message[12 : 12 + size + 4], "the question ends elsewhere")
    require(name.to_wire() == query.question[:-4], "the name differs")
    require(query.name.count(".") == max(0, len(name.labels) - 2) and query.name.isascii(), "the labels differ")


def check_answers(query: Query) -> None:
    for room in (512, 1232):
        for raw in (
            answers.negative(query, Rcode.NXDOMAIN, 1, STYLE, WHY, room),
            answers.addresses(query, [bytes(16)] * 8, STYLE, WHY, room),
        ):
            require(len(raw) <= room, "an answer is longer than its room")
            require(raw[12 : 12 + len(query.question)] == query.question, "the question is not repeated")
    dns.message.from_wire(answers.negative(query, Rcode.NXDOMAIN, 1, STYLE, WHY, 1232))


def check_way_back(query: Query, message: bytes) -> None:
    out = answers.forwarded(query, 99, 1232)
    require(not answers.answers_to(out, 99, query), "a question passes for an answer")
    back = out[:2] + b"\x81\x80" + out[4:]
    require(answers.answers_to(back, 99, query), "an answer does not pass")
    require(answers.returned(back, query)[:2] == message[:2], "the id is lost")


def require(promise: bool, broken: str) -> None:
    if not promise:
        raise AssertionError(broken)
