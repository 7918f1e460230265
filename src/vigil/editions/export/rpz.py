"""A response policy zone for resolvers (draft-vixie-dns-rpz-02): query-name triggers, answered with NXDOMAIN.

Owners are relative, so that the zone may have any short name; one letter is best, since owner and zone share 255 octets.
Addresses never become ``rpz-ip`` triggers: an address is shared.
"""

from __future__ import annotations

from typing import Final

from vigil.editions.export.model import Format, Leftover, Occasion, Reason, hashes_left, header, left
from vigil.editions.export.names import names_of
from vigil.editions.model import EditionContents, UrlEntry

FILE: Final = "rpz.zone"
TTL_SECONDS: Final = 30
# Leaves room for "*." before and a zone name of up to 16 octets behind the name.
LONGEST: Final = 230
# Refresh, retry and expire in seconds: look every minute; keep blocking for four weeks if the primary is lost.
_TIMES: Final = "60 30 2419200 30"


def write(contents: EditionContents, occasion: Occasion) -> tuple[dict[str, bytes], list[Leftover]]:
    """``rpz.zone``; its serial is the number of the edition."""
    usable = [entry for entry in contents.urls if not _is_trigger(entry)]
    names, missing = names_of(usable, longest=LONGEST)
    missing += [left(entry, Reason.NAME_CHARACTERS) for entry in contents.urls if _is_trigger(entry)]
    sparse = names.sparse()
    owners = [*sparse.hosts, *(owner for name in sparse.domains for owner in (name, f"*.{name}"))]
    text = header(occasion, ";") + f"$TTL {TTL_SECONDS}\n"
    text += f"@ SOA localhost. hostmaster.invalid. {occasion.number} {_TIMES}\n@ NS localhost.\n"
    text += "".join(f"{owner} CNAME .\n" for owner in sorted(owners))
    return {FILE: text.encode()}, missing + hashes_left(contents)


def _is_trigger(entry: UrlEntry) -> bool:
    """Names under ``rpz-ip``, ``rpz-nsdname`` and their kin are other triggers, not names."""
    return entry.url.host.rpartition(".")[2].startswith("rpz-")


FORMAT: Final = Format("rpz", "response policy zone for DNS resolvers", write)
