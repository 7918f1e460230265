"""Licensed and foreign signals: Vigil keeps and compares their values, and never computes them.

An installation that is licensed to use such a technology registers its own name here, at start-up::

    from vigil.match.hashing import register, opaque
    register(opaque.algorithm("acme_signal", bits=1152))    # fixed length, hexadecimal
    register(opaque.algorithm("acme_text"))                 # any length, kept as it was written

Matching is by equality. Where a licence comes with a matcher of its own, that matcher runs outside Vigil and
hands in equal values.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from vigil.base.errors import InputError
from vigil.match.hashing.algorithm import OPAQUE_BYTES, Algorithm, Kind, hexadecimal

NAMES: Final = ("photodna", "tmk_pdqf", "ssvh", "netclean", "videntifier", "other")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


def algorithm(name: str, bits: int | None = None) -> Algorithm:
    """An opaque algorithm: hexadecimal of ``bits`` length, or any printable text where ``bits`` is None."""
    if bits is None:
        return Algorithm(name, None, Kind.EXACT, _text_reader(name), bytes.decode, opaque=True)
    if bits <= 0 or bits % 8 or bits > 8 * OPAQUE_BYTES:
        raise InputError("opaque_bits", "An opaque signal has a positive multiple of 8 bits.", where=name)
    return Algorithm(name, bits, Kind.EXACT, hexadecimal(name, bits), bytes.hex, opaque=True)


def _text_reader(name: str) -> Callable[[str], bytes]:
    def parse(text: str) -> bytes:
        trimmed = text.strip(" \t\r\n")
        if not trimmed or (not trimmed.isprintable() and _CONTROL.search(trimmed)):
            raise InputError("hash_malformed", f"This is not a {name} value.", mend="Give it in one line.")
        try:
            value = trimmed.encode()
        except UnicodeEncodeError as error:
            raise InputError("hash_malformed", f"This {name} value is not valid text.") from error
        if len(value) > OPAQUE_BYTES:
            raise InputError("hash_too_long", f"This {name} value is longer than {OPAQUE_BYTES} bytes.")
        if not value.strip(b"0"):
            raise InputError("hash_constant", f"This {name} value is made of zeros only.")
        return value

    return parse
