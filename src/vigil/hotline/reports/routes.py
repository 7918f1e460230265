"""Ways to a server: through an HTTP proxy, through Tor, or directly; and where none of them may lead.

Whatever the way, an address that names a private network is refused unless the operator allowed that network. Directly, a
name is resolved here, every answer is judged, and the connection goes to the very address that was judged, so that a name
which changes its answer in between (DNS rebinding) gains nothing. Each redirect is a new address and takes the same way.
RFC 1928 (SOCKS 5), RFC 6890 (special-purpose addresses), RFC 6761 and RFC 6762 (special names).
"""

from __future__ import annotations

import http.client
import ipaddress
import socket
import ssl
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from vigil.hotline.reports.fetching import Address, Failure, FetchError, Proxy

Ip = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Resolver = Callable[[str, int], Sequence[str]]
"""A name and a port to the addresses it has now, as text."""

LOCAL_NAMES: Final = ("localhost", "local", "internal", "intranet", "lan", "home", "corp", "private", "arpa")
GLOBAL_UNICAST: Final = ipaddress.IPv6Network("2000::/3")
"""All that IANA has given out for the public internet; what lies outside is reserved, local, or an IPv4 address in disguise (such
as the compatible ``::127.0.0.1`` and the translated ``::ffff:0:127.0.0.1``), whatever else a library says of it."""
NOT_GLOBAL: Final = (ipaddress.IPv6Network("3fff::/20"), ipaddress.IPv4Network("192.88.99.0/24"))
"""Documentation (RFC 9637) and the old relays of 6to4 (RFC 7526), which this Python does not know."""
NAT64: Final = ipaddress.IPv6Network("64:ff9b::/96")
LOCAL_NAT64: Final = ipaddress.IPv6Network("64:ff9b:1::/48")
SOCKS_REPLY: Final = 4


def resolve(host: str, port: int) -> Sequence[str]:
    """The addresses of a name as the system resolves it."""
    return [str(row[4][0]) for row in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]


def is_reachable(address: Ip, allowed: Sequence[Network]) -> bool:
    """True for an address of the public internet, and for one of a network that the operator allowed."""
    if any(address in network for network in allowed if network.version == address.version):
        return True
    if isinstance(address, ipaddress.IPv6Address):
        if address in LOCAL_NAT64:
            return False
        if (inner := _inside(address)) is not None:
            return is_reachable(inner, allowed)
        if address not in GLOBAL_UNICAST:
            return False
    if any(address in network for network in NOT_GLOBAL if network.version == address.version):
        return False
    return address.is_global and not address.is_multicast


