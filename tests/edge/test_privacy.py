"""Nothing of a visitor or of the list gets out: markers are planted everywhere and looked for everywhere."""

from __future__ import annotations

import io
import json
from pathlib import Path

from tests.edge.world import Hotline, config_text, drawn_picture, hash_entry, running, sha256, until, url_entry

from vigil.edge.journal import FIELDS, fault_of, journal, quiet_server_logs

MARK = "zorblatmarker"
PAGE = f"http://{MARK}.example/{MARK}?{MARK}"
HEADERS = {
    "user_agent": MARK,
    "cookie": MARK,
    "x_forwarded_for": "192.0.2.77",
    "referer": f"http://{MARK}.example/",
    "from": f"{MARK}@quimber.example",
    "sec_fetch_dest": "document",
}


def everything(folder: Path) -> bytes:
    """All bytes of all files of a folder, and their names."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return b"".join(path.read_bytes() for path in files) + "".join(map(str, files)).encode()


def test_no_address_hash_or_visitor_in_logs_metrics_counts_or_state(hotline: Hotline, state: Path) -> None:
    picture = drawn_picture(5)
    digest = sha256(picture)
    hotline.publish(url_entry(1, PAGE), hash_entry(2, "sha256", digest))
    with running(config_text(hotline, state, '[gate]\nenabled = true\nhosts = ["example"]\n')) as node:
        until(lambda: node.ask("GET", "/readyz").status == 200)
        for _ in range(50):
            assert node.verdict_on(PAGE, **HEADERS)["verdict"] == "listed"
            node.post("/v1/url", {"urls": [PAGE, MARK, f"http://{MARK}:99999/"]}, **HEADERS)
            node.ask("GET", f"/v1/match?type=url&value={MARK}", **HEADERS)
            node.ask("GET", f"/v1/match?type=sha256&value={digest.hex()}", **HEADERS)
            node.ask("GET", f"/{MARK}?{MARK}", **HEADERS)
            node.ask("GET", f"/v1/match?{MARK}={MARK}", **HEADERS)
            node.ask("GET", f"/blocked/{MARK}", **HEADERS)
            node.ask("GET", f"/gate?url={PAGE}", **HEADERS)
            node.ask("POST", "/v1/url", f"{{{MARK}".encode(), content_type="application/json", **HEADERS)
        node.ask("POST", "/v1/match", picture, content_type="image/png", **HEADERS)
        node.ask("POST", "/v1/match", MARK.encode(), content_type="image/png", **HEADERS)
        until(lambda: hotline.total("navigation") >= 100 and hotline.total("media_match") >= 51)
        outside = node.log.getvalue().encode() + node.ask("GET", "/metrics").body + b"".join(hotline.posts)
        own = everything(state / "counts")
    for text in (outside, own):
        for planted in (MARK.encode(), b"192.0.2.77", b"127.0.0.1:", digest.hex().encode(), digest):
            assert planted not in text
    assert MARK.encode() not in everything(state)


def test_the_log_keeps_known_fields_only() -> None:
    stream = io.StringIO()
    log = journal("n-1", stream)
    log.info("edition_in_force", edition=3, url=MARK, client=MARK)
    [line] = stream.getvalue().splitlines()
    event = json.loads(line)
    assert MARK not in line
    assert (event["edition"], event["node"], event["dropped_fields"]) == (3, "n-1", 2)
    assert set(event) - {"dropped_fields"} <= FIELDS


def test_faults_are_named_by_type_and_place() -> None:
    try:
        quiet_server_logs(None)
        raise ValueError(MARK)
    except ValueError as error:
        assert fault_of(error) == {"fault": "ValueError", "place": ""}


def test_the_servers_own_warnings_lose_their_text() -> None:
    import logging

    stream = io.StringIO()
    quiet_server_logs(journal("n-1", stream))
    try:
        raise KeyError(MARK)
    except KeyError:
        logging.getLogger("uvicorn.error").exception("failed on %s", MARK)
    logging.getLogger("uvicorn.access").error("%s", MARK)
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [line["event"] for line in lines] == ["server_fault", "server_fault"]
    assert lines[0]["fault"] == "KeyError"
    assert MARK not in stream.getvalue()
