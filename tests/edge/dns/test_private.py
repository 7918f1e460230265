"""DNS over TLS and over HTTPS: kdig, curl and dnspython ask; what is wrong gets the protocol's own error."""

from __future__ import annotations

import base64
import json
import socket
import ssl
import struct
from collections.abc import Iterator
from pathlib import Path

import dns.message
import h2.config
import h2.connection
import h2.events
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.edge.dns.field import Resolver, door_of, exactly, front, listed, next_message, resolving
from tests.edge.dns.peers import program, said
from tests.edge.world import Hotline, RunningNode, until
from tests.support.certificates import Authority, authority

from vigil.edge.dns import web
from vigil.edge.dns.https import MESSAGE_BYTES, HttpRefused, question_in

TEXTS = 'explanation_text = "Ask."\nprivate_text = "Ask the operator of this network."\nidle_seconds = 3'
QUERY = dns.message.make_query("host.example", "A", id=0, use_edns=0).to_wire()
KIND = b"application/dns-message"


@pytest.fixture
def made(tmp_path: Path) -> Authority:
    return authority(tmp_path, "resolver.example")


@pytest.fixture
def node(hotline: Hotline, state: Path, made: Authority) -> Iterator[RunningNode]:
    listed(hotline)
    keys = f'tls_port = 0\nhttps_port = 0\ncertificate = "{made.certificate}"\nkey = "{made.key}"'
    with resolving(Resolver()) as address, front(hotline, state, f'upstream = ["{address}"]\n{keys}\n{TEXTS}') as node:
        until(lambda: door_of(node).tls_port and door_of(node).https_port)
        yield node


def connected(made: Authority, port: int, *protocols: str) -> ssl.SSLSocket:
    context = ssl.create_default_context(cafile=made.authority)
    if protocols:
        context.set_alpn_protocols(list(protocols))
    plain = socket.create_connection(("127.0.0.1", port), timeout=20)
    return context.wrap_socket(plain, server_hostname="resolver.example")


def test_kdig_over_tls_and_https(node: RunningNode, made: Authority) -> None:
    kdig = program("kdig", "knot-dnsutils")
    ca, name = f"+tls-ca={made.authority}", "+tls-hostname=resolver.example"
    tls, https = door_of(node).tls_port, door_of(node).https_port
    for ways, port in ((("+tls",), tls), (("+https",), https), (("+https", "+https-get"), https)):
        asked = (kdig, "@127.0.0.1", "-p", str(port), *ways, ca, name, "+edns")
        blocked = said(*asked, "host.example", "A")
        assert "status: NXDOMAIN" in blocked and "EDE: 15 (Blocked): 'Ask the operator of this network.'" in blocked, blocked
        assert "192.0.2.1" in said(*asked, "zorblat.example", "A")
    plain = said(kdig, "@127.0.0.1", "-p", str(door_of(node).port), "+edns", "host.example")
    assert "'Ask.'" in plain, "whoever is on the way reads port 53"


def test_curl_over_both_versions_of_http(node: RunningNode, made: Authority, tmp_path: Path) -> None:
    (tmp_path / "question").write_bytes(QUERY)
    url = f"https://resolver.example:{door_of(node).https_port}/dns-query"
    dns_parameter = base64.urlsafe_b64encode(QUERY).rstrip(b"=").decode()
    resolve = ("--resolve", f"resolver.example:{door_of(node).https_port}:127.0.0.1", "--cacert", str(made.authority))
    post = ("-H", "content-type: application/dns-message", "--data-binary", f"@{tmp_path / 'question'}")
    written = "%{http_code} %{http_version} %{content_type}"
    for version in ("--http1.1", "--http2"):
        for asked in ((f"{url}?dns={dns_parameter}",), (url, *post)):
            out = tmp_path / "answer"
            found = said(program("curl", "curl"), "-s", version, *resolve, "-o", str(out), "-w", written, *asked)
            assert found == f"200 {version[6:].removesuffix('.0')} application/dns-message", found
            answer = dns.message.from_wire(out.read_bytes())
            assert answer.rcode() == 3 and answer.id == 0


def test_over_tls_in_pieces_and_in_heaps(node: RunningNode, made: Authority) -> None:
    framed = struct.pack(">H", len(QUERY)) + QUERY
    with connected(made, door_of(node).tls_port, "dot") as stream:
        assert stream.selected_alpn_protocol() == "dot"
        for at in range(0, len(framed), 7):
            stream.sendall(framed[at : at + 7])
        stream.sendall(framed * 40)
        assert all(dns.message.from_wire(next_message(stream)).rcode() == 3 for _ in range(41))
        stream.sendall(b"\0\1x")
        assert stream.recv(10) == b""


