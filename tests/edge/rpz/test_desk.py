"""The hidden primary without sockets: what each message gets, replays while their time holds, a storm of changes."""

from __future__ import annotations

import asyncio
import io
import socket
from dataclasses import replace

import pytest

from vigil.base.clock import SystemClock
from vigil.edge.dns.wire import Flag, Rcode, Type
from vigil.edge.journal import journal
from vigil.edge.rpz import desk as desks
from vigil.edge.rpz import tsig, wire
from vigil.edge.rpz.desk import Desk, Seen
from vigil.edge.rpz.notifier import Notifier
from vigil.edge.rpz.policy import Policy
from vigil.edge.rpz.tsig import Checker, Key, Secret, Signature, Signer, TsigError
from vigil.edge.rpz.wire import Malformed, Soa
from vigil.edge.rpz.zone import History, Zone
from vigil.editions.export.names import Names

NOW = 1_800_000_000
OURS = Key("vigil", "hmac-sha256", Secret(b"zbalquimberzorblatnonsense"))
POLICY = Policy(30, 60, 30, 2_419_200, "nxdomain")
ZONE = Zone(7, Names(frozenset({"host.example"}), frozenset()).sparse())
SOA = wire.request(9, "v", Type.SOA)
AXFR = wire.request(9, "v", Type.AXFR)


def desk(*keys: Key, transfers: int = 4) -> Desk:
    return Desk("v", POLICY, {key.name: key for key in keys}, lambda: (ZONE, History(4)), transfers)


def rcodes(made: Desk, raw: bytes, now: int = NOW, *, tcp: bool = True, allowed: bool = True) -> list[int]:
    return [wire.read_message(each, 100).rcode for each in made.on_message(raw, now, tcp=tcp, allowed=allowed)]


def signature(raw: bytes) -> Signature:
    found = tsig.signature_in(raw, wire.read_message(raw))
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("raw", "rcode"),
    [
        (SOA, Rcode.NOERROR),
        (wire.request(9, "v", Type.NS), Rcode.NOERROR),
        (AXFR, Rcode.NOERROR),
        (wire.request(9, "w", Type.SOA), Rcode.NOTAUTH),
        (wire.request(9, "host.example.v", Type.SOA), Rcode.NOTAUTH),
        (wire.request(9, "v", Type.A), Rcode.REFUSED),
        (SOA[:-2] + b"\0\3", Rcode.REFUSED),  # class CHAOS
        (wire.notify(9, "v", Soa(1, 2, 3, 4, 5), 30), Rcode.REFUSED),
        (SOA[:2] + b"\x28" + SOA[3:], Rcode.NOTIMP),
        (wire.message(9, 0, SOA[12:], wire.soa_record(Soa(1, 2, 3, 4, 5), 30), 1), Rcode.FORMERR),
        (wire.message(9, 0, b""), Rcode.FORMERR),
        (SOA[:-1], Rcode.FORMERR),
    ],
)
def test_each_message_gets_the_answer_that_is_due(raw: bytes, rcode: Rcode) -> None:
    made = desk()
    assert rcodes(made, raw) == [rcode]
    assert made.problems == (rcode is not Rcode.NOERROR)


@pytest.mark.parametrize("raw", [SOA, AXFR, wire.request(9, "v", Type.NS)])
def test_strangers_and_unsigned_questions_are_refused(raw: bytes) -> None:
    assert rcodes(desk(), raw, allowed=False) == rcodes(desk(OURS), raw) == [Rcode.REFUSED]
    assert rcodes(desk(OURS), Signer(OURS, b"").sign(raw, NOW)) == [Rcode.NOERROR]


def test_over_udp_there_is_no_transfer() -> None:
    assert rcodes(desk(), AXFR, tcp=False) == [Rcode.FORMERR]
    [answer] = desk().on_message(wire.request(9, "v", Type.IXFR, Soa(1, 2, 3, 4, 5)), NOW, tcp=False, allowed=True)
    message = wire.read_message(answer)
    assert [each.type for each in message.answers] == [Type.SOA], "come again over TCP"


