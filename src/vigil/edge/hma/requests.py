"""Reading what clients of Hasher-Matcher-Actioner send. Bad input is refused with 400, 404, 405, 413, 415 or 422, never worse."""

from __future__ import annotations

import json
from typing import Any, Final
from urllib.parse import unquote

from vigil.base.multipart import is_multipart, parts_of
from vigil.edge.http.replies import Headers, RequestRefused
from vigil.match.signal_types import CONTENT_TYPES, SignalType, signal_type_named

TRUE: Final = frozenset({"true", "1", "yes", "on", "t", "y"})
FALSE: Final = frozenset({"false", "0", "no", "off", "f", "n"})
QUERY_BYTES: Final = 64 * 1024
KINDS: Final = {"image": "photo", "video": "video"}


class Refused(RequestRefused):
    """A refusal that is answered with ``{"message", "code"}``."""


def bad(code: str, what: str, *, where: str = "", status: int = 400, headers: Headers = ()) -> Refused:
    """A refusal."""
    return Refused(status, code, what, where=where, headers=headers)


def query_of(raw: bytes) -> dict[str, str]:
    """The parameters of a query, the first of equal ones; malformed escapes and bytes stand as U+FFFD."""
    if len(raw) > QUERY_BYTES:
        raise bad("query_too_long", "The query is too long.", status=414)
    found: dict[str, str] = {}
    for part in raw.decode("latin-1").split("&"):
        name, _, value = part.partition("=")
        if name:
            found.setdefault(_plain(name), _plain(value))
    return found


def _plain(text: str) -> str:
    if "+" in text:
        text = text.replace("+", " ")
    return unquote(text, errors="replace") if "%" in text else text


def truth(query: dict[str, str], name: str) -> bool:
    """A parameter that is true or false; false where it is absent."""
    if name not in query:
        return False
    word = query[name].lower()
    if word not in TRUE | FALSE:
        raise bad("query_truth", "This is neither true nor false.", where=name, status=422)
    return word in TRUE


def banks_in(query: dict[str, str]) -> frozenset[str] | None:
    """The banks that are asked for; None for all."""
    names = query.get("banks", "")
    return frozenset(name.strip() for name in names.split(",")) if names else None


def signal_of(name: str, text: str) -> tuple[SignalType, bytes]:
    """A type and a value. Raises InputError."""
    kind = signal_type_named(name)
    return kind, kind.parse(text)


def file_of(content_type: str | None, body: bytes) -> tuple[str, bytes]:
    """The content type and the one file of a form."""
    if not is_multipart(content_type):
        raise bad("media_missing", "Send one file as multipart/form-data.")
    files = [part for part in parts_of(content_type or "", body) if part.is_file]
    if len(files) != 1:
        raise bad("media_missing", "Send exactly one file.")
    if files[0].name not in CONTENT_TYPES:
        raise bad("content_type_unknown", "The field of the file is its content type: photo or video.")
    return files[0].name, files[0].data


def content_type_of(query: dict[str, str]) -> str | None:
    """The content type that is asked for."""
    kind = query.get("content_type")
    if kind is not None and kind not in CONTENT_TYPES:
        raise bad("content_type_unknown", "There is no such content type.", where="content_type")
    return kind


def kind_of_answer(header: str) -> str:
    """The content type that a fetched file claims to have."""
    kind = KINDS.get(header.partition("/")[0])
    if kind is None:
        raise bad("content_type_unknown", "The address gives neither a picture nor a video.", where="content_type")
    return kind


def object_of(content_type: str | None, body: bytes) -> dict[str, Any]:
    """A JSON object."""
    if (content_type or "").partition(";")[0].strip().lower() != "application/json":
        raise bad("media_type", "Send application/json.", status=415)
    try:
        document = json.loads(body.decode("utf-8"), parse_constant=_refuse)
    except (ValueError, RecursionError):
        raise bad("json_malformed", "The body is not valid JSON.") from None
    if not isinstance(document, dict):
        raise bad("json_object", "The body is not a JSON object.")
    return document


def _refuse(name: str) -> Any:
    raise ValueError(name)
