"""Two maps for nginx: ``$vigil_host`` from the host, ``$vigil_page`` from the whole address. Either is ``1`` if listed.

Plain texts of a map disregard case, which is right for hosts and would widen paths; hence expressions for paths.
They are tried one after the other: good for hundreds of entries, not for many thousands.
"""

from __future__ import annotations

from typing import Final

from vigil.editions.export.model import SCHEME_OR_PORT, Format, Leftover, Occasion, hashes_left, header
from vigil.editions.export.names import names_of_all, unwritable
from vigil.editions.export.patterns import literal
from vigil.editions.export.squid import patterns_of
from vigil.editions.model import EditionContents, UrlEntry
from vigil.match.urls import Scope

FILE: Final = "vigil-maps.conf"
LONGEST_TOKEN: Final = 3500  # nginx reads configuration through a buffer of 4,096 bytes
_NOTE: Final = (
    "Belongs into the http block; needs map_hash_bucket_size 512. Refuse what is listed, for instance by:",
    "    if ($vigil_host$vigil_page) { return 451; }",
)


def write(contents: EditionContents, occasion: Occasion) -> tuple[dict[str, bytes], list[Leftover]]:
    """``vigil-maps.conf``."""
    hosts = [entry for entry in contents.urls if _by_host(entry)]
    patterns, missing = patterns_of([entry for entry in contents.urls if not _by_host(entry)], LONGEST_TOKEN)
    keys = _host_keys(hosts)
    text = header(occasion, "#", *_NOTE)
    text += _map("$host", "$vigil_host", ["hostnames;", *(f'"{key}" 1;' for key in keys)])
    text += _map("$scheme://$host:$server_port$request_uri", "$vigil_page", [_quoted(each) for each in patterns])
    return {FILE: text.encode()}, missing + hashes_left(contents)


def _by_host(entry: UrlEntry) -> bool:
    """Whole hosts with a plain name; nginx sees the whole request, so that no right beyond the scope is needed."""
    whole = entry.scope in (Scope.HOST, Scope.DOMAIN) and not entry.flags & SCHEME_OR_PORT
    return whole and unwritable(entry.url.host, 253, True, True) is None


def _host_keys(entries: list[UrlEntry]) -> list[str]:
    """``.name`` covers the name and all below. A single label may be a word of the map's own: an expression instead."""
    names = names_of_all(entries).sparse()
    plain = [host if "." in host else f"~^{literal(host)}$" for host in sorted(names.hosts)]
    return plain + [f".{name}" for name in sorted(names.domains)]


def _quoted(pattern: str) -> str:
    """Inside quotes nginx reads ``\\\\`` and ``\\"`` as one sign."""
    escaped = pattern.replace("\\", "\\\\").replace('"', '\\"')
    return f'"~{escaped}" 1;'


def _map(source: str, variable: str, lines: list[str]) -> str:
    body = "".join(f"    {line}\n" for line in lines)
    return f'map "{source}" {variable} {{\n    default "";\n{body}}}\n'


FORMAT: Final = Format("nginx", "nginx maps", write)
