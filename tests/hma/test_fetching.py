"""An exchange really fetches, seen from outside: set up over HTTP, fetched by the worker's process, matched at the node."""

from __future__ import annotations

import json
import secrets
import threading
import time
import uuid
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from tests.hma.world import Installation, Server, until


class Shared:
    """A service that shares hashes as StopNCII does, with as many as a test wants."""

    def __init__(self) -> None:
        self.records: dict[str, dict[str, Any]] = {}
        self.base = ""

    def put(self, value: str, status: str = "Active") -> None:
        self.records[value] = {
            "lastModtimestamp": int(time.time()) - 5, "signalType": "ImagePDQ", "hashValue": value, "hashStatus": status,
            "caseNumbers": {"1": status},
        }  # fmt: skip


@pytest.fixture
def shared() -> Iterator[Shared]:
    made = Shared()

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *arguments: Any) -> None:
            """Quiet."""

        def do_GET(self) -> None:
            right = self.headers["x-functions-key"] == "zorblat"
            body = json.dumps(
                {
                    "hashRecords": list(made.records.values()),
                    "hasMoreRecords": False,
                    "nextPageToken": None,
                    "nextSetTimestamp": 0,
                }
            ).encode()
            self.send_response(200 if right else 401)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    made.base = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield made
    finally:
        server.shutdown()
        server.server_close()


def test_from_setting_up_to_a_match_and_back(vigil: Installation, shared: Shared) -> None:
    server, name = Server(vigil.base), f"SHARED_{uuid.uuid4().hex.upper()}"
    kept, gone = secrets.token_hex(32), secrets.token_hex(32)
    shared.put(kept)
    shared.put(gone)
    place = f"/c/exchange/{name}"
    server.send("POST", "/c/exchanges/api/stop_ncii", {
        "credential_json": {"fetch_function_key": "zorblat", "subscription_key": "quimber"}})  # fmt: skip
    made = server.send("POST", "/c/exchanges", {"bank": name, "api": "stop_ncii", "api_json": {"base_url": shared.base}})
    assert made.status == 201, made.body
    assert server.get(f"{place}/status").json["last_fetch_succeeded"] is None
    vigil.start("worker")
    try:
        until(lambda: server.lookup("pdq", gone).get(name))
        assert [match["distance"] for match in server.lookup("pdq", kept)[name]] == ["0"]
        until(lambda: server.get(f"{place}/status").json["last_fetch_succeeded"])
        status = server.get(f"{place}/status").json
        assert status["fetched_items"] == 2 and status["up_to_date"] and status["error"] is None
        assert abs(status["last_fetch_complete_ts"] - time.time()) < 600
        shared.put(gone, "Withdrawn")
        for enabled in (False, True):  # switching it on again fetches at once
            server.send("PUT", place, {"enabled": enabled})
            time.sleep(3)
        until(lambda: name not in server.lookup("pdq", gone))
        assert name in server.lookup("pdq", kept)
        assert server.ask("DELETE", place).status == 200
        until(lambda: name not in server.lookup("pdq", kept))
        assert server.get(place).status == 404
    finally:
        vigil.stop("worker")
        server.send("POST", "/c/exchanges/api/stop_ncii", {"credential_json": {}})
