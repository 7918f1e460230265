"""A file that comes by itself takes a short way. It says what the long way says, and bounds what the long way bounds."""

from __future__ import annotations

import json
import os
import random
import re
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import httptools
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.edge.test_connections import code_of, connect, read_all, said, talk
from tests.edge.world import Hotline, RunningNode, config_text, drawn_picture, hash_entry, running, sha256, until, url_entry

from vigil.edge.http import routes
from vigil.edge.http.plain import PlainPost, plain_post
from vigil.media import sealed

PAGE = "http://quimber.example/zorblat"
LISTED, CLEAN = drawn_picture(1), drawn_picture(2)
LIMITS = "[limits]\nbody_seconds = 1.5\nheader_seconds = 1.5\nidle_seconds = 5\nmedia_bytes = 300000\nmedia_waiting = 2\n"
END = b"GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"


@pytest.fixture
def node(hotline: Hotline, state: Path) -> Iterator[RunningNode]:
    hotline.publish(url_entry(1, PAGE), hash_entry(2, "sha256", sha256(LISTED)))
    with running(config_text(hotline, state, LIMITS)) as node:
        until(lambda: node.ask("GET", "/readyz").status == 200)
        yield node
        assert node.verdict_on(PAGE)["verdict"] == "listed"  # whatever came before
        assert node.node.traffic.faults == 0
        until(lambda: node.service.door._media == 0)
        assert not memory_files()


@pytest.fixture
def short(node: RunningNode, monkeypatch: pytest.MonkeyPatch) -> RunningNode:
    """The same, and a file that comes the long way fails."""

    async def fail(*_: Any) -> None:
        raise AssertionError

    monkeypatch.setattr(routes, "_match_file", fail)
    return node


def memory_files() -> list[str]:
    """Memory of this process that is lent to decoders, or would be."""
    names = []
    for each in Path("/proc/self/fd").iterdir():
        try:
            names.append(str(each.readlink()))
        except OSError:
            continue
    return [name for name in names if "vigil-media" in name]


def head(size: int, *more: str, target: str = "/v1/match", kind: str = "image/png") -> bytes:
    lines = (f"POST {target} HTTP/1.1", "Host: a", f"Content-Type: {kind}", f"Content-Length: {size}", *more, "", "")
    return "\r\n".join(lines).encode()


def posted(data: bytes, *more: str) -> bytes:
    return head(len(data), *more) + data


def in_pieces(data: bytes) -> bytes:
    """The same file in a form that takes the long way."""
    lines = b"POST /v1/match HTTP/1.1\r\nHost: a\r\nContent-Type: image/png\r\nTransfer-Encoding: chunked\r\n\r\n"
    return lines + b"%x\r\n" % len(data) + data + b"\r\n0\r\n\r\n"


class Parsed:
    """What httptools makes of bytes."""

    def __init__(self, data: bytes) -> None:
        self.fields: list[tuple[bytes, bytes]] = []
        self.url, self.body, self.whole = b"", b"", False
        self.parser = httptools.HttpRequestParser(self)
        self.parser.feed_data(data)

    def on_url(self, url: bytes) -> None:
        self.url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self.fields.append((name.lower(), value))

    def on_body(self, body: bytes) -> None:
        self.body += body

    def on_message_complete(self) -> None:
        self.whole = True


NAMES = st.sampled_from(
    ["Content-Length", "content-length", "Content-Type", "Connection", "X", "Expect", "X Y", "Transfer-Encoding"]
)
VALUES = st.sampled_from(
    ["3", "03", "+3", "3, 3", "", "chunked", "keep-alive", "close", "image/png", " 3\t", "0x3", "100-continue", "a\0"]
)
ENDS, VERSIONS = st.sampled_from(["\r\n", "\n"]), st.sampled_from(["HTTP/1.1", "HTTP/1.0"])


@given(st.lists(st.tuples(NAMES, VALUES), max_size=4), ENDS, VERSIONS)
def test_the_head_that_one_look_reads_is_the_one_the_parser_reads(rows: list[tuple[str, str]], end: str, version: str) -> None:
    lines = [f"POST /v1/match {version}", "Host: a", *(f"{name}: {value}" for name, value in rows)]
    block = "".join(line + end for line in (*lines, "")).encode()
    found = plain_post(block + b"xyz")
    if found is None:
        return
    parsed = Parsed(block + b"x" * found.size)
    fields = [(name, value.strip(b" \t")) for name, value in parsed.fields]
    assert (parsed.url, fields, len(parsed.body), parsed.whole) == (found.target, list(found.fields), found.size, True)
    assert parsed.parser.should_keep_alive() and found.end == len(block)


def test_the_usual_head_is_read_by_one_look() -> None:
    found = plain_post(head(7, "Connection: Keep-Alive") + b"1234567")
    assert isinstance(found, PlainPost) and (found.target, found.size) == (b"/v1/match", 7)
    for more in ("Connection: close", "Expect: 100-continue", "Content-Length: 7", "Transfer-Encoding: chunked", "TE: x"):
        assert plain_post(head(7, more)) is None
    assert plain_post(head(7)[:-1]) is None


def test_short_and_long_way_say_the_same(node: RunningNode) -> None:
    for data in (LISTED, CLEAN, b"no picture", drawn_picture(3)[:4000]):
        short, long = (said(talk(node, each, END))[0] for each in (posted(data), in_pieces(data)))
        assert short == long
    before = node.node.traffic.requests
    assert json.loads(said(talk(node, posted(LISTED), END))[0][1])["entry"] == 2
    assert node.node.traffic.requests == before + 2


