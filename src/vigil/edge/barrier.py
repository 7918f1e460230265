"""What a door does with a verdict: nothing, the block page, or a refusal. One place for all doors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal

from vigil.edge.decide import EDITION_EXPIRED, ENTRY_STALE, NO_EDITION
from vigil.edge.http.replies import Headers, Reply, RequestRefused, problem_reply
from vigil.edge.node import Node
from vigil.edge.pages import Page
from vigil.edge.questions import URL
from vigil.match.verdict import Outcome, Verdict

Choice = Literal["refuse", "pass"]
OWN_STATE: Final = frozenset({NO_EDITION, EDITION_EXPIRED, ENTRY_STALE, "busy", "decoder_busy", "body_slow"})
RETRY: Final[Headers] = ((b"retry-after", b"2"),)


def reply_to(node: Node, verdict: Verdict, fields: Mapping[bytes, bytes], on_unknown: Choice, *, head: bool) -> Reply | None:
    """The answer in place of what was asked for; None lets it through, counted as bypassed where the verdict is unknown.

    ``fields`` are the headers of the one who asked, in small letters; ``head`` is True for a HEAD request.
    """
    if verdict.verdict is Outcome.NOT_LISTED:
        return None
    if verdict.verdict is Outcome.LISTED:
        return block(node, fields, head=head)
    if on_unknown == "pass":
        node.bypassed(verdict)
        return None
    return refusal(verdict)


def block(node: Node, fields: Mapping[bytes, bytes], *, head: bool) -> Reply:
    """The block page in the best language; without a body for HEAD and for parts of a page."""
    language = node.pages.choose(None, fields.get(b"accept-language", b"").decode("latin-1")) or node.config.file.pages.language
    edition = node.state.enforced
    page: Page = node.pages.page(language, edition.number if edition else None, node.clock.now())
    empty = head or fields.get(b"sec-fetch-dest", b"document") != b"document"
    headers = page.headers
    if empty:
        headers = tuple((name, b"0" if name == b"content-length" else value) for name, value in headers)
    return Reply(page.status, headers, b"" if empty else page.body)


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