@pytest.mark.parametrize("held", [7, 8, 7 + 2**31 - 1])
def test_who_holds_the_zone_or_a_newer_one_gets_its_serial_alone(held: int) -> None:
    made = desk()
    [answer] = made.on_message(wire.request(9, "v", Type.IXFR, Soa(held, 2, 3, 4, 5)), NOW, tcp=True, allowed=True)
    message = wire.read_message(answer)
    assert [each.type for each in message.answers] == [Type.SOA]
    assert wire.read_soa(answer, message.answers[0]).serial == 7
    assert made.transfers == {"axfr": 0, "ixfr": 0}
    [*_, last] = made.on_message(wire.request(9, "v", Type.IXFR, Soa(6, 2, 3, 4, 5)), NOW, tcp=True, allowed=True)
    assert len(wire.read_message(last, 100).answers) > 2 and made.transfers["axfr"] == 1, "the steps are not known any more"


def test_a_transfer_is_a_replay_for_as_long_as_its_signature_holds() -> None:
    made = desk(OURS)
    early = Signer(OURS, b"").sign(AXFR, NOW + tsig.FUDGE_SECONDS)
    assert rcodes(made, early) == [Rcode.NOERROR]
    for later in (0, 1, 300, 599, 600):
        assert rcodes(made, early, NOW + later) == [Rcode.NOTAUTH], later
    assert rcodes(desk(OURS), early, NOW + 600) == [Rcode.NOERROR], "to another it would be new"
    assert rcodes(desk(OURS), early, NOW + 601) == rcodes(desk(OURS), early, NOW - 1) == [Rcode.NOTAUTH]
    question = Signer(OURS, b"").sign(SOA, NOW)
    assert rcodes(made, question) == rcodes(made, question) == [Rcode.NOERROR], "questions are repeated over UDP"


def test_what_was_seen_is_forgotten_when_its_time_is_over_and_the_oldest_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(desks, "SEEN_MOST", 3)
    base = signature(Signer(OURS, b"").sign(AXFR, NOW))
    marks = [replace(base, mac=bytes([number])) for number in range(5)]
    seen = Seen()
    assert seen.is_new(marks[0], 0) and seen.is_new(marks[1], 500)
    assert seen.is_new(marks[2], 700), "the first one's time is over"
    assert not seen.is_new(marks[1], 700) and seen.is_new(marks[0], 700)
    assert seen.is_new(marks[3], 700), "a fourth takes the place of the oldest"
    assert not seen.is_new(marks[2], 700) and not seen.is_new(marks[0], 700) and seen.is_new(marks[1], 700)


@pytest.mark.parametrize(
    ("algorithm", "least"), [("hmac-sha224", 14), ("hmac-sha256", 16), ("hmac-sha384", 24), ("hmac-sha512", 32)]
)
def test_a_signature_cut_below_half_is_none(algorithm: str, least: int) -> None:
    key = replace(OURS, algorithm=algorithm)
    whole = signature(Signer(key, b"").sign(SOA, NOW))
    keys = {"vigil": key}
    assert tsig.verify(whole, keys, NOW) is TsigError.NONE
    assert tsig.verify(replace(whole, mac=whole.mac[:least]), keys, NOW) is TsigError.BADTRUNC
    assert tsig.verify(replace(whole, mac=whole.mac[: least - 1]), keys, NOW) is TsigError.BADSIG
    assert tsig.verify(replace(whole, mac=whole.mac + b"\0"), keys, NOW) is TsigError.BADSIG
    assert tsig.verify(replace(whole, mac=bytes(least)), keys, NOW) is TsigError.BADSIG
    assert tsig.verify(whole, {"vigil": OURS, "other": key}, NOW) is (TsigError.NONE if key == OURS else TsigError.BADKEY)


