"""The codec against RFC 1035's limits and against dnspython: what one reads, the other reads the same."""

from __future__ import annotations

import struct

import dns.edns
import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from vigil.edge.dns import answers
from vigil.edge.dns.answers import Style, Why
from vigil.edge.dns.wire import Ede, Ignored, Query, Rcode, Refused, name_text, plain_name, read_query

LABEL = st.binary(min_size=1, max_size=63)
PLAIN_LABEL = st.from_regex(rb"[a-zA-Z0-9_-]{1,63}", fullmatch=True)
NAME = st.lists(LABEL | PLAIN_LABEL, max_size=127).filter(lambda labels: sum(map(len, labels)) + len(labels) < 255)
TYPE = st.integers(1, 65535).filter(lambda number: number != 41 and not 128 <= number <= 254)
STYLE = Style(recursion=True, ttl=30)
WHY = Why(Ede.FILTERED, "Ärger".encode())
EVERYTHING = 65535


def message(
    labels: list[bytes], kind: int = 1, number: int = 7, flags: int = 0x0100, tail: bytes = b"", additional: int = 0
) -> bytes:
    name = b"".join(bytes([len(label)]) + label for label in labels) + b"\0"
    return struct.pack(">HHHHHH", number, flags, 1, 0, 0, additional) + name + struct.pack(">HH", kind, 1) + tail


def opt(payload: int = 1232, flags: int = 0, data: bytes = b"") -> bytes:
    return b"\0" + struct.pack(">HHIH", 41, payload, flags, len(data)) + data


def refusal(raw: bytes) -> Rcode:
    with pytest.raises(Refused) as caught:
        read_query(raw)
    return caught.value.rcode


def ede_of(found: dns.message.Message) -> int:
    [option] = found.options
    assert isinstance(option, dns.edns.EDEOption)
    return int(option.code)


def query(labels: list[bytes] | None = None, kind: int = 1, tail: bytes = b"") -> Query:
    return read_query(message(labels or [b"Zorblat", b"example"], kind, tail=tail, additional=bool(tail)))


@given(NAME, TYPE, st.integers(0, 65535), st.none() | st.tuples(st.integers(512, 4096), st.booleans()))
@example([], 1, 0, None)
@example([b"a" * 63, b"b" * 63, b"c" * 63, b"d" * 61], 1, 0, None)
@example([b"a"] * 127, 1, 0, (512, True))
def test_a_question_of_dnspython_is_read_as_it_was_meant(
    labels: list[bytes], kind: int, number: int, edns: tuple[int, bool] | None
) -> None:
    name = dns.name.Name([*labels, b""])
    made = dns.message.make_query(name, kind, id=number)
    if edns:
        made.use_edns(0, 0x8000 if edns[1] else 0, edns[0])
    raw = made.to_wire()
    found = read_query(raw)
    assert (found.number, found.type, found.kind, found.flags) == (number, kind, 1, 0x0100)
    assert found.question == name.to_wire() + struct.pack(">HH", kind, 1)
    assert found.name == name_text(labels)
    assert (found.edns.payload, found.edns.dnssec) == edns if edns and found.edns else found.edns is None


@given(st.binary(max_size=80), st.integers(0, 3))
def test_any_bytes_are_read_or_refused_and_what_is_read_dnspython_reads_too(data: bytes, additional: int) -> None:
    raw = struct.pack(">HHHHHH", 7, 0x0100, 1, 0, 0, additional) + data
    try:
        found = read_query(raw)
    except Refused as refused:
        assert len(answers.to_refusal(refused, STYLE)) <= len(raw)
        return
    twin = dns.message.from_wire(raw)
    assert twin.question[0].name == dns.name.from_wire(raw, 12)[0]
    assert (twin.question[0].rdtype, twin.question[0].rdclass) == (found.type, found.kind)
    assert (twin.edns == 0) == (found.edns is not None)


@given(st.binary(max_size=600))
def test_whatever_comes_nothing_but_the_two_signals_is_raised(data: bytes) -> None:
    try:
        assert isinstance(read_query(data), Query)
    except Ignored:
        assert len(data) < 12 or data[2] & 0x80
    except Refused as refused:
        assert answers.to_refusal(refused, STYLE)[:2] == data[:2]


