"""What a request that a proxy holds asks for: every reading that the server behind it could make of it. Pure.

Rules: facts/url-canonical-form.md 10. Where the target and ``Host`` disagree, both are asked; where it cannot be told what
will be fetched (two ``Host`` headers, folded lines, bare CR), the request is refused: smuggling is never passed on.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final

from vigil.base.errors import InputError
from vigil.base.limits import URL_BYTES
from vigil.edge.questions import HostQuestion, UrlQuestion
from vigil.match.urls.plain import HOST, PATH_AND_QUERY

METHOD: Final = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,64}")
VERSION: Final = re.compile(rb"HTTP/\d\.\d")
STATUS_LINE: Final = re.compile(rb"HTTP/\d(?:\.\d)? +(\d{3})(?: .*)?")
AUTHORITY: Final = re.compile(rb"[^/?#\\@\s]{1,2000}")
ABSOLUTE: Final = re.compile(rb"([A-Za-z][A-Za-z0-9+.\-]*):[/\\]{2}([^/?#\\]*)(.*)", re.DOTALL)
OWN_PORTS: Final = {b"http": b":80", b"ws": b":80", b"https": b":443", b"wss": b":443"}
# A request that every server reads alike: a plain address, plain names of headers, no folding, no control character, no CONNECT,
# and one Host that says what the address says.
_OTHERS: Final = rb"(?:(?![Hh][Oo][Ss][Tt]:)[!#$%&'*+\-.^_`|~0-9A-Za-z]++:[^\r\n\0]*+\r\n)*+"
_ADDRESS: Final = rb"(http://(" + HOST.encode() + rb")" + PATH_AND_QUERY.encode() + rb")"
ALIKE: Final = re.compile(
    rb"(?:GET|HEAD|POST|PUT|DELETE|OPTIONS|PATCH) " + _ADDRESS + rb" HTTP/1\.[01]\r\n" + _OTHERS
    + rb"[Hh][Oo][Ss][Tt]:[ \t]*+\2[ \t]*+\r\n" + _OTHERS + rb"\r\n"
).fullmatch  # fmt: skip
Reading = UrlQuestion | HostQuestion


class Unreadable(InputError):  # noqa: N818  named as the other refusals are
    """A request with more than one meaning, or none."""


@dataclass(slots=True)
class HttpHead:
    """An HTTP request or answer. ``fields`` by names in small letters; the first of equal ones."""

    method: bytes
    target: bytes = field(repr=False)
    status: int
    fields: dict[bytes, bytes] = field(repr=False)
    hosts: tuple[bytes, ...] = field(default=(), repr=False)


def plain_address(block: bytes) -> str | None:
    """The one address that a request can ask for, found by one look; None where it has to be read with care.

    Where it is not None, :func:`readings_of` has it as its only reading.
    """
    found = ALIKE(block)
    return found[1].decode("ascii") if found is not None else None


def plain_host(data: bytes, start: int = 0) -> str | None:
    """The host of that address, for a request that begins at ``start`` of ``data``; None where there is none, or it is long."""
    found = ALIKE(data, start)
    return found[2].decode("ascii") if found is not None and found.end(1) - found.start(1) <= URL_BYTES.value else None


def request_head(block: bytes) -> HttpHead:
    """The request in ``block``. Raises Unreadable."""
    lines = _lines(block)
    method, _, rest = lines[0].rstrip(b" ").partition(b" ")
    target, _, version = rest.rpartition(b" ")
    target = target.strip(b" ")
    if not target or METHOD.fullmatch(method) is None or VERSION.fullmatch(version) is None:
        raise Unreadable("http_request_line", "This is not the first line of an HTTP request.")
    fields, hosts = _fields(lines[1:])
    return HttpHead(method, target, 0, fields, hosts)


def answer_head(block: bytes) -> HttpHead:
    """The answer in ``block``; whatever cannot be read in its lines is left out. Raises Unreadable for its first line."""
    lines = block.replace(b"\r\n", b"\n").split(b"\n")
    found = STATUS_LINE.fullmatch(lines[0])
    if found is None:
        raise Unreadable("http_status_line", "This is not the first line of an HTTP answer.")
    return HttpHead(b"", b"", int(found[1]), _fields(lines[1:])[0])


def _lines(block: bytes) -> list[bytes]:
    block = block.replace(b"\r\n", b"\n")
    if b"\r" in block or b"\0" in block:
        raise Unreadable("http_control", "The request has a control character that servers read differently.")
    if b"\n " in block or b"\n\t" in block:
        raise Unreadable("http_folded", "The request has a folded line, which servers read differently.")
    return block.split(b"\n")


def _fields(lines: list[bytes]) -> tuple[dict[bytes, bytes], tuple[bytes, ...]]:
    """All fields, and every ``Host``, also one that is spelt so that only some servers see it."""
    fields: dict[bytes, bytes] = {}
    hosts: tuple[bytes, ...] = ()
    for line in lines:
        name, _, value = line.partition(b":")
        name, value = name.strip().lower(), value.strip(b" \t")
        if name == b"host":
            hosts += (value,)
        fields.setdefault(name, value)
    return fields, hosts


def readings_of(head: HttpHead) -> tuple[Reading, ...]:
    """The questions to ask, at least one. Raises Unreadable."""
    return readings(head.method, head.target, head.hosts)


def readings(method: bytes, target: bytes, hosts: tuple[bytes, ...]) -> tuple[Reading, ...]:
    """The same from the parts of a request. Raises Unreadable."""
    host = _only(hosts)
    if method.upper() == b"CONNECT":
        return _of_connect(target, host)
    if target.startswith((b"/", b"\\")):
        return _of_origin_form(target, host)
    if target == b"*":
        return (HostQuestion(text(_required(host))),)
    return _of_absolute_form(target, host)


def _only(hosts: tuple[bytes, ...]) -> bytes | None:
    """The host, None for none or an empty one."""
    if len(hosts) > 1:
        raise Unreadable("host_twice", "The request has two Host headers.")
    if not hosts or not hosts[0]:
        return None
    if AUTHORITY.fullmatch(hosts[0]) is None:
        raise Unreadable("host_malformed", "The Host header does not hold a host.")
    return hosts[0]


def _required(host: bytes | None) -> bytes:
    if host is None:
        raise Unreadable("host_absent", "The request does not name its host.")
    return host


def _of_connect(target: bytes, host: bytes | None) -> tuple[Reading, ...]:
    """Host scopes only: nothing is known of a page."""
    if AUTHORITY.fullmatch(target) is None:
        raise Unreadable("connect_target", "The target of CONNECT is not a host and a port.")
    if host is None or host.lower() == target.lower():
        return (HostQuestion(text(target)),)
    return (HostQuestion(text(target)), HostQuestion(text(host)))


def _of_origin_form(target: bytes, host: bytes | None) -> tuple[Reading, ...]:
    """The scheme is not said: both are asked, for entries that insist on one."""
    place = _required(host) + target
    return (UrlQuestion(text(b"http://" + place)), UrlQuestion(text(b"https://" + place)))


def _of_absolute_form(target: bytes, host: bytes | None) -> tuple[Reading, ...]:
    found = ABSOLUTE.fullmatch(target)
    plain = UrlQuestion(text(target))
    if host is None:
        return (plain,)
    if found is None:
        return (plain, UrlQuestion(text(b"http://" + host + b"/" + target)))
    scheme, authority, rest = found[1].lower(), found[2].lower(), found[3]
    own = OWN_PORTS.get(scheme, b":")
    if authority.removesuffix(own) == host.lower().removesuffix(own):
        return (plain,)
    return (plain, UrlQuestion(text(scheme + b"://" + host + rest)))


def text(address: bytes) -> str | bytes:
    """Text where it is ASCII, which is decided faster; bytes otherwise."""
    return address.decode("ascii") if address.isascii() else address
