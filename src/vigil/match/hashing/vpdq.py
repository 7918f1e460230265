"""vPDQ: the PDQ hashes of sampled video frames. A value of the registry is the hash of one frame."""

from __future__ import annotations

from typing import Final

from vigil.match.hashing.algorithm import Algorithm, Kind, hexadecimal

ALGORITHM: Final[Algorithm] = Algorithm(
    "vpdq", 256, Kind.PERCEPTUAL, hexadecimal("vpdq", 256), bytes.hex, default_max_distance=31
)
