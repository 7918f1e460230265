"""A certificate authority of the laboratory, and what it certifies."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from vigil.base.clock import SystemClock


@dataclass(frozen=True)
class Authority:
    """Files: the authority's certificate, and a server's certificate and key."""

    authority: Path
    certificate: Path
    key: Path
    authority_key: Path


def authority(folder: Path, name: str, *others: str) -> Authority:
    """An authority, and a certificate for ``name``, the others and 127.0.0.1, valid for a day."""
    root_key, server_key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    root_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Laboratory authority")])
    root = _builder(root_name, root_name, root_key).add_extension(x509.BasicConstraints(True, None), True)
    usage = x509.KeyUsage(True, False, False, False, False, True, True, False, False)
    root_certificate = root.add_extension(usage, True).sign(root_key, hashes.SHA256())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    names = x509.SubjectAlternativeName([*map(x509.DNSName, (name, *others)), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    server = _builder(subject, root_name, server_key).add_extension(names, False).sign(root_key, hashes.SHA256())
    found = Authority(folder / "authority.pem", folder / "server.pem", folder / "server.key", folder / "authority.key")
    found.authority.write_bytes(root_certificate.public_bytes(serialization.Encoding.PEM))
    found.certificate.write_bytes(server.public_bytes(serialization.Encoding.PEM))
    for path, key in ((found.key, server_key), (found.authority_key, root_key)):
        path.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
    return found


def _builder(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
    now = SystemClock().now()
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key.public_key())
    builder = builder.serial_number(x509.random_serial_number())
    return builder.not_valid_before(now - timedelta(hours=1)).not_valid_after(now + timedelta(days=1))
