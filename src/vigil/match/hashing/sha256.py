"""SHA256: exact equality of files."""

from __future__ import annotations

import hashlib
from typing import Final

from vigil.match.hashing.algorithm import Algorithm, digest_algorithm

ALGORITHM: Final[Algorithm] = digest_algorithm("sha256")


def digest(data: bytes) -> bytes:
    """The SHA256 digest of ``data``, 32 bytes."""
    return hashlib.sha256(data, usedforsecurity=False).digest()
