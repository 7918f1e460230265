"""Real proxies on loopback, in front of a web server that answers for every name."""

from __future__ import annotations

import http.client
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

OURS = b"answered behind the filter"
Ask = Callable[[str], tuple[int, bytes]]


class Answer(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(OURS)))
        self.end_headers()
        self.wfile.write(OURS)

    def log_message(self, *arguments: object) -> None:
        pass


def free_port() -> int:
    """e2guardian cannot choose a port by itself."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


def wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    for _ in range(600):
        assert process.poll() is None, "e2guardian ended at its start"
        with socket.socket() as tried:
            if tried.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise AssertionError("e2guardian does not listen")


@contextmanager
def web_behind() -> Iterator[int]:
    """The port of a web server that answers every request alike."""
    behind = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    thread = threading.Thread(target=behind.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield behind.server_port
    finally:
        behind.shutdown()
        thread.join()
        behind.server_close()


@contextmanager
def proxy(command: list[str], port: int) -> Iterator[Ask]:
    """A running proxy; gives status and body of the answer to a request for an address."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def ask(address: str) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        connection.request("GET", address, headers={"Connection": "close"})
        answer = connection.getresponse()
        body = answer.read()
        connection.close()
        return answer.status, body

    try:
        wait_for(port, process)
        yield ask
    finally:
        process.kill()  # some take a minute over a polite request
        process.wait(60)
