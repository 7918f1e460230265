"""Reading requests: bytes in, questions out. Pure; anything that is not exactly right is refused with a stable code.

Statuses: 400 not readable, 401 no token, 404, 405, 408 too slow, 413 too large, 415 kind of body, 422 readable but not usable.
"""

from __future__ import annotations

import re
from typing import Final, TypeVar
from urllib.parse import unquote_to_bytes

import msgspec

from vigil.base.errors import InputError
from vigil.edge.http.replies import RequestRefused
from vigil.edge.questions import HashQuestion, UrlQuestion, question_of

MEDIA_KINDS: Final = ("image/", "video/")
MEDIA_EXACT: Final = "application/octet-stream"
JSON_KIND: Final = "application/json"
PLACE: Final = re.compile(r"at `\$\.?([a-z\[\].0-9]{0,60})`$")
PLAIN_SIGNAL: Final = re.compile(rb"type=([0-9a-z_]{1,32})&value=([0-9A-Za-z]{1,256})")  # nothing in it is encoded
T = TypeVar("T")


class Signal(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One signal of a batch: a hash algorithm or ``url``, and its value as text."""

    type: str
    value: str


class MatchBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``POST /v1/match`` with JSON."""

    signals: list[Signal]


class UrlBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``POST /v1/url``: one address, or several."""

    url: str | msgspec.UnsetType = msgspec.UNSET
    urls: list[str] | msgspec.UnsetType = msgspec.UNSET


_match_decoder: Final = msgspec.json.Decoder(MatchBody)
_url_decoder: Final = msgspec.json.Decoder(UrlBody)


def kind_of_body(content_type: str | None) -> str:
    """``json`` or ``media``; refuses bodies of another kind."""
    plain = (content_type or "").partition(";")[0].strip().lower()
    if plain == JSON_KIND:
        return "json"
    if is_media(plain):
        return "media"
    raise RequestRefused(
        415,
        "body_kind",
        "The body is of a kind that is not taken here.",
        where="Content-Type",
        mend="Send application/json, image/*, video/* or application/octet-stream.",
    )


def is_media(content_type: str) -> bool:
    """Whether a body of this kind is one file."""
    plain = content_type.partition(";")[0].strip().lower()
    return plain == MEDIA_EXACT or plain.startswith(MEDIA_KINDS)


def require_json(content_type: str | None) -> None:
    """Refuse any body but JSON."""
    if (content_type or "").partition(";")[0].strip().lower() != JSON_KIND:
        raise RequestRefused(415, "body_kind", "The body is not JSON.", where="Content-Type", mend="Send application/json.")


def require_plain(content_encoding: str | None) -> None:
    """Refuse packed bodies: a small one may unpack into gigabytes."""
    if content_encoding and content_encoding.strip().lower() != "identity":
        raise RequestRefused(
            415, "body_packed", "Packed bodies are not taken.", where="Content-Encoding", mend="Send it unpacked."
        )


def signals_of(body: bytes, most: int) -> list[UrlQuestion | HashQuestion]:
    """The questions of a batch, in order."""
    parsed = decode(body, _match_decoder)
    _check_batch(len(parsed.signals), most, "signals")
    return [question(item.type, item.value, f"signals[{place}]") for place, item in enumerate(parsed.signals)]


def urls_of(body: bytes, most: int) -> tuple[list[UrlQuestion | HashQuestion], bool]:
    """The questions on addresses, and whether they came as a list."""
    parsed = decode(body, _url_decoder)
    if (parsed.url is msgspec.UNSET) == (parsed.urls is msgspec.UNSET):
        raise RequestRefused(422, "url_or_urls", "Either url or urls must be given.", mend='Send {"url": …} or {"urls": […]}.')
    if isinstance(parsed.urls, list):
        _check_batch(len(parsed.urls), most, "urls")
        return [UrlQuestion(address) for address in parsed.urls], True
    return [UrlQuestion(str(parsed.url))], False


def signal_of_query(query: bytes) -> UrlQuestion | HashQuestion:
    """The question in ``?type=&value=``."""
    plain = PLAIN_SIGNAL.fullmatch(query)
    if plain is not None:
        return question(plain[1].decode("ascii"), plain[2], "")
    fields = fields_of(query, ("type", "value"))
    try:
        kind = fields["type"].decode()
    except UnicodeDecodeError as error:
        raise RequestRefused(400, "query_text", "The type is not valid UTF-8.", where="type") from error
    return question(kind, fields["value"], "")


def fields_of(query: bytes, names: tuple[str, ...]) -> dict[str, bytes]:
    """The fields of a query string (``application/x-www-form-urlencoded``): each of ``names`` once, no others."""
    fields: dict[str, bytes] = {}
    for part in query.split(b"&") if query else ():
        raw, _, value = part.partition(b"=")
        key = unquote_to_bytes(raw.replace(b"+", b" ")).decode("latin-1")
        if key not in names:
            raise RequestRefused(400, "field_unknown", "The query has a field that is not known here.", mend=_fields(names))
        if key in fields:
            raise RequestRefused(400, "field_twice", "The query has a field twice.", where=key, mend=_fields(names))
        fields[key] = unquote_to_bytes(value.replace(b"+", b" "))
    for name in names:
        if name not in fields:
            raise RequestRefused(400, "field_missing", "The query lacks a field.", where=name, mend=_fields(names))
    return fields


def _fields(names: tuple[str, ...]) -> str:
    return "Give " + ", ".join(names) + ", each once."


def question(kind: str, value: str | bytes, where: str) -> UrlQuestion | HashQuestion:
    """The question behind a type and a value; refused with 422 where there is none."""
    try:
        return question_of(kind, value)
    except InputError as error:
        raise RequestRefused(422, error.code, error.what, where=where, mend=error.mend) from error


def _check_batch(count: int, most: int, where: str) -> None:
    if count == 0:
        raise RequestRefused(422, "batch_empty", "The batch is empty.", where=where, mend="Send at least one.")
    if count > most:
        raise RequestRefused(413, "batch_too_long", "The batch is too long.", where=where, mend=f"Send at most {most} at once.")


def decode(body: bytes, decoder: msgspec.json.Decoder[T]) -> T:
    """Strict JSON: refusals say where, never what stood there."""
    try:
        return decoder.decode(body)
    except msgspec.ValidationError as error:
        raise RequestRefused(
            422,
            "body_shape",
            "The body is JSON, but not of the shape that is asked for.",
            where=_place(str(error)),
            mend="Compare with docs/reference/edge-api.md; unknown members are refused.",
        ) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise RequestRefused(
            400, "body_malformed", "The body is not valid JSON in UTF-8.", mend="Send one JSON object."
        ) from None


def _place(message: str) -> str:
    """The path at the end of msgspec's message (``… - at `$.signals[3].value```): positions and our own names only."""
    found = PLACE.search(message)
    return found[1] if found else ""
