"""Finding cases by what can be compared: reference, host, registered domain, exact address, digest of a file.

Never by words: reporters' words, notes and addresses lie sealed, and two encryptions of the same text differ. An exact
address is looked for by its keyed digest, so what was asked for is written nowhere.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from enum import StrEnum
from typing import Final

from django.db import transaction
from django.db.models import Q, QuerySet

from vigil.base.errors import InputError
from vigil.base.limits import Limit
from vigil.hotline.access.people import Person, must
from vigil.hotline.access.permissions import Permission
from vigil.hotline.access.sealing import matching_digest
from vigil.hotline.audit.actions import record
from vigil.hotline.reports import codes
from vigil.hotline.reports.access import visible_to
from vigil.hotline.reports.addresses import read_address, registrable_domain
from vigil.hotline.reports.items import FILE_PURPOSE, url_digest
from vigil.hotline.reports.models import Report
from vigil.hotline.reports.references import read_reference
from vigil.match.urls import CanonicalUrl

ASKED_CHARACTERS: Final = Limit(4000, "characters", "what is searched for is one address or one digest")
DIGESTS: Final = {32: "md5", 40: "sha1", 64: "sha256"}


class Field(StrEnum):
    """What is compared."""

    REFERENCE = "reference"
    ADDRESS = "address"
    HOST = "host"
    DOMAIN = "domain"
    DIGEST = "digest"


def find(person: Person, field: Field, asked: str) -> QuerySet[Report]:
    """The cases that fit, the newest first; restricted ones only for people named in them,
    children's only for the child desk. The log says which field was
    compared, never with what. Raises InputError where ``asked`` cannot be such a thing."""
    must(person, Permission.CASE_SEARCH)
    text = asked.strip()
    if not 0 < len(text) <= ASKED_CHARACTERS.value:
        raise InputError("search_empty", "Enter what to look for.", where="asked")
    condition = _CONDITIONS[field](text)
    found = visible_to(person, Report.objects.filter(condition)).distinct()
    with transaction.atomic():
        record(person, codes.SEARCHED, "cases", field=field.value)
    return found.order_by("-received_at", "pk").select_related("taken_by")


def _reference(text: str) -> Q:
    return Q(ref=read_reference(text))


def _read(text: str) -> CanonicalUrl:
    url = read_address(text).url
    if url is None:
        raise InputError(
            "search_address", "This cannot be read as an address.", where="asked", mend="Enter it as a browser shows it."
        )
    return url


def _address(text: str) -> Q:
    return Q(submissions__url__url_digest=url_digest(_read(text)))


def _host(text: str) -> Q:
    return Q(submissions__url__host=_read(text).host)


def _domain(text: str) -> Q:
    return Q(submissions__url__registrable_domain=registrable_domain(_read(text)))


def _digest(text: str) -> Q:
    value = text.lower()
    name = DIGESTS.get(len(value))
    if name is None or not re.fullmatch(r"[0-9a-f]+", value):
        raise InputError(
            "search_digest", "This is not the digest of a file.", where="asked",
            mend="Enter an MD5, SHA-1 or SHA-256 as hexadecimal digits.",
        )  # fmt: skip
    reported = Q(submissions__algorithm=name, submissions__digest=matching_digest(FILE_PURPOSE, f"{name}:{value}"))
    return reported | Q(**{f"sightings__media__{name}": value})


_CONDITIONS: Final[dict[Field, Callable[[str], Q]]] = {
    Field.REFERENCE: _reference, Field.ADDRESS: _address, Field.HOST: _host, Field.DOMAIN: _domain, Field.DIGEST: _digest,
}  # fmt: skip
