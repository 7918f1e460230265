"""What is wrong gets the protocol's own error: signatures, replays, storms, limits, nonsense; the node stays up."""

from __future__ import annotations

import socket
import ssl
import struct
import threading
from pathlib import Path

import dns.exception
import dns.flags
import dns.message
import dns.query
import dns.rdatatype
import dns.tsig
import dns.tsigkeyring
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.edge.rpz.field import ENTRIES, OWNERS, RING, SECRET, asked, door_of, owners, primary, raw_answers, signed, transferred
from tests.edge.world import Hotline, RunningNode, until
from tests.support.certificates import authority

from vigil.base.errors import InputError
from vigil.edge.rpz import tsig, wire
from vigil.edge.rpz.settings import read_keys
from vigil.edge.rpz.tsig import Checker, Key, Secret, Signer, TsigError
from vigil.edge.rpz.wire import Malformed, Soa

OTHER = dns.tsigkeyring.from_text({"vigil.": ("hmac-sha256", "b3RoZXIgenNlY3JldCBub25zZW5zZSB3b3JkIQ==")})
UNKNOWN = dns.tsigkeyring.from_text({"stranger.": ("hmac-sha256", SECRET)})
WEAK = dns.tsigkeyring.from_text({"vigil.": ("hmac-sha1", SECRET)})
OURS = Key("vigil", "hmac-sha256", Secret(b"zbalquimberzorblatnonsense"))
LABEL = st.text(st.sampled_from("abcxyz0189-_"), min_size=1, max_size=63)
NAME = st.lists(LABEL, min_size=1, max_size=8).map(".".join).filter(lambda name: len(name) < 250)


@pytest.fixture
def node(hotline: Hotline, state: Path) -> RunningNode:
    hotline.publish(*ENTRIES)
    with primary(hotline, state, "transfers = 1\nconnections = 20\nidle_seconds = 2") as node:
        yield node


def tsig_error(raw: bytes) -> tuple[int, int, bool]:
    """Response code, TSIG error, and whether the answer is itself signed."""
    message = wire.read_message(raw)
    found = tsig.signature_in(raw, message)
    assert found is not None
    return message.rcode, found.error, bool(found.mac)


def sent(node: RunningNode, query: dns.message.Message) -> bytes:
    [answer] = raw_answers(node, query.to_wire())
    return answer


def test_wrong_keys_and_secrets(node: RunningNode) -> None:
    query = dns.message.make_query("v.", "AXFR")
    query.use_tsig(OTHER, keyname="vigil.")
    assert tsig_error(sent(node, query)) == (9, TsigError.BADSIG, False)
    query = dns.message.make_query("v.", "AXFR")
    query.use_tsig(UNKNOWN, keyname="stranger.")
    assert tsig_error(sent(node, query)) == (9, TsigError.BADKEY, False)
    query = dns.message.make_query("v.", "SOA")
    query.use_tsig(WEAK, keyname="vigil.", algorithm="hmac-sha1")
    assert tsig_error(sent(node, query)) == (9, TsigError.BADKEY, False)
    assert wire.read_message(sent(node, dns.message.make_query("v.", "AXFR"))).rcode == 5, "unsigned"


def test_wrong_time_and_truncated_signatures(node: RunningNode) -> None:
    key = next(iter(door_of(node).desk._keys.values()))
    now = int(node.node.clock.now().timestamp())
    for moment in (now - 400, now + 400):
        [answer] = raw_answers(node, Signer(key, b"").sign(wire.request(7, "v", 252), moment))
        assert tsig_error(answer) == (9, TsigError.BADTIME, True)
        found = tsig.signature_in(answer, wire.read_message(answer))
        assert found is not None and abs(int.from_bytes(found.other, "big") - now) < 60
    whole = Signer(key, b"").sign(wire.request(7, "v", 252), now)
    found = tsig.signature_in(whole, wire.read_message(whole))
    assert found is not None
    cut = tsig._with_record(found.unsigned, found.key_wire, found.algorithm_wire, now, found.mac[:16], 0, b"")
    assert tsig_error(raw_answers(node, cut)[0])[:2] == (9, TsigError.BADTRUNC)
    cut = tsig._with_record(found.unsigned, found.key_wire, found.algorithm_wire, now, found.mac[:9], 0, b"")
    assert tsig_error(raw_answers(node, cut)[0])[:2] == (9, TsigError.BADSIG)


def test_a_replayed_transfer_is_refused(node: RunningNode) -> None:
    raw = signed(kind="AXFR").to_wire()
    assert wire.read_message(raw_answers(node, raw)[0], 100).rcode == 0
    assert tsig_error(raw_answers(node, raw)[0]) == (9, TsigError.BADTIME, True)
    assert owners(transferred(node)) == OWNERS


