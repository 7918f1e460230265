"""A page is listed, blocked, counted, and taken off again: one node, one hotline, over real HTTP."""

from __future__ import annotations

from pathlib import Path

from tests.edge.world import (
    Hotline,
    RunningNode,
    as_jpeg,
    config_text,
    drawn_picture,
    hash_entry,
    running,
    sha256,
    until,
    url_entry,
)

from vigil.media import Decoder, ImageHashes


def test_a_listed_page_is_blocked_counted_and_released(hotline: Hotline, state: Path) -> None:
    hotline.publish()
    with running(config_text(hotline, state)) as node:
        until(lambda: node.ask("GET", "/readyz").status == 200)
        address = "http://quimber.example/zorblat"
        assert node.verdict_on(address)["verdict"] == "not_listed"

        hotline.publish(url_entry(7, address))
        until(lambda: node.verdict_on(address, sec_fetch_dest="document")["verdict"] == "listed")
        verdict = node.verdict_on("HTTP://QUIMBER.example:80/./zorblat#x", sec_fetch_dest="image")
        assert verdict == {
            "verdict": "listed",
            "list": "urls",
            "entry": 7,
            "edition": 2,
            "signal": "url",
            "distance": 0,
            "labels": [],
        }
        until(lambda: hotline.total("subresource") == 1 and hotline.total("navigation") == 1)

        hotline.publish()
        until(lambda: node.verdict_on(address)["verdict"] == "not_listed")
        assert node.ask("GET", "/readyz").json["edition"] == 3


def test_a_listed_picture_and_its_near_copy_are_found(hotline: Hotline, node: RunningNode) -> None:
    picture = drawn_picture()
    with_hashes = Decoder(workers=1)
    try:
        found = with_hashes.hash_image(picture)
    finally:
        with_hashes.close()
    assert isinstance(found, ImageHashes)
    hotline.publish(hash_entry(1, "sha256", sha256(picture)), hash_entry(2, "pdq", found.pdq))
    until(lambda: node.ask("GET", "/readyz").json["edition"] == 2)

    exact = node.ask("POST", "/v1/match", picture, content_type="image/png").json
    assert (exact["verdict"], exact["signal"], exact["entry"], exact["distance"]) == ("listed", "sha256", 1, 0)
    near = node.ask("POST", "/v1/match", as_jpeg(picture), content_type="image/jpeg").json
    assert (near["verdict"], near["signal"], near["entry"]) == ("listed", "pdq", 2)
    other = node.ask("POST", "/v1/match", drawn_picture(2), content_type="application/octet-stream").json
    assert other["verdict"] == "not_listed"
    until(lambda: hotline.total("media_match") == 2)
