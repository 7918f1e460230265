"""Small clients that ask a door for a case of the test list and say what it did. Each speaks to one configured address only."""

from __future__ import annotations

import http.client
import json
import os
import socket
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, Protocol
from urllib.parse import quote, urlsplit

from vigil.edge.dns.wire import Ede, Rcode
from vigil.editions.certificate import Seen
from vigil.editions.selftest import Case, Sees, picture

SECONDS: Final = 10.0
ANSWER_BYTES: Final = 256 * 1024
BLOCKS: Final = frozenset({403, 451})
GATE_HOST: Final = b'"gate_host"'
TYPE_A: Final = 1
Answer = tuple[Seen, str]


class Probe(Protocol):
    """A door as the test sees it."""

    @property
    def name(self) -> str: ...

    @property
    def sees(self) -> frozenset[Sees]: ...

    def ask(self, case: Case) -> Answer:
        """What the door did, and a status or code. Raises OSError or HTTPException where it does not answer."""
        ...


@dataclass(frozen=True, slots=True)
class Http:
    """An HTTP server at ``host:port``; ``token`` where it wants one."""

    host: str
    port: int
    token: str = field(default="", repr=False)

    def ask(self, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None) -> tuple[int, bytes]:
        """Status and body."""
        connection = http.client.HTTPConnection(self.host, self.port, timeout=SECONDS)
        sent = dict(headers or {})
        if self.token:
            sent["Authorization"] = f"Bearer {self.token}"
        try:
            connection.putrequest(method, path, skip_host="Host" in sent, skip_accept_encoding=True)
            for name, value in sent.items():
                connection.putheader(name, value)
            if body is not None:
                connection.putheader("Content-Length", str(len(body)))
            connection.endheaders(body)
            answer = connection.getresponse()
            return answer.status, answer.read(ANSWER_BYTES)
        finally:
            connection.close()


@dataclass(frozen=True, slots=True)
class ApiProbe:
    """The HTTP API, asked for addresses, files and queries."""

    server: Http
    name: str = "http"
    sees: frozenset[Sees] = frozenset({Sees.ADDRESS, Sees.FILE})

    def ask(self, case: Case) -> Answer:
        if case.sees is Sees.FILE:
            return _verdict(self.server.ask("POST", "/v1/match", picture(listed=case.listed), {"Content-Type": "image/png"}))
        document, path = {"url": case.address}, "/v1/url"
        if case.sees is Sees.QUERY:
            document, path = {"query": case.address}, "/v1/screen/query"
        return _verdict(self.server.ask("POST", path, json.dumps(document).encode(), {"Content-Type": "application/json"}))


@dataclass(frozen=True, slots=True)
class GateProbe:
    """The demonstration gate."""

    server: Http
    name: str = "gate"
    sees: frozenset[Sees] = frozenset({Sees.ADDRESS})

    def ask(self, case: Case) -> Answer:
        status, body = self.server.ask("GET", f"/gate?url={quote(case.address, safe='')}")
        # A host that the gate does not lead to was not blocked by the list; the page may have the same status.
        elsewhere = status == 403 and GATE_HOST in body
        return (Seen.PASSED, str(status)) if status == 302 or elsewhere else _status(status)


@dataclass(frozen=True, slots=True)
class AuthProbe:
    """One proxy's way of asking before it passes a request on."""

    server: Http
    proxy: str
    sees: frozenset[Sees] = frozenset({Sees.ADDRESS})

    @property
    def name(self) -> str:
        return f"forward_auth:{self.proxy}"

    def ask(self, case: Case) -> Answer:
        parts = urlsplit(case.address)
        if self.proxy == "squid":
            status, body = self.server.ask("POST", "/auth/squid", f"GET {case.address} {parts.netloc}\n".encode())
            words = {b"OK": Seen.BLOCKED, b"ERR": Seen.PASSED}
            return words.get(body.split(b"\n")[0].strip(), Seen.UNKNOWN), str(status)
        headers = {"X-Original-URI": case.address}
        path = f"/auth/{self.proxy}"
        if self.proxy == "envoy":
            headers, path = {"Host": parts.netloc, "X-Forwarded-Proto": parts.scheme}, f"/auth/envoy{parts.path}"
        elif self.proxy != "nginx":
            headers = {"X-Forwarded-Proto": parts.scheme, "X-Forwarded-Host": parts.netloc, "X-Forwarded-Uri": parts.path}
        status, _ = self.server.ask("GET", path, headers=headers)
        return (Seen.PASSED, "200") if status == 200 else _status(status)


