"""SHA1: exact equality of files."""

from __future__ import annotations

import hashlib
from typing import Final

from vigil.match.hashing.algorithm import Algorithm, digest_algorithm

ALGORITHM: Final[Algorithm] = digest_algorithm("sha1")


def digest(data: bytes) -> bytes:
    """The SHA1 digest of ``data``, 20 bytes."""
    return hashlib.sha1(data, usedforsecurity=False).digest()
