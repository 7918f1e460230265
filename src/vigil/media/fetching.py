"""Fetching media from hosts that an operator named, and from nowhere else.

The address is parsed once, the host looked up once, each address it has is judged, and the connection goes to a judged
address: a name that changes its mind between the check and the connection gains nothing. Redirections go through all of it
again. What the other side says went wrong stays in here: outside there are stable codes, so that nobody scans ports with us.
"""

from __future__ import annotations

import http.client
import ipaddress
import socket
import ssl
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import SplitResult, urljoin, urlsplit

from vigil.base.errors import InputError
from vigil.base.limits import MEDIA_BYTES, Limit

REDIRECTS: Final = Limit(5, "redirections", "a chain without end")
FETCH_SECONDS: Final = Limit(30, "seconds", "a host that drips bytes must not hold a worker")
PIECE: Final = 64 * 1024
PORTS: Final = {"http": 80, "https": 443}
MOVED: Final = frozenset({301, 302, 303, 307, 308})
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class FetchRefused(InputError):  # noqa: N818  named as the other refusals are
    """Nothing was fetched; the code says why: ``fetch_off``, ``fetch_refused``, ``fetch_failed``, ``fetch_too_large``."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """``kind`` is the ``Content-Type`` without parameters, in small letters; empty where the server gave none."""

    kind: str
    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Rules:
    """``hosts``: names, ``.suffix`` for all below, ``name:port`` for another port; none: nothing is ever fetched.

    ``networks``: addresses that are reached although they are not public, such as ``10.0.0.0/8``.
    """

    hosts: tuple[str, ...] = ()
    networks: tuple[str, ...] = ()
    most_bytes: int = MEDIA_BYTES.value
    seconds: float = float(FETCH_SECONDS.value)

    def allows(self, host: str, port: int, usual: int) -> bool:
        """Whether ``host`` is named, with this port or as a usual one."""
        names = {host, f"{host}:{port}"} if port == usual else {f"{host}:{port}"}
        parents = [f".{host.split('.', depth)[depth]}" for depth in range(1, host.count(".") + 1)]
        return any(name in self.hosts for name in names) or (port == usual and any(each in self.hosts for each in parents))


Resolve = Callable[[str, int], Sequence[str]]


def resolve(host: str, port: int) -> Sequence[str]:
    """The addresses of a host as the machine knows them."""
    return [str(row[4][0]) for row in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]


def fetch(address: str, rules: Rules, look_up: Resolve = resolve) -> Fetched:
    """The file at ``address``. Raises FetchRefused."""
    if not rules.hosts:
        raise FetchRefused("fetch_off", "This server fetches nothing.", mend="Send the file itself, or name the host as allowed.")
    deadline = time.monotonic() + rules.seconds
    for _ in range(REDIRECTS.value + 1):
        answer = _once(_checked(address, rules), rules, look_up, deadline)
        if isinstance(answer, Fetched):
            return answer
        address = urljoin(address, answer)
    raise FetchRefused("fetch_failed", "The address redirects too often.")


def _checked(address: str, rules: Rules) -> SplitResult:
    try:
        parts = urlsplit(address)
        host, port = (parts.hostname or "").rstrip("."), parts.port
    except ValueError:
        raise _refused() from None
    if parts.scheme not in PORTS or not host or "@" in parts.netloc or not address.isascii() or " " in address:
        raise _refused()
    usual = PORTS[parts.scheme]
    if not rules.allows(host, usual if port is None else port, usual):
        raise _refused()
    return parts


def _once(parts: SplitResult, rules: Rules, look_up: Resolve, deadline: float) -> Fetched | str:
    """The file, or where it moved."""
    connection = _connected(parts, rules, look_up, deadline)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    try:
        connection.request("GET", target, headers={"host": parts.netloc, "user-agent": "vigil", "accept-encoding": "identity"})
        with connection.getresponse() as answer:
            return _answered(answer, rules, deadline)
    except (OSError, http.client.HTTPException):
        raise _failed() from None
    finally:
        connection.close()


def _answered(answer: http.client.HTTPResponse, rules: Rules, deadline: float) -> Fetched | str:
    moved = answer.getheader("location")
    if answer.status in MOVED and moved:
        return moved
    if answer.status != 200:
        raise FetchRefused("fetch_failed", "The address does not lead to a file.", where=f"status {answer.status}")
    kind = (answer.getheader("content-type") or "").partition(";")[0].strip().lower()
    return Fetched(kind, _read(answer, rules, deadline))


def _read(answer: http.client.HTTPResponse, rules: Rules, deadline: float) -> bytes:
    """Counts bytes itself: a length that the server states, or states wrongly, decides nothing."""
    parts: list[bytes] = []
    size = 0
    while piece := answer.read1(PIECE):
        size += len(piece)
        if size > rules.most_bytes:
            raise FetchRefused("fetch_too_large", "The file is too large.", mend=f"At most {rules.most_bytes} bytes.")
        if time.monotonic() > deadline:
            raise _failed()
        parts.append(piece)
    return b"".join(parts)


def _connected(parts: SplitResult, rules: Rules, look_up: Resolve, deadline: float) -> http.client.HTTPConnection:
    host, port = parts.hostname or "", parts.port or PORTS[parts.scheme]
    left = max(0.1, deadline - time.monotonic())
    try:
        where = _judged(look_up(host, port), rules)
        line = socket.create_connection((where, port), timeout=left)
        if parts.scheme == "https":
            line = _secured(line, host)
    except OSError:
        raise _failed() from None
    connection = http.client.HTTPConnection(host, port, timeout=left)
    connection.sock = line
    return connection


def _secured(line: socket.socket, host: str) -> socket.socket:
    """TLS over the connection, the certificate checked against the name; a failure closes it."""
    try:
        return ssl.create_default_context().wrap_socket(line, server_hostname=host)
    except OSError:
        line.close()
        raise


def _judged(addresses: Sequence[str], rules: Rules) -> str:
    """The first address, if every one of them may be reached."""
    networks = [ipaddress.ip_network(network) for network in rules.networks]
    if not addresses or not all(_may_reach(ipaddress.ip_address(text.partition("%")[0]), networks) for text in addresses):
        raise _refused()
    return addresses[0]


def _may_reach(address: ipaddress.IPv4Address | ipaddress.IPv6Address, networks: Sequence[Network]) -> bool:
    mapped = getattr(address, "ipv4_mapped", None)
    plain = mapped or address
    public = plain.is_global and not plain.is_multicast
    return public or any(plain.version == network.version and plain in network for network in networks)


def _refused() -> FetchRefused:
    return FetchRefused("fetch_refused", "This address is not fetched.", mend="Only hosts that the operator named are.")


def _failed() -> FetchRefused:
    return FetchRefused("fetch_failed", "The file could not be fetched.")
