"""Squid that reads TLS on managed devices, with an authority of the laboratory; configured as in the guide."""

from __future__ import annotations

import shutil
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import ThreadingHTTPServer
from pathlib import Path

from tests.edge.world import Hotline, config_text, hash_entry, running, sha256, until, url_entry
from tests.lab.peers import SYSTEM_PATH, Origin, free_port, other_user, program, started
from tests.lab.test_squid import GUIDE, PICTURE, SMALL, block
from tests.support.certificates import Authority, authority

from vigil.match.urls import Scope

CERTIFICATES = "/usr/lib/squid/security_file_certgen"


def tls_block() -> str:
    """The part of the guide on TLS."""
    return GUIDE.read_text().partition("```squid-tls\n")[2].partition("```")[0]


@contextmanager
def encrypted(origin: Origin, made: Authority) -> Iterator[int]:
    """The origin's pages again, over TLS."""
    port = free_port()
    inner = origin.handler
    assert inner is not None
    server = ThreadingHTTPServer(("127.0.0.1", port), inner)
    server.daemon_threads = True
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(made.certificate, made.key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield port
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def intercepting(place: Path, made: Authority, icap: int) -> Iterator[int]:
    port = free_port()
    (place / "authority.pem").write_bytes(made.authority.read_bytes())
    (place / "interception.pem").write_bytes(made.authority.read_bytes() + made.authority_key.read_bytes())
    (place / "hosts").write_text("127.0.0.1 quimber.example other.example domain.example bank.example\n")
    rules = block(1).replace(":1344", f":{icap}") + tls_block().replace("/var/lib/squid", str(place)).replace(":3129", f":{port}")
    rules = rules.replace("/etc/squid", str(place)).replace("/var/log/squid", str(place))
    small = SMALL.replace("http_port 127.0.0.1:{port}\n", "").replace("never_direct allow all\n", "").partition("cache_peer")
    rest = small[2].partition("\n")[2]
    config = place / "squid.conf"
    extra = f"hosts_file {place}/hosts\ntls_outgoing_options cafile={place}/authority.pem\nacl CONNECT method CONNECT\n"
    config.write_text(rules + extra + rest.format(place=place))
    shutil.copytree("/usr/share/squid/errors/templates", place / "vigil-errors")
    (place / "vigil-errors" / "vigil-blocked.html").write_text("<!doctype html><p>This page cannot be opened here.</p>")
    user = other_user()
    made_database = [CERTIFICATES, "-c", "-s", str(place / "ssl_db"), "-M", "4MB"]
    subprocess.run(made_database, check=True, capture_output=True, user=user, group=user, env={"PATH": SYSTEM_PATH})
    with started([program("squid"), "-N", "-f", str(config)], port, place):
        yield port


def asked(proxy: int, made: Authority, host: str, port: int, path: str) -> tuple[int, bytes, str]:
    """Status, body and the number of the certificate that was shown; status of CONNECT itself where it is refused."""
    with socket.create_connection(("127.0.0.1", proxy), timeout=20) as plain:
        plain.sendall(f"CONNECT {host}:{port} HTTP/1.1\r\nHost: {host}:{port}\r\n\r\n".encode())
        head = b""
        while b"\r\n\r\n" not in head:
            head += plain.recv(4096)
        if b" 200 " not in head.split(b"\r\n")[0]:
            return int(head.split()[1]), b"", ""
        context = ssl.create_default_context(cafile=made.authority)
        with context.wrap_socket(plain, server_hostname=host) as stream:
            shown = str((stream.getpeercert() or {}).get("serialNumber"))
            stream.sendall(f"GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: close\r\n\r\n".encode())
            data = b""
            while part := stream.recv(65536):
                data += part
            return int(data.split()[1]), data.partition(b"\r\n\r\n")[2], shown


def test_pages_behind_tls_on_managed_devices(hotline: Hotline, state: Path, origin: Origin, place: Path, tmp_path: Path) -> None:
    made = authority(tmp_path, "quimber.example", "other.example", "domain.example", "bank.example")
    origin.files["/picture.png"] = ("image/png", PICTURE)
    hotline.publish(
        url_entry(1, "http://quimber.example/zorblat"),
        url_entry(2, "http://domain.example/", Scope.DOMAIN),
        hash_entry(3, "sha256", sha256(PICTURE)),
    )
    with running(config_text(hotline, state, "[icap]\nenabled = true\nport = 0\n")) as node, encrypted(origin, made) as tls:
        door = node.service.icap
        assert door is not None
        until(lambda: door.port and node.node.state.enforced is not None)
        with intercepting(place, made, door.port) as proxy:
            status, body, shown = asked(proxy, made, "quimber.example", tls, "/zorblat")
            assert status == 451 and b"lang=" in body, (place / "cache.log").read_text()[-2000:]
            assert asked(proxy, made, "quimber.example", tls, "/other")[:2] == (200, b"the origin")
            assert asked(proxy, made, "other.example", tls, "/picture.png")[0] == 451, "a listed file"
            assert asked(proxy, made, "domain.example", tls, "/")[0] in (403, 451), "CONNECT to a listed host"
            own = asked(proxy, made, "bank.example", tls, "/")
            assert own[:2] == (200, b"the origin") and own[2] != shown, "what is exempt shows its own certificate"
        assert node.node.traffic.faults == 0
    assert "zorblat" not in node.log.getvalue()
