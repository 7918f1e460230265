"""Hosts that older clients look up under another name: they map four characters where browsers keep them.

IDNA 2003 wrote ß as ss, the final sigma as sigma, and dropped joiners; the URL Standard keeps all four (UTS #46,
non-transitional). An entry for such a host is kept under both names.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import can_ada

from vigil.match.urls.canonical import canonical
from vigil.match.urls.model import CanonicalUrl
from vigil.match.urls.refusal import UrlRefused

_DEVIATIONS: Final = {ord("ß"): "ss", ord("ς"): "σ", 0x200C: None, 0x200D: None}


def forms_of_entry(url: CanonicalUrl) -> tuple[CanonicalUrl, ...]:
    """The address itself, and its transitional form where the host has a deviation character."""
    # The stub of can_ada 3.0.0 asks for text where the function takes bytes.
    name = can_ada.idna_decode(url.host.encode()) if "xn--" in url.host else url.host  # type: ignore[arg-type]
    other = name.translate(_DEVIATIONS)
    if other == name:
        return (url,)
    try:
        return (url, replace(url, host=canonical(f"http://{other}/").host))
    except UrlRefused:
        return (url,)
