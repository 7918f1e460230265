"""The mirror digest: one number over everything a source has in force, whatever order it came in.

Both sides of an exchange can compute it: the sum, modulo 2**256, of the SHA-256 of each entry's name and fingerprints. Two
mirrors agree exactly when their digests do. The digest of nothing is 64 zeros.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

_MODULUS: Final = 1 << 256


@dataclass(slots=True)
class Mirror:
    """A running digest. ``entries`` counted so far."""

    entries: int = 0
    total: int = 0

    def add(self, key: str, fingerprints: Iterable[tuple[str, str]]) -> None:
        """Count one entry by its name and its (type, value) pairs."""
        self.total = (self.total + int.from_bytes(element(key, fingerprints), "big")) % _MODULUS
        self.entries += 1

    def hexdigest(self) -> str:
        """64 hexadecimal digits."""
        return f"{self.total:064x}"


def element(key: str, fingerprints: Iterable[tuple[str, str]]) -> bytes:
    """What one entry contributes. Lengths stand before texts, so that no two entries are written alike."""
    parts = [_measured(key)]
    for algorithm, value in sorted(set(fingerprints)):
        parts += (_of_type(algorithm), _measured(value))
    return hashlib.sha256(b"".join(parts)).digest()


def _measured(text: str) -> bytes:
    written = text.encode()
    return len(written).to_bytes(4, "big") + written


_of_type = lru_cache(maxsize=256)(_measured)