@dataclass(frozen=True, slots=True)
class IcapProbe:
    """The ICAP door: requests at REQMOD, files at RESPMOD."""

    host: str
    port: int
    name: str = "icap"
    sees: frozenset[Sees] = frozenset({Sees.ADDRESS, Sees.FILE})

    def ask(self, case: Case) -> Answer:
        head = _exchange(self.host, self.port, self._respmod(case) if case.sees is Sees.FILE else self._reqmod(case))
        lines = head.split(b"\r\n")
        status = lines[0].split(b" ")[1:2]
        if status == [b"204"]:
            return Seen.PASSED, "204"
        inner = next((line for line in lines[1:] if line.startswith(b"HTTP/1.")), b"")
        if status != [b"200"] or not inner:
            return Seen.FAILED, status[0].decode("ascii", "replace") if status else ""
        code = int(inner.split(b" ")[1])
        return (Seen.PASSED, "200") if code == 200 else _status(code)

    def _reqmod(self, case: Case) -> bytes:
        parts = urlsplit(case.address)
        inner = f"GET {case.address} HTTP/1.1\r\nHost: {parts.netloc}\r\n\r\n".encode()
        return self._head("REQMOD", "reqmod") + b"Encapsulated: req-hdr=0, null-body=%d\r\n\r\n%s" % (len(inner), inner)

    def _respmod(self, case: Case) -> bytes:
        data = picture(listed=case.listed)
        inner = b"HTTP/1.1 200 OK\r\nContent-Type: image/png\r\nContent-Length: %d\r\n\r\n" % len(data)
        body = b"%x\r\n%s\r\n0\r\n\r\n" % (len(data), data)
        return self._head("RESPMOD", "respmod") + b"Encapsulated: res-hdr=0, res-body=%d\r\n\r\n%s%s" % (len(inner), inner, body)

    def _head(self, method: str, service: str) -> bytes:
        start = f"{method} icap://{self.host}:{self.port}/{service} ICAP/1.0\r\nHost: {self.host}\r\n"
        return f"{start}Allow: 204\r\nConnection: close\r\n".encode()


@dataclass(frozen=True, slots=True)
class DnsProbe:
    """A resolver: the node's own DNS door, or one in front of it. ``page_addresses`` are those of the page."""

    host: str
    port: int
    name: str = "dns"
    page_addresses: frozenset[str] = frozenset()
    sees: frozenset[Sees] = frozenset({Sees.HOST})

    def ask(self, case: Case) -> Answer:
        name = urlsplit(case.address).hostname or ""
        family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
        number = os.urandom(2)
        with socket.socket(family, socket.SOCK_DGRAM) as asked:
            asked.settimeout(SECONDS)
            asked.connect((self.host, self.port))
            asked.send(number + b"\1\0\0\1\0\0\0\0\0\1" + _name(name) + struct.pack(">HH", TYPE_A, 1) + OPT)
            answer = asked.recv(4096)
        return self._seen(answer, number, name)

    def _seen(self, answer: bytes, number: bytes, name: str) -> Answer:
        if len(answer) < 12 or answer[:2] != number:
            return Seen.FAILED, "malformed"
        rcode = answer[3] & 15
        words = Rcode(rcode).name if rcode in Rcode._value2member_map_ else str(rcode)
        records = list(_records(answer))
        if any(_says_blocked(kind, data) for _, kind, data in records):
            return Seen.BLOCKED, words
        if any(kind in ADDRESS_TYPES and _unpacked(data) in self.page_addresses for _, kind, data in records):
            return Seen.BLOCKED, words
        if rcode == Rcode.SERVFAIL:
            return Seen.FAILED, words
        # The names of the test do not exist. What denies them by policy has the SOA of a zone that is not above them.
        owners = [owner for owner, kind, _ in records if kind == SOA]
        return (Seen.BLOCKED if any(not _is_above(owner, name) for owner in owners) else Seen.PASSED), words


@dataclass(frozen=True, slots=True)
class ProxyProbe:
    """A forward proxy that people use, asked for whole addresses."""

    server: Http
    name: str
    sees: frozenset[Sees] = frozenset({Sees.ADDRESS})

    def ask(self, case: Case) -> Answer:
        status, body = self.server.ask("GET", case.address, headers={"Host": urlsplit(case.address).netloc})
        return _page_or_not(status, body)


