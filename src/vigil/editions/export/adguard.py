"""AdGuard Home: hosts syntax for a single name (it covers no other), ``||name^`` for a domain and all below it.

Bare words are avoided: AdGuard Home reads some of them as patterns that match inside other names.
"""

from __future__ import annotations

from typing import Final

from vigil.editions.export.hosts import NOWHERE
from vigil.editions.export.model import Format, Leftover, Occasion, hashes_left, header
from vigil.editions.export.names import names_of
from vigil.editions.model import EditionContents

FILE: Final = "adguard-home.txt"


def write(contents: EditionContents, occasion: Occasion) -> tuple[dict[str, bytes], list[Leftover]]:
    """``adguard-home.txt``."""
    names, missing = names_of(contents.urls, underscores=False, single_labels=False)
    sparse = names.sparse()
    lines = [f"{NOWHERE} {name}\n" for name in sorted(sparse.hosts)] + [f"||{name}^\n" for name in sorted(sparse.domains)]
    return {FILE: (header(occasion, "!") + "".join(lines)).encode()}, missing + hashes_left(contents)


FORMAT: Final = Format("adguard", "AdGuard Home block list", write)
