"""Every kind of hash by name; the names are the ``hash_alg`` enumeration of the data model."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from vigil.base.errors import InputError
from vigil.match.hashing import md5, opaque, pdq, sha1, sha256, vpdq
from vigil.match.hashing.algorithm import Algorithm

_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,31}", re.ASCII)
_known: Final[dict[str, Algorithm]] = {
    algorithm.name: algorithm
    for algorithm in (
        md5.ALGORITHM,
        sha1.ALGORITHM,
        sha256.ALGORITHM,
        pdq.ALGORITHM,
        vpdq.ALGORITHM,
        *(opaque.algorithm(name) for name in opaque.NAMES),
    )
}

ALGORITHMS: Final[Mapping[str, Algorithm]] = MappingProxyType(_known)


def algorithm_named(name: str) -> Algorithm:
    """The algorithm of that name, or InputError ``hash_unknown_algorithm``."""
    found = _known.get(name)
    if found is None:
        raise InputError(
            "hash_unknown_algorithm",
            "There is no hash algorithm of that name.",
            mend="Use one of: " + ", ".join(sorted(_known)) + ".",
        )
    return found


def register(algorithm: Algorithm) -> None:
    """Add an algorithm at start-up (a plug-in). A name is taken once: nothing known can be replaced."""
    if _NAME.fullmatch(algorithm.name) is None:
        raise InputError("hash_algorithm_name", "A name has 1 to 32 of a-z, 0-9, _ and starts with a letter.")
    if algorithm.name in _known:
        raise InputError("hash_algorithm_taken", "That name is taken by an algorithm.", where=algorithm.name)
    _known[algorithm.name] = algorithm
