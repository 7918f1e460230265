"""The signal types that matching services of platforms name, each tied to an algorithm of the registry. Pure.

The names are those of Hasher-Matcher-Actioner, and ``md5``, ``sha1``, ``sha256`` for exact hashes of pictures, which it lacks.
Types of one algorithm are matched together: equal bytes are equal, whatever a client called them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from vigil.base.errors import InputError
from vigil.match.hashing import ALGORITHMS, Algorithm, Kind

PHOTO: Final = "photo"
VIDEO: Final = "video"
CONTENT_TYPES: Final = (PHOTO, VIDEO)
FURTHEST: Final = 31


@dataclass(frozen=True, slots=True)
class SignalType:
    """``near``: compared by distance, 31 bits at most; otherwise equal or not."""

    name: str
    content: str
    algorithm: Algorithm

    @property
    def near(self) -> bool:
        return self.algorithm.kind is Kind.PERCEPTUAL

    def parse(self, text: str) -> bytes:
        """The value: blanks around it go, capitals are accepted. Raises InputError."""
        return self.algorithm.parse(text)

    def text(self, value: bytes) -> str:
        """The value as text, in its one normal form."""
        return self.algorithm.text(value)

    def distance_text(self, distance: int) -> str:
        """How answers of such services write a distance."""
        return str(distance) if self.near else "-"


def _types() -> dict[str, SignalType]:
    named = (
        ("pdq", PHOTO, "pdq"),
        ("md5", PHOTO, "md5"),
        ("sha1", PHOTO, "sha1"),
        ("sha256", PHOTO, "sha256"),
        ("video_md5", VIDEO, "md5"),
        ("video_sha256", VIDEO, "sha256"),
    )
    return {name: SignalType(name, content, ALGORITHMS[algorithm]) for name, content, algorithm in named}


SIGNAL_TYPES: Final[Mapping[str, SignalType]] = MappingProxyType(_types())


def signal_type_named(name: str) -> SignalType:
    """The type of that name, or InputError ``signal_type_unknown``."""
    found = SIGNAL_TYPES.get(name)
    if found is None:
        raise InputError(
            "signal_type_unknown", "There is no such signal type.", mend="Use one of: " + ", ".join(SIGNAL_TYPES) + "."
        )
    return found


def types_for(content: str, wanted: str | None = None) -> tuple[SignalType, ...]:
    """The types of a content type, or those of them that ``wanted`` (a list with commas) names. Raises InputError."""
    if content not in CONTENT_TYPES:
        raise InputError("content_type_unknown", "There is no such content type.", mend="Use photo or video.")
    possible = {name: each for name, each in SIGNAL_TYPES.items() if each.content == content}
    if wanted is None:
        return tuple(possible.values())
    names = [name.strip() for name in wanted.split(",")]
    if any(name not in possible for name in names):
        raise InputError("types_unknown", "A signal type is not known for this content.", mend=", ".join(possible))
    return tuple(possible[name] for name in dict.fromkeys(names))