def test_a_secondary_believes_no_other_key_and_nothing_unsigned() -> None:
    other = replace(OURS, name="other")
    for key, verdict in (
        (OURS, TsigError.NONE),
        (other, TsigError.BADKEY),
        (replace(OURS, algorithm="hmac-sha512"), TsigError.BADKEY),
    ):
        raw = Signer(key, b"mac").sign(SOA, NOW)
        assert Checker(OURS, b"mac").check(raw, wire.read_message(raw), NOW) is verdict
    assert Checker(OURS, b"mac").check(SOA, wire.read_message(SOA), NOW) is TsigError.BADSIG


def test_a_signature_that_is_not_the_last_record_is_malformed() -> None:
    once = Signer(OURS, b"").sign(SOA, NOW)
    twice = Signer(OURS, b"").sign(once, NOW)
    followed = once[:10] + b"\0\2" + once[12:] + b"\0\0\x29\4\xd0\0\0\0\0\0\0"
    for raw in (twice, followed):
        with pytest.raises(Malformed):
            tsig.signature_in(raw, wire.read_message(raw))
        assert rcodes(desk(OURS), raw) == [Rcode.FORMERR]


def notifier(port: int, current: list[Zone], key: Key | None = None) -> Notifier:
    log = journal("n-1", io.StringIO())
    return Notifier("v", POLICY, (("127.0.0.1", port),), key, lambda: current[-1], SystemClock(), log)


def test_a_storm_of_changes_is_one_notify_at_a_time_and_ends_with_the_newest() -> None:
    """A thousand changes while the first word is under way: the secondary hears of the first and of the last."""

    async def storm() -> tuple[list[int], int]:
        loop, heard = asyncio.get_running_loop(), []
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as secondary:
            secondary.bind(("127.0.0.1", 0))
            secondary.setblocking(False)
            current = [ZONE]
            made = notifier(secondary.getsockname()[1], current)
            made.notify()
            for word in range(2):
                raw, sender = await asyncio.wait_for(loop.sock_recvfrom(secondary, 65535), 60)
                heard.append(wire.read_soa(raw, wire.read_message(raw).answers[0]).serial)
                if not word:
                    for serial in range(8, 1008):
                        current.append(replace(ZONE, serial=serial))
                        made.notify()
                    assert made.sent == 1
                await loop.sock_sendto(secondary, raw[:2] + bytes([raw[2] | 0x80]) + raw[3:], sender)
            await asyncio.gather(*made._tasks.values())
            return heard, made.sent

    assert asyncio.run(storm()) == ([7, 1007], 2)


def test_only_the_word_of_the_secondary_itself_ends_a_notify() -> None:
    made, sent = (
        notifier(1, [ZONE], OURS),
        Signer(OURS, b"").sign(wire.notify(9, "v", POLICY.soa(7), 30), int(SystemClock().now().timestamp())),
    )
    now, mac = int(SystemClock().now().timestamp()), tsig.mac_of(sent)
    word = wire.message(9, Flag.QR | 4 << 11, wire.question_of("v", Type.SOA))
    assert made.answers(sent, Signer(OURS, mac).sign(word, now))
    for raw in (
        word,  # unsigned
        Signer(OURS, b"").sign(word, now),  # not over our own signature
        Signer(OURS, mac).sign(word, now - 1000),
        Signer(replace(OURS, secret=Secret(b"another secret of nonsense")), mac).sign(word, now),
        Signer(OURS, mac).sign(b"\0\1" + word[2:], now),  # the answer to another
        Signer(OURS, mac).sign(word[:2] + bytes([word[2] & 0x7F]) + word[3:], now),  # a question
        Signer(OURS, mac).sign(word[:2] + b"\x80" + word[3:], now),  # the answer to a query
        b"zorblat",
    ):
        assert not made.answers(sent, raw)
    assert notifier(1, [ZONE]).answers(wire.notify(9, "v", POLICY.soa(7), 30), word), "where nothing is signed"
