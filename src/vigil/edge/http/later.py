"""Files that are taken now and answered later, by a notice (RFC 7240 ``Prefer: respond-async``)."""

from __future__ import annotations

import asyncio
from typing import Final

from vigil.edge.counts import CountClass, request_class
from vigil.edge.doors import DoorName
from vigil.edge.http import requests
from vigil.edge.http.replies import JSON, NO_STORE, NOSNIFF, Reply, RequestRefused, json_reply
from vigil.edge.http.routes import MATCH_PATH, RETRY, ROUTES, Door, Request, Route, match_body, read_file
from vigil.edge.webhooks.settings import Event

ASYNC: Final = "respond-async"
APPLIED: Final = (b"preference-applied", ASYNC.encode())


async def match_now_or_later(door: Door, request: Request) -> Reply:
    """``POST /v1/match``."""
    requests.require_plain(request.header(b"content-encoding"))
    is_file = requests.kind_of_body(request.header(b"content-type")) == "media"
    return await (take if is_file and is_later(door, request) else match_body)(door, request)


def is_later(door: Door, request: Request) -> bool:
    """True where the sender would rather not wait, and somebody is told of verdicts; else the wish is passed over."""
    wishes = [wish.partition(";")[0].strip().lower() for wish in (request.header(b"prefer") or "").split(",")]
    return ASYNC in wishes and door.node.webhooks.wants(Event.MEDIA_VERDICT)


async def take(door: Door, request: Request) -> Reply:
    """202 with the identifier under which the verdict will come. The place of the upload is held until then."""
    door.enter_media()
    try:
        data = await read_file(door, request)
        name = door.node.webhooks.take()
        if name is None:
            raise RequestRefused(503, "busy", "Too many notices wait for their receiver.", mend="Try again later.", headers=RETRY)
        task = asyncio.get_running_loop().create_task(_judge(door, data, name, request_class(request.headers)))
    except BaseException:
        door.leave_media()
        raise
    door.later.add(task)
    task.add_done_callback(door.later.discard)
    return Reply(202, (JSON, NO_STORE, NOSNIFF, APPLIED), json_reply({"id": name}).body)


async def _judge(door: Door, data: bytes, name: str, kind: CountClass) -> None:
    """One that ends before its verdict is told of as interrupted, by the sweep of the node."""
    node = door.node
    try:
        verdict = await door.judge(data, kind)
        action = node.act(verdict, DoorName.HTTP, node.config.file.enforcement.on_unknown).action
        node.webhooks.judged(name, {**verdict.as_dict(), "action": action})
    finally:
        door.leave_media()


LATER_ROUTES: Final = {MATCH_PATH: Route({**ROUTES[MATCH_PATH].methods, "POST": match_now_or_later})}