GOOD = message([b"zorblat", b"example"])


@pytest.mark.parametrize("size", range(12, len(GOOD)))
def test_a_message_cut_anywhere_is_malformed(size: int) -> None:
    assert refusal(GOOD[:size]) is Rcode.FORMERR


@pytest.mark.parametrize(
    ("raw", "rcode"),
    [
        (message([b"a" * 63] * 3 + [b"b" * 62]), Rcode.FORMERR),  # 256 octets
        (message([b"a"] * 128), Rcode.FORMERR),
        (message([b"a" * 64]), Rcode.FORMERR),
        (message([b"a" * 192]), Rcode.FORMERR),
        (GOOD[:12] + b"\xc0\x0c" + GOOD[-4:], Rcode.FORMERR),  # a pointer to itself
        (GOOD[:12] + b"\x01a\xc0\x0c" + GOOD[-4:], Rcode.FORMERR),
        (GOOD[:12] + b"\x40" + GOOD[12:], Rcode.FORMERR),  # label types 01 and 10 (RFC 6891 5)
        (GOOD[:12] + b"\x80" + GOOD[12:], Rcode.FORMERR),
        (GOOD + b"\0", Rcode.FORMERR),
        (GOOD[:4] + b"\0\0" + GOOD[6:], Rcode.FORMERR),  # no question
        (GOOD[:4] + b"\0\2" + GOOD[6:] + GOOD[12:], Rcode.FORMERR),  # two (RFC 9619)
        (GOOD[:4] + b"\xff\xff" + GOOD[6:], Rcode.FORMERR),
        (GOOD[:6] + b"\0\1" + GOOD[8:], Rcode.FORMERR),
        (GOOD[:8] + b"\0\1" + GOOD[10:], Rcode.FORMERR),
        (GOOD[:10] + b"\0\1" + GOOD[12:], Rcode.FORMERR),  # an OPT is promised and does not come
        (GOOD[:10] + b"\0\2" + GOOD[12:] + opt() + opt(), Rcode.FORMERR),
        (message([b"a"], tail=opt() + b"\0", additional=1), Rcode.FORMERR),
        (message([b"a"], tail=opt(), additional=2), Rcode.FORMERR),
        (message([b"a"], tail=opt() + b"\0\3\0\0", additional=1), Rcode.FORMERR),
        (message([b"a"], tail=b"\1a" + opt(), additional=1), Rcode.FORMERR),
        (message([b"a"], tail=opt(data=b"\0\3\0\5a"), additional=1), Rcode.FORMERR),
        (message([b"a"], tail=opt(data=b"\0\3\0"), additional=1), Rcode.FORMERR),
        (message([b"a"], tail=opt().replace(b"\0\x29", b"\0\x01"), additional=1), Rcode.FORMERR),
        (message([b"a"], tail=opt(flags=1 << 16), additional=1), Rcode.BADVERS),
        (message([b"a"], kind=0), Rcode.FORMERR),
        (message([b"a"], kind=41), Rcode.FORMERR),
        (message([b"a"], kind=249), Rcode.NOTIMP),
        (message([b"a"], kind=252), Rcode.REFUSED),
        (message([b"a"], kind=251)[:8] + b"\0\1" + message([b"a"], kind=251)[10:], Rcode.REFUSED),
        (GOOD[:-2] + b"\0\3", Rcode.REFUSED),  # CHAOS: version.bind and its like
        (GOOD[:-2] + b"\0\xff", Rcode.REFUSED),
        (GOOD[:-2] + b"\0\0", Rcode.REFUSED),
        *((message([b"a"], flags=opcode << 11), Rcode.NOTIMP) for opcode in range(1, 16)),
    ],
)
def test_bad_questions_get_the_error_that_the_protocol_has(raw: bytes, rcode: Rcode) -> None:
    assert refusal(raw) is rcode
    with pytest.raises(Refused) as caught:
        read_query(raw)
    answer = dns.message.from_wire(answers.to_refusal(caught.value, STYLE))
    assert (answer.id, answer.rcode(), bool(answer.flags & dns.flags.QR)) == (7, rcode, True)


