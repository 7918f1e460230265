"""The wire form of the reporting interface: what a partner sends, read strictly, in JSON, JSON lines or CSV.

The same fields in all three. Unknown fields are refused, so that a misspelt one is noticed and not lost.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Final, TypeVar

import msgspec

from vigil.base.errors import InputError
from vigil.base.limits import BATCH_ITEMS, JSON_BODY_BYTES, Limit
from vigil.hotline.access.clock import now
from vigil.hotline.partners.models import Sender
from vigil.hotline.reports.enumerations import (
    AgeAssurance,
    AgeRange,
    AiNexus,
    Channel,
    HashAlgorithm,
    SourceClass,
    SubmissionType,
    Theme,
    Tri,
)
from vigil.hotline.reports.intake import Arrival
from vigil.hotline.reports.items import Item, file_item
from vigil.hotline.reports.notes import access_notes

Body = TypeVar("Body")

REPORT_BYTES: Final = Limit(256 * 1024, "bytes", "one report is an address, some hashes and some pages of text")

Name = Annotated[str, msgspec.Meta(max_length=200)]
Language = Annotated[str, msgspec.Meta(pattern=r"^([A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*)?$", max_length=20)]
Country = Annotated[str, msgspec.Meta(pattern=r"^([A-Z]{2})?$")]
Number = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9._:/-]{0,100}$")]


class UnprocessableError(InputError):
    """Well-formed, but it does not fit the contract."""

    http_status = 422


class TooLargeError(InputError):
    """More than one request may hold."""

    http_status = 413


class ReportBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One report. At least one of ``url``, a hash, ``service`` or ``account`` says what it is about."""

    url: str = ""
    sha256: Annotated[str, msgspec.Meta(pattern=r"^([0-9A-Fa-f]{64})?$")] = ""
    sha1: Annotated[str, msgspec.Meta(pattern=r"^([0-9A-Fa-f]{40})?$")] = ""
    md5: Annotated[str, msgspec.Meta(pattern=r"^([0-9A-Fa-f]{32})?$")] = ""
    pdq: Annotated[str, msgspec.Meta(pattern=r"^([0-9A-Fa-f]{64})?$")] = ""
    service: Name = ""
    character: Name = ""
    account: Name = ""
    theme: Theme | None = None
    ai_nexus: tuple[AiNexus, ...] = ()
    words: str = ""
    language: Language = ""
    country: Country = ""
    partner_ref: Number = ""
    observed_at: datetime | None = None
    child_at_risk: bool = False
    referrer: str = ""
    steps: str = ""


