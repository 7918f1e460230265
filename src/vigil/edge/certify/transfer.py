"""One transfer of a policy zone, as a secondary does it: which of a few names are in it. Run as a process of its own.

    python -m vigil.edge.certify.transfer < request

The request comes on standard input, so that no key is ever on a command line; the answer goes to standard output. Records are
read message by message and forgotten; at most :data:`RECORDS` of them, within :data:`SECONDS`.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from typing import Final

import msgspec

from vigil.edge.dns.wire import Type
from vigil.edge.rpz import tsig
from vigil.edge.rpz import wire as dns
from vigil.edge.rpz.tsig import Key, Signer, TsigError

SECONDS: Final = 120.0
READ_SECONDS: Final = 10.0
RECORDS: Final = 10_000_000
RECORDS_A_MESSAGE: Final = 65_535
LENGTH_BYTES: Final = 2
MODULE: Final = "vigil.edge.certify.transfer"


class Wanted(msgspec.Struct, frozen=True):
    """Where the zone is, and the names to look for. ``now``: unix seconds, for the signature."""

    host: str
    port: int
    zone: str
    owners: list[str]
    now: int


class Seen(msgspec.Struct, frozen=True):
    """The names that are there, and how many records came; or why there is no answer."""

    owners: list[str]
    records: int
    failed: str = ""


class _Request(msgspec.Struct, frozen=True):
    wanted: Wanted
    key: tuple[str, str, bytes] | None


def in_child(wanted: Wanted, key: Key | None) -> Seen:
    """The transfer, by a process of its own."""
    request = msgspec.json.encode(_Request(wanted, (key.name, key.algorithm, key.secret.open()) if key is not None else None))
    try:
        done = subprocess.run(  # noqa: S603  our own interpreter and our own words
            [sys.executable, "-m", MODULE], input=request, capture_output=True, timeout=SECONDS, check=True
        )
        return msgspec.json.decode(done.stdout, type=Seen)
    except subprocess.TimeoutExpired:
        return Seen([], 0, "too slow")
    except (subprocess.CalledProcessError, msgspec.DecodeError):
        return Seen([], 0, "no answer")


def transferred(wanted: Wanted, key: Key | None) -> Seen:
    """The transfer, in this process."""
    owners, found, count = frozenset(wanted.owners), set[str](), 0
    try:
        for message in _messages(wanted, key):
            if message.rcode:
                return Seen([], count, str(message.rcode))
            found.update(each.owner for each in message.answers if each.owner in owners)
            count += len(message.answers)
            if count > RECORDS:
                return Seen([], count, "too many records")
    except dns.Malformed:
        return Seen([], count, "malformed")
    except OSError as error:
        return Seen([], count, type(error).__name__)
    return Seen(sorted(found), count)


def _messages(wanted: Wanted, key: Key | None) -> Iterator[dns.Message]:
    """The messages of an AXFR, up to the SOA that ends it."""
    raw, mac = dns.request(int.from_bytes(os.urandom(2), "big"), wanted.zone, Type.AXFR), b""
    if key is not None:
        raw = Signer(key, b"").sign(raw, wanted.now)
        signed = tsig.signature_in(raw, dns.read_message(raw))
        mac = signed.mac if signed is not None else b""
    with socket.create_connection((wanted.host, wanted.port), timeout=READ_SECONDS) as connection:
        connection.sendall(len(raw).to_bytes(LENGTH_BYTES, "big") + raw)
        soas, first = 0, True
        while soas < 2:
            raw = exactly(connection, int.from_bytes(exactly(connection, LENGTH_BYTES), "big"))
            message = dns.read_message(raw, RECORDS_A_MESSAGE)
            if first and not _is_signed(raw, message, mac, key, wanted.now):
                raise ConnectionError("the answer is not signed with the key")
            first, soas = False, soas + sum(each.type == Type.SOA for each in message.answers)
            yield message
            if message.rcode:
                return


def _is_signed(raw: bytes, message: dns.Message, mac: bytes, key: Key | None, now: int) -> bool:
    if key is None or message.rcode:
        return True
    found = tsig.signature_in(raw, message)
    return found is not None and tsig.verify(found, {key.name: key}, now, mac) is TsigError.NONE


def exactly(connection: socket.socket, size: int) -> bytes:
    """So many bytes. Raises ConnectionError where fewer come."""
    data = b""
    while len(data) < size:
        part = connection.recv(size - len(data))
        if not part:
            raise ConnectionError("the door ended the connection")
        data += part
    return data


def main() -> int:
    """Read a request, write what was seen."""
    request = msgspec.json.decode(sys.stdin.buffer.read(), type=_Request)
    key = Key(request.key[0], request.key[1], tsig.Secret(request.key[2])) if request.key is not None else None
    sys.stdout.buffer.write(msgspec.json.encode(transferred(request.wanted, key)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
