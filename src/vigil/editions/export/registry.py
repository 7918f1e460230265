"""Every export format by name, and the one way to make an export."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from vigil.base.errors import InputError
from vigil.editions.export import (
    adguard,
    blocky,
    csv,
    e2guardian,
    hosts,
    misp,
    nginx,
    parquet,
    pihole,
    rpz,
    safebrowsing,
    squid,
    stix,
)
from vigil.editions.export.model import Exported, Format, Occasion, alive, first_expiry
from vigil.editions.model import EditionContents

FORMATS: Final[Mapping[str, Format]] = MappingProxyType(
    {
        module.FORMAT.name: module.FORMAT
        for module in (
            rpz, hosts, adguard, pihole, blocky, squid, e2guardian, nginx, csv, parquet, safebrowsing, stix, misp,
        )
    }
)  # fmt: skip


def format_named(name: str) -> Format:
    """The format of that name, or InputError ``export_format_unknown``."""
    if name not in FORMATS:
        raise InputError(
            "export_format_unknown", "There is no such export format.", mend=f"Use one of: {', '.join(FORMATS)}."
        )
    return FORMATS[name]


def export_as(name: str, contents: EditionContents, occasion: Occasion) -> Exported:
    """The contents in a format: the same bytes for the same entries and occasion, whatever their order.

    What has expired is neither in the files nor in the report. Raises InputError for an unknown format and for entries
    that no edition would take.
    """
    chosen, living = format_named(name), alive(contents, occasion.at)
    files, missing = chosen.write(living, occasion)
    expiry = None if chosen.carries_expiry else first_expiry(living)
    return Exported(dict(sorted(files.items())), tuple(sorted(set(missing))), expiry)
