"""The ASGI application: finds the route, checks the token, sends the reply. No framework.

Nothing of a request is kept: no path, query, header or address reaches a log, a metric or an error.
"""

from __future__ import annotations

import asyncio
import contextlib
import hmac
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from typing import Any, Final

from vigil.base.errors import VigilError
from vigil.edge.config import Token
from vigil.edge.forward_auth.addresses import Pairs
from vigil.edge.forward_auth.routes import ForwardAuthDoor
from vigil.edge.http.bodies import ClientGoneError, Receive
from vigil.edge.http.plain import PlainPost
from vigil.edge.http.replies import CLOSE, Reply, RequestRefused, fault_reply, problem_reply
from vigil.edge.http.routes import MATCH_PATH, PREFIXES, Door, Request, Route, verdict_reply
from vigil.edge.http.table import TABLE
from vigil.edge.http.uploads import Upload, wanted
from vigil.edge.journal import fault_of
from vigil.edge.node import Node

Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Scope = MutableMapping[str, Any]
BEARER: Final = b"bearer "
MATCH: Final = MATCH_PATH.encode()


class EdgeApp:
    """One node behind HTTP."""

    def __init__(self, node: Node, door: Door) -> None:
        self._node = node
        self._door = door
        self._tokens = tuple(_bytes_of(token) for token in node.config.api_tokens)
        self._auth = ForwardAuthDoor(node) if node.config.file.forward_auth.proxies else None

    def direct(self, path: bytes, query: bytes, client: str, headers: Pairs) -> Reply | None:
        """The answer to a request without a body that needs no waiting, before it becomes a task; None for all others.

        Forward auth is answered so, which is asked for each request of a busy proxy, and a single signal.
        """
        try:
            reply = self._direct(path, query, client, headers)
        except VigilError as error:
            self._node.traffic.problems += 1
            reply = problem_reply(error)
        except Exception as error:  # noqa: BLE001  nothing is swallowed: logged by type and place, answered as 500
            self._fault(error)
            reply = fault_reply()
        self._node.traffic.requests += reply is not None
        return reply

    def _direct(self, path: bytes, query: bytes, client: str, headers: Pairs) -> Reply | None:
        if path == MATCH:
            return self._match(query, headers)
        return self._auth.direct(path, query, client, headers) if self._auth is not None else None

    def _match(self, query: bytes, pairs: Pairs) -> Reply:
        headers = dict(pairs)
        if self._tokens:
            self._require_token(headers.get(b"authorization", b""))
        return verdict_reply(self._node, query, headers)

    def upload(self, found: PlainPost) -> Upload | None:
        """Memory for the file that ``found`` announces; None where the request takes the long way, refusals among them."""
        fields = dict(found.fields)
        try:
            if not wanted(found, fields, self._node.config.file.limits.media_bytes):
                return None
            if self._tokens:
                self._require_token(fields.get(b"authorization", b""))
            upload = Upload(self._door, found.size)
        except (RequestRefused, OSError):
            return None
        self._node.traffic.requests += 1
        return upload

    def judge(self, upload: Upload, answered: Callable[[Reply], None]) -> None:
        """Have ``answered`` called with the answer to a whole upload, in the loop, once the upload is closed."""
        loop = asyncio.get_running_loop()

        def judged() -> None:
            reply = self._judged(upload)
            with contextlib.suppress(RuntimeError):  # the loop has ended, and with it the connection
                loop.call_soon_threadsafe(finish, reply)

        def finish(reply: Reply) -> None:
            upload.close()
            answered(reply)

        self._door.hands.take(judged)

    def _judged(self, upload: Upload) -> Reply:
        """In a thread of the door."""
        try:
            return upload.reply()
        except VigilError as error:
            self._node.traffic.problems += 1
            return problem_reply(error)
        except Exception as error:  # noqa: BLE001  nothing is swallowed: logged by type and place, answered as 500
            self._fault(error)
            return fault_reply()

    def refused(self) -> None:
        """Count what the protocol itself turned away."""
        self._node.traffic.problems += 1

    def _fault(self, error: Exception) -> None:
        self._node.traffic.faults += 1
        self._node.log.error("fault", **fault_of(error))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        self._node.traffic.requests += 1
        headers = dict(scope["headers"])
        request = Request(scope["method"], scope["path"], scope["query_string"], headers, receive)
        try:
            if self._auth is not None and self._auth.owns(scope):
                reply = await self._auth.reply(scope, request)
            else:
                reply = await self._reply(request)
        except ClientGoneError:
            return
        except VigilError as error:
            self._node.traffic.problems += 1
            reply = problem_reply(error)
        except Exception as error:  # noqa: BLE001  nothing is swallowed: logged by type and place, answered as 500
            self._fault(error)
            reply = fault_reply()
        if reply.parts is not None:
            await self._send_parts(send, reply, reply.parts)
            return
        await _send(send, reply, close=not request.body_read and _has_body(headers))

    async def _send_parts(self, send: Send, reply: Reply, parts: AsyncIterator[bytes]) -> None:
        """A body of unknown length; one that cannot be finished ends the connection, so that nobody takes it for whole."""
        await send({"type": "http.response.start", "status": reply.status, "headers": list(reply.headers)})
        try:
            async for part in parts:
                await send({"type": "http.response.body", "body": part, "more_body": True})
        except (ClientGoneError, TimeoutError):
            self._node.traffic.problems += 1
            return
        await send({"type": "http.response.body", "body": b""})

    async def _reply(self, request: Request) -> Reply:
        route = self._route(request.path)
        handler = route.methods.get(request.method)
        if handler is None:
            raise _method_refused(route)
        if self._tokens and not route.open:
            self._require_token(request.headers.get(b"authorization", b""))
        return await handler(self._door, request)

    def _route(self, path: str) -> Route:
        route = TABLE.get(next((prefix for prefix in PREFIXES if path.startswith(prefix + "/")), path))
        if route is None or not route.exists(self._node):
            raise RequestRefused(404, "no_such_path", "There is nothing at this path.", mend="See docs/reference/edge-api.md.")
        return route

    def _require_token(self, header: bytes) -> None:
        given = header[len(BEARER) :].strip() if header[: len(BEARER)].lower() == BEARER else b""
        if sum(hmac.compare_digest(given, token) for token in self._tokens) == 0:  # compares with each, always
            raise RequestRefused(
                401,
                "token_refused",
                "A valid token is needed.",
                where="Authorization",
                mend="Send Authorization: Bearer and a token of this node.",
                headers=((b"www-authenticate", b"Bearer"),),
            )


def _bytes_of(token: Token) -> bytes:
    return token.open().encode()


def _method_refused(route: Route) -> RequestRefused:
    allowed = ", ".join(sorted(route.methods))
    return RequestRefused(
        405,
        "method_refused",
        "This path does not take this method.",
        mend=f"Use {allowed}.",
        headers=((b"allow", allowed.encode()),),
    )


def _has_body(headers: dict[bytes, bytes]) -> bool:
    return headers.get(b"content-length", b"0") != b"0" or b"transfer-encoding" in headers


async def _send(send: Send, reply: Reply, *, close: bool) -> None:
    """A body nobody read ends the connection: it would otherwise be read to its end, however long."""
    length = (b"content-length", str(len(reply.body)).encode())
    headers = [length, *reply.headers, *((CLOSE,) if close else ())]
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
    await send({"type": "http.response.body", "body": reply.body})
