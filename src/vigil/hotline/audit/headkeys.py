"""The key that signs tree heads: a file of its own, for the list office and the command line. Needs no database."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from vigil.base.errors import RefusedError, UnavailableError
from vigil.base.files import write_atomically
from vigil.hotline.audit.notes import PublicKey, require_name


@dataclass(frozen=True, slots=True, repr=False)
class HeadKey:
    """The private key of tree heads, and the name of the log it speaks for."""

    name: str
    key: Ed25519PrivateKey

    @property
    def public(self) -> PublicKey:
        return PublicKey(self.name, self.key.public_key().public_bytes_raw())


def create_key(path: Path, name: str) -> PublicKey:
    """A new key in ``path`` (mode 600), with its public half beside it as ``.pub``. An existing one is never replaced."""
    require_name(name)
    if path.exists():
        raise RefusedError("audit_key_exists", "There is a key already.", where=str(path), mend="Name another file.")
    key = Ed25519PrivateKey.generate()
    content = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    made = HeadKey(name, key)
    write_atomically(path, f"# {name}\n".encode() + content, mode=0o600)
    write_atomically(path.with_name(path.name + ".pub"), (made.public.text() + "\n").encode(), mode=0o644)
    return made.public


def load_key(path: Path) -> HeadKey:
    """The key in ``path``. Raises UnavailableError ``audit_key_unreadable``."""
    try:
        first, _, rest = path.read_bytes().partition(b"\n")
        key = serialization.load_pem_private_key(rest, None)
    except (OSError, ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise _unreadable(path) from error
    if not first.startswith(b"# ") or not isinstance(key, Ed25519PrivateKey):
        raise _unreadable(path)
    return HeadKey(require_name(first[2:].decode("utf-8", "replace")), key)


def _unreadable(path: Path) -> UnavailableError:
    mend = "Bring it back from your backup, or make one: vigil hotline audit key FILE --name LOG"
    return UnavailableError("audit_key_unreadable", "The key of the audit log cannot be read.", where=str(path), mend=mend)
