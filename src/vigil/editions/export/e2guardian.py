"""A banned site list for e2guardian. Each line covers the name and all below it, so only domains can be written.

Its lists of addresses cover sub-hosts and everything below a path, and its expressions disregard case: each would
widen what an analyst decided, and is left out.
"""

from __future__ import annotations

from typing import Final

from vigil.editions.export.model import Format, Leftover, Occasion, Reason, hashes_left, header, left
from vigil.editions.export.names import covers_below, names_of
from vigil.editions.model import EditionContents

FILE: Final = "bannedsitelist"


def write(contents: EditionContents, occasion: Occasion) -> tuple[dict[str, bytes], list[Leftover]]:
    """``bannedsitelist``."""
    fitting = [entry for entry in contents.urls if covers_below(entry)]
    others = [entry for entry in contents.urls if not covers_below(entry)]
    names, missing = names_of(fitting, underscores=False)
    missing += [left(entry, Reason.WOULD_WIDEN) for entry in others]
    lines = (f"{name}\n" for name in sorted(names.sparse().domains))
    return {FILE: (header(occasion, "#") + "".join(lines)).encode()}, missing + hashes_left(contents)


FORMAT: Final = Format("e2guardian", "e2guardian banned site list", write)
