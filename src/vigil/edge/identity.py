"""The node's own key: it signs count vectors and certification reports, so that the hotline can tell who made them.

Ed25519, made at the first start, kept in the state folder with mode 600. Its public half is enrolled at the hotline by a person
who read it from ``vigil edge key``. A signature names what it is for, so that one kind of document never stands in for another.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from vigil.base.errors import InputError
from vigil.base.files import write_atomically

FILE: Final = "node.key"
KEY_BYTES: Final = 32


class NodeKey:
    """The private half; never shown."""

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key

    @classmethod
    def of(cls, state: Path) -> NodeKey:
        """The key in the state folder ``state``, made where there is none. Raises InputError for a file that is no key."""
        path = state / FILE
        if not path.exists():
            state.mkdir(parents=True, exist_ok=True, mode=0o700)
            write_atomically(path, Ed25519PrivateKey.generate().private_bytes_raw(), mode=0o600)
        data = path.read_bytes()
        if len(data) != KEY_BYTES:
            raise InputError("node_key_malformed", "The node's key cannot be read.", where=str(path), mend="Put the backup back.")
        return cls(Ed25519PrivateKey.from_private_bytes(data))

    @property
    def public(self) -> str:
        """The public half, in hexadecimal."""
        return self._key.public_key().public_bytes_raw().hex()

    def sign(self, purpose: bytes, document: bytes) -> str:
        """The signature of ``document`` for ``purpose``, in hexadecimal."""
        return self._key.sign(purpose + document).hex()