@pytest.mark.parametrize("raw", [b"", b"\0" * 11, message([b"a"], flags=0x8180)])
def test_what_must_not_be_answered_is_not(raw: bytes) -> None:
    with pytest.raises(Ignored):
        read_query(raw)


@pytest.mark.parametrize(
    ("labels", "name"),
    [
        ([], ""),
        ([b"ZorBlat", b"EXAMPLE"], "zorblat.example"),
        ([b"xn--bcher-kva", b"example"], "xn--bcher-kva.example"),
        ([b"_dmarc", b"zorblat", b"example"], "_dmarc.zorblat.example"),
        ([b"a.domain", b"example"], "a%2edomain.example"),
        ([b"a%2edomain", b"example"], "a%252edomain.example"),
        ([b"\xe4\0 ", b"domain", b"example"], "%e4%00%20.domain.example"),
        ([b"*", b"domain", b"example"], "*.domain.example"),
        ([b"\xc4", b"example"], "%c4.example"),  # DNS folds ASCII letters only (RFC 4343)
    ],
)
def test_names_for_lookup(labels: list[bytes], name: str) -> None:
    assert name_text(labels) == name
    assert query(labels, tail=b"").name == name if labels else True


@given(st.lists(st.lists(st.sampled_from(b"az09-_.Z!%\0\1\5\x3f\x40\xff"), min_size=1, max_size=63).map(bytes), max_size=5))
@example([b"a" * 45, b"b" * 46])
@example([b"a\0b"])
def test_a_name_told_by_one_look_is_the_name(labels: list[bytes]) -> None:
    wire = b"".join(bytes((len(label),)) + label for label in labels) + b"\0"
    assert plain_name(wire) in (None, name_text(labels))


@given(st.binary(max_size=40))
def test_what_is_no_name_is_not_told_by_one_look(data: bytes) -> None:
    found = plain_name(data)
    assert found is None or data == b"".join(bytes((len(part),)) + part for part in data_labels(data)) + b"\0"


def data_labels(wire: bytes) -> list[bytes]:
    labels = []
    while wire[0]:
        labels.append(wire[1 : 1 + wire[0]])
        wire = wire[1 + wire[0] :]
    return labels


def test_nothing_of_the_name_shows() -> None:
    assert "zorblat" not in repr(query()).lower()


@given(NAME, st.sampled_from([1, 28, 65]), st.booleans(), st.integers(0, 2**40))
def test_dnspython_reads_every_answer(labels: list[bytes], kind: int, edns: bool, serial: int) -> None:
    asked = read_query(message(labels, kind, tail=opt(flags=0x8000) if edns else b"", additional=edns))
    for rcode in (Rcode.NXDOMAIN, Rcode.NOERROR):
        found = dns.message.from_wire(answers.negative(asked, rcode, serial, STYLE, WHY, EVERYTHING))
        assert (found.rcode(), found.id, found.answer) == (rcode, 7, [])
        [soa] = found.authority
        assert (soa.name, soa.ttl) == (dns.name.Name([*labels, b""]), 30)
        assert (soa[0].serial, soa[0].minimum) == (serial % 2**32, 30)
        assert found.flags & ~15 == dns.flags.QR | dns.flags.RD | dns.flags.RA
        options = list(found.options)
        assert bool(options) == edns
        if edns:
            assert isinstance(options[0], dns.edns.EDEOption)
            assert (options[0].code, options[0].text) == (17, "Ärger")
            assert found.ednsflags == 0x8000


def test_addresses_and_errors() -> None:
    packed = answers.packed_addresses(("192.0.2.9", "2001:db8::9", "192.0.2.8"))
    asked = query(kind=28, tail=opt())
    found = dns.message.from_wire(answers.addresses(asked, packed[28], STYLE, WHY, 512))
    assert [each.address for each in found.answer[0]] == ["2001:db8::9"]
    found = dns.message.from_wire(answers.addresses(query(), packed[1], Style(), None, 512))
    assert sorted(each.address for each in found.answer[0]) == ["192.0.2.8", "192.0.2.9"]
    assert not found.flags & dns.flags.RA
    found = dns.message.from_wire(answers.plain(query(tail=opt()), Rcode.REFUSED, STYLE, WHY, 512))
    assert (found.rcode(), ede_of(found)) == (5, 17)