@dataclass(frozen=True, slots=True)
class SiteProbe:
    """A web server that asks the node, sent the names of the test list in ``Host``."""

    server: Http
    name: str
    sees: frozenset[Sees] = frozenset({Sees.ADDRESS})

    def ask(self, case: Case) -> Answer:
        parts = urlsplit(case.address)
        status, body = self.server.ask("GET", parts.path or "/", headers={"Host": parts.netloc})
        return _page_or_not(status, body)


OPT: Final = b"\0\0\x29\4\xd0\0\0\0\0\0\0"
SOA: Final = 6
OPT_TYPE: Final = 41
EDE_OPTION: Final = 15
ADDRESS_TYPES: Final = frozenset({1, 28})
POLICY_CODES: Final = frozenset({Ede.BLOCKED, Ede.CENSORED, Ede.FILTERED})


def _records(answer: bytes) -> Iterator[tuple[str, int, bytes]]:
    """Owner, type and data of every record behind the question. Raises ValueError for a message that is cut."""
    counts = struct.unpack(">HHHH", answer[4:12])
    place = 12
    for _ in range(counts[0]):
        _, place = _name_at(answer, place)
        place += 4
    for _ in range(sum(counts[1:])):
        owner, place = _name_at(answer, place)
        if place + 10 > len(answer):
            raise ValueError("the message is cut")
        kind, length = int.from_bytes(answer[place : place + 2], "big"), int.from_bytes(answer[place + 8 : place + 10], "big")
        yield owner, kind, answer[place + 10 : place + 10 + length]
        place += 10 + length


def _name_at(answer: bytes, place: int) -> tuple[str, int]:
    """A name in small letters, and the place behind it; pointers lead backwards only, so that none goes round."""
    labels: list[str] = []
    end, limit = -1, len(answer)
    while place < limit:
        length = answer[place]
        if length >= 0xC0:
            end = place + 2 if end < 0 else end
            limit, place = place, (length & 63) << 8 | answer[place + 1]
            if place >= limit:
                raise ValueError("a pointer leads forward")
            limit = len(answer)
        elif length == 0:
            return ".".join(labels).lower(), place + 1 if end < 0 else end
        else:
            labels.append(answer[place + 1 : place + 1 + length].decode("latin-1"))
            place += 1 + length
        if len(labels) > 128:
            raise ValueError("a name has no end")
    raise ValueError("the message is cut")


def _says_blocked(kind: int, data: bytes) -> bool:
    """True for an OPT record with an Extended DNS Error that says blocked, censored or filtered."""
    while kind == OPT_TYPE and len(data) >= 6:
        option, length = struct.unpack(">HH", data[:4])
        if option == EDE_OPTION and int.from_bytes(data[4:6], "big") in POLICY_CODES:
            return True
        data = data[4 + length :]
    return False


def _is_above(owner: str, name: str) -> bool:
    return owner == "" or name.lower().endswith(f".{owner}")


def _page_or_not(status: int, body: bytes) -> Answer:
    """Blocked is blocked; whatever else came, a missing page or an error of the way, was not stopped by the list."""
    return (Seen.BLOCKED if status in BLOCKS else Seen.PASSED), str(status)


def _verdict(answer: tuple[int, bytes]) -> Answer:
    status, body = answer
    if status != 200:
        return Seen.FAILED, str(status)
    found = json.loads(body)
    words = {"listed": Seen.BLOCKED, "not_listed": Seen.PASSED}
    return words.get(found["verdict"], Seen.UNKNOWN), found.get("reason", "")


def _status(status: int) -> Answer:
    if status in BLOCKS:
        return Seen.BLOCKED, str(status)
    return (Seen.UNKNOWN if status in (400, 503) else Seen.FAILED), str(status)


def _exchange(host: str, port: int, request: bytes) -> bytes:
    """What a server answers until it closes, or until the heads are there."""
    with socket.create_connection((host, port), timeout=SECONDS) as connection:
        connection.sendall(request)
        answer = b""
        while len(answer) < ANSWER_BYTES and answer.count(b"\r\n\r\n") < (1 if b" 204 " in answer[:64] else 2):
            part = connection.recv(65536)
            if not part:
                break
            answer += part
    return answer


def _name(name: str) -> bytes:
    return b"".join(bytes([len(label)]) + label.encode() for label in name.split(".")) + b"\0"


def _unpacked(data: bytes) -> str:
    return socket.inet_ntop(socket.AF_INET6 if len(data) == 16 else socket.AF_INET, data)


def seen_by(probe: Probe, case: Case) -> Answer:
    """What ``probe`` saw; a door that does not answer, or with something of another shape, has failed."""
    try:
        return probe.ask(case)
    except (OSError, http.client.HTTPException, ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        return Seen.FAILED, type(error).__name__