def test_however_files_are_cut_and_queued_each_has_its_answer_in_order(node: RunningNode) -> None:
    """A head that is cut is parsed and takes the long way; the order is the same."""
    asked = b"GET /v1/match?type=sha256&value=" + sha256(LISTED).hex().encode() + b" HTTP/1.1\r\nHost: a\r\n\r\n"
    kinds = {"listed": posted(LISTED), "clean": posted(CLEAN, "Connection: keep-alive"), "asked": asked}
    alone = {name: said(talk(node, each, END))[0] for name, each in kinds.items()}
    assert [json.loads(alone[name][1])["verdict"] for name in kinds] == ["listed", "not_listed", "listed"]
    chance = random.Random(20261129)  # the mixes are the same in each run
    for _ in range(12):
        mix = chance.choices(list(kinds), k=chance.randint(1, 5))
        stream = b"".join(kinds[name] for name in mix) + END
        places = sorted(chance.sample(range(1, len(stream)), 4))
        pieces = [stream[a:b] for a, b in pairwise([0, *places, len(stream)])]
        with connect(node) as connection:
            for piece in pieces:
                connection.sendall(piece)
                time.sleep(chance.choice([0, 0.005]))
            answers = said(read_all(connection))
        assert answers[:-1] == [alone[name] for name in mix]


def test_a_file_that_drips_is_ended(short: RunningNode) -> None:
    assert code_of(talk(short, head(1000) + b"x")) == (408, "body_slow")
    assert code_of(talk(short, posted(LISTED) + head(1000) + b"x")) == (408, "body_slow")
    until(lambda: short.service.door._media == 0)


def test_who_leaves_in_the_middle_is_forgotten(short: RunningNode) -> None:
    for _ in range(30):
        with connect(short) as connection:
            connection.sendall(head(200_000) + b"x" * 100_000)
    until(lambda: short.service.door._media == 0)
    with connect(short) as connection:  # who does not wait for the answer: it is given up when the decoder has it
        connection.sendall(posted(LISTED))
    until(lambda: short.service.door._media == 0 and not memory_files())


def test_what_is_refused_is_refused_by_the_long_way(node: RunningNode) -> None:
    assert code_of(talk(node, head(300_001) + b"x" * 300_001)) == (413, "body_too_large")
    assert code_of(talk(node, head(0), END.replace(b"healthz", b"nothing"))) == (404, "no_such_path")
    assert code_of(talk(node, posted(b"x", "Content-Encoding: gzip"))) == (415, "body_packed")
    with connect(node) as first, connect(node) as second, connect(node) as third, connect(node) as fourth:
        for each in (first, second, third, fourth):
            each.sendall(head(1000) + b"x")
        until(lambda: node.service.door._media == 4)
        assert code_of(talk(node, posted(LISTED))) == (503, "busy")
    until(lambda: node.service.door._media == 0)


def test_a_token_is_asked_for(hotline: Hotline, state: Path) -> None:
    hotline.publish(url_entry(1, PAGE))
    (state.parent / "api.token").write_text("zorblat-token-0123456789abcdef-0123456789\n")
    text = config_text(hotline, state, f'[api]\ntokens_file = "{state.parent / "api.token"}"\n')
    with running(text) as node:
        until(lambda: node.ask("GET", "/readyz").status == 200)
        answers = said(talk(node, posted(b"x"), END))
        assert (answers[0][0], json.loads(answers[0][1])["code"]) == (b"HTTP/1.1 401 Unauthorized", "token_refused")
        right = posted(CLEAN, "Authorization: Bearer zorblat-token-0123456789abcdef-0123456789")
        assert re.search(rb'"verdict":"not_listed"', talk(node, right, END))


def test_a_full_memory_is_told_and_costs_one_upload(short: RunningNode, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: sealed.Sealed, data: bytes | memoryview) -> None:
        raise OSError(28, "no space")

    with monkeypatch.context() as patched:
        patched.setattr(sealed.Sealed, "write", full)
        assert b"HTTP/1.1 500" in talk(short, posted(CLEAN), END)
    assert short.node.traffic.faults == 1
    short.node.traffic.faults = 0
    assert b'"not_listed"' in talk(short, posted(CLEAN), END)


def test_a_drain_lets_a_file_be_judged(hotline: Hotline, state: Path) -> None:
    hotline.publish(url_entry(1, PAGE))
    with running(config_text(hotline, state)) as node:
        until(lambda: node.ask("GET", "/readyz").status == 200)
        with connect(node) as connection, connect(node) as idle:
            connection.sendall(posted(CLEAN)[:-10])
            until(lambda: node.service.door._media == 1)
            node.service.stop()
            assert read_all(idle) == b""  # connections are told by now: this one had nothing under way
            connection.sendall(posted(CLEAN)[-10:])
            assert b'"not_listed"' in read_all(connection)


def test_memory_that_is_lent_is_sealed() -> None:
    with sealed.Sealed() as file:
        file.write(b"zorb")
        file.write(memoryview(b"lat"))
        file.seal()
        with file.mapped() as view:
            assert bytes(view) == b"zorblat"
        with pytest.raises(PermissionError):
            os.pwrite(file.descriptor, b"x", 0)
        with pytest.raises(PermissionError):
            os.ftruncate(file.descriptor, 100)
    assert not memory_files()
