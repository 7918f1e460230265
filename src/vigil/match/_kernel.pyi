"""Typed face of the compiled matching kernel (native/binding/)."""

from __future__ import annotations

import enum
from typing import Any

import numpy as np
from numpy.typing import NDArray

ABI: int

class Status(enum.IntEnum):
    OK = 0
    BAD_ARGUMENT = 1
    OUT_OF_MEMORY = 2
    NOT_A_NUMBER = 3
    TRUNCATED = 4
    WRONG_MAGIC = 5
    WRONG_VERSION = 6
    WRONG_CHECKSUM = 7
    CORRUPT = 8
    UNREACHABLE = 9
    TOO_LARGE = 10

class Isa(enum.Enum):
    PORTABLE = 0
    AVX2 = 1
    NEON = 2

class PdqOrder(enum.Enum):
    AUTOMATIC = 0
    ONE_PASS = 1
    REFERENCE = 2

def best_isa() -> Isa: ...
def has_isa(isa: Isa) -> bool: ...
def pdq_hash(pixels: NDArray[Any], order: PdqOrder, isa: Isa) -> tuple[Status, bytes, int]: ...
def pdq_variants(pixels: NDArray[Any], isa: Isa) -> tuple[Status, tuple[tuple[bytes, int], ...]]: ...
def pdq_samples(pixels: NDArray[Any], order: PdqOrder, isa: Isa) -> tuple[Status, NDArray[np.float32]]: ...
