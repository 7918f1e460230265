"""Signatures of nodes: what they are made over, and how they are checked.

Ed25519 over a line that names the purpose, then the document: one kind of document never stands in for another.
"""

from __future__ import annotations

from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

COUNTS: Final = b"vigil counts 1\n"
CERTIFICATE: Final = b"vigil certificate 1\n"
HEADER: Final = "vigil-signature"


def is_signed(public: str, purpose: bytes, document: bytes, signature: str) -> bool:
    """True where ``signature`` (hexadecimal) was made by the private half of ``public`` for ``purpose``."""
    try:
        key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(public))
        key.verify(bytes.fromhex(signature), purpose + document)
    except (InvalidSignature, ValueError):
        return False
    return True
