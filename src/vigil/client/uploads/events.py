"""Bucket events in the form that S3 and compatible stores send, alone or inside a message of a queue. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import unquote_plus

import msgspec

from vigil.base.errors import InputError

CREATED: Final = ("ObjectCreated:", "s3:ObjectCreated:")
EVENT_BYTES: Final = 1024 * 1024
RECORDS: Final = 1000


@dataclass(frozen=True, slots=True)
class Uploaded:
    """An object that came into a bucket. The key may hold names of people: it shows in no log."""

    bucket: str
    key: str = field(repr=False)


class _Bucket(msgspec.Struct, frozen=True):
    name: str


class _Object(msgspec.Struct, frozen=True):
    key: str


class _S3(msgspec.Struct, frozen=True):
    bucket: _Bucket
    object: _Object


class _Record(msgspec.Struct, frozen=True, rename={"event": "eventName"}):
    event: str
    s3: _S3


class _Event(msgspec.Struct, frozen=True):
    records: list[_Record] = msgspec.field(name="Records")


def uploads_of(body: bytes) -> list[Uploaded]:
    """The objects that an event says were created. Raises InputError for what is no event, without quoting it."""
    if len(body) > EVENT_BYTES:
        raise InputError("event_too_large", f"An event has at most {EVENT_BYTES} bytes.")
    try:
        document = msgspec.json.decode(body)
        if isinstance(document, dict) and isinstance(inner := document.get("Message"), str):
            document = msgspec.json.decode(inner)  # as a notification service wraps it
        return _created(document)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InputError("event_malformed", "This is not an event of a bucket.") from error


def _created(document: Any) -> list[Uploaded]:
    if isinstance(document, dict) and "Records" not in document:
        return []  # the message with which a store tries an address
    records = msgspec.convert(document, _Event).records[:RECORDS]
    return [
        Uploaded(record.s3.bucket.name, unquote_plus(record.s3.object.key))
        for record in records
        if record.event.startswith(CREATED)
    ]
