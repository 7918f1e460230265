"""Sending what waits for one receiver. A receiver that hangs, lies, redirects or points into the house costs only its own thread.

The name is resolved once, every address is checked, and the connection goes to the address that was checked: a name that
changes between the two helps nobody. Redirects are never followed. A whole exchange has :data:`SECONDS`, however slowly it drips.
"""

from __future__ import annotations

import http.client
import ipaddress
import random
import socket
import ssl
import threading
import time
from collections.abc import Callable
from typing import Any, Final
from urllib.parse import SplitResult, urlsplit

from vigil.base.clock import Clock
from vigil.base.webhooks import headers
from vigil.edge.webhooks.queue import Queue
from vigil.edge.webhooks.settings import Endpoint

SECONDS: Final = 10.0
ANSWER_BYTES: Final = 4096
FIRST_PAUSE: Final = 1.0
LONGEST_PAUSE: Final = 300.0
IDLE_PAUSE: Final = 0.5
FINAL: Final = frozenset({400, 410, 413, 415, 422})
UNANSWERED: Final = 0
Resolve = Callable[[str, int], list[str]]


class AddressRefused(OSError):  # noqa: N818  named as the other refusals are
    """The receiver's name leads to an address where nothing is sent."""


def addresses_of(host: str, port: int) -> list[str]:
    """What the machine's resolver says, each once."""
    return list(dict.fromkeys(str(row[4][0]) for row in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)))


def may_reach(address: str, *, private: bool) -> bool:
    """True for public addresses, and with ``private`` for this machine and private networks; never link-local, where clouds
    hand out credentials, nor multicast and unspecified ones."""
    found = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped is not None:
        found = found.ipv4_mapped
    if found.is_link_local or found.is_multicast or found.is_unspecified:
        return False
    return found.is_global or (private and (found.is_private or found.is_loopback))


class Sender:
    """One receiver. ``round`` is called again and again by a thread of its own."""

    def __init__(self, endpoint: Endpoint, queue: Queue, clock: Clock, log: Any, resolve: Resolve = addresses_of) -> None:
        self._endpoint, self._queue, self._clock, self._log = endpoint, queue, clock, log
        self._url, self._resolve = urlsplit(endpoint.url), resolve
        self._failures, self._said = 0, ""
        self.given_up = 0

    def round(self) -> float:
        """Send what waits, in order, up to the first that is not taken; the seconds until it is worth trying again."""
        for path in self._queue.waiting():
            if self._queue.is_late(path, self._clock.now()):
                self._give_up(path)
                continue
            status, code = self._send(path.read_bytes(), path.stem)
            if 200 <= status < 300:
                self._queue.done(path)
                self._say("done", status)
            elif status in FINAL:
                self._give_up(path)
                self._say("webhook_refused", status)
            else:
                self._failures += 1
                self._say(code, status)
                return self._pause()
        self._failures = 0
        return IDLE_PAUSE

    def _pause(self) -> float:
        """Twice as long each time, up to five minutes, and never for all nodes alike."""
        longest = min(FIRST_PAUSE * float(2 ** min(self._failures - 1, 10)), LONGEST_PAUSE)
        return longest * random.uniform(0.5, 1.0)  # noqa: S311  spreads load, guards nothing

    def _give_up(self, path: Any) -> None:
        self._queue.put_aside(path)
        self.given_up += 1

    def _say(self, code: str, status: int) -> None:
        """Each change of fortune once."""
        if code != self._said and (code != "done" or self._said):
            self._log.info("webhook_delivery", code=code, status=status, waiting=len(self._queue))
        self._said = code

    def _send(self, body: bytes, name: str) -> tuple[int, str]:
        """The status of the answer and a code for the log; status 0 where nobody answers."""
        moment = int(self._clock.now().timestamp())
        signed = headers(f"msg_{name}", moment, body, [secret.open() for secret in self._endpoint.secrets])
        try:
            status = exchange(self._url, body, signed, self._reached())
        except AddressRefused:
            return UNANSWERED, "webhook_address"
        except (OSError, ValueError, http.client.HTTPException):
            return UNANSWERED, "webhook_unreachable"
        return status, "webhook_redirects" if 300 <= status < 400 else "webhook_unwanted"

    def _reached(self) -> str:
        """The address to connect to. Raises AddressRefused where one of those of the name is not to be reached."""
        found = self._resolve(self._url.hostname or "", _port(self._url))
        if not found or not all(may_reach(each, private=self._endpoint.private) for each in found):
            raise AddressRefused
        return found[0]


def exchange(url: SplitResult, body: bytes, signed: dict[str, str], address: str) -> int:
    """Post to ``address``, whose certificate must be that of ``url``; the status. Raises OSError or HTTPException."""
    ends = time.monotonic() + SECONDS
    connection = _connection(url)
    connection.sock = reached = _connected(url, address)
    late = threading.Timer(max(0.0, ends - time.monotonic()), _cut, (reached,))
    late.daemon = True
    late.start()
    try:
        if isinstance(reached, ssl.SSLSocket):
            reached.do_handshake()
        sent = {"content-type": "application/json", "user-agent": "vigil-edge", "connection": "close", **signed}
        connection.request("POST", (url.path or "/") + (f"?{url.query}" if url.query else ""), body, sent)
        answer = connection.getresponse()
        answer.read(ANSWER_BYTES)
        return answer.status
    finally:
        late.cancel()
        connection.close()


def _connection(url: SplitResult) -> http.client.HTTPConnection:
    host, port = url.hostname or "", _port(url)
    return (http.client.HTTPSConnection if url.scheme == "https" else http.client.HTTPConnection)(host, port, timeout=SECONDS)


def _connected(url: SplitResult, address: str) -> socket.socket:
    """The socket; with TLS its handshake is still to come, so that it can be cut short."""
    plain = socket.create_connection((address, _port(url)), timeout=SECONDS)
    if url.scheme != "https":
        return plain
    try:
        return ssl.create_default_context().wrap_socket(
            plain, server_hostname=url.hostname, do_handshake_on_connect=False
        )
    except BaseException:
        plain.close()
        raise


def _cut(connection: socket.socket) -> None:
    """End the exchange from outside: whoever waits for a byte gets an error.

    Past the TLS layer, which another thread is in the middle of.
    """
    try:
        socket.socket.shutdown(connection, socket.SHUT_RDWR)
    except OSError:
        return  # it has ended by itself


def _port(url: SplitResult) -> int:
    return url.port or (443 if url.scheme == "https" else 80)
