"""MD5: exact equality of files."""

from __future__ import annotations

import hashlib
from typing import Final

from vigil.match.hashing.algorithm import Algorithm, digest_algorithm

ALGORITHM: Final[Algorithm] = digest_algorithm("md5")


def digest(data: bytes) -> bytes:
    """The MD5 digest of ``data``, 16 bytes."""
    return hashlib.md5(data, usedforsecurity=False).digest()
