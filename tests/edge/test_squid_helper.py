"""Squid's helper: channels, lines cut anywhere, a node that is down; as a process over a node and over its own edition."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.edge.world import Hotline, config_text, running, until, url_entry

from vigil.base.errors import InputError, UnavailableError
from vigil.edge.readings import Unreadable
from vigil.edge.squid_helper import NodeAsker, alone_in, serve
from vigil.edge.squid_lines import answer_lines, readings_of_line, split_channel

PAGE = "http://quimber.example/zorblat"


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (b"0 GET http://a.example/ -\r\n", (b"0", b"GET http://a.example/ -")),
        (b"17 http://a.example/", (b"17", b"http://a.example/")),
        (b"http://a.example/", (b"", b"http://a.example/")),
        (b"GET 3 4", (b"", b"GET 3 4")),
        (b"9999999999 x", (b"", b"9999999999 x")),
        (b"", (b"", b"")),
        (b"5", (b"5", b"")),
    ],
)
def test_channels_are_split_off(line: bytes, expected: tuple[bytes, bytes]) -> None:
    assert split_channel(line) == expected


@pytest.mark.parametrize("line", [b"", b"- -", b"GET http://a.example/ a.example b.example", b"GET http://a.example/ a b c"])
def test_a_line_of_the_wrong_number_of_words_is_not_guessed_at(line: bytes) -> None:
    with pytest.raises(Unreadable):
        readings_of_line(line)


def test_answers_carry_the_channel_of_their_line() -> None:
    lines = [b"3 a", b"1 b", b"c", b"2 d"]
    assert answer_lines(lines, lambda asked: [word.upper() for word in asked]) == b"3 A\n1 B\nC\n2 D\n"


@given(st.binary(max_size=60))
@settings(max_examples=200, deadline=None)
def test_no_line_breaks_it(line: bytes) -> None:
    with suppress(Unreadable):
        assert readings_of_line(line)


@given(st.lists(st.integers(1, 9), min_size=1, max_size=9))
@settings(max_examples=30, deadline=None)
def test_lines_cut_anywhere_are_answered_once_each(sizes: list[int]) -> None:
    stream = b"".join(b"%d line-%d\n" % (number, number) for number in range(5))
    source, feed = os.pipe()
    drain, target = os.pipe()

    def write() -> None:
        at = 0
        for size in [*sizes, len(stream)]:
            os.write(feed, stream[at : at + size] or b"")
            at += size
        os.close(feed)

    writer = threading.Thread(target=write)
    writer.start()
    serve(source, target, lambda lines: [b"ERR"] * len(lines))
    writer.join()
    os.close(target)
    answered = b"".join(iter(lambda: os.read(drain, 4096), b""))
    os.close(source)
    os.close(drain)
    assert answered == b"".join(b"%d ERR\n" % number for number in range(5))


def test_a_line_without_end_is_not_kept() -> None:
    source, feed = os.pipe()
    writer = threading.Thread(target=lambda: (os.write(feed, b"a" * 300_000), os.close(feed)))
    writer.start()
    with pytest.raises(InputError):
        serve(source, source, lambda lines: [])
    while os.read(source, 65536):
        pass
    writer.join()
    os.close(source)


def test_a_node_that_is_down_or_is_none_breaks_no_promise(hotline: Hotline, state: Path) -> None:
    with pytest.raises(InputError):
        NodeAsker("https://127.0.0.1/auth")
    with pytest.raises(UnavailableError):
        NodeAsker("http://127.0.0.1:1")([b"GET http://a.example/"])
    hotline.publish()
    with running(config_text(hotline, state)) as node, pytest.raises(UnavailableError) as caught:
        NodeAsker(f"http://127.0.0.1:{node.port}")([b"GET http://a.example/"])
    assert caught.value.code == "node_refused"


def test_an_asker_survives_a_closed_connection(hotline: Hotline, state: Path) -> None:
    hotline.publish(url_entry(1, PAGE))
    more = '[forward_auth]\nproxies = ["squid"]\n[limits]\nidle_seconds = 0.3\n'
    with running(config_text(hotline, state, more)) as node:
        until(lambda: node.node.state.enforced is not None)
        asker = NodeAsker(f"http://127.0.0.1:{node.port}")
        for _ in range(2):
            assert asker([f"GET {PAGE}".encode(), b"GET http://other.example/ -"]) == [b"OK", b"ERR"]
            threading.Event().wait(0.7)
        asker.close()


def test_one_helper_a_state_folder(tmp_path: Path) -> None:
    with alone_in(tmp_path), pytest.raises(UnavailableError), alone_in(tmp_path):
        pass
    with alone_in(tmp_path):
        pass


def helper(*options: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "vigil.cli", "edge", "squid-helper", *options]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def test_the_command_over_a_node(hotline: Hotline, state: Path) -> None:
    hotline.publish(url_entry(1, PAGE))
    with running(config_text(hotline, state, '[forward_auth]\nproxies = ["squid"]\n')) as node:
        until(lambda: node.node.state.enforced is not None)
        with helper("--node", f"http://127.0.0.1:{node.port}") as process:
            out, _ = process.communicate(f"0 GET {PAGE} -\n1 GET http://other.example/ -\n".encode(), timeout=30)
        assert out == b"0 OK\n1 ERR\n"
    with helper("--node", f"http://127.0.0.1:{node.port}") as process:
        assert process.communicate(b"4 GET http://other.example/ -\n", timeout=30)[0] == b"4 BH\n"


def test_the_command_over_an_edition_of_its_own(hotline: Hotline, tmp_path: Path, state: Path) -> None:
    hotline.publish(url_entry(1, PAGE))
    config = tmp_path / "helper.toml"
    config.write_text(config_text(hotline, state))
    with helper("--config", str(config)) as process:
        assert process.stdin and process.stdout
        answer = b""
        for number in range(400):  # until its first edition is in force, it is unsure
            process.stdin.write(f"{number} GET {PAGE}\n".encode())
            process.stdin.flush()
            answer = process.stdout.readline()
            if answer == f"{number} OK\n".encode():
                break
            assert answer == f"{number} OK tag=unknown\n".encode()
            threading.Event().wait(0.05)
        process.stdin.write(b"7 GET http://other.example/ -\n")
        process.stdin.flush()
        assert process.stdout.readline() == b"7 ERR\n"
        process.stdin.close()
        assert process.wait(20) == 0
        assert b"zorblat" not in (process.stderr.read() if process.stderr else b"")
    with helper() as process:
        assert process.wait(20) == 2
