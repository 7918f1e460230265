"""What a door does with a verdict, by the policy: nothing, a page, or a refusal. One place for all doors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from vigil.edge.decide import EDITION_EXPIRED, ENTRY_STALE, NO_EDITION
from vigil.edge.doors import DoorName
from vigil.edge.http.replies import Headers, Reply, RequestRefused, problem_reply
from vigil.edge.node import Node
from vigil.edge.pages import Kind, Page
from vigil.edge.policy import Action, Choice
from vigil.edge.questions import URL
from vigil.match.verdict import Verdict

OWN_STATE: Final = frozenset({NO_EDITION, EDITION_EXPIRED, ENTRY_STALE, "busy", "decoder_busy", "body_slow"})
RETRY: Final[Headers] = ((b"retry-after", b"2"),)


def reply_to(
    node: Node,
    verdict: Verdict,
    fields: Mapping[bytes, bytes],
    on_unknown: Choice,
    *,
    head: bool,
    door: DoorName = DoorName.HTTP,
) -> Reply | None:
    """The answer in place of what was asked for; None lets it through, counted as bypassed where the verdict is unknown.

    ``fields`` are the headers of the one who asked, in small letters; ``head`` is True for a HEAD request.
    """
    decision = node.act(verdict, door, on_unknown)
    if decision.passes:
        if decision.unsure:
            node.bypassed(verdict, door)
        return None
    if decision.unsure:
        return refusal(verdict)
    if decision.action in (Action.BLOCK, Action.DETER):
        return page(node, fields, Kind.BLOCK if decision.action is Action.BLOCK else Kind.DETER, head=head)
    return refused(403, "listed", "This is not passed on.")


def page(node: Node, fields: Mapping[bytes, bytes], kind: Kind, *, head: bool) -> Reply:
    """The page in the best language; without a body for HEAD and for parts of a page."""
    language = node.pages.choose(None, fields.get(b"accept-language", b"").decode("latin-1")) or node.config.file.pages.language
    edition = node.state.enforced
    made: Page = node.show(language, edition.number if edition else None, kind)
    empty = head or fields.get(b"sec-fetch-dest", b"document") != b"document"
    headers = made.headers
    if empty:
        headers = tuple((name, b"0" if name == b"content-length" else value) for name, value in headers)
    return Reply(made.status, headers, b"" if empty else made.body)


def refusal(verdict: Verdict) -> Reply:
    """Fail-closed: 503 where it lies with the node, 400 for an address nobody can read, 403 for a file nobody can look into."""
    reason = verdict.reason or "unknown"
    if reason in OWN_STATE:
        return refused(503, reason, "The node cannot answer now.", RETRY)
    if verdict.signal == URL:
        return refused(400, reason, "The address cannot be read.")
    return refused(403, reason, "The file cannot be checked.")


def refused(status: int, code: str, what: str, headers: Headers = ()) -> Reply:
    """A problem document with its length, as it stands in other protocols."""
    reply = problem_reply(RequestRefused(status, code, what, headers=headers))
    return Reply(reply.status, (*reply.headers, (b"content-length", b"%d" % len(reply.body))), reply.body)
