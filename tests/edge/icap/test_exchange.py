"""The course of a connection without sockets: every way an answer can be due, clients of every ability, nothing kept."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.edge.icap.messages import PAGE, answer, chunked, http, options, reqmod, respmod

from vigil.edge.http.replies import Reply
from vigil.edge.icap import wire
from vigil.edge.icap.desk import Asked, Budget
from vigil.edge.icap.exchange import DROPPED_BYTES, Exchange
from vigil.edge.readings import HttpHead, plain_address

PICTURE = b"\x89PNG\r\n\x1a\n" + bytes(5000)
TEXT = b"zorblat " * 700
BLOCKED = Reply(451, ((b"content-length", b"4"),), b"page")
REFUSED = Reply(403, ((b"content-length", b"2"),), b"no")
MEDIA_BYTES = 20_000
TWO_HOSTS = "http://other.example/ HTTP/1.1\r\nHost: b.example\r\nX:"


@dataclass
class FakeJudge:
    """Blocks the page of the tests and files that hold ``listed``; may refuse what is unknown."""

    budget: Budget = field(default_factory=lambda: Budget(100_000))
    refuse: bool = False
    reasons: list[str] = field(default_factory=list)
    looked: int = 0
    glanced: int = 0

    def lets_pass(self, data: bytes, start: int = 0) -> bool:
        self.glanced += 1
        block = data[start:]
        return plain_address(block) is not None and self.on_request(block) is None

    def istag(self) -> bytes:
        return b'"t"'

    def on_request(self, block: bytes) -> Reply | None:
        return BLOCKED if PAGE.encode() in block else None

    def asked(self, block: bytes | None) -> Asked:
        return Asked({})

    def is_media(self, head: HttpHead | None, start: bytes) -> bool:
        return start.startswith(b"\x89PNG")

    def unfit(self, head: HttpHead | None) -> str | None:
        return "body_packed" if head and b"content-encoding" in head.fields else None

    def without_file(self, reason: str, asked: Asked) -> Reply | None:
        self.reasons.append(reason)
        return REFUSED if self.refuse else None

    def on_file(self, found: object, asked: Asked) -> Reply | None:
        self.looked += 1
        return BLOCKED if found == "listed" else None


def begun(judge: FakeJudge | None = None, early: int = 0) -> tuple[Exchange, FakeJudge]:
    judge = judge or FakeJudge()
    preview = {b"REQMOD": 0, b"RESPMOD": 1024}

    def offer(method: bytes, last: bool) -> bytes:
        return wire.options(judge.istag(), method, preview[method], 10, 60, close=last)

    bounds = {"head_bytes": 4096, "media_bytes": MEDIA_BYTES, "early_bytes": early}
    return Exchange(judge, offer, **bounds, draining=lambda: False), judge


def say(exchange: Exchange, *pieces: bytes) -> bytes:
    out = b""
    for piece in pieces:
        exchange.receive(piece)
        while exchange.looking is not None:
            exchange.looked("listed" if b"listed" in exchange.looking else "clean")  # type: ignore[arg-type]
        out += exchange.take()
    return out


def statuses(out: bytes) -> list[int]:
    return [int(code) for code in re.findall(rb"^ICAP/1.0 (\d+)", out, re.MULTILINE)]


def body_of(out: bytes) -> bytes:
    """The chunks behind the last encapsulated head."""
    rest = out.rpartition(b"\r\n\r\nHTTP/")[2].partition(b"\r\n\r\n")[2]
    return dechunked(rest)


def dechunked(rest: bytes) -> bytes:
    body = b""
    while True:
        size, _, rest = rest.partition(b"\r\n")
        if not int(size, 16):
            return body
        body, rest = body + rest[: int(size, 16)], rest[int(size, 16) + 2 :]


OTHER = http("http://other.example/")
POST = http("http://other.example/", method="POST")


@pytest.mark.parametrize(
    ("stream", "expected"),
    [
        (reqmod(OTHER), [204]),
        (reqmod(), [200]),
        (reqmod(OTHER, None, "Preview: 0"), [204]),
        (reqmod(OTHER, None, "Preview: 0", allow=False), [204]),
        (reqmod(OTHER, allow=False), [200]),
        (reqmod(POST, chunked(TEXT)), [204]),
        (reqmod(POST, b"0\r\n\r\n", "Preview: 0"), [204]),
        (reqmod(POST, b"0; ieof\r\n\r\n", "Preview: 0", allow=False), [204]),
        (reqmod(http(method="POST"), b"0\r\n\r\n", "Preview: 0"), [200]),
        (reqmod(http(method="POST"), chunked(TEXT)), [200]),
        (options(), [200]),
        (options("respmod", "Encapsulated: opt-body=0") + chunked(b"zorblat"), [200]),
        (options("respmod", "Preview: 3", "Encapsulated: opt-body=0") + chunked(b"abc"), [200]),
        (respmod(None), [204]),
        (respmod(chunked(TEXT)), [204]),
        (respmod(chunked(TEXT[:1024]), "Preview: 1024"), [204]),
        (respmod(chunked(PICTURE + b"listed")), [200]),
        (respmod(chunked(PICTURE)), [204]),
        (respmod(chunked(PICTURE[:100], last=b"0; ieof\r\n\r\n"), "Preview: 1024", allow=False), [204]),
        (respmod(chunked(PICTURE[:1024]) + chunked(PICTURE[1024:]), "Preview: 1024"), [100, 204]),
        (respmod(chunked(PICTURE[:1024]) + chunked(PICTURE[1024:] + b"listed"), "Preview: 1024"), [100, 200]),
        (respmod(chunked(PICTURE[:1024]) + chunked(PICTURE[1024:]), "Preview: 1024", allow=False), [100, 200]),
        (respmod(chunked(PICTURE), head=answer("Content-Encoding: gzip")), [204]),
        (respmod(chunked(PICTURE * 5)), [204]),
    ],
)
def test_the_answer_is_the_one_that_is_due_and_the_next_request_is_found(stream: bytes, expected: list[int]) -> None:
    exchange, judge = begun()
    out = say(exchange, stream + reqmod(OTHER))
    assert statuses(out) == [*expected, 204]
    assert exchange.idle
    assert exchange.answered == 2
    assert judge.budget.left == 100_000
    again, _ = begun()
    single = [stream[at : at + 1] for at in range(len(stream))]
    assert statuses(say(again, *single, reqmod(OTHER))) == [*expected, 204]


def test_a_client_that_cannot_take_204_gets_its_request_back_as_it_comes() -> None:
    exchange, _ = begun()
    stream = reqmod(POST, chunked(TEXT), allow=False)
    first = say(exchange, stream[:-2000])
    assert statuses(first) == [200]
    assert POST in first
    out = first + say(exchange, stream[-2000:])
    assert b"Encapsulated: req-hdr=0, req-body=%d\r\n" % len(POST) in out
    assert dechunked(out.partition(POST)[2]) == TEXT
    assert exchange.idle


@pytest.mark.parametrize("preview", [(), ("Preview: 1024",)])
def test_a_client_that_cannot_take_204_gets_its_file_back(preview: tuple[str, ...]) -> None:
    exchange, judge = begun()
    body = chunked(PICTURE[:1024]) + chunked(PICTURE[1024:]) if preview else chunked(PICTURE)
    out = say(exchange, respmod(body, *preview, allow=False))
    assert body_of(out) == PICTURE
    assert b"Encapsulated: res-hdr=0, res-body=%d\r\n" % len(answer()) in out
    assert judge.looked == 1


@pytest.mark.parametrize("preview", [(), ("Preview: 1024",)])
def test_the_head_may_go_early_but_the_body_never_does(preview: tuple[str, ...]) -> None:
    for data, cut in ((PICTURE, 0), (PICTURE + b"listed", 1)):
        exchange, judge = begun(early=3000)
        body = chunked(data[:1024]) + chunked(data[1024:]) if preview else chunked(data)
        stream = respmod(body, *preview, allow=False)
        first = say(exchange, stream[:-100])
        assert statuses(first)[-1] == 200
        assert first.endswith(answer())
        out = first + say(exchange, stream[-100:])
        assert (exchange.cut, exchange.closing) == (cut, bool(cut))
        assert out == first if cut else body_of(out) == data
        assert judge.budget.left == 100_000
    exchange, judge = begun(early=3000)
    assert say(exchange, respmod(chunked(PICTURE), allow=True)[:-100]) == b""
    exchange, judge = begun(FakeJudge(refuse=True), early=3000)
    out = say(exchange, respmod(chunked(PICTURE * 5), allow=False))
    assert out.endswith(answer())
    assert exchange.cut == 1


@pytest.mark.parametrize("allow", [True, False])
@pytest.mark.parametrize("refuse", [True, False])
@pytest.mark.parametrize(
    ("body", "head", "budget", "reason"),
    [
        (PICTURE * 5, answer(), 100_000, "too_large"),
        (PICTURE, answer("Content-Encoding: gzip"), 100_000, "body_packed"),
        (PICTURE, answer(), 3000, "busy"),
    ],
)
def test_a_file_that_cannot_be_looked_at_is_decided_at_once(
    body: bytes, head: bytes, budget: int, reason: str, refuse: bool, allow: bool
) -> None:
    exchange, judge = begun(FakeJudge(Budget(budget), refuse))
    out = say(exchange, respmod(chunked(body), head=head, allow=allow), reqmod(OTHER))
    assert judge.reasons == [reason]
    assert judge.looked == 0
    assert judge.budget.left == budget
    first = [200] if refuse or not allow else [204]
    assert statuses(out) == [*first, 204]
    if not refuse and not allow:
        assert body_of(out.rpartition(b"ICAP/1.0 204")[0]) == body


@pytest.mark.parametrize("refuse", [True, False])
def test_in_a_preview_it_is_decided_at_its_end(refuse: bool) -> None:
    for judge, head in ((FakeJudge(Budget(100), refuse), answer()), (FakeJudge(refuse=refuse), answer("Content-Encoding: br"))):
        exchange, _ = begun(judge)
        out = say(exchange, respmod(chunked(PICTURE[:1024]), "Preview: 1024", head=head, allow=False), reqmod(OTHER))
        assert statuses(out) == [200 if refuse else 204, 204]
        assert len(judge.reasons) == 1


@pytest.mark.parametrize("allow", [True, False])
def test_a_slow_file_is_decided_when_its_time_is_over(allow: bool) -> None:
    exchange, judge = begun()
    stream = respmod(chunked(PICTURE), allow=allow)
    out = say(exchange, stream[:-1500])
    assert out == b""
    assert exchange.collecting
    exchange.late()
    out = exchange.take() + say(exchange, stream[-1500:])
    assert judge.reasons == ["body_slow"]
    assert statuses(out) == [204 if allow else 200]
    assert exchange.idle


def test_what_is_slow_otherwise_is_ended() -> None:
    exchange, _ = begun()
    say(exchange, reqmod()[:20])
    assert exchange.in_head
    exchange.late()
    assert statuses(exchange.take()) == [408]
    assert exchange.closing
    exchange, _ = begun()
    say(exchange, respmod(chunked(PICTURE), "Preview: 9000")[:-1500])
    exchange.late()
    assert statuses(exchange.take()) == [408]
    exchange, _ = begun()
    exchange.late()
    assert exchange.closing
    assert exchange.take() == b""


@pytest.mark.parametrize(
    ("stream", "status"),
    [
        (reqmod().replace(b"/reqmod", b"/zorblat"), 404),
        (options("").replace(b"icap://node.example/", b"icap://node.example"), 404),
        (reqmod().replace(b"/reqmod", b"/respmod"), 405),
        (respmod(None).replace(b"/respmod", b"/reqmod"), 405),
        (b"FETCH icap://a/reqmod ICAP/1.0\r\n\r\n", 405),
        (b"REQMOD icap://a/reqmod ICAP/1.0\r\nEncapsulated: res-hdr=0, null-body=%d\r\n\r\n" % len(answer()) + answer(), 400),
        (respmod(chunked(TEXT), "Preview: 999999999"), 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\n\n", 400),
    ],
)
def test_what_cannot_be_served_ends_with_the_protocols_own_error(stream: bytes, status: int) -> None:
    exchange, _ = begun()
    assert statuses(say(exchange, stream)) == [status]
    assert exchange.closing
    assert say(exchange, reqmod()) == b""


def test_an_error_inside_a_body_does_not_answer_twice() -> None:
    exchange, _ = begun()
    out = say(exchange, reqmod(POST, chunked(TEXT)[:-5] + b"zorblat\r\n"))
    assert statuses(out) == [204]
    assert exchange.closing


def test_after_a_block_only_so_much_is_read() -> None:
    exchange, _ = begun()
    out = say(exchange, reqmod(http(method="POST"), b"%x\r\n" % (DROPPED_BYTES * 4)))
    assert statuses(out) == [200]
    assert not exchange.closing
    say(exchange, bytes(DROPPED_BYTES + 1))
    assert exchange.closing
    exchange, _ = begun()
    say(exchange, reqmod(POST, b"%x\r\n" % (DROPPED_BYTES * 4)), bytes(DROPPED_BYTES + 1))
    assert not exchange.closing


def test_the_client_may_ask_for_the_end() -> None:
    exchange, _ = begun()
    out = say(exchange, reqmod(OTHER, None, "Connection: Close") + reqmod())
    assert statuses(out) == [204]
    assert b"Connection: close" in out
    assert exchange.closing


def test_options_name_what_the_service_can_do() -> None:
    out = say(begun()[0], options())
    for line in (b"Methods: REQMOD", b"Allow: 204", b"Preview: 0", b'ISTag: "t"', b"Max-Connections: 10", b"Options-TTL: 60"):
        assert line + b"\r\n" in out
    assert b"Preview: 1024\r\n" in say(begun()[0], options("respmod?mode=1"))


def test_pages_without_a_body_say_so() -> None:
    assert b"Encapsulated: res-hdr=0, null-body=" in wire.answer(b'"t"', 451, ((b"content-length", b"0"),), b"")


@given(
    st.lists(
        st.sampled_from(
            [
                reqmod(OTHER),
                reqmod(),
                reqmod(POST, chunked(TEXT)),
                reqmod(POST, chunked(TEXT), allow=False),
                respmod(chunked(PICTURE)),
                respmod(chunked(TEXT), allow=False),
                respmod(chunked(PICTURE + b"listed")),
                options("respmod"),
            ]
        ),
        max_size=5,
    ),
    st.lists(st.integers(0, 20000), max_size=5),
)
@settings(max_examples=60, deadline=None)
def test_pipelined_and_cut_anywhere_the_answers_are_the_same(messages: list[bytes], cuts: list[int]) -> None:
    stream = b"".join(messages)
    places = [0, *sorted(cut for cut in cuts if cut < len(stream)), len(stream)]
    exchange, judge = begun()
    cut = say(exchange, *(stream[start:end] for start, end in pairwise(places)))
    assert statuses(cut) == [code for message in messages for code in statuses(say(begun()[0], message))]
    assert judge.budget.left == 100_000
    assert not exchange.closing


@pytest.mark.parametrize("lines", [(), ("Connection: close",), ("X-Client-IP: 192.0.2.7",), ("Preview: 0",)])
@pytest.mark.parametrize("allow", [True, False])
@pytest.mark.parametrize("body", [None, b"zorblat"])
@pytest.mark.parametrize("target", ["http://other.example/", PAGE, "/", TWO_HOSTS])
def test_one_look_answers_as_reading_does(target: str, body: bytes | None, allow: bool, lines: tuple[str, ...]) -> None:
    """A request in one piece may be answered by one look; the same one in two pieces is read."""
    message = reqmod(http(target, host="other.example"), body, *lines, allow=allow)
    answers = []
    for cut in (len(message), len(message), 10):
        exchange, judge = begun()
        exchange.receive(message[:cut])
        exchange.receive(message[cut:])
        answers.append((exchange.take(), exchange.answered, exchange.closing, exchange.idle))
    assert answers[0] == answers[1] == answers[2]
    plain = target == "http://other.example/" and body is None and allow and lines in ((), ("Preview: 0",))
    exchange, judge = begun()
    exchange.receive(message)
    assert (judge.glanced > 0 and exchange.answered == 1) or not plain
