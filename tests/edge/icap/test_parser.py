"""The parser: cut at every byte, beside a slow twin, never an error but its own, never more held than its bounds."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tests.edge.icap.messages import answer, chunked, http, options, reqmod, respmod
from tests.edge.icap.twin import MOST, fast, slow

from vigil.edge.icap.parser import IcapParser, Mark, Request
from vigil.edge.icap.wire import IcapRefused, Part, read_encapsulated

PICTURE = bytes(range(256)) * 5
STREAMS = {
    "plain": reqmod(),
    "pipelined": reqmod() + options() + reqmod(http("http://other.example/")) + respmod(None),
    "body": reqmod(http(method="POST"), chunked(PICTURE)),
    "extensions": reqmod(http(), chunked(PICTURE, extension=b' ;name="a;b"; c=d', last=b"000;x\r\nTrailer: 1\r\n\r\n")),
    "preview": respmod(chunked(PICTURE, 500, b"0\r\n\r\n") + chunked(PICTURE), "Preview: 1280"),
    "whole preview": respmod(chunked(b"abc", 2, b"0; ieof\r\n\r\n"), "Preview: 1024") + reqmod(),
    "empty preview": respmod(b"0\r\n\r\n", "Preview: 0") + reqmod(),
    "bare line feeds": reqmod(http().replace(b"\r\n", b"\n")).replace(b"\r\n", b"\n"),
    "blank lines between": b"\r\n\n" + reqmod() + b"\r\n\r\n" + reqmod(),
    "options with a body": options("reqmod", "Encapsulated: opt-body=0") + chunked(b"zorblat") + options(),
    "a false size": reqmod(http(), b"3\r\nzorblat\r\n0\r\n\r\n"),
    "a false preview": reqmod(http(), chunked(PICTURE), "Preview: 10"),
    "not ICAP": b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    "another version": options().replace(b"ICAP/1.0", b"ICAP/2.0"),
    "no encapsulated": b"REQMOD icap://a/reqmod ICAP/1.0\r\nHost: a\r\n\r\n",
    "folded": b"OPTIONS icap://a/reqmod ICAP/1.0\r\nHost: a\r\n b\r\n\r\n",
    "large head": options("reqmod", "X: " + "a" * MOST),
    "large line": reqmod(http(), b"5;" + b"a" * 5000 + b"\r\nabcde\r\n"),
    "large trailer": reqmod(http(), b"0\r\n" + b"T: 1\r\n" * 3000),
}


@pytest.mark.parametrize("name", STREAMS)
@pytest.mark.parametrize("proceed", [True, False])
def test_cut_at_every_byte_it_says_the_same(name: str, proceed: bool) -> None:
    stream = STREAMS[name]
    whole = fast([stream], proceed)
    assert whole == slow(stream, proceed)
    assert fast([stream[at : at + 1] for at in range(len(stream))], proceed) == whole
    for at in range(0, min(len(stream), 1200), 7):
        assert fast([stream[:at], stream[at:]], proceed) == whole


def test_the_streams_are_read_as_they_are_meant() -> None:
    ends = {name: fast([stream], name != "empty preview")[-1] for name, stream in STREAMS.items()}
    refused = {name: end[1] for name, end in ends.items() if end[0] == "refused"}
    assert refused.pop("another version") == 505
    assert set(refused.values()) == {400}
    assert set(refused) == {name for name in STREAMS if name.split()[0] in ("a", "not", "no", "folded", "large")}


FRAGMENTS = st.one_of(
    st.sampled_from(list(STREAMS.values())),
    st.sampled_from([b"\r\n", b"\n", b"\r", b"0\r\n\r\n", b"0; ieof\r\n\r\n", b"5\r\nabcde\r\n", b"ffffffff\r\n", b"\0"]),
    st.sampled_from([b"REQMOD icap://a/reqmod ICAP/1.0\r\n", b"Encapsulated: req-hdr=0, null-body=18\r\n"]),
    st.binary(max_size=20),
)


@given(st.lists(FRAGMENTS, max_size=6), st.lists(st.integers(0, 3000), max_size=6), st.booleans())
@settings(max_examples=300, deadline=None)
@example([b"REQMOD /reqmod ICAP/1.0\nEncapsulated:req-hdr=0,null-body=20\n\n", b"GET / HTTP/1.0\r\nA:\n\n"], [], True)
def test_whatever_comes_it_agrees_with_the_twin(parts: list[bytes], cuts: list[int], proceed: bool) -> None:
    stream = b"".join(parts)
    places = [0, *sorted(cut for cut in cuts if cut < len(stream)), len(stream)]
    pieces = [stream[start:end] for start, end in pairwise(places)]
    assert fast(pieces, proceed) == slow(stream, proceed)


@given(st.sampled_from(list(STREAMS.values())), st.data())
@settings(max_examples=300, deadline=None)
def test_a_changed_byte_is_read_alike_by_both(stream: bytes, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(stream) - 1))
    changed = stream[:at] + data.draw(st.binary(max_size=2)) + stream[at + data.draw(st.integers(0, 2)) :]
    assert fast([changed], True) == slow(changed, True)


@pytest.mark.parametrize(
    "value",
    [
        "req-hdr=0",
        "req-hdr=1, null-body=20",
        "req-hdr=0, null-body=0",
        "req-hdr=0, req-hdr=10, null-body=20",
        "null-body=0, req-hdr=20",
        "req-hdr=0, null-body=20, req-body=30",
        "req-hdr=-1, null-body=20",
        "req-hdr=0; null-body=20",
        "req-hdr=0, null-body=0x20",
        "req-hdr=0, null-body=9999999999",
        "zorblat=0, null-body=20",
        "",
        ",",
    ],
)
def test_offsets_that_cannot_be_true_are_refused(value: str) -> None:
    with pytest.raises(IcapRefused) as caught:
        read_encapsulated(value.encode(), b"REQMOD")
    assert caught.value.status == 400


@pytest.mark.parametrize("shift", [-3, -1, 1, 4])
def test_offsets_that_lie_about_the_message_are_refused(shift: int) -> None:
    head = http()
    stream = reqmod(head).replace(b"null-body=%d" % len(head), b"null-body=%d" % (len(head) + shift)) + b"more"
    assert fast([stream], True)[-1] == ("refused", 400)


def test_a_second_request_hidden_in_a_section_is_refused() -> None:
    assert fast([reqmod(http() + http("http://other.example/"))], True) == [("refused", 400)]


def test_sections_may_be_named_in_any_order_and_case() -> None:
    request, reply = http(), answer()
    places = b"RES-HDR = %d, null-body=%d ,req-hdr=0" % (len(request), len(request) + len(reply))
    assert read_encapsulated(places, b"RESPMOD") == (
        (Part.REQUEST_HEAD, 0),
        (Part.RESPONSE_HEAD, len(request)),
        (Part.NO_BODY, len(request) + len(reply)),
    )


def test_a_preview_waits_for_its_answer() -> None:
    parser = IcapParser(MOST)
    parser.feed(STREAMS["preview"])
    seen = []
    while (event := parser.next()) is not None:
        seen.append(event)
    assert isinstance(seen[0], Request)
    assert seen[-1] is Mark.PREVIEW_END
    assert parser.held > 0
    parser.proceed()
    assert parser.next() == PICTURE[:1000]
    with pytest.raises(ValueError, match="no preview"):
        parser.finish()


def test_nothing_of_a_message_is_shown() -> None:
    parser = IcapParser(MOST)
    parser.feed(reqmod())
    request = parser.next()
    assert isinstance(request, Request)
    assert "zorblat" not in repr(request) + repr(parser)
    with pytest.raises(IcapRefused) as caught:
        read_encapsulated(b"zorblat=1", b"REQMOD")
    assert "zorblat" not in str(caught.value)


@pytest.mark.parametrize(
    ("stream", "code"),
    [
        (respmod(b"5\r\nabcde\r\n0\r\n\r\n", "Preview: 5"), None),
        (respmod(b"5\r\nabcde\r\n0\r\n\r\n", "Preview: 4"), "preview_false"),
        (reqmod(http(method="POST"), b"5\r\nabcde\r\n0\r\nA: b\rc\r\n\r\n"), "trailer_malformed"),
        (reqmod(http("/" + "a" * MOST)), "head_too_large"),
        (reqmod(http(method="POST"), b"5,6\r\nabcde\r\n0\r\n\r\n"), "chunk_malformed"),
        (reqmod(http(method="POST"), b"5 6\r\nabcde\r\n0\r\n\r\n"), "chunk_malformed"),
    ],
)
def test_a_byte_beyond_a_bound_is_refused(stream: bytes, code: str | None) -> None:
    parser, refused = IcapParser(MOST), None
    parser.feed(stream)
    try:
        while parser.next() is not None:
            continue
    except IcapRefused as error:
        refused = error.code
    assert refused == code
