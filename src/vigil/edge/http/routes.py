"""The routes of a node: one function each, and the table that the OpenAPI document is tested against."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Final

from vigil.edge.counts import CountClass, request_class
from vigil.edge.decide import MEDIA
from vigil.edge.doors import DoorName
from vigil.edge.enforced import Enforced
from vigil.edge.gate import Refused, Step, step_of
from vigil.edge.http import requests
from vigil.edge.http.bodies import Receive, read_body
from vigil.edge.http.hands import Hands
from vigil.edge.http.replies import NO_STORE, NOSNIFF, Headers, Reply, RequestRefused, json_reply, without_length
from vigil.edge.metrics import CONTENT_TYPE, exposition, registry_of
from vigil.edge.node import Node
from vigil.edge.pages import HELP_PREFIX, Kind, ascii_address
from vigil.edge.questions import HashQuestion, UrlQuestion
from vigil.edge.screening import question_of_file, values_of_file
from vigil.match.verdict import Outcome, Verdict
from vigil.media import Decoder
from vigil.media.model import ImageHashes, Unhashable

MATCH_PATH: Final = "/v1/match"
PAGE_PREFIX: Final = "/blocked"
WARNING_PREFIX: Final = "/deterrence"
PREFIXES: Final = (PAGE_PREFIX, WARNING_PREFIX, HELP_PREFIX)
INLINE_BATCH: Final = 16
RETRY: Final[Headers] = ((b"retry-after", b"2"),)


@dataclass(slots=True)
class Request:
    """What a handler sees of a request."""

    method: str
    path: str
    query: bytes
    headers: Mapping[bytes, bytes] = field(repr=False)
    receive: Receive = field(repr=False)
    body_read: bool = False

    @property
    def rest(self) -> str | None:
        """What stands behind the prefix of a route that has one; None where nothing does."""
        _, _, rest = self.path.removeprefix("/").partition("/")
        return rest if "/" in self.path[1:] else None

    async def body(self, limit: int, seconds: float) -> bytes:
        """The whole body within its bounds."""
        self.body_read = True
        return await read_body(self.receive, self.headers.get(b"content-length"), limit, seconds)

    def header(self, name: bytes) -> str | None:
        """A header as text."""
        value = self.headers.get(name)
        return None if value is None else value.decode("latin-1")


class Door:
    """The node, and the threads in which it hashes files and works through long batches."""

    def __init__(self, node: Node) -> None:
        bounds = node.config.file.limits
        self.node = node
        self.registry = registry_of(node)
        self.decoder = Decoder(workers=bounds.media_at_once)
        self.hands = Hands(bounds.media_at_once + 1)
        self.threads = ThreadPoolExecutor(bounds.media_at_once + 1, thread_name_prefix="vigil-answers")
        self.later: set[asyncio.Task[None]] = set()
        self._media = 0
        self._media_most = bounds.media_at_once + bounds.media_waiting

    def enter_media(self) -> None:
        """Take a place for an upload, before its first byte is read."""
        if self._media >= self._media_most:
            self.node.traffic.media_busy += 1
            raise RequestRefused(
                503, "busy", "Too many files are being looked at.", mend="Try again shortly.", headers=RETRY, close=True
            )
        self._media += 1

    def leave_media(self) -> None:
        """Give the place back."""
        self._media -= 1

    async def judge(self, data: bytes, kind: CountClass) -> Verdict:
        """The verdict on a file by the edition that is in force now. The caller holds a place for it."""
        edition, seconds = self.node.state.enforced, self.node.config.file.limits.media_seconds

        def verdict() -> Verdict:
            return self.judged(self.decoder.hash_image(data, timeout=seconds), edition, kind)

        return await asyncio.get_running_loop().run_in_executor(self.threads, verdict)

    def judged(self, found: ImageHashes | Unhashable, edition: Enforced | None, kind: CountClass) -> Verdict:
        """The same from the hashes of the file; from any thread."""
        least = self.node.config.file.enforcement.min_pdq_quality
        values = values_of_file(found, least)
        if edition is not None and values is not None and edition.is_unlisted_file(values):
            return Verdict(Outcome.NOT_LISTED, edition.number, MEDIA)
        return self.node.answer(question_of_file(found, least), edition, kind)

    def close(self) -> None:
        """End the threads and the confined children."""
        self.hands.close()
        self.threads.shutdown(wait=True, cancel_futures=True)
        self.decoder.close()


Handler = Callable[[Door, Request], Awaitable[Reply]]


@dataclass(frozen=True, slots=True)
class Route:
    """``open``: answered without a token. ``exists``: whether this node has the route at all."""

    methods: Mapping[str, Handler]
    open: bool = False
    exists: Callable[[Node], bool] = field(default=lambda node: True)


async def match_one(door: Door, request: Request) -> Reply:
    """``GET /v1/match?type=&value=``"""
    return verdict_reply(door.node, request.query, request.headers)


def verdict_reply(node: Node, query: bytes, headers: Mapping[bytes, bytes]) -> Reply:
    """The verdict on the one signal in ``query``. Raises RequestRefused."""
    question = requests.signal_of_query(query)
    kind = request_class(headers) if isinstance(question, UrlQuestion) else CountClass.MEDIA_MATCH
    return reply_of(node.answer(question, node.state.enforced, kind))


def reply_of(verdict: Verdict) -> Reply:
    """A verdict as it is told."""
    if verdict.verdict is Outcome.NOT_LISTED and not verdict.labels:
        return _not_listed(verdict.edition, verdict.signal)
    return json_reply(verdict.as_dict())


@lru_cache(maxsize=64)
def _not_listed(edition: int | None, signal: str | None) -> Reply:
    """What almost all are told, word for word."""
    return json_reply(Verdict(Outcome.NOT_LISTED, edition, signal).as_dict())


async def match_body(door: Door, request: Request) -> Reply:
    """``POST /v1/match``: a batch of signals, or one file."""
    requests.require_plain(request.header(b"content-encoding"))
    if requests.kind_of_body(request.header(b"content-type")) == "media":
        return await _match_file(door, request)
    bounds = door.node.config.file.limits
    body = await request.body(bounds.json_bytes, bounds.body_seconds)
    return json_reply({"verdicts": await _answers(door, request, requests.signals_of(body, bounds.batch_items))})


async def _match_file(door: Door, request: Request) -> Reply:
    door.enter_media()
    try:
        data = await read_file(door, request)
        return reply_of(await door.judge(data, request_class(request.headers)))
    finally:
        door.leave_media()


async def read_file(door: Door, request: Request) -> bytes:
    """The file that is the body of a request."""
    bounds = door.node.config.file.limits
    data = await request.body(bounds.media_bytes, bounds.body_seconds)
    if not data:
        raise RequestRefused(400, "body_empty", "The file is empty.", mend="Send the bytes of one file.")
    return data


async def match_url(door: Door, request: Request) -> Reply:
    """``POST /v1/url``: one address, or several."""
    requests.require_plain(request.header(b"content-encoding"))
    requests.require_json(request.header(b"content-type"))
    bounds = door.node.config.file.limits
    body = await request.body(bounds.json_bytes, bounds.body_seconds)
    questions, several = requests.urls_of(body, bounds.batch_items)
    verdicts = await _answers(door, request, questions)
    return json_reply({"verdicts": verdicts} if several else verdicts[0])


async def _answers(door: Door, request: Request, questions: Sequence[UrlQuestion | HashQuestion]) -> list[dict[str, object]]:
    """All by one edition; long batches in a thread, so that others need not wait."""
    node, edition, kind = door.node, door.node.state.enforced, request_class(request.headers)

    def answers() -> list[dict[str, object]]:
        return [node.answer(question, edition, kind).as_dict() for question in questions]

    if len(questions) <= INLINE_BATCH:
        return answers()
    return await asyncio.get_running_loop().run_in_executor(door.threads, answers)


async def health(door: Door, request: Request) -> Reply:
    """``GET /healthz``: the process answers; nothing more."""
    return json_reply({"status": "alive"})


async def ready(door: Door, request: Request) -> Reply:
    """``GET /readyz``: 200 while traffic may come; the reasons for concern either way."""
    seen = door.node.readiness()
    return json_reply(seen.as_dict(), 200 if seen.ready else 503)


async def metrics(door: Door, request: Request) -> Reply:
    """``GET /metrics``"""
    return Reply(200, ((b"content-type", CONTENT_TYPE.encode()), NO_STORE, NOSNIFF), exposition(door.registry))


async def blocked(door: Door, request: Request) -> Reply:
    """``GET /blocked`` and ``/blocked/<language>``: the block page."""
    return _page(door.node, request, Kind.BLOCK, request.rest)


async def deterrence(door: Door, request: Request) -> Reply:
    """``GET /deterrence`` and ``/deterrence/<language>``: the page a search service shows in place of results."""
    return _page(door.node, request, Kind.DETER, request.rest)


async def help_followed(door: Door, request: Request) -> Reply:
    """``GET /help/<message>/<place>``: on to a help line, counted by message; no referrer goes along."""
    node, now = door.node, door.node.clock.now()
    message, _, place = (request.rest or "").partition("/")
    line = node.pages.help_at(int(place), now.date()) if place.isascii() and place.isdigit() and len(place) < 4 else None
    if line is None or line.url is None or message not in node.config.file.pages.messages:
        raise RequestRefused(404, "no_such_path", "There is nothing at this path.", mend="See docs/reference/edge-api.md.")
    edition = node.state.enforced
    node.tally.message(edition.number if edition else None, f"{message}.help_followed", now)
    return Reply(303, ((b"location", ascii_address(line.url).encode()), (b"referrer-policy", b"no-referrer"), NO_STORE, NOSNIFF))


def _page(node: Node, request: Request, kind: Kind, language: str | None) -> Reply:
    chosen = node.pages.choose(language, request.header(b"accept-language") or "")
    if chosen is None:
        raise RequestRefused(404, "no_such_path", "There is no page in this language.", mend="Leave the language out.")
    edition = node.state.enforced
    page = node.show(chosen, edition.number if edition else None, kind)
    part_of_page = request.headers.get(b"sec-fetch-dest", b"document") != b"document"
    return Reply(page.status, without_length(page.headers), b"" if part_of_page else page.body)


async def gate(door: Door, request: Request) -> Reply:
    """``GET /gate?url=``: on to the address, or the block page. For demonstrations; off unless configured."""
    node = door.node
    address = requests.fields_of(request.query, ("url",))["url"]
    verdict = node.answer(UrlQuestion(address), node.state.enforced, request_class(request.headers), DoorName.GATE)
    if verdict.verdict is Outcome.LISTED and node.act(verdict, DoorName.GATE).passes:
        verdict = replace(verdict, verdict=Outcome.NOT_LISTED)  # counted above as let through
    step = step_of(verdict, address, node.config.file.gate.hosts, node.config.file.enforcement.on_unknown)
    if step is Step.BLOCK:
        return _page(node, request, Kind.BLOCK, None)
    if isinstance(step, Refused):
        raise RequestRefused(step.status, step.code, step.what, where="url", headers=RETRY if step.status == 503 else ())
    if verdict.verdict is Outcome.UNKNOWN:
        node.bypassed(verdict, DoorName.GATE)
    return Reply(302, ((b"location", step.address.encode("ascii")), (b"referrer-policy", b"no-referrer"), NO_STORE, NOSNIFF))


def _gate_on(node: Node) -> bool:
    return node.config.file.gate.enabled


def _readable(handler: Handler) -> dict[str, Handler]:
    return {"GET": handler, "HEAD": handler}


ROUTES: Final[Mapping[str, Route]] = {
    MATCH_PATH: Route({"GET": match_one, "POST": match_body}),
    "/v1/url": Route({"POST": match_url}),
    "/healthz": Route(_readable(health), open=True),
    "/readyz": Route(_readable(ready), open=True),
    "/metrics": Route(_readable(metrics)),
    PAGE_PREFIX: Route(_readable(blocked), open=True),
    WARNING_PREFIX: Route(_readable(deterrence), open=True),
    HELP_PREFIX: Route({"GET": help_followed}, open=True),
    "/gate": Route(_readable(gate), open=True, exists=_gate_on),
}