def http1(stream: ssl.SSLSocket, request: bytes) -> tuple[int, bytes]:
    stream.sendall(request)
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        head += exactly(stream, 1)
    length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
    return int(head.split()[1]), exactly(stream, length)


def posted(body: bytes, kind: bytes = KIND, more: bytes = b"") -> bytes:
    head = b"POST /dns-query HTTP/1.1\r\nHost: a\r\nContent-Type: %s\r\nContent-Length: %d\r\n%s\r\n"
    return head % (kind, len(body), more) + body


def test_http1_keeps_order_and_refuses_what_is_wrong(node: RunningNode, made: Authority) -> None:
    with connected(made, door_of(node).https_port, "http/1.1") as stream:
        other = dns.message.make_query("zorblat.example", "A", id=0).to_wire()
        stream.sendall(posted(other) + posted(QUERY))
        assert [dns.message.from_wire(http1(stream, b"")[1]).rcode() for _ in range(2)] == [0, 3]
        assert http1(stream, b"GET /other HTTP/1.1\r\nHost: a\r\n\r\n") == (404, b"")
        assert http1(stream, b"GET /dns-query?dns=!! HTTP/1.1\r\nHost: a\r\n\r\n")[0] == 400
        assert http1(stream, b"PUT /dns-query HTTP/1.1\r\nHost: a\r\n\r\n")[0] == 405
        assert http1(stream, posted(QUERY, b"text/plain"))[0] == 415
        assert http1(stream, posted(b"short"))[0] == 400
        assert http1(stream, b"GET /dns-query HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n")[0] == 400
        assert http1(stream, posted(QUERY))[0] == 200, "the connection goes on"
    for smuggled in (
        posted(QUERY, more=b"Transfer-Encoding: chunked\r\n"),
        posted(QUERY, more=b"Content-Length: 1\r\n"),
        b"GET  /dns-query HTTP/1.1\r\n\r\n",
        b"\0\0\0\0",
        b"GET /" + b"a" * 200_000 + b" HTTP/1.1\r\n\r\n",
    ):
        with connected(made, door_of(node).https_port, "http/1.1") as stream:
            status, _ = http1(stream, smuggled)
            assert status in (400, 431)
            assert stream.recv(10) == b"", "nobody knows where the next request begins"
    with connected(made, door_of(node).https_port, "http/1.1") as stream:
        assert http1(stream, posted(b"x" * (MESSAGE_BYTES + 1)))[0] == 413


class Browser:
    """A client of HTTP/2 that does as it is told."""

    def __init__(self, stream: ssl.SSLSocket) -> None:
        self.stream, self.next = stream, 1
        self.http = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True, header_encoding=None))
        self.http.initiate_connection()
        self.flush()

    def flush(self) -> None:
        self.stream.sendall(self.http.data_to_send())

    def ask(self, body: bytes | None = QUERY, *, path: bytes = b"/dns-query", **more: bytes) -> int:
        number, self.next = self.next, self.next + 2
        head = {b":method": b"GET" if body is None else b"POST", b":scheme": b"https", b":authority": b"a", b":path": path}
        head |= {b"content-type": KIND} if body is not None else {}
        head |= {name.encode(): value for name, value in more.items()}
        self.http.send_headers(number, list(head.items()), end_stream=body is None)
        if body is not None:
            self.http.send_data(number, body, end_stream=True)
        return number

    def events(self) -> list[h2.events.Event]:
        self.flush()
        data = self.stream.recv(65536)
        found = list(self.http.receive_data(data)) if data else []
        return found if data else [h2.events.ConnectionTerminated()]

    def answers(self, count: int) -> dict[int, tuple[int, bytes]]:
        """Status and body by stream, once so many have ended."""
        status: dict[int, int] = {}
        body: dict[int, bytes] = {}
        ended: set[int] = set()
        while len(ended) < count:
            for event in self.events():
                if isinstance(event, h2.events.ResponseReceived):
                    status[event.stream_id] = int(dict(event.headers)[b":status"])
                elif isinstance(event, h2.events.DataReceived):
                    body[event.stream_id] = body.get(event.stream_id, b"") + event.data
                    self.http.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
                elif isinstance(event, h2.events.StreamEnded):
                    ended.add(event.stream_id)
                elif isinstance(event, h2.events.ConnectionTerminated):
                    raise EOFError
        return {number: (status[number], body.get(number, b"")) for number in ended}


