"""Routes that read texts: addresses in a text, questions as JSON lines, queries to a search or a chat."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from functools import partial
from typing import Any, Final

import msgspec

from vigil.base.limits import URL_BYTES, Limit
from vigil.edge.counts import CountClass, request_class
from vigil.edge.decide import decide
from vigil.edge.doors import DoorName
from vigil.edge.enforced import Enforced
from vigil.edge.extraction import addresses_in
from vigil.edge.http import requests
from vigil.edge.http.bodies import ClientGoneError
from vigil.edge.http.replies import NO_STORE, NOSNIFF, Reply, RequestRefused, json_reply
from vigil.edge.http.routes import Door, Request, Route
from vigil.edge.node import Node
from vigil.edge.pages import texts
from vigil.edge.policy import Action
from vigil.edge.questions import UrlQuestion
from vigil.match.verdict import Outcome

LINES: Final = (b"content-type", b"application/x-ndjson")
LINE_BYTES: Final = Limit(3 * URL_BYTES.value + 4096, "bytes", "one question of a stream: an address, escaped, and a reference")
REFERENCE: Final = 200
_line_encoder: Final = msgspec.json.Encoder()


class TextBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``POST /v1/text``."""

    text: str


class QueryBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``POST /v1/screen/query``. ``language``: of the person who asked, as a code of ours; else by ``Accept-Language``."""

    query: str
    language: str | None = None


class Line(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One question of a stream; ``ref`` comes back with the answer."""

    type: str
    value: str
    ref: str | None = None


_text_decoder: Final = msgspec.json.Decoder(TextBody)
_query_decoder: Final = msgspec.json.Decoder(QueryBody)
_decoder: Final = msgspec.json.Decoder(Line)


async def match_text(door: Door, request: Request) -> Reply:
    """``POST /v1/text``: the addresses in a text, each with its place and its verdict."""
    body = requests.decode(await _json_body(door, request), _text_decoder)
    node, edition, kind = door.node, door.node.state.enforced, request_class(request.headers)
    work = partial(_in_text, node, body.text, edition, kind)
    found = await asyncio.get_running_loop().run_in_executor(door.threads, work)
    return json_reply({"addresses": found, "edition": edition.number if edition else None})


def _in_text(node: Node, text: str, edition: Enforced | None, kind: CountClass) -> list[dict[str, object]]:
    """Only hits are counted: a text is full of addresses that nobody asked for."""
    now = node.clock.now()
    found: list[dict[str, object]] = []
    for each in addresses_in(text):
        verdict = decide(UrlQuestion(each.address), edition, now)
        if verdict.verdict is Outcome.LISTED:
            node.count(verdict, kind, now, DoorName.HTTP)
        action = node.act(verdict, DoorName.HTTP).action
        found.append({"start": each.start, "end": each.end, **verdict.as_dict(), "action": action})
    return found


async def stream(door: Door, request: Request) -> Reply:
    """``POST /v1/stream``: JSON lines in, JSON lines out, in order, answered as they come."""
    requests.require_plain(request.header(b"content-encoding"))
    if (request.header(b"content-type") or "").partition(";")[0].strip().lower() != "application/x-ndjson":
        raise RequestRefused(
            415, "body_kind", "The body is not JSON lines.", where="Content-Type", mend="Send application/x-ndjson."
        )
    request.body_read = True
    return Reply(200, (LINES, NO_STORE, NOSNIFF), parts=_answers(door, request))


async def _answers(door: Door, request: Request) -> AsyncIterator[bytes]:
    """One part of answers for each part of the body. An edition may change between two parts, never within one."""
    kind, rest, number = request_class(request.headers), b"", 0
    async for part in _parts(door, request):
        *lines, rest = (rest + part).split(b"\n")
        if len(rest) > LINE_BYTES.value:
            yield _problem(number + len(lines) + 1, "line_too_long")
            return
        answered = [_answer(door.node, line, number + place, kind) for place, line in enumerate(lines, 1) if line.strip()]
        number += len(lines)
        if answered:
            yield b"".join(answered)
    if rest.strip():
        yield _answer(door.node, rest, number + 1, kind)


