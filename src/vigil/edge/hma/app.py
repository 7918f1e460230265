"""The ASGI application of one worker: hashing, matching, and the way on to curation. No framework, as at the node's own door.

Nothing of a request is kept. Every error below ``/c``, ``/h`` and ``/m`` is ``{"message", "code"}``.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import time
from collections.abc import Awaitable, Callable, Mapping, MutableMapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, Final
from urllib.parse import quote

import msgspec
import numpy as np

from vigil.base.clock import SystemClock
from vigil.base.errors import UnavailableError, VigilError
from vigil.edge.counts import CountClass, Tally, entry_class
from vigil.edge.doors import DoorName
from vigil.edge.forward_auth.addresses import Pairs
from vigil.edge.hma import requests
from vigil.edge.hma.config import WorkerOptions
from vigil.edge.hma.forward import Forwarder
from vigil.edge.hma.lists import Lists
from vigil.edge.hma.lookup import Answer, Draw, Hits, Match, answer
from vigil.edge.hma.openapi import PAGE, SITE_MAP, document
from vigil.edge.hma.requests import bad
from vigil.edge.hma.store import Reader
from vigil.edge.http.bodies import ClientGoneError, Receive, read_body
from vigil.edge.http.replies import CLOSE, NO_STORE, NOSNIFF, Headers, Reply, RequestRefused
from vigil.match.signal_types import FURTHEST, SIGNAL_TYPES, SignalType, signal_type_named, types_for
from vigil.media import Decoder
from vigil.media.fetching import FetchRefused, Rules, fetch
from vigil.media.signal_hashes import SignalHashes, hash_signals

Scope = MutableMapping[str, Any]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
ALIVE: Final = b"I-AM-ALIVE"
NOT_LOADED: Final = b"INDEX-NOT-LOADED"
STALE: Final = b"INDEX-STALE"
TEXT: Final = (b"content-type", b"text/plain; charset=utf-8")
HTML: Final = (b"content-type", b"text/html; charset=utf-8")
JSON: Final = (b"content-type", b"application/json")
RETRY: Final[Headers] = ((b"retry-after", b"2"),)
PASSED_ON: Final = (b"x-forwarded-for", b"x-real-ip", b"forwarded")
LOOKUP: Final = b"/m/lookup"
DRAWN: Final = frozenset({"banks", "seed", "bypass_coinflip"})
EVERYTHING: Final = Draw()
LOOPBACK: Final = frozenset({"127.0.0.1", "::1"})
FORM_BYTES: Final = 64 * 1024
NOTHING: Final = b"{}\n"
CLOCK: Final = SystemClock()
_encoder: Final = msgspec.json.Encoder(order="deterministic")
_batch: Final = msgspec.json.Decoder(dict[str, list[str]])


class Asked:
    """A request as handlers see it."""

    __slots__ = ("body_read", "headers", "method", "path", "query", "receive")

    def __init__(self, scope: Scope, headers: Mapping[bytes, bytes], receive: Receive) -> None:
        self.method: str = scope["method"]
        path: str = scope["path"]
        self.path = "/" + path.lstrip("/") if path.startswith("//") else path
        self.query: bytes = scope["query_string"]
        self.headers, self.receive, self.body_read = headers, receive, False

    async def body(self, limit: int, seconds: float) -> bytes:
        """The whole body within its bounds."""
        self.body_read = True
        return await read_body(self.receive, self.headers.get(b"content-length"), limit, seconds)

    def header(self, name: bytes) -> str | None:
        """A header as text."""
        value = self.headers.get(name)
        return None if value is None else value.decode("latin-1")


Handler = Callable[[Asked], Awaitable[Reply]]


class HmaApp:
    """One worker."""

    def __init__(
        self, options: WorkerOptions, reader: Reader, lists: Lists | None = None, tally: Tally | None = None
    ) -> None:
        hma = options.hma
        self._options, self._reader, self._lists = options, reader, lists
        self._tally = tally or Tally()
        self._tokens = [(token.digest.encode(), frozenset(token.roles)) for token in options.tokens]
        self._rules = Rules(hma.fetch_hosts, hma.fetch_networks, options.media_bytes)
        self._decoder = Decoder(workers=options.media_at_once)
        self._threads = ThreadPoolExecutor(options.media_at_once + 4, thread_name_prefix="vigil-hma")
        self._forwarder = Forwarder(hma.curation) if hma.curation else None
        self._media = 0
        self.faults = 0
        self._routes: dict[str, tuple[str, dict[str, Handler]]] = {
            "/": ("", {"GET": self._front}),
            "/status": ("", {"GET": self._status}),
            "/status/live": ("", {"GET": self._live}),
            "/site-map": ("", {"GET": self._site_map}),
            "/openapi/openapi.json": ("", {"GET": self._specification}),
            "/openapi": ("", {"GET": self._pages}),
            "/openapi/": ("", {"GET": self._pages}),
            "/openapi/swagger": ("", {"GET": self._pages}),
            "/h/hash": ("hasher", {"GET": self._hash_address, "POST": self._hash_file}),
            "/m/lookup": ("matcher", {"GET": self._lookup, "POST": self._lookup_file}),
            "/m/lookup/batch": ("matcher", {"POST": self._lookup_batch}),
            "/m/raw_lookup": ("matcher", {"GET": self._raw_lookup}),
            "/m/index/status": ("matcher", {"GET": self._index_status}),
            "/m/compare": ("matcher", {"POST": self._compare}),
        }

    def close(self) -> None:
        """End the threads and the confined children."""
        self._threads.shutdown(wait=True, cancel_futures=True)
        self._decoder.close()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        headers = dict(scope["headers"])
        asked = Asked(scope, headers, receive)
        try:
            reply = await self._reply(scope, asked)
        except ClientGoneError:
            return
        except Exception as error:  # noqa: BLE001  nothing is swallowed: see _said
            reply = self._said(error)
        unread = not asked.body_read and (headers.get(b"content-length", b"0") != b"0" or b"transfer-encoding" in headers)
        body = b"" if asked.method == "HEAD" else reply.body
        length = (b"content-length", str(len(reply.body)).encode())
        shown = [length, *reply.headers, *((CLOSE,) if unread else ())]
        await send({"type": "http.response.start", "status": reply.status, "headers": shown})
        await send({"type": "http.response.body", "body": body})

    def direct(self, path: bytes, query: bytes, client: str, headers: Pairs) -> Reply | None:
        """The answer to a GET of ``/m/lookup`` by value, before it becomes a task; None for all others.

        The search takes some 50 microseconds, less than a task and the calls of ASGI around it.
        """
        if path != LOOKUP or b"signal=" not in query:
            return None
        try:
            self._require("matcher", client, dict(headers))
            return self._lookup_value(requests.query_of(query))
        except Exception as error:  # noqa: BLE001  nothing is swallowed: see _said
            return self._said(error)

    def refused(self) -> None:
        """A request that the protocol refused itself: it asked about nothing, so nothing is counted."""

    def _said(self, error: Exception) -> Reply:
        """What a failure is answered with. A mistake of ours is counted, answered as 500, and a test looks at the count."""
        if isinstance(error, RequestRefused):
            return _problem(error, error.status, error.headers)
        if isinstance(error, FetchRefused):
            return _problem(error, 413 if error.code == "fetch_too_large" else 400)
        if isinstance(error, VigilError):
            return _problem(error, error.http_status, RETRY if error.http_status == 503 else ())
        self.faults += 1
        return Reply(500, (JSON, NO_STORE), b'{"code":"fault","message":"The node made a mistake."}\n')

    async def _reply(self, scope: Scope, asked: Asked) -> Reply:
        found = self._routes.get(asked.path)
        if found is None:
            if asked.path.startswith("/c/") and self._forwarder is not None:
                return await self._curation(scope, asked)
            raise bad("no_such_path", "There is nothing at this path.", status=404)
        role, methods = found
        handler = methods.get("GET" if asked.method == "HEAD" else asked.method)
        if handler is None:
            return _without_method(asked, methods)
        if role:
            self._require(role, _host(scope), asked.headers)
        return await handler(asked)

    # ---- who may

    def _require(self, role: str, host: str, headers: Mapping[bytes, bytes]) -> None:
        header = headers.get(b"authorization", b"")
        if not header and self._options.hma.open_on_loopback:
            if _is_local(host, headers):
                return
            raise bad("not_on_loopback", "Without a token only this machine itself may ask.", status=403)
        given = hashlib.sha256(header[7:].strip()).hexdigest().encode() if header[:7].lower() == b"bearer " else b""
        roles = [roles for digest, roles in self._tokens if hmac.compare_digest(digest, given)]
        if not roles:
            raise bad("token_required", "A valid token is needed.", status=401, headers=((b"www-authenticate", b"Bearer"),))
        if role not in roles[0]:
            raise bad("role_refused", f"This token is not one of a {role}.", status=403)

    async def _curation(self, scope: Scope, asked: Asked) -> Reply:
        """The partner door decides who may. For this machine, where it was opened, the node shows a token of its own."""
        headers = dict(asked.headers)
        if b"authorization" not in headers:
            own = self._options.curation_token
            if own is None or not (self._options.hma.open_on_loopback and _is_local(_host(scope), headers)):
                raise bad("token_required", "A valid token is needed.", status=401, headers=((b"www-authenticate", b"Bearer"),))
            headers[b"authorization"] = b"Bearer " + own.encode()
        if self._forwarder is None:
            raise bad("no_such_path", "There is nothing at this path.", status=404)
        body = await asked.body(self._options.media_bytes + FORM_BYTES, self._options.body_seconds)
        passing = partial(self._forwarder.pass_on, asked.method, quote(asked.path), asked.query, headers, body)
        return await asyncio.get_running_loop().run_in_executor(self._threads, passing)

    # ---- core

    async def _front(self, asked: Asked) -> Reply:
        return Reply(302, ((b"location", b"/status"), NO_STORE), b"")

    async def _live(self, asked: Asked) -> Reply:
        return Reply(200, (TEXT, NO_STORE, NOSNIFF), ALIVE)

    async def _status(self, asked: Asked) -> Reply:
        self._reader.refresh()
        if not self._reader.ready:
            return Reply(503, (TEXT, NO_STORE, *RETRY), NOT_LOADED)
        most = self._options.hma.max_stale_seconds
        if most and time.time() - self._reader.head.contact > most:
            return Reply(503, (TEXT, NO_STORE), STALE)
        return Reply(200, (TEXT, NO_STORE, NOSNIFF), ALIVE)

    async def _site_map(self, asked: Asked) -> Reply:
        return _json(list(SITE_MAP))

    async def _specification(self, asked: Asked) -> Reply:
        return _json(document())

    async def _pages(self, asked: Asked) -> Reply:
        return Reply(200, (HTML, NO_STORE, NOSNIFF), PAGE)

    # ---- hashing

    async def _hash_file(self, asked: Asked) -> Reply:
        query = requests.query_of(asked.query)
        return self._hashed(await self._hash_upload(asked, query))

    async def _hash_address(self, asked: Asked) -> Reply:
        query = requests.query_of(asked.query)
        if "url" not in query:
            raise bad("url_missing", "The address is missing.", where="url", status=422)
        return self._hashed(await self._hash_fetched(query, query.get("types")))

    def _hashed(self, found: SignalHashes) -> Reply:
        """Hashes and nothing else: each key is asked for as a signal type by clients, one that has no value is left out."""
        values = dict(found.values)
        if self._options.hma.empty_for_low_quality:
            values |= dict.fromkeys(found.left_out, "")
        return _json(values, headers=_left_out(found.left_out))

    async def _hash_upload(self, asked: Asked, query: dict[str, str]) -> SignalHashes:
        self._enter()
        try:
            body = await asked.body(self._options.media_bytes + FORM_BYTES, self._options.body_seconds)
            content, data = requests.file_of(asked.header(b"content-type"), body)
            return await self._hash(content, data, types_for(content, query.get("types")))
        finally:
            self._media -= 1

    async def _hash_fetched(self, query: dict[str, str], wanted: str | None) -> SignalHashes:
        content = requests.content_type_of(query)
        if content is not None:
            types_for(content, wanted)
        self._enter()
        try:
            loop = asyncio.get_running_loop()
            found = await loop.run_in_executor(self._threads, fetch, query["url"], self._rules)
            content = content or requests.kind_of_answer(found.kind)
            return await self._hash(content, found.data, types_for(content, wanted))
        finally:
            self._media -= 1

    async def _hash(self, content: str, data: bytes, types: Sequence[SignalType]) -> SignalHashes:
        if len(data) > self._options.media_bytes:
            raise bad("body_too_large", f"At most {self._options.media_bytes} bytes are taken.", status=413)
        work = partial(hash_signals, self._decoder, content, data, types, self._options.media_seconds)
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)

    def _enter(self) -> None:
        """Take a place for a file, before its first byte is read."""
        if self._media >= self._options.media_at_once + self._options.media_waiting:
            raise bad("busy", "Too many files are being looked at.", status=503, headers=RETRY)
        self._media += 1

    # ---- matching

    def _loaded(self) -> Reader:
        self._reader.refresh()
        if not self._reader.ready:
            raise bad("index_not_loaded", "What was banked is not loaded yet.", status=503, headers=RETRY)
        return self._reader

    async def _lookup(self, asked: Asked) -> Reply:
        query = requests.query_of(asked.query)
        reply = self._lookup_value(query)
        if reply is not None:
            return reply
        if not query.get("url"):
            raise bad("signal_missing", "Give url, or both signal and signal_type.", where="signal")
        return await self._lookup_fetched(query, _draw(query), query.get("signal_type", ""))

    def _lookup_value(self, query: dict[str, str]) -> Reply | None:
        """The answer to a question by value; None where it names no type or no value."""
        draw = _draw(query)
        name, text = query.get("signal_type", ""), query.get("signal", "")
        if not name or not text:
            return None
        kind, value = requests.signal_of(name, text)
        found = self._answer(self._loaded(), kind, value, draw)
        self._count(found.hits)
        return _matches(found.matches, found.left_out) if found.matches or found.left_out else _NOTHING_FOUND

    async def _lookup_fetched(self, query: dict[str, str], draw: Draw, name: str) -> Reply:
        if name and name not in SIGNAL_TYPES:
            raise bad("signal_type_unknown", "There is no such signal type.", where="signal_type")
        reader = self._loaded()
        found = await self._hash_fetched(query, query.get("types") or (name or None))
        matches, left_out = self._answers(reader, found, draw)
        return _matches(matches.get(name, {}) if name else matches, left_out, found.left_out)

    async def _lookup_file(self, asked: Asked) -> Reply:
        query = requests.query_of(asked.query)
        draw = _draw(query)
        reader = self._loaded()
        found = await self._hash_upload(asked, query)
        matches, left_out = self._answers(reader, found, draw)
        return _matches(matches, left_out, found.left_out)

    def _answers(self, reader: Reader, found: SignalHashes, draw: Draw) -> tuple[dict[str, Any], set[str]]:
        """By type, those without a usable value with nothing."""
        matches: dict[str, Any] = {name: {} for name in found.left_out}
        left_out: set[str] = set()
        hits: Hits = {}
        for name, text in found.values.items():
            kind = SIGNAL_TYPES[name]
            made = self._answer(reader, kind, kind.parse(text), draw)
            matches[name] = made.matches
            left_out |= made.left_out
            hits = made.hits | hits
        self._count(hits)
        return matches, left_out

    def _count(self, hits: Hits) -> None:
        """One event a list for each thing that was asked about; nothing of who asked, or about what."""
        if hits:
            moment = CLOCK.now()
            for (edition, name), kind in hits.items():
                self._tally.add(edition, name, kind, moment, door=DoorName.HMA)

    def _answer(self, reader: Reader, kind: SignalType, value: bytes, draw: Draw) -> Answer:
        moment = time.time()
        made = answer(reader, kind, reader.search(kind, value), draw, partial(kind.text, value), moment)
        self._with_lists(made, kind, value, draw, moment)
        return made

    def _with_lists(self, made: Answer, kind: SignalType, value: bytes, draw: Draw, moment: float) -> None:
        """Add what stands on the lists of the edition in force. They always take part: no share of traffic is drawn for them."""
        if self._lists is None:
            return
        try:
            found_there = self._lists.find(kind, value, moment)
        except UnavailableError:
            self._tally.add(self._lists.edition, None, CountClass.UNKNOWN, CLOCK.now(), door=DoorName.HMA)
            raise
        for hit in found_there:
            if draw.banks is None or hit.list in draw.banks:
                found: Match = {"bank_content_id": hit.entry, "distance": kind.distance_text(hit.distance)}
                made.matches.setdefault(hit.list, []).append(found)
                made.hits.setdefault((self._lists.edition, hit.list), entry_class(hit.labels, CountClass.MEDIA_MATCH))

    async def _lookup_batch(self, asked: Asked) -> Reply:
        """Ours: ``{"pdq": [hash, …]}`` in, ``{"pdq": [matches, …]}`` out, in order."""
        query = requests.query_of(asked.query)
        draw = _draw(query)
        body = await asked.body(self._options.json_bytes, self._options.body_seconds)
        if (asked.header(b"content-type") or "").partition(";")[0].strip().lower() != "application/json":
            raise bad("media_type", "Send application/json.", status=415)
        try:
            wanted = _batch.decode(body)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            raise bad("json_malformed", "The body is not an object of lists of hashes.") from None
        if sum(map(len, wanted.values())) > self._options.batch_items:
            raise bad("batch_too_large", f"At most {self._options.batch_items} hashes at once.", status=413)
        reader = self._loaded()
        working = partial(self._batch_answers, reader, wanted, draw)
        return await asyncio.get_running_loop().run_in_executor(self._threads, working)

    def _batch_answers(self, reader: Reader, wanted: dict[str, list[str]], draw: Draw) -> Reply:
        moment = time.time()
        matches: dict[str, list[dict[str, Any]]] = {}
        for name, texts in wanted.items():
            values = [requests.signal_of(name, text) for text in texts]
            kind = signal_type_named(name)
            if kind.near and values:
                found = reader.search_many(np.frombuffer(b"".join(value for _, value in values), np.uint8).reshape(-1, 32))
            else:
                found = [list(reader.search(kind, value)) for _, value in values]
            matches[name] = [
                self._row(reader, kind, each, value, draw, moment) for each, (_, value) in zip(found, values, strict=True)
            ]
        return _json(matches)

    def _row(
        self, reader: Reader, kind: SignalType, found: list[tuple[int, int, int, int]], value: bytes, draw: Draw, moment: float
    ) -> dict[str, Any]:
        if not found and self._lists is None:
            return {}
        made = answer(reader, kind, found, draw, partial(kind.text, value), moment)
        self._with_lists(made, kind, value, draw, moment)
        self._count(made.hits)
        return made.matches

    async def _raw_lookup(self, asked: Asked) -> Reply:
        """Switched-off contents too, as clients expect; deleted ones never."""
        query = requests.query_of(asked.query)
        missing = [name for name in ("signal_type", "signal") if name not in query]
        if missing:
            raise bad("query_missing", "A parameter is missing.", where=missing[0], status=422)
        with_distance = requests.truth(query, "include_distance")
        kind, value = requests.signal_of(query["signal_type"], query["signal"])
        reader, wanted = self._loaded(), requests.banks_in(query)
        rows = [
            (number, kind.distance_text(distance))
            for number, distance, bank, _ in reader.search(kind, value)
            if wanted is None or reader.banks.banks[bank][0] in wanted
        ]
        plain = [number for number, _ in rows]
        return _json({"matches": [{"bank_content_id": n, "distance": d} for n, d in rows] if with_distance else plain})

    async def _index_status(self, asked: Asked) -> Reply:
        query = requests.query_of(asked.query)
        chosen = query.get("signal_type")
        names = [signal_type_named(chosen).name] if chosen else list(SIGNAL_TYPES)
        self._reader.refresh()
        banks = self._reader.banks
        return _json({name: _index_row(banks.sizes.get(name, 0), banks.built_to.get(name, -1)) for name in names})

    async def _compare(self, asked: Asked) -> Reply:
        body = await asked.body(self._options.json_bytes, self._options.body_seconds)
        wanted = requests.object_of(asked.header(b"content-type"), body)
        found: dict[str, Any] = {}
        for name, pair in wanted.items():
            if not isinstance(pair, list) or len(pair) != 2 or not all(isinstance(text, str) for text in pair):
                raise bad("compare_pair", "Two hashes are compared at a time.", where="body")
            (kind, one), (_, other) = (requests.signal_of(name, text) for text in pair)
            distance = (int.from_bytes(one, "big") ^ int.from_bytes(other, "big")).bit_count() if kind.near else int(one != other)
            close = distance <= FURTHEST if kind.near else distance == 0
            found[name] = [close, {"distance": distance} if kind.near or close else {}]
        return _json(found)


def _index_row(size: int, built_to: int) -> dict[str, Any]:
    return {"built_to": built_to if size else -1, "present": size > 0, "size": size}


def _draw(query: dict[str, str]) -> Draw:
    if DRAWN.isdisjoint(query):  # a type and a value is what almost everybody sends
        return EVERYTHING
    return Draw(requests.banks_in(query), query.get("seed") or None, requests.truth(query, "bypass_coinflip"))


def _host(scope: Scope) -> str:
    return str((scope.get("client") or ("",))[0])


def _is_local(host: str, headers: Mapping[bytes, bytes]) -> bool:
    """From this machine itself, and not passed on from elsewhere by a proxy on it."""
    return host in LOOPBACK and not any(name in headers for name in PASSED_ON)


def _without_method(asked: Asked, methods: Mapping[str, Handler]) -> Reply:
    allowed = ", ".join(sorted({*methods, "OPTIONS", *(("HEAD",) if "GET" in methods else ())})).encode()
    if asked.method == "OPTIONS":
        return Reply(200, ((b"allow", allowed), NO_STORE))
    raise bad("method_not_allowed", "This path does not take this method.", status=405, headers=((b"allow", allowed),))


def _json(document: Any, *, headers: Headers = ()) -> Reply:
    return Reply(200, (JSON, NO_STORE, NOSNIFF, *headers), _encoder.encode(document) + b"\n")


_NOTHING_FOUND: Final = Reply(200, (JSON, NO_STORE, NOSNIFF), NOTHING)


def _matches(matches: dict[str, Any], left_out: set[str], unusable: Mapping[str, str] | None = None) -> Reply:
    """What matched; headers say which banks were not drawn, and which types had no usable value."""
    undrawn: Headers = ((b"x-vigil-banks-not-drawn", ",".join(sorted(left_out)).encode()),) if left_out else ()
    return _json(matches, headers=(*undrawn, *_left_out(unusable or {})))


def _left_out(reasons: Mapping[str, str]) -> Headers:
    if not reasons:
        return ()
    return ((b"x-vigil-left-out", ",".join(f"{name}={reason}" for name, reason in reasons.items()).encode()),)


def _problem(error: VigilError, status: int, headers: Headers = ()) -> Reply:
    message = {"message": error.what, "code": error.code} | ({"where": error.where} if error.where else {})
    return Reply(status, (JSON, NO_STORE, NOSNIFF, *headers), json.dumps(message, sort_keys=True).encode() + b"\n")
