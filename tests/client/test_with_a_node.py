"""The clients against a real edge node, over real HTTP: addresses, hashes, files; nothing but digests leaves."""

from __future__ import annotations

import asyncio
import io
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.client.faces import FACES
from tests.client.liars import honest, lying, signals_in
from tests.edge.world import (
    Hotline,
    RunningNode,
    as_jpeg,
    config_text,
    drawn_picture,
    flat_picture,
    hash_entry,
    running,
    served,
    sha256,
    until,
    url_entry,
)

from vigil.base.clock import SystemClock
from vigil.client import AsyncClient, Client, FailClosed, FailOpen, Listed, NotListed, Signal
from vigil.media import ImageHashes, hash_image

PAGE = "http://quimber.example/zorblat"
TOKEN = "client-token-zorblat-1"
PICTURE = drawn_picture(5)
FLAT = flat_picture()


def url_of(node: RunningNode) -> str:
    return f"http://127.0.0.1:{node.port}"


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningNode]:
    folder = tmp_path_factory.mktemp("client")
    hotline = Hotline(folder, SystemClock().now())
    hashes = hash_image(PICTURE)
    assert isinstance(hashes, ImageHashes)
    hotline.publish(
        url_entry(1, PAGE),
        hash_entry(2, "sha256", sha256(b"zorblat")),
        hash_entry(3, "pdq", hashes.pdq),
        hash_entry(4, "sha256", sha256(FLAT)),
    )
    limits = "[limits]\nbatch_items = 50\n"
    with served(hotline), running(config_text(hotline, folder / "state", limits)) as node:
        until(lambda: node.ask("GET", "/readyz").status == 200)
        yield node


@pytest.mark.parametrize("face", FACES)
def test_addresses(node: RunningNode, face: Any) -> None:
    ((listed, other, malformed),) = face(url_of(node), "check_urls", [PAGE, "http://quimber.example/", "http://"])
    assert listed == Listed(edition=1, signal="url", list="urls", entry=1, distance=0)
    assert other == NotListed(edition=1, signal="url")
    assert (malformed.unknown, malformed.passing, malformed.allowed) == (True, False, False)


@pytest.mark.parametrize("face", FACES)
def test_more_than_the_node_takes_at_once(node: RunningNode, face: Any) -> None:
    addresses = [PAGE if place % 7 == 0 else f"http://quimber.example/{place}" for place in range(1500)]
    (found,) = face(url_of(node), "check_urls", addresses, call={"deadline": 60})
    assert [each.listed for each in found] == [place % 7 == 0 for place in range(1500)]
    assert not any(each.unknown for each in found)


@pytest.mark.parametrize("face", FACES)
def test_signals(node: RunningNode, face: Any) -> None:
    signals = [Signal("sha256", sha256(b"zorblat").hex()), Signal("url", PAGE), Signal("md5", "zorblat")]
    (found,) = face(url_of(node), "match_signals", signals)
    assert [each.listed for each in found] == [True, True, False]
    assert found[2].reason == "hash_malformed"


@pytest.mark.parametrize("face", FACES)
@pytest.mark.parametrize("kind", ["bytes", "path", "text", "stream"])
def test_a_near_copy_by_any_kind_of_source(node: RunningNode, face: Any, kind: str, tmp_path: Path) -> None:
    data = as_jpeg(PICTURE)
    path = tmp_path / "picture.jpg"
    path.write_bytes(data)
    stream = io.BytesIO(data)
    stream.seek(7)
    sources = {"bytes": data, "path": path, "text": str(path), "stream": stream}
    (found,) = face(url_of(node), "match_file", sources[kind])
    assert (found.listed, found.entry, found.signal, found.allowed) == (True, 3, "pdq", False)
    assert stream.tell() == 7


@pytest.mark.parametrize("send", [False, True])
def test_files_that_cannot_be_hashed_whole_are_unknown_and_exact_ones_still_listed(node: RunningNode, send: bool) -> None:
    with Client(url_of(node), policy=FailOpen()) as client:
        assert client.match_file(FLAT, send_media=send).listed
        assert client.match_file(b"zorblat", send_media=send).listed
        other = client.match_file(b"quimber", send_media=send)
        flat = client.match_file(as_jpeg(FLAT), send_media=send)
        plain = client.match_file(drawn_picture(9), send_media=send)
    assert (other.unknown, other.allowed, flat.unknown) == (True, True, True)
    assert [getattr(each, "reason", None) for each in (other, flat)] == ["not_an_image", "low_quality"]
    assert plain == NotListed(edition=1, signal="media")


@pytest.mark.parametrize("face", FACES)
def test_only_digests_leave(face: Any) -> None:
    with lying(honest) as liar:
        (found,) = face(liar.url, "match_file", PICTURE)
    (request,) = liar.requests
    assert found.not_listed
    assert {signal["type"] for signal in signals_in(request)} == {"sha256", "sha1", "md5", "pdq"}
    assert all(set(signal) == {"type", "value"} for signal in signals_in(request))
    assert len(request) < 2000
    assert PICTURE[:64] not in request


def test_tokens(hotline: Hotline, state: Path) -> None:
    hotline.publish(url_entry(1, PAGE))
    with running(config_text(hotline, state, f'[api]\ntokens = ["{TOKEN}"]\n')) as node:
        until(lambda: node.ask("GET", "/readyz").status == 200)
        with Client(url_of(node), policy=FailClosed(), token=TOKEN) as client:
            assert client.check_url(PAGE).listed
        with Client(url_of(node), policy=FailClosed(), token="another") as client:
            found = client.check_url(PAGE)
    assert (found.unknown, getattr(found, "reason", "")) == (True, "token_refused")


def test_a_node_without_an_edition_is_unknown_and_can_be_asked_later(hotline: Hotline, state: Path) -> None:
    kept: list[Any] = []
    with (
        running(config_text(hotline, state)) as node,
        Client(url_of(node), policy=FailClosed(), queue=kept.append) as client,
    ):
        found = client.check_url(PAGE)
        assert (getattr(found, "reason", ""), found.allowed, len(kept)) == ("no_edition", False, 1)
        hotline.publish(url_entry(1, PAGE))
        until(lambda: client.ask([kept[0].question])[0].listed)


def test_many_at_once_share_one_client(node: RunningNode) -> None:
    async def run() -> list[bool]:
        async with AsyncClient(url_of(node), policy=FailClosed(), connections=4) as client:
            found = await asyncio.gather(*(client.check_url(PAGE) for _ in range(100)))
        return [each.listed for each in found]

    assert asyncio.run(run()) == [True] * 100


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_asks_on_connections_of_its_own(node: RunningNode) -> None:
    with Client(url_of(node), policy=FailClosed()) as client:
        assert client.check_url(PAGE).listed
        child = os.fork()
        if child == 0:
            os._exit(0 if client.check_url(PAGE).listed else 1)
        _, status = os.waitpid(child, 0)
        assert os.waitstatus_to_exitcode(status) == 0
        assert client.check_url(PAGE).listed
