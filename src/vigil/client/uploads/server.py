"""Takes bucket events over HTTP, keeps them on disk until the upload is decided, and works through them in one thread."""

from __future__ import annotations

import hmac
import json
import logging
import threading
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final

import msgspec

from vigil.base.errors import InputError, UnavailableError, VigilError
from vigil.base.files import write_atomically
from vigil.client.uploads.config import Built
from vigil.client.uploads.events import EVENT_BYTES, Uploaded, uploads_of
from vigil.client.uploads.gate import Outcome

SECONDS: Final = 10.0
PAUSE: Final = 0.2
LOG: Final = logging.getLogger("vigil.client")


class Waiting:
    """Uploads that came and are not decided yet: one file each, named by a digest, so that an event that comes twice is one."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)

    def add(self, upload: Uploaded) -> None:
        """Keep an upload."""
        name = sha256(f"{upload.bucket}/{upload.key}".encode()).hexdigest()
        write_atomically(self._folder / f"{name}.json", msgspec.json.encode([upload.bucket, upload.key]), mode=0o600)

    def all(self) -> list[tuple[Path, Uploaded]]:
        """What waits, in no particular order."""
        found = []
        for path in sorted(self._folder.glob("*.json")):
            bucket, key = msgspec.json.decode(path.read_bytes(), type=tuple[str, str])
            found.append((path, Uploaded(bucket, key)))
        return found


class GateServer:
    """An upload gate that listens."""

    def __init__(self, built: Built) -> None:
        self.built = built
        self.waiting = Waiting(built.state / "waiting")
        self._http = ThreadingHTTPServer((built.file.listen.host, built.file.listen.port), _handler(self))
        self._http.daemon_threads = True
        self.port: int = self._http.server_address[1]
        self._stop, self._wake = threading.Event(), threading.Event()

    def run(self) -> None:
        """Take events and work until :meth:`stop`."""
        taking = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": PAUSE}, daemon=True)
        taking.start()
        while not self._stop.is_set():
            self._wake.wait(self._work())
            self._wake.clear()
        self._http.shutdown()
        self._http.server_close()
        taking.join()
        self.built.client.close()

    def stop(self) -> None:
        """End after the present upload; from any thread."""
        self._stop.set()
        self._wake.set()

    def take(self, body: bytes) -> int:
        """Keep what an event says; the number of uploads. Raises InputError."""
        uploads = [upload for upload in uploads_of(body) if upload.bucket == self.built.file.store.incoming]
        for upload in uploads:
            self.waiting.add(upload)
        self._wake.set()
        return len(uploads)

    def _work(self) -> float:
        """All that waits, once; the seconds until the next time."""
        pause = self.built.file.again_seconds
        for path, upload in self.waiting.all():
            if self._stop.is_set():
                break
            try:
                outcome = self.built.gate.handle(upload)
            except UnavailableError:
                continue  # it stays among those that wait
            except OSError as error:  # of our own disk; the store's and the node's are told as UnavailableError
                LOG.error("upload not decided: %s", error.strerror)
                continue
            except InputError:
                outcome = Outcome.HELD  # the hotline refuses the report: a person looks at it; the file is not published
            if outcome is not Outcome.LATER:
                path.unlink(missing_ok=True)
        if self.built.notices is not None:
            pause = min(pause, self.built.notices.round() if self.built.notices.waiting() else pause)
        return pause


def _handler(server: GateServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        """``POST /events`` with the bearer token; ``GET /healthz``."""

        timeout = SECONDS

        def do_GET(self) -> None:
            self._answer(200 if self.path == "/healthz" else 404, {"status": "alive"})

        def do_POST(self) -> None:
            given = self.headers.get("authorization", "").removeprefix("Bearer ").encode()
            length = self.headers.get("content-length", "")
            if self.path != "/events":
                self._answer(404, {"code": "no_such_path"})
            elif not hmac.compare_digest(given, server.built.token.encode()):
                self._answer(401, {"code": "token_refused"})
            elif not (length.isascii() and length.isdigit()) or len(length) > 9 or int(length) > EVENT_BYTES:
                self._answer(413, {"code": "event_too_large"})
            else:
                self._take(self.rfile.read(int(length)))

        def _take(self, body: bytes) -> None:
            try:
                self._answer(200, {"taken": server.take(body)})
            except VigilError as error:
                self._answer(400, {"code": error.code})
            except OSError:  # the disk is full: the store sends the event again
                self._answer(503, {"code": "event_not_kept"})

        def _answer(self, status: int, document: dict[str, Any]) -> None:
            body = json.dumps(document).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments: Any) -> None:
            """Keys of uploads belong in no log."""

    return Handler