def _inside(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    """The IPv4 address that an IPv6 one stands for: mapped, 6to4, or translated (RFC 6052)."""
    if address in NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour


def judge_name(host: str, allowed: Sequence[Network]) -> Ip | None:
    """The address where ``host`` is one; refuses private addresses and names that mean the machine or its own network."""
    bare = host.strip("[]").rstrip(".").lower()
    try:
        address = ipaddress.ip_address(bare)
    except ValueError:
        if "." not in bare or bare.rpartition(".")[2] in LOCAL_NAMES:
            raise FetchError(Failure.PRIVATE_ADDRESS) from None
        return None
    if not is_reachable(address, allowed):
        raise FetchError(Failure.PRIVATE_ADDRESS)
    return address


class Route(Protocol):
    """One way to a server. ``via`` is its name in a recipe."""

    @property
    def via(self) -> str: ...

    @property
    def allowed(self) -> Sequence[Network]: ...

    def connection(self, url: Address, seconds: float) -> tuple[http.client.HTTPConnection, str, str]:
        """A connection not yet open, what to ask it for, and the address it will go to ("" where that is not known)."""
        ...


def _port(url: Address) -> int:
    return url.port or (443 if url.scheme == "https" else 80)


@dataclass(frozen=True, slots=True)
class ProxyRoute:
    """Through an HTTP proxy: absolute form for http, a tunnel for https (RFC 9112, 3.2)."""

    proxy: Proxy
    allowed: Sequence[Network] = ()
    via: str = "proxy"

    def connection(self, url: Address, seconds: float) -> tuple[http.client.HTTPConnection, str, str]:
        if url.scheme == "http":
            return http.client.HTTPConnection(self.proxy.host, self.proxy.port, timeout=seconds), url.text(), ""
        tls = ssl.create_default_context()
        secure = http.client.HTTPSConnection(self.proxy.host, self.proxy.port, timeout=seconds, context=tls)
        secure.set_tunnel(url.host, _port(url))
        return secure, url.resource, ""


@dataclass(frozen=True, slots=True)
class DirectRoute:
    """Straight to the address that was resolved and judged."""

    allowed: Sequence[Network] = ()
    resolver: Resolver = resolve
    via: str = "direct"

    def connection(self, url: Address, seconds: float) -> tuple[http.client.HTTPConnection, str, str]:
        ip = self._pinned(url)
        port = _port(url)
        return _opened_by(url, seconds, lambda: socket.create_connection((ip, port), timeout=seconds)), url.resource, ip

    def _pinned(self, url: Address) -> str:
        try:
            answers = self.resolver(url.host.strip("[]"), _port(url))
        except (OSError, UnicodeError) as error:  # a label of more than 63 letters is no name that can be asked for
            raise FetchError(Failure.NAME_UNKNOWN) from error
        if not answers:
            raise FetchError(Failure.NAME_UNKNOWN)
        for answer in answers:
            if not is_reachable(ipaddress.ip_address(answer.partition("%")[0]), self.allowed):
                raise FetchError(Failure.PRIVATE_ADDRESS)
        return answers[0]


@dataclass(frozen=True, slots=True)
class TorRoute:
    """Through Tor or another SOCKS 5 proxy, which resolves the name: nothing is asked of a resolver here."""

    proxy: Proxy
    allowed: Sequence[Network] = ()
    via: str = "tor"

    def connection(self, url: Address, seconds: float) -> tuple[http.client.HTTPConnection, str, str]:
        return _opened_by(url, seconds, lambda: _through_socks(self.proxy, url, seconds)), url.resource, ""


def _opened_by(url: Address, seconds: float, dial: Callable[[], socket.socket]) -> http.client.HTTPConnection:
    """A connection that is opened by ``dial`` and by nothing else; the name of the address is what TLS must prove."""
    name = url.host.strip("[]")
    if url.scheme == "http":
        plain = http.client.HTTPConnection(name, _port(url), timeout=seconds)
        plain.connect = lambda: setattr(plain, "sock", dial())  # type: ignore[method-assign]
        return plain
    tls = ssl.create_default_context()
    secure = http.client.HTTPSConnection(name, _port(url), timeout=seconds, context=tls)
    secure.connect = lambda: setattr(secure, "sock", tls.wrap_socket(dial(), server_hostname=name))  # type: ignore[method-assign]
    return secure


def _through_socks(proxy: Proxy, url: Address, seconds: float) -> socket.socket:
    connected = socket.create_connection((proxy.host, proxy.port), timeout=seconds)
    try:
        host = url.host.strip("[]").encode("idna" if url.host.isascii() else "utf-8")
        if not 0 < len(host) < 256:
            raise FetchError(Failure.ADDRESS_REFUSED)
        connected.sendall(b"\x05\x01\x00")
        if _exactly(connected, 2) != b"\x05\x00":
            raise FetchError(Failure.PROXY_UNREACHABLE)
        connected.sendall(b"\x05\x01\x00\x03" + bytes([len(host)]) + host + struct.pack(">H", _port(url)))
        head = _exactly(connected, SOCKS_REPLY)
        if head[0] != 5 or head[1] != 0:
            raise FetchError(Failure.CONNECTION_CLOSED if head[0] == 5 else Failure.PROXY_UNREACHABLE)
        size = {1: 4, 4: 16}.get(head[3]) or (_exactly(connected, 1)[0] if head[3] == 3 else 0)
        _exactly(connected, size + 2)
    except BaseException:
        connected.close()
        raise
    return connected


def _exactly(connected: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        part = connected.recv(size - len(data))
        if not part:
            raise FetchError(Failure.PROXY_UNREACHABLE)
        data += part
    return data