class ChildItem(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One thing a child wants to be gone: an address, or a file by its hash."""

    url: str = ""
    sha256: Annotated[str, msgspec.Meta(pattern=r"^([0-9A-Fa-f]{64})?$")] = ""


class ChildBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The hand-over of a child's case. There is no field for a name, a date of birth or words: they stay with the service."""

    case_number: Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9._-]{4,64}$")]
    age_range: AgeRange
    age_assurance: AgeAssurance
    extortion_indicated: Tri = Tri.UNKNOWN
    language: Language = ""
    country: Country = ""
    items: tuple[ChildItem, ...] = ()


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a batch, counted from 1: the report in it, or the code and the place of what is wrong with it."""

    number: int
    body: ReportBody | None
    code: str = ""
    where: str = ""


def read_one(body: bytes) -> ReportBody:
    """The report in a JSON document."""
    if len(body) > REPORT_BYTES.value:
        raise TooLargeError("too_large", f"One report has at most {REPORT_BYTES.value} bytes.")
    return _decoded(body, ReportBody)


def read_child(body: bytes) -> ChildBody:
    """The hand-over in a JSON document."""
    if len(body) > REPORT_BYTES.value:
        raise TooLargeError("too_large", f"One hand-over has at most {REPORT_BYTES.value} bytes.")
    return _decoded(body, ChildBody)


def _decoded(body: bytes, kind: type[Body]) -> Body:
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.ValidationError as error:
        raise UnprocessableError("report_wrong", "This does not fit the interface.", where=place(error)) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InputError("json_malformed", "This is not JSON.") from error


def place(error: msgspec.ValidationError) -> str:
    """The path in a message of msgspec, such as ``$.theme``; never the value."""
    text = str(error)
    return text.rpartition(" - at `")[2].rstrip("`") if " - at `" in text else "$"


def read_lines(body: bytes, content_type: str) -> list[Line]:
    """The lines of a batch, each read by itself. Raises InputError where the whole cannot be read."""
    if len(body) > JSON_BODY_BYTES.value:
        raise TooLargeError("too_large", f"A batch has at most {JSON_BODY_BYTES.value} bytes.")
    lines = list(_csv_lines(body) if content_type == "text/csv" else _json_lines(body))
    if not lines:
        raise UnprocessableError("batch_empty", "The batch holds no report.")
    return lines


def _bounded(number: int) -> int:
    if number > BATCH_ITEMS.value:
        raise TooLargeError("too_many_lines", f"A batch has at most {BATCH_ITEMS.value} reports.", mend="Send several batches.")
    return number


def _json_lines(body: bytes) -> Iterator[Line]:
    number = 0
    for text in body.split(b"\n"):
        if text.strip():
            number = _bounded(number + 1)
            yield _json_line(number, text)


def _json_line(number: int, text: bytes) -> Line:
    try:
        return Line(number, read_one(text))
    except InputError as error:
        return Line(number, None, error.code, error.where)


def _csv_lines(body: bytes) -> Iterator[Line]:
    """Rows under a head that names the fields; ``ai_nexus`` holds values separated by blanks. UTF-8, RFC 4180."""
    try:
        rows = csv.reader(io.StringIO(body.decode("utf-8-sig"), newline=""), strict=True)
        head = next(rows, [])
        unknown = [name for name in head if name not in ReportBody.__struct_fields__]
        if not head or unknown or len(set(head)) != len(head):
            raise UnprocessableError("head_wrong", "The first row must name fields of the interface, each once.", where="line 1")
        for number, row in enumerate((row for row in rows if row), start=1):
            yield _csv_line(_bounded(number), head, row)
    except UnicodeDecodeError as error:
        raise InputError("csv_malformed", "The table is not text in UTF-8.") from error
    except csv.Error as error:
        raise InputError("csv_malformed", "The table is not CSV as in RFC 4180.") from error


def _csv_line(number: int, head: list[str], row: list[str]) -> Line:
    if len(row) != len(head):
        return Line(number, None, "columns_differ", "$")
    given: dict[str, Any] = {name: value for name, value in zip(head, row, strict=True) if value != ""}
    if "ai_nexus" in given:
        given["ai_nexus"] = given["ai_nexus"].split()
    try:
        return Line(number, msgspec.convert(given, ReportBody, strict=False))
    except msgspec.ValidationError as error:
        return Line(number, None, "report_wrong", place(error))


def arrival_of(body: ReportBody, sender: Sender) -> Arrival:
    """The report that a body makes, in the name of ``sender``."""
    if body.observed_at is not None and (body.observed_at.tzinfo is None or body.observed_at > now()):
        raise UnprocessableError("moment_wrong", "The moment needs a time zone and lies in the past.", where="$.observed_at")
    return Arrival(
        address=body.url,
        theme=body.theme,
        ai_nexus=body.ai_nexus,
        words=body.words,
        language=body.language,
        channel=Channel.PARTNER_API,
        source_class=SourceClass(sender.source_class),
        items=tuple(_items(body)),
        at_risk=body.child_at_risk,
        sender=sender,
        country=body.country,
        partner_ref=body.partner_ref,
        observed_at=body.observed_at,
        access_notes=access_notes(body.referrer, body.steps),
    )


def _items(body: ReportBody) -> Iterator[Item]:
    for algorithm in HashAlgorithm:
        value: str = getattr(body, algorithm.value)
        if value:
            yield file_item(algorithm, value)
    if body.service or body.character:
        yield Item(SubmissionType.APP, "\n".join(part for part in (body.service, body.character) if part))
    if body.account:
        yield Item(SubmissionType.ACCOUNT, body.account)


def child_items(body: ChildBody) -> tuple[Item, ...]:
    """What the service says the child wants to be gone."""
    return tuple(
        file_item(HashAlgorithm.SHA256, item.sha256) if item.sha256 else Item(SubmissionType.URL, item.url)
        for item in body.items
        if item.sha256 or item.url.strip()
    )