async def _parts(door: Door, request: Request) -> AsyncIterator[bytes]:
    """Parts of the body as they come; a pause longer than ``limits.body_seconds`` ends the stream."""
    while True:
        async with asyncio.timeout(door.node.config.file.limits.body_seconds):
            message = await request.receive()
        if message["type"] == "http.disconnect":
            raise ClientGoneError
        yield message.get("body", b"")
        if not message.get("more_body", False):
            return


def _answer(node: Node, line: bytes, number: int, kind: CountClass) -> bytes:
    if len(line) > LINE_BYTES.value:
        return _problem(number, "line_too_long")
    try:
        asked = requests.decode(line, _decoder)
        if asked.ref is not None and len(asked.ref) > REFERENCE:
            return _problem(number, "ref_too_long")
        question = requests.question(asked.type, asked.value, "")
    except RequestRefused as refused:
        return _problem(number, refused.code)
    verdict = node.answer(question, node.state.enforced, kind)
    document: dict[str, Any] = {"line": number, **verdict.as_dict(), "action": node.act(verdict, DoorName.HTTP).action}
    if asked.ref is not None:
        document["ref"] = asked.ref
    return _line_encoder.encode(document) + b"\n"


def _problem(number: int, code: str) -> bytes:
    return _line_encoder.encode({"line": number, "code": code}) + b"\n"


async def screen_query(door: Door, request: Request) -> Reply:
    """``POST /v1/screen/query``: whether a query holds listed terms, and which reviewed message to show."""
    body = requests.decode(await _json_body(door, request), _query_decoder)
    node, edition = door.node, door.node.state.enforced
    if body.language is not None and body.language not in texts():
        raise RequestRefused(422, "language_unknown", "There are no texts in this language.", where="language")
    number = edition.number if edition else None
    verdict = node.screen(body.query, edition)
    decision = node.act(verdict, DoorName.SCREEN, node.config.file.screen.on_unknown)
    if decision.passes and decision.unsure:
        node.bypassed(verdict, DoorName.SCREEN)
    document: dict[str, Any] = {**verdict.as_dict(), "action": decision.action}
    if decision.action is Action.DETER:
        language = body.language or node.pages.choose(None, request.header(b"accept-language") or "")
        document["message"] = message_for(node, language or node.config.file.pages.language, number)
    return json_reply(document)


def message_for(node: Node, language: str, edition: int | None) -> dict[str, Any]:
    """A message as data: its texts, their review, help lines, and the page that shows the same."""
    now = node.clock.now()
    name = node.message(language, edition)
    text = texts()[language]
    base = node.config.file.pages.base_url
    lines = [
        {"name": line.name, "for_whom": line.for_whom, "url": line.url, "phone": line.phone, "hours": line.hours}
        for _, line in node.pages.lines_of_warning(language, now.date())
    ]
    return {
        "message": name,
        "language": language,
        "direction": text.direction,
        "review": text.review.state,
        "heading": text.warning_heading,
        "text": text.message(name),
        "why": text.warning_why,
        "help": lines,
        "more_help": node.pages.more_help(language),
        "page": f"{base.rstrip('/')}/deterrence/{language}" if base else None,
    }


async def _json_body(door: Door, request: Request) -> bytes:
    requests.require_plain(request.header(b"content-encoding"))
    requests.require_json(request.header(b"content-type"))
    bounds = door.node.config.file.limits
    return await request.body(bounds.json_bytes, bounds.body_seconds)


def _screens(node: Node) -> bool:
    return node.config.file.screen.enabled


TEXT_ROUTES: Final[Mapping[str, Route]] = {
    "/v1/text": Route({"POST": match_text}),
    "/v1/stream": Route({"POST": stream}),
    "/v1/screen/query": Route({"POST": screen_query}, exists=_screens),
}
