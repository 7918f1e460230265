"""A hosts file. It knows single names only: of a domain the name itself is written, and the report says the rest is missing."""

from __future__ import annotations

from typing import Final

from vigil.editions.export.model import Format, Leftover, Occasion, Reason, hashes_left, header, left
from vigil.editions.export.names import covers_below, names_of
from vigil.editions.model import EditionContents

FILE: Final = "hosts.txt"
NOWHERE: Final = "0.0.0.0"  # noqa: S104  an answer for a blocked name, nothing is bound to it


def write(contents: EditionContents, occasion: Occasion) -> tuple[dict[str, bytes], list[Leftover]]:
    """``hosts.txt``: a line for each name."""
    names, missing = names_of(contents.urls, underscores=False, single_labels=False)
    gone = {(each.list, each.entry) for each in missing}
    for entry in contents.urls:
        if covers_below(entry) and (entry.list, entry.entry) not in gone:
            missing.append(left(entry, Reason.NAMES_BELOW, partly=True))
    lines = (f"{NOWHERE} {name}\n" for name in sorted(names.hosts | names.domains))
    return {FILE: (header(occasion, "#") + "".join(lines)).encode()}, missing + hashes_left(contents)


FORMAT: Final = Format("hosts", "hosts file", write)
