"""Signed tree heads, as text that other tools for transparency logs read as well. Pure.

The body is a checkpoint (C2SP ``tlog-checkpoint``): origin, number of events, root in base64, and one line of our own
with the instant. It is signed as a note (C2SP ``signed-note``) with Ed25519: an empty line, then
``— NAME BASE64(key hash of 4 bytes || signature)``. The public key travels as ``NAME+HASH+BASE64(0x01 || key)``.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from vigil.base.clock import instant_of, text_of
from vigil.base.errors import InputError

ED25519: Final = b"\x01"
_NAME: Final = re.compile(r"[^\s+\x00-\x1f]{1,100}\Z")
_SIZE: Final = re.compile(r"(0|[1-9][0-9]{0,18})\Z")


@dataclass(frozen=True, slots=True)
class TreeHead:
    """``size`` events end in ``root`` (32 bytes) at the instant ``at``; ``origin`` names the log."""

    origin: str
    size: int
    root: bytes
    at: datetime

    def body(self) -> str:
        """The text that is signed."""
        return f"{self.origin}\n{self.size}\n{base64.b64encode(self.root).decode()}\n{text_of(self.at)}\n"


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A key that heads are checked with, and the name it goes by."""

    name: str
    key: bytes

    @property
    def mark(self) -> bytes:
        """The first four bytes of ``SHA-256(name || 0x0A || 0x01 || key)``."""
        return hashlib.sha256(self.name.encode() + b"\n" + ED25519 + self.key).digest()[:4]

    def text(self) -> str:
        """The key as it is handed to an auditor."""
        return f"{self.name}+{self.mark.hex()}+{base64.b64encode(ED25519 + self.key).decode()}"


def require_name(name: str) -> str:
    """A name of a log or key: no space and no plus sign."""
    if not _NAME.match(name):
        raise InputError("audit_key_name", "The name of an audit key is not usable.", mend="Use letters, digits, dots, slashes.")
    return name


def public_key_of(text: str) -> PublicKey:
    """The key in ``text``. Raises InputError ``audit_key_malformed``."""
    name, _, rest = text.strip().partition("+")
    mark, _, encoded = rest.partition("+")
    try:
        content = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        content = b""
    made = PublicKey(name, content[1:])
    if len(content) != 33 or content[:1] != ED25519 or made.mark.hex() != mark or not _NAME.match(name):
        raise InputError("audit_key_malformed", "This is not the public key of an audit log.", mend="Copy the whole line.")
    return made


def signed(head: TreeHead, name: str, key: Ed25519PrivateKey) -> str:
    """The note: body, empty line, signature."""
    body = head.body()
    mark = PublicKey(require_name(name), key.public_key().public_bytes_raw()).mark
    signature = base64.b64encode(mark + key.sign(body.encode())).decode()
    return f"{body}\n— {name} {signature}\n"


def opened(note: str, key: PublicKey) -> TreeHead:
    """The head in ``note``, if ``key`` signed it. Raises InputError ``tree_head_malformed`` or ``tree_head_unsigned``."""
    body, apart, signatures = note.rpartition("\n\n")
    head = _head_of(body + "\n") if apart else None
    if head is None:
        raise InputError("tree_head_malformed", "This is not a signed tree head of an audit log.")
    if not any(_signed_by(line, body + "\n", key) for line in signatures.splitlines()):
        raise InputError("tree_head_unsigned", "The tree head is not signed with the expected key.")
    return head


def _head_of(body: str) -> TreeHead | None:
    lines = body.split("\n")
    if len(lines) != 5 or lines[4] or not lines[0] or not _SIZE.match(lines[1]):
        return None
    try:
        root = base64.b64decode(lines[2], validate=True)
        head = TreeHead(lines[0], int(lines[1]), root, instant_of(lines[3]))
    except (binascii.Error, ValueError, InputError):
        return None
    return head if len(root) == 32 and head.body() == body else None


def _signed_by(line: str, body: str, key: PublicKey) -> bool:
    parts = line.split(" ")
    if len(parts) != 3 or parts[0] != "—" or parts[1] != key.name:
        return False
    try:
        content = base64.b64decode(parts[2], validate=True)
        Ed25519PublicKey.from_public_bytes(key.key).verify(content[4:], body.encode())
    except (binascii.Error, ValueError, InvalidSignature):
        return False
    return content[:4] == key.mark