def test_a_changed_byte_anywhere_is_noticed(node: RunningNode) -> None:
    raw = signed(kind="AXFR").to_wire()
    for at in range(2, len(raw)):
        changed = raw[:at] + bytes([raw[at] ^ 1]) + raw[at + 1 :]
        for answer in raw_answers(node, changed):
            assert wire.read_message(answer, 100).rcode != 0, f"byte {at}"


def test_a_storm_of_notifies_and_nonsense(node: RunningNode) -> None:
    notify = wire.notify(9, "v", Soa(1, 2, 3, 4, 5), 30)
    before = door_of(node).desk.problems
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.connect(("127.0.0.1", door_of(node).port))
        client.settimeout(20)
        client.send(notify)
        answer = wire.read_message(client.recv(65535))
        assert (answer.opcode, answer.rcode, answer.number) == (4, 5, 9)
        for number in range(3000):
            client.send(notify if number % 3 else notify[: number % 40])
    assert owners(transferred(node)) == OWNERS
    assert door_of(node).desk.problems > before and node.node.traffic.faults == 0


def test_what_is_malformed(node: RunningNode) -> None:
    question = wire.request(7, "v", 6)
    loop = question[:12] + b"\xc0\x0c" + question[15:]
    two = question[:4] + b"\0\2" + question[6:]
    for raw in (loop, two, question[:-1], question + b"\0"):
        [answer] = raw_answers(node, raw)
        assert wire.read_message(answer).rcode == 1
    assert raw_answers(node, question[:11]) == [] and raw_answers(node, question[:2] + b"\x80" + question[3:]) == []
    assert wire.read_message(raw_answers(node, question[:2] + b"\x28" + question[3:])[0]).rcode == 4
    versioned = dns.message.make_query("v.", "SOA", use_edns=1)
    found = dns.message.from_wire(sent(node, versioned))
    assert found.rcode() == 16


def test_one_transfer_more_than_allowed_waits_its_turn(node: RunningNode) -> None:
    desk = door_of(node).desk
    running = desk.on_message(signed(kind="AXFR").to_wire(), int(node.node.clock.now().timestamp()), tcp=True, allowed=True)
    next(running)
    assert asked(node, signed(kind="AXFR"), tcp=True).rcode() == 2
    running.close()
    assert owners(transferred(node)) == OWNERS


def test_too_many_idle_slow_and_broken_connections(node: RunningNode) -> None:
    crowd = [socket.create_connection(("127.0.0.1", door_of(node).port), timeout=20) for _ in range(30)]
    ended = 0
    for stream in crowd:
        stream.sendall(b"\0")
    for stream in crowd:
        try:
            ended += stream.recv(10) == b""
        except ConnectionError:
            ended += 1
        stream.close()
    assert ended == 30, "some at once, the others when they were silent for too long"
    assert owners(transferred(node)) == OWNERS


def test_strangers_are_refused(hotline: Hotline, state: Path) -> None:
    hotline.publish(*ENTRIES)
    with primary(hotline, state, 'secondaries = ["192.0.2.0/24"]') as node:
        assert asked(node, signed()).rcode() == 5
        with pytest.raises((EOFError, ConnectionError)):
            asked(node, signed(), tcp=True)


def test_over_tls_with_a_certificate_of_ours_only(hotline: Hotline, state: Path, tmp_path: Path) -> None:
    hotline.publish(*ENTRIES)
    made = authority(tmp_path, "primary.example")
    lines = f'tls_port = 0\ntls_certificate = "{made.certificate}"\ntls_key = "{made.key}"\ntls_clients = "{made.authority}"'
    with primary(hotline, state, lines) as node:
        until(lambda: door_of(node).tls_port)
        context = ssl.create_default_context(cafile=made.authority)
        context.set_alpn_protocols(["dot"])
        with pytest.raises((ssl.SSLError, EOFError, ConnectionError, dns.exception.DNSException)):
            over_tls(node, context)
        context.load_cert_chain(made.certificate, made.key)
        assert over_tls(node, context).answer[0].rdtype == dns.rdatatype.SOA


def over_tls(node: RunningNode, context: ssl.SSLContext) -> dns.message.Message:
    port, name = door_of(node).tls_port, "primary.example"
    plain = socket.create_connection(("127.0.0.1", port), timeout=20)
    with plain, context.wrap_socket(plain, server_hostname=name) as way:
        raw = signed().to_wire()
        way.sendall(struct.pack(">H", len(raw)) + raw)
        size = way.recv(2)
        if not size:
            raise EOFError
        return dns.message.from_wire(way.recv(struct.unpack(">H", size)[0]), keyring=RING, continue_on_error=True)


