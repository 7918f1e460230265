"""What an algorithm of the registry is: how its values are read, written and matched."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from vigil.base.errors import InputError

OPAQUE_BYTES: Final = 64 * 1024  # the longest opaque value in a public schema is far shorter
OPAQUE_KEY_BYTES: Final = 32


class Kind(StrEnum):
    """How values are compared: equal or not, or by the number of differing bits."""

    EXACT = "exact"
    PERCEPTUAL = "perceptual"


@dataclass(frozen=True, slots=True)
class Algorithm:
    """One kind of hash.

    ``name``                  as in the ``hash_alg`` enumeration of the data model.
    ``bits``                  length of a value; None where it differs from value to value.
    ``kind``                  how values are compared.
    ``parse``                 text -> value; raises InputError, which never repeats the text.
    ``text``                  value -> text, the form that ``parse`` accepts.
    ``default_max_distance``  bits; 0 for exact algorithms.
    ``opaque``                True where Vigil cannot compute the value and only compares it.
    """

    name: str
    bits: int | None
    kind: Kind
    parse: Callable[[str], bytes]
    text: Callable[[bytes], str]
    default_max_distance: int = 0
    opaque: bool = False

    @property
    def key_bytes(self) -> int:
        """Bytes of the key under which a value stands in an exact table."""
        return OPAQUE_KEY_BYTES if self.bits is None else self.bits // 8

    def key(self, value: bytes) -> bytes:
        """The key of ``value`` in an exact table: the value itself, or its BLAKE2b where lengths differ."""
        if self.bits is None:
            return hashlib.blake2b(value, digest_size=OPAQUE_KEY_BYTES).digest()
        if len(value) != self.key_bytes:
            raise InputError("hash_wrong_length", f"A value of {self.name} has {self.key_bytes} bytes.")
        return value


def hexadecimal(name: str, bits: int, refused: frozenset[bytes] = frozenset()) -> Callable[[str], bytes]:
    """A reader of exactly ``bits`` / 4 hexadecimal digits; blanks around them go, capitals are accepted.

    Refused with a code of its own: values made of one repeated 0 or f, and those in ``refused`` (hashes of
    empty input), because one such row on a list would match every empty upload.
    """
    digits = re.compile(rf"[0-9a-f]{{{bits // 4}}}", re.ASCII)
    constants = refused | {bytes(bits // 8), b"\xff" * (bits // 8)}

    def parse(text: str) -> bytes:
        trimmed = text.strip(" \t\r\n").lower()
        if digits.fullmatch(trimmed) is None:
            raise InputError(
                "hash_malformed",
                f"This is not a {name} value.",
                mend=f"Give {bits // 4} hexadecimal digits.",
            )
        value = bytes.fromhex(trimmed)
        if value in constants:
            raise InputError(
                "hash_constant",
                f"This {name} value stands for empty or constant input and would match unrelated files.",
                mend="Remove it from the list.",
            )
        return value

    return parse


def digest_algorithm(name: str) -> Algorithm:
    """A cryptographic digest known to ``hashlib``; the digest of empty input is refused."""
    empty = hashlib.new(name, b"", usedforsecurity=False).digest()
    bits = len(empty) * 8
    return Algorithm(name, bits, Kind.EXACT, hexadecimal(name, bits, frozenset({empty})), bytes.hex)