def test_http2_side_by_side(node: RunningNode, made: Authority) -> None:
    with connected(made, door_of(node).https_port, "h2") as stream:
        browser = Browser(stream)
        parameter = base64.urlsafe_b64encode(QUERY).rstrip(b"=")
        numbers = [browser.ask() for _ in range(30)] + [browser.ask(None, path=b"/dns-query?dns=" + parameter)]
        found = browser.answers(31)
        assert all(found[number][0] == 200 and dns.message.from_wire(found[number][1]).rcode() == 3 for number in numbers)
        wrong = {browser.ask(path=b"/x"): 404, browser.ask(b"x"): 400, browser.ask(None): 400}
        assert {number: status for number, (status, _) in browser.answers(3).items()} == wrong


def test_http2_waits_for_room(node: RunningNode, made: Authority) -> None:
    with connected(made, door_of(node).https_port, "h2") as stream:
        browser = Browser(stream)
        browser.http.update_settings({4: 100})
        long = dns.message.make_query("zorblat.example", "TXT", id=0).to_wire()
        number = browser.ask(long)
        status, body = browser.answers(1)[number]
        assert status == 200 and len(body) > 1000 and "quimber" in str(dns.message.from_wire(body))


def test_http2_opened_only_to_be_reset_ends(node: RunningNode, made: Authority) -> None:
    with connected(made, door_of(node).https_port, "h2") as stream:
        browser = Browser(stream)
        with pytest.raises((EOFError, ConnectionError, ssl.SSLError)):
            for _ in range(web.RESETS + 50):
                number = browser.next
                browser.next += 2
                head = [(b":method", b"POST"), (b":scheme", b"https"), (b":authority", b"a"), (b":path", b"/dns-query")]
                browser.http.send_headers(number, head)
                browser.http.reset_stream(number)
                browser.flush()
            while True:
                if any(isinstance(event, h2.events.ConnectionTerminated) for event in browser.events()):
                    raise EOFError
    assert node.node.traffic.faults == 0
    with connected(made, door_of(node).https_port, "h2") as stream:
        assert Browser(stream).ask() == 1


@pytest.mark.parametrize(
    "head",
    [
        {"host": b"other.example"},  # beside :authority, and not the same
        {":path": b""},
        {"Content-Type": KIND},  # capital letters
        {"connection": b"keep-alive"},
        {"transfer-encoding": b"chunked"},
        {"content-length": b"1"},
        {":method": b"GET "},
    ],
)
def test_http2_with_two_meanings_or_a_lying_length_ends_and_is_counted(
    node: RunningNode, made: Authority, head: dict[str, bytes]
) -> None:
    with connected(made, door_of(node).https_port, "h2") as stream:
        browser = Browser(stream)
        browser.http.config.validate_outbound_headers = browser.http.config.normalize_outbound_headers = False
        browser.ask(**head)
        with pytest.raises((EOFError, ConnectionError, ssl.SSLError)):
            while True:
                for event in browser.events():
                    assert not (isinstance(event, h2.events.ResponseReceived) and dict(event.headers)[b":status"] == b"200")
                    if isinstance(event, h2.events.ConnectionTerminated):
                        raise EOFError
    assert node.node.traffic.problems and not node.node.traffic.faults
    with connected(made, door_of(node).https_port, "h2") as stream:
        browser = Browser(stream)
        number = browser.ask(host=b"a")
        assert browser.answers(1)[number][0] == 200, "the same name in both is one meaning"