def test_only_what_the_asker_may_decide_comes_back_in_the_header() -> None:
    asked = read_query(message([b"a"], flags=0x07FF))  # all bits but QR and the opcode
    assert answers.plain(asked, Rcode.REFUSED, STYLE, None, 512)[2:4] == b"\x81\x95"
    assert answers.forwarded(asked, 9, 1232)[2:4] == b"\x01\x30"


def test_an_answer_repeats_the_question_letter_by_letter() -> None:
    raw = answers.negative(query([b"ZoRbLaT", b"eXaMpLe"]), Rcode.NXDOMAIN, 1, STYLE, None, 512)
    assert b"\7ZoRbLaT\7eXaMpLe\0" in raw


@given(NAME, st.integers(0, 8), st.integers(0, 100), st.integers(512, 1300), st.booleans())
def test_no_answer_is_longer_than_its_room(labels: list[bytes], count: int, text: int, room: int, edns: bool) -> None:
    asked = read_query(message(labels, 28, tail=opt() if edns else b"", additional=edns))
    why = Why(Ede.BLOCKED, b"q" * text)
    raw = answers.addresses(asked, [bytes([number]) * 16 for number in range(count)], STYLE, why, room)
    found = dns.message.from_wire(raw)
    assert len(raw) <= room
    assert bool(found.flags & dns.flags.TC) == (not found.answer and count > 0)
    if edns:
        assert ede_of(found) == 15  # the reason stays, also where its text had to go


def test_too_long_loses_the_text_first_then_the_records() -> None:
    asked = query([b"a" * 63] * 3 + [b"b" * 61], kind=28, tail=opt(512))
    whole = answers.addresses(asked, [bytes(16)] * 8, STYLE, Why(Ede.BLOCKED, b"q" * 100), EVERYTHING)
    short = answers.addresses(asked, [bytes(16)] * 8, STYLE, Why(Ede.BLOCKED, b"q" * 100), len(whole) - 1)
    assert len(whole) - len(short) == 100
    cut = answers.addresses(asked, [bytes(16)] * 8, STYLE, Why(Ede.BLOCKED, b"q" * 100), len(short) - 1)
    assert dns.message.from_wire(cut).flags & dns.flags.TC


@pytest.mark.parametrize(("payload", "room"), [(0, 512), (511, 512), (1000, 1000), (65535, 1232)])
def test_room_over_udp(payload: int, room: int) -> None:
    assert answers.room_for(query(tail=opt(payload)), 1232) == room
    assert answers.room_for(query(), 1232) == 512


def test_only_an_answer_to_the_same_question_is_one() -> None:
    asked = query([b"zorblat", b"example"], kind=65)
    out = answers.forwarded(asked, 9, 1232)
    good = out[:2] + b"\x81\x80" + out[4:]
    assert answers.answers_to(good, 9, asked)
    assert answers.answers_to(good.replace(b"zorblat", b"ZORBLAT"), 9, asked)
    assert answers.returned(good.replace(b"zorblat", b"ZORBLAT"), asked)[12:] == good[12:]
    for bad in (
        out,
        good[:11],
        b"\0\x08" + good[2:],
        good.replace(b"zorblat", b"quimber"),
        good.replace(b"\0\x41\0\1", b"\0\x61\0\1"),
        good[:2] + b"\x89\x80" + good[4:],
        good[:4] + b"\0\2" + good[6:],
        good[:4] + b"\0\0" + good[6:12],
    ):
        assert not answers.answers_to(bad, 9, asked)
    assert answers.answers_to(good[:2] + b"\x81\x81\0\0" + good[6:12], 9, asked)


def test_options_stop_here() -> None:
    subnet = b"\0\x08\0\7\0\1\x18\0\xc0\0\2"
    asked = query(tail=opt(4096, 0x8000, subnet))
    sent = dns.message.from_wire(answers.forwarded(asked, 9, 1232))
    assert (sent.id, sent.options, sent.payload, sent.ednsflags) == (9, (), 1232, 0x8000)
    assert sent.flags == dns.flags.RD
