"""The routes ``/auth/…`` of the HTTP door. Allow is 200 without a body; anything else keeps the request from its server."""

from __future__ import annotations

from collections.abc import MutableMapping, Sequence
from typing import Any, Final

from vigil.edge.barrier import reply_to
from vigil.edge.counts import CountClass, request_class
from vigil.edge.doors import DoorName
from vigil.edge.enforced import Enforced
from vigil.edge.forward_auth.addresses import Pairs, asked_by, single_fields
from vigil.edge.forward_auth.peers import Peers
from vigil.edge.http.replies import NO_STORE, NOSNIFF, Reply, RequestRefused, without_length
from vigil.edge.http.routes import Request
from vigil.edge.node import Node
from vigil.edge.questions import UrlQuestion
from vigil.edge.readings import Reading, Unreadable
from vigil.edge.squid_lines import ERR, LINES, UNKNOWN, readings_of_line, word_for
from vigil.match.verdict import Outcome

PREFIX: Final = b"/auth/"
ENVOY: Final = PREFIX + b"envoy"
Scope = MutableMapping[str, Any]
ALLOWED: Final = Reply(200, (NO_STORE,))
NGINX_STATUS: Final = 403
NGINX_KNOWS: Final = (401, 403)
PLAIN: Final = (b"content-type", b"text/plain; charset=ascii")


class ForwardAuthDoor:
    """The paths ``/auth/<proxy>`` of the configured proxies, for the configured peers. Any method: Envoy sends them all."""

    def __init__(self, node: Node) -> None:
        settings = node.config.file.forward_auth
        self._node = node
        self._paths = {PREFIX + proxy.encode(): proxy for proxy in settings.proxies}
        self._peers = Peers(settings.peers)

    def owns(self, scope: Scope) -> bool:
        """True for a request that is answered here."""
        return self._proxy(scope["raw_path"]) is not None

    def direct(self, path: bytes, query: bytes, client: str, headers: Pairs) -> Reply | None:
        """The answer at once, for a request without a body; None where it belongs elsewhere. Raises RequestRefused."""
        proxy = self._proxy(path)
        if proxy is None or proxy == "squid":
            return None
        return self._reply(proxy, path, query, client, headers)

    def _reply(self, proxy: str, path: bytes, query: bytes, client: str, headers: Pairs) -> Reply:
        if client not in self._peers:
            raise RequestRefused(403, "peer_refused", "This address may not ask here.", mend="See forward_auth.peers.")
        return answer(self._node, proxy, headers, path.removeprefix(ENVOY) + (b"?" + query if query else b""))

    async def reply(self, scope: Scope, request: Request) -> Reply:
        """The answer. Raises RequestRefused."""
        client, path = (scope.get("client") or ("",))[0], scope["raw_path"]
        proxy = self._proxy(path)
        if proxy != "squid":
            return self._reply(proxy or "", path, request.query, client, scope["headers"])
        if client not in self._peers:
            raise RequestRefused(403, "peer_refused", "This address may not ask here.", mend="See forward_auth.peers.")
        if request.method != "POST":
            raise RequestRefused(405, "method_refused", "This path does not take this method.", headers=((b"allow", b"POST"),))
        bounds = self._node.config.file.limits
        return answer_squid(self._node, await request.body(bounds.json_bytes, bounds.body_seconds))

    def _proxy(self, path: bytes) -> str | None:
        """Envoy puts the path it is asked about behind ours."""
        if path.startswith(ENVOY + b"/"):
            path = ENVOY
        return self._paths.get(path)


def answer(node: Node, proxy: str, pairs: Pairs, raw_target: bytes) -> Reply:
    """One request at ``proxy``: passed, blocked, or refused. Raises RequestRefused where it cannot be read."""
    edition = node.state.enforced
    try:
        fields = single_fields(pairs)
        asked = asked_by(proxy, fields, raw_target)
    except Unreadable as error:
        node.unread(edition, DoorName.FORWARD_AUTH)
        raise RequestRefused(NGINX_STATUS if proxy == "nginx" else 400, error.code, error.what) from error
    if _passes(node, asked.readings):
        return ALLOWED
    verdict = node.answer_any(asked.readings, edition, request_class(fields), DoorName.FORWARD_AUTH)
    choice = node.config.file.forward_auth.on_unknown
    reply = reply_to(node, verdict, fields, choice, head=asked.head, door=DoorName.FORWARD_AUTH)
    if reply is None:
        return ALLOWED
    return _for_nginx(reply) if proxy == "nginx" else _without_length(reply)


def _passes(node: Node, asked: Sequence[Reading]) -> bool:
    """One look is enough for most: a single plain address of a host that is not listed."""
    reading = asked[0]
    if len(asked) > 1 or not isinstance(reading, UrlQuestion) or not isinstance(reading.address, str):
        return False
    return node.lets_pass(reading.address)


def _for_nginx(reply: Reply) -> Reply:
    """nginx shows a page of its own, and takes no status but 403 for a refusal; 503 becomes its 500."""
    status = reply.status if reply.status in (*NGINX_KNOWS, 503) else NGINX_STATUS
    return _without_length(Reply(status, reply.headers, reply.body))


def _without_length(reply: Reply) -> Reply:
    """The HTTP door writes the length."""
    return Reply(reply.status, without_length(reply.headers), reply.body)


def answer_squid(node: Node, body: bytes) -> Reply:
    """Lines of Squid's helper, without channels; one word a line, in order."""
    lines = body.split(b"\n")
    if lines and not lines[-1]:
        lines.pop()
    if len(lines) > LINES:
        raise RequestRefused(413, "batch_too_long", "The batch is too long.", mend=f"Send at most {LINES} lines at once.")
    return Reply(200, (PLAIN, NO_STORE, NOSNIFF), b"".join(word + b"\n" for word in squid_words(node, lines)))


def squid_words(node: Node, lines: Sequence[bytes]) -> list[bytes]:
    """The helper's words by the edition in force."""
    edition = node.state.enforced
    return [_squid_word(node, line, edition) for line in lines]


def _squid_word(node: Node, line: bytes, edition: Enforced | None) -> bytes:
    choice = node.config.file.forward_auth.on_unknown
    try:
        questions = readings_of_line(line)
    except Unreadable:
        node.unread(edition, DoorName.SQUID)
        return UNKNOWN
    verdict = node.answer_any(questions, edition, CountClass.UNDETERMINED, DoorName.SQUID)
    if verdict.verdict is Outcome.UNKNOWN and choice == "pass":
        node.bypassed(verdict, DoorName.SQUID)
    if verdict.verdict is Outcome.LISTED and node.act(verdict, DoorName.SQUID).passes:
        return ERR
    return word_for(verdict, choice)

