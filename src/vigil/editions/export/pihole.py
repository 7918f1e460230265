"""Pi-hole from FTL 5.22: a plain line is one exact name, ``||name^`` a domain and all below it."""

from __future__ import annotations

from typing import Final

from vigil.editions.export.model import Format, Leftover, Occasion, hashes_left, header
from vigil.editions.export.names import names_of
from vigil.editions.model import EditionContents

FILE: Final = "pi-hole.txt"


def write(contents: EditionContents, occasion: Occasion) -> tuple[dict[str, bytes], list[Leftover]]:
    """``pi-hole.txt``."""
    names, missing = names_of(contents.urls, underscores=False, single_labels=False)
    sparse = names.sparse()
    lines = [f"{name}\n" for name in sorted(sparse.hosts)] + [f"||{name}^\n" for name in sorted(sparse.domains)]
    return {FILE: (header(occasion, "#") + "".join(lines)).encode()}, missing + hashes_left(contents)


FORMAT: Final = Format("pihole", "Pi-hole list", write)
