"""The files that every page may ask for: one stylesheet, small scripts, one drawn mark.

They are read once, named by their digest and served by the door itself: no build step, no other host.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Final

FOLDER: Final = Path(__file__).parent / "assets"
TYPES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "vigil.css": "text/css; charset=utf-8",
        "vigil.js": "text/javascript; charset=utf-8",
        "file.js": "text/javascript; charset=utf-8",
        "console.js": "text/javascript; charset=utf-8",
        "security-key.js": "text/javascript; charset=utf-8",
        "mark.svg": "image/svg+xml",
    }
)


@dataclass(frozen=True, slots=True)
class Asset:
    """A file to serve: ``digest`` is the start of its SHA-256 in hex and part of its address."""

    name: str
    content: bytes
    media_type: str
    digest: str


@cache
def asset(name: str) -> Asset | None:
    """The asset called ``name``, or None for any other name."""
    known = next((known for known in TYPES if known == name), None)
    if known is None:
        return None
    content = (FOLDER / known).read_bytes()
    return Asset(known, content, TYPES[known], hashlib.sha256(content).hexdigest()[:12])
