"""What one message of HAProxy asks, and the variables that answer it.

``verdict`` is ``listed``, ``not_listed`` or ``unknown``; ``action`` is what the operator's policy makes of it: ``pass``,
``block`` (show the page), ``deny`` (refuse without a page) or ``refuse`` (the answer is unknown, the door fails closed).
"""

from __future__ import annotations

from typing import Final

from vigil.edge.counts import request_class
from vigil.edge.doors import DoorName
from vigil.edge.node import Node
from vigil.edge.policy import Action
from vigil.edge.questions import UrlQuestion
from vigil.edge.readings import Reading, Unreadable, readings
from vigil.edge.spoe import wire
from vigil.edge.spoe.wire import Message, Pairs
from vigil.match.verdict import Outcome

MESSAGE: Final = b"check-request"
UNKNOWN: Final = b"unknown"
FIELDS: Final = {b"dest": b"sec-fetch-dest", b"purpose": b"sec-purpose"}


def _said(verdict: bytes, action: bytes) -> bytes:
    return wire.set_variable(b"verdict", verdict) + wire.set_variable(b"action", action)


PASSES: Final = _said(b"not_listed", b"pass")


class Desk:
    """The node as the SPOE door sees it."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._choice = node.config.file.spoe.on_unknown

    def on_message(self, message: Message) -> bytes:
        """The actions that answer ``message``; none for one that is not ours."""
        if message.name != MESSAGE:
            return b""
        node, edition = self._node, self._node.state.enforced
        try:
            questions = _questions(message.arguments)
        except Unreadable:
            node.unread(edition, DoorName.SPOE)
            return _said(UNKNOWN, b"pass" if self._choice == "pass" else b"refuse")
        first = questions[0].address if isinstance(questions[0], UrlQuestion) else b""
        if len(questions) == 1 and isinstance(first, str) and node.lets_pass(first):
            return PASSES
        fields = {FIELDS[name]: value for name, value in message.arguments.items() if name in FIELDS and isinstance(value, bytes)}
        verdict = node.answer_any(questions, edition, request_class(fields), DoorName.SPOE)
        decision = node.act(verdict, DoorName.SPOE, self._choice)
        if decision.passes:
            if verdict.verdict is Outcome.UNKNOWN:
                node.bypassed(verdict, DoorName.SPOE)
            return _said(verdict.verdict.value.encode(), b"pass")
        if decision.unsure:
            return _said(UNKNOWN, b"refuse")
        shown = decision.action in (Action.BLOCK, Action.DETER)
        return _said(verdict.verdict.value.encode(), b"block" if shown else b"deny")


def _questions(arguments: Pairs) -> tuple[Reading, ...]:
    """The readings of a request from ``method``, ``target``, ``host`` and ``tls``. Raises Unreadable."""
    method, target, host = (arguments.get(name) for name in (b"method", b"target", b"host"))
    if not isinstance(method, bytes) or not isinstance(target, bytes) or not target:
        raise Unreadable("argument_missing", "The message does not say what is asked for.")
    if b"\r" in target or b"\n" in target or b" " in target:
        raise Unreadable("http_request_line", "The target of the request has a sign that none can have.")
    found = readings(method, target, (host,) if isinstance(host, bytes) and host else ())
    tls = arguments.get(b"tls")
    if len(found) == 2 and isinstance(tls, bool) and target.startswith((b"/", b"\\")):
        return (found[1] if tls else found[0],)
    return found
