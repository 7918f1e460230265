"""ICAP messages for the tests, made the long way."""

from __future__ import annotations

HOST = "quimber.example"
PAGE = f"http://{HOST}/zorblat"


def http(target: str = PAGE, *lines: str, method: str = "GET", host: str | None = HOST) -> bytes:
    """An HTTP request head."""
    hosts = [f"Host: {host}"] if host is not None else []
    return ("\r\n".join([f"{method} {target} HTTP/1.1", *hosts, *lines]) + "\r\n\r\n").encode("latin-1")


def answer(*lines: str, status: str = "200 OK", kind: str = "image/png") -> bytes:
    """An HTTP answer head."""
    return ("\r\n".join([f"HTTP/1.1 {status}", f"Content-Type: {kind}", *lines]) + "\r\n\r\n").encode("latin-1")


def chunked(body: bytes, size: int = 1000, last: bytes = b"0\r\n\r\n", extension: bytes = b"") -> bytes:
    parts = [body[start : start + size] for start in range(0, len(body), size)]
    return b"".join(b"%x%s\r\n%s\r\n" % (len(part), extension, part) for part in parts) + last


def reqmod(head: bytes | None = None, body: bytes | None = None, *lines: str, allow: bool = True) -> bytes:
    """A REQMOD; ``body`` already in chunks."""
    head = http() if head is None else head
    end = "req-body" if body is not None else "null-body"
    more = [*lines, *(["Allow: 204"] if allow else [])]
    first = "REQMOD icap://node.example/reqmod ICAP/1.0"
    rows = [first, "Host: node.example", *more, f"Encapsulated: req-hdr=0, {end}={len(head)}"]
    return "\r\n".join(rows).encode() + b"\r\n\r\n" + head + (body or b"")


def respmod(body: bytes | None, *lines: str, head: bytes | None = None, allow: bool = True) -> bytes:
    """A RESPMOD; ``body`` already in chunks."""
    request = http()
    head = answer() if head is None else head
    end = "res-body" if body is not None else "null-body"
    places = f"req-hdr=0, res-hdr={len(request)}, {end}={len(request) + len(head)}"
    more = [*lines, *(["Allow: 204"] if allow else [])]
    rows = ["RESPMOD icap://node.example/respmod ICAP/1.0", "Host: node.example", *more, f"Encapsulated: {places}"]
    return "\r\n".join(rows).encode() + b"\r\n\r\n" + request + head + (body or b"")


def options(service: str = "reqmod", *lines: str) -> bytes:
    rows = [f"OPTIONS icap://node.example/{service} ICAP/1.0", "Host: node.example", *lines]
    return "\r\n".join(rows).encode() + b"\r\n\r\n"