def test_a_notify_is_repeated_until_it_is_acknowledged(hotline: Hotline, state: Path) -> None:
    hotline.publish(*ENTRIES)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as secondary:
        secondary.bind(("127.0.0.1", 0))
        secondary.settimeout(20)
        heard: list[bytes] = []

        def listen() -> None:
            while len(heard) < 3:
                raw, sender = secondary.recvfrom(65535)
                heard.append(raw)
                notify = dns.message.from_wire(raw, keyring=RING)
                answer = dns.message.make_response(notify)
                if len(heard) == 2:
                    answer.use_tsig(OTHER, keyname="vigil.")
                if len(heard) > 1:
                    secondary.sendto(answer.to_wire(), sender)

        thread = threading.Thread(target=listen, daemon=True)
        thread.start()
        with primary(hotline, state, f'notify = ["127.0.0.1:{secondary.getsockname()[1]}"]') as node:
            until(lambda: not thread.is_alive())
            notify = dns.message.from_wire(heard[0], keyring=RING)
            assert notify.opcode() == 4 and notify.flags & dns.flags.AA and notify.answer[0][0].serial
            until(lambda: all(task.done() for task in door_of(node).notifier._tasks.values()))
            assert door_of(node).notifier.sent == 3


@given(NAME, st.integers(0, 65535), st.integers(0, 2**32 - 1), st.sampled_from([6, 251, 252]))
def test_requests_are_what_dnspython_reads(name: str, number: int, serial: int, kind: int) -> None:
    raw = wire.request(number, name, kind, Soa(serial, 1, 2, 3, 4) if kind == 251 else None)
    theirs = dns.message.from_wire(raw)
    assert theirs.id == number and str(theirs.question[0].name).lower() == name.lower() + "."
    ours = wire.read_message(theirs.to_wire())
    assert (ours.name, ours.type, ours.number) == (name.lower(), kind, number)
    if kind == 251:
        assert theirs.authority[0][0].serial == serial
        assert wire.read_soa(theirs.to_wire(), ours.authorities[0]).serial == serial


@given(NAME, st.integers(1, 2**40), st.integers(0, 65535), st.binary(max_size=20))
def test_signatures_are_those_of_dnspython(name: str, time: int, number: int, extra: bytes) -> None:
    raw = wire.request(number, name, 6)
    request = Signer(OURS, b"").sign(raw, time)
    found = tsig.signature_in(request, wire.read_message(request))
    assert found is not None and found.unsigned == raw
    theirs = dns.tsig.Key("vigil.", b"zbalquimberzorblatnonsense", "hmac-sha256")
    message = dns.message.make_query("v.", "SOA", id=number)
    message.use_tsig({theirs.name: theirs}, fudge=300)
    signed_by_them = message.to_wire()
    mine = tsig.signature_in(signed_by_them, wire.read_message(signed_by_them))
    assert mine is not None
    assert tsig.verify(mine, {"vigil": OURS}, mine.time) is TsigError.NONE
    assert tsig.verify(found, {"vigil": OURS}, time + 300) is TsigError.NONE
    assert tsig.verify(found, {"vigil": OURS}, time + 301) is TsigError.BADTIME
    signer, checker = Signer(OURS, found.mac), Checker(OURS, found.mac)
    for _ in range(3):
        answer = signer.sign(raw, time)
        assert checker.check(answer, wire.read_message(answer), time) is TsigError.NONE
    assert checker.check(answer, wire.read_message(answer), time) is TsigError.BADSIG
    assert extra is not None


@given(st.binary(max_size=120))
def test_any_bytes_are_read_or_malformed(raw: bytes) -> None:
    try:
        message = wire.read_message(raw)
        tsig.signature_in(raw, message)
    except Malformed:
        return
    assert dns.message.from_wire(raw, ignore_trailing=False, continue_on_error=True) is not None


def test_keys_as_tsig_keygen_writes_them(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    text = f'key "A.b." {{\n\talgorithm hmac-sha512;\n\tsecret "{SECRET}";\n}};\n'
    path.write_text(text + text.replace("A.b.", "c"))
    assert {name: key.algorithm for name, key in read_keys(path).items()} == {"a.b": "hmac-sha512", "c": "hmac-sha512"}
    assert SECRET not in repr(read_keys(path))
    for bad in ("", text + text, text + "x", text.replace("512", "5"), text.replace(SECRET, "?"), text.replace(SECRET, "YQ==")):
        path.write_text(bad)
        with pytest.raises(InputError, match="keys"):
            read_keys(path)
    with pytest.raises(InputError):
        read_keys(tmp_path / "missing")
