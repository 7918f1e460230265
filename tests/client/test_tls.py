"""A node over TLS: asked when it proves its name, and otherwise Unknown before anything is sent."""

from __future__ import annotations

import http.server
import ipaddress
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from tests.client.faces import FACES
from tests.client.liars import NOT_LISTED, answer

from vigil.base.clock import SystemClock


@dataclass
class Node:
    url: str
    authority: Path
    asked: list[str] = field(default_factory=list)


def certificate(folder: Path) -> Path:
    """Key and self-signed certificate for 127.0.0.1, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "node.example")])
    now = SystemClock().now()
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(7)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = folder / "node.pem"
    plain = serialization.NoEncryption()
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
    path.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    return path


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    path = certificate(tmp_path)

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            found.asked.append(self.path)
            self.wfile.write(answer({"verdicts": [NOT_LISTED]}, connection="close"))
            self.close_connection = True

        def log_message(self, *args: Any) -> None:
            """Quiet."""

    class Server(http.server.ThreadingHTTPServer):
        def handle_error(self, request: Any, client_address: Any) -> None:
            """A client that hangs up is what one of the tests is about."""

    server = Server(("127.0.0.1", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    found = Node(f"https://127.0.0.1:{server.server_address[1]}/vigil", path)
    thread.start()
    yield found
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.mark.parametrize("face", FACES)
def test_a_node_that_proves_its_name(node: Node, face: Any) -> None:
    context = ssl.create_default_context(cafile=str(node.authority))
    (found,) = face(node.url, "check_url", "http://quimber.example/", tls=context)
    assert found.not_listed
    assert node.asked == ["/vigil/v1/match"]


@pytest.mark.parametrize("face", FACES)
def test_a_node_that_does_not(node: Node, face: Any) -> None:
    (found,) = face(node.url, "check_url", "http://quimber.example/")
    assert (found.unknown, found.reason, node.asked) == (True, "certificate_refused", [])
