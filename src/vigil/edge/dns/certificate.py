"""The TLS side of the doors that speak DNS."""

from __future__ import annotations

import ssl
from pathlib import Path

from vigil.base.errors import UnavailableError


def tls_of(certificate: Path, key: Path, clients: Path | None, protocols: tuple[str, ...]) -> ssl.SSLContext:
    """The TLS side of a server; with ``clients`` only those with a certificate of that authority come in."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(list(protocols))
    try:
        context.load_cert_chain(certificate, key)
        if clients is not None:
            context.load_verify_locations(clients)
            context.verify_mode = ssl.CERT_REQUIRED
    except (OSError, ssl.SSLError) as error:
        raise UnavailableError(
            "tls_unusable", "A certificate, its key or the authority of clients cannot be used.", where=str(certificate)
        ) from error
    return context
