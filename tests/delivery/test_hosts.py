"""nginx as Debian packages it: a folder of files, and in front of it mutual TLS with certificates made here."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from tests.editions.world import Hotline, many
from tests.lab.peers import folder, free_port, program, started
from tests.support.nginx import configured

from vigil.base.clock import SystemClock
from vigil.base.errors import InputError
from vigil.editions.client import EditionClient, EditionUnreachable
from vigil.editions.fetch import TlsFiles
from vigil.editions.load import load_edition

LOG = "log_format downloads '$time_iso8601 $ssl_client_s_dn $request_uri $status'; access_log {place}/downloads.log downloads;"
SERVER = """
  server {{
    listen 127.0.0.1:{port} {ssl};
    {rules}
    location /editions/ {{ alias {folder}/; }}
  }}
"""
MUTUAL = """
    ssl_certificate {place}/host.pem; ssl_certificate_key {place}/host.key;
    ssl_client_certificate {place}/ca.pem; ssl_verify_client on;
"""


@dataclass
class Authority:
    """A certificate authority of this test alone."""

    place: Path

    def __post_init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "zorblat authority")])
        (self.place / "ca.pem").write_bytes(self._certificate(self._name, self._key, ca=True).public_bytes(Encoding.PEM))

    def issue(self, file: str, name: str) -> tuple[Path, Path]:
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = self._certificate(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]), key, ca=False)
        paths = self.place / f"{file}.pem", self.place / f"{file}.key"
        paths[0].write_bytes(certificate.public_bytes(Encoding.PEM))
        paths[1].write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        return paths

    def _certificate(self, name: x509.Name, key: ec.EllipticCurvePrivateKey, *, ca: bool) -> x509.Certificate:
        now = SystemClock().now()
        builder = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(hours=1))
            .not_valid_after(now + timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False)
        )
        if ca:
            usage = x509.KeyUsage(
                digital_signature=True, key_cert_sign=True, crl_sign=True, content_commitment=False, key_encipherment=False,
                data_encipherment=False, key_agreement=False, encipher_only=False, decipher_only=False,
            )  # fmt: skip
            builder = builder.add_extension(usage, critical=True)
        else:
            address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
            builder = builder.add_extension(address, critical=False)
        return builder.sign(self._key, hashes.SHA256())


@pytest.fixture
def place(hotline: Hotline) -> Iterator[Path]:
    """A folder that the server's user may read; the editions lie in it."""
    with folder() as place:
        hotline.repository = place / "published"
        hotline.repository.mkdir()
        yield place


@contextmanager
def nginx(hotline: Hotline, place: Path, *, mutual: bool) -> Iterator[int]:
    port = free_port()
    rules = MUTUAL.format(place=place) if mutual else ""
    server = SERVER.format(port=port, ssl="ssl" if mutual else "", rules=rules, folder=hotline.repository)
    with started(configured(program("nginx"), place, server, LOG.format(place=place)), port, place):
        yield port


def test_any_web_server_will_do(hotline: Hotline, place: Path, state: Path) -> None:
    with nginx(hotline, place, mutual=False) as port:
        node = EditionClient(f"http://127.0.0.1:{port}/editions/", state, hotline.keys.root)
        for first in (1, 2):
            hotline.publish(many(400, first))
            pulled = node.pull(hotline.now)
            assert (pulled.number, pulled.deltas, pulled.delta_refused) == (first, first - 1, None)
        assert not node.pull(hotline.now).fresh
    assert load_edition(state).number == 2


def test_mutual_tls(hotline: Hotline, place: Path, state: Path) -> None:
    authority = Authority(place)
    authority.issue("host", "host.example")
    certificate, key = authority.issue("partner", "p-acme")
    (place / "other").mkdir()
    foreign = Authority(place / "other").issue("partner", "p-acme")
    hotline.publish(many(20))
    with nginx(hotline, place, mutual=True) as port:
        address = f"https://127.0.0.1:{port}/editions/"

        def pull(tls: TlsFiles) -> int:
            return EditionClient(address, state, hotline.keys.root, tls=tls).pull(hotline.now).number

        for refused in (TlsFiles(), TlsFiles(place / "ca.pem"), TlsFiles(place / "ca.pem", *foreign)):
            with pytest.raises(EditionUnreachable):
                pull(refused)
        assert pull(TlsFiles(place / "ca.pem", certificate, key)) == 1
    said = (place / "downloads.log").read_text()
    assert "CN=p-acme /editions/metadata/1.targets.json 200" in said


def test_certificates_that_cannot_be_read(place: Path, state: Path) -> None:
    for tls in (TlsFiles(place / "absent.pem"), TlsFiles(None, place / "absent.pem", place / "absent.key")):
        with pytest.raises(InputError) as found:
            EditionClient("https://127.0.0.1/editions/", state, None, tls=tls)
        assert found.value.code == "certificate_unreadable"