@pytest.mark.parametrize("raw", [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\1\0\0\0\0\0", b"GET / HTTP/1.1\r\n\r\n", b"\xff" * 100])
def test_nonsense_over_http2_ends(node: RunningNode, made: Authority, raw: bytes) -> None:
    with connected(made, door_of(node).https_port, "h2") as stream:
        stream.sendall(raw)
        while stream.recv(65536):
            continue
    assert node.node.traffic.faults == 0 and node.ask("GET", "/healthz").status == 200


def test_silent_connections_end_and_handshakes_that_never_come(node: RunningNode, made: Authority) -> None:
    idle = [connected(made, port, *protocols) for port, protocols in (
        (door_of(node).tls_port, ("dot",)), (door_of(node).https_port, ("h2",)), (door_of(node).https_port, ("http/1.1",)),
    )]  # fmt: skip
    plain = socket.create_connection(("127.0.0.1", door_of(node).https_port), timeout=20)
    for stream in idle:
        while stream.recv(65536):
            continue
        stream.close()
    assert plain.recv(10) == b""
    plain.close()
    until(lambda: not door_of(node).connections)


@given(st.binary(max_size=40), st.sampled_from([b"GET", b"POST", b"PUT"]), st.binary(max_size=60), st.none() | st.just(KIND))
def test_any_request_is_a_question_or_refused(target: bytes, method: bytes, body: bytes, kind: bytes | None) -> None:
    for path in (target, b"/dns-query?" + target, b"/dns-query"):
        try:
            assert len(question_in(method, path, kind, body, b"/dns-query")) >= 12
        except HttpRefused as refused:
            assert refused.status in (400, 404, 405, 415)


@given(st.binary(min_size=12, max_size=600).filter(lambda message: not message[2] & 0x80))
def test_both_methods_carry_the_same_message(message: bytes) -> None:
    parameter = base64.urlsafe_b64encode(message).rstrip(b"=")
    assert question_in(b"GET", b"/q?a=b&dns=" + parameter, None, b"", b"/q") == message
    assert question_in(b"POST", b"/q", KIND + b"; charset=x", message, b"/q") == message


def test_nothing_of_it_is_logged(node: RunningNode, made: Authority) -> None:
    with connected(made, door_of(node).https_port, "http/1.1") as stream:
        assert http1(stream, posted(QUERY))[0] == 200
    assert "host.example" not in node.log.getvalue() and json.dumps(node.node.traffic.requests)


def test_handshakes_that_never_come_take_places_and_are_counted(node: RunningNode, made: Authority) -> None:
    door, before = door_of(node), node.node.traffic.problems
    for port in (door.tls_port, door.https_port):
        silent = [socket.create_connection(("127.0.0.1", port), timeout=20) for _ in range(door.settings.connections)]
        late = [socket.create_connection(("127.0.0.1", port), timeout=20) for _ in range(20)]
        assert all(each.recv(10) == b"" for each in late), "turned away at once"
        assert all(each.recv(10) == b"" for each in silent), "let go after the time that a handshake may take"
        for each in (*silent, *late):
            each.close()
    until(lambda: node.node.traffic.problems - before == 2 * (door.settings.connections + 20))
    with connected(made, door.tls_port, "dot") as stream:
        stream.sendall(struct.pack(">H", len(QUERY)) + QUERY)
        assert dns.message.from_wire(next_message(stream)).rcode() == 3
    with socket.create_connection(("127.0.0.1", door.tls_port), timeout=20) as nonsense:
        nonsense.sendall(b"GET / HTTP/1.1\r\n\r\n")
        while nonsense.recv(100):
            continue
    until(lambda: node.node.traffic.problems - before == 2 * (door.settings.connections + 20) + 1)


def test_half_closed_clients_get_the_answer_that_is_there(node: RunningNode, made: Authority) -> None:
    with connected(made, door_of(node).tls_port, "dot") as stream:
        stream.sendall(struct.pack(">H", len(QUERY)) + QUERY)
        socket.socket.shutdown(stream, socket.SHUT_WR)  # the stream's own would leave its layer of TLS
        assert dns.message.from_wire(next_message(stream)).rcode() == 3
    with connected(made, door_of(node).https_port, "http/1.1") as stream:
        stream.sendall(posted(QUERY))
        socket.socket.shutdown(stream, socket.SHUT_WR)  # the stream's own would leave its layer of TLS
        assert dns.message.from_wire(http1(stream, b"")[1]).rcode() == 3


def test_requests_that_come_too_slowly_end(node: RunningNode, made: Authority) -> None:
    """A sign of life is a question, not a byte: whoever sends one byte a second keeps nothing open."""
    starts = ((door_of(node).tls_port, "dot", b"\0\x30"), (door_of(node).https_port, "http/1.1", b"POST /dns-query HTTP/1.1\r\n"))
    for port, protocol, start in starts:
        with connected(made, port, protocol) as stream:
            stream.sendall(start)
            stream.settimeout(0.2)
            for _ in range(100):
                try:
                    stream.sendall(b"a")
                    if stream.recv(10) == b"":
                        break
                except TimeoutError:
                    continue
                except OSError:
                    break
            else:
                raise AssertionError("the connection is still open")
    assert node.node.traffic.faults == 0
