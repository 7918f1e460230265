"""Help services by country, as data that ships with the node; shown only once an operator has verified a row and dated it."""

from __future__ import annotations

from functools import lru_cache
from importlib.resources import files
from typing import Literal

import msgspec

from vigil.base.errors import InputError
from vigil.edge.config import HelpLine, Pages, Service


class Row(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A service as sources describe it; ``countries`` may be ``*``."""

    id: str
    countries: tuple[str, ...]
    name: str
    for_whom: Literal["self", "child", "anyone"]
    languages: tuple[str, ...]
    phone: str | None = None


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    services: tuple[Row, ...]


@lru_cache(maxsize=1)
def rows() -> dict[str, Row]:
    """All rows by id."""
    data = files("vigil.edge").joinpath("help").joinpath("services.toml").read_bytes()
    return {row.id: row for row in msgspec.toml.decode(data, type=_File).services}


def help_lines(settings: Pages) -> tuple[HelpLine, ...]:
    """The operator's own lines, then the verified rows of the directory. Raises InputError for a row that does not exist."""
    return (*settings.help_lines, *(_verified(number, service) for number, service in enumerate(settings.services)))


def _verified(number: int, service: Service) -> HelpLine:
    row = rows().get(service.id)
    where = f"pages.services[{number}]"
    if row is None:
        raise InputError("config_value", "There is no such help service.", where=where, mend=f"Use {', '.join(sorted(rows()))}.")
    phone = service.phone or row.phone
    if not phone and not service.url:
        raise InputError("config_value", "The way to reach this service is not known.", where=where, mend="Add phone or url.")
    return HelpLine(
        country=row.countries[0],
        name=row.name,
        for_whom=row.for_whom,
        languages=service.languages or row.languages,
        verified_on=service.verified_on,
        verified_by=service.verified_by,
        url=service.url,
        phone=phone,
        hours=service.hours,
        anonymous=service.anonymous,
        free=service.free,
    )
