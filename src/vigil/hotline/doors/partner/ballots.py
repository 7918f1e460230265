"""Votes as they come over the wire. A vote that cannot be taken is answered in its place; the others are kept."""

from __future__ import annotations

from typing import Annotated, Any, Final

import msgspec

from vigil.base.errors import InputError, VigilError
from vigil.base.limits import BATCH_ITEMS, Limit
from vigil.editions.opaque import LARGEST
from vigil.hotline.lists.enumerations import Opinion, VoteReason
from vigil.hotline.lists.marking import books
from vigil.hotline.lists.numbers import own_number
from vigil.hotline.lists.quality import Ballot, do_vote
from vigil.hotline.partners.models import Node

VOTES_BYTES: Final = Limit(256 * 1024, "bytes", "a thousand votes of four small members")


class _Vote(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``entry`` and ``edition`` as in a verdict; ``reason`` a code that fits the opinion."""

    entry: Annotated[int, msgspec.Meta(ge=0, le=LARGEST)]
    edition: Annotated[int, msgspec.Meta(ge=1, le=2**31 - 1)]
    opinion: Opinion
    reason: VoteReason


class _Votes(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    votes: Annotated[tuple[_Vote, ...], msgspec.Meta(min_length=1, max_length=BATCH_ITEMS.value)]


def take_votes(node: Node, body: bytes) -> list[dict[str, Any]]:
    """Keep the votes in ``body``; gives an answer for each: kept, the same as before, or the code of its refusal."""
    try:
        given = msgspec.json.decode(body, type=_Votes)
    except msgspec.ValidationError as error:
        raise InputError("votes_malformed", "These are no votes.", mend="See docs/reference/edge-api.md.") from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InputError("json_malformed", "This is not JSON.") from error
    known = books() if node.partner else []
    return [_take(node, vote, own_number(node.partner, vote.entry, known)) for vote in given.votes]


def _take(node: Node, vote: _Vote, number: int | None) -> dict[str, Any]:
    if number is None:
        return {"entry": vote.entry, "code": "entry_unknown"}
    try:
        fresh = do_vote(node, Ballot(number, vote.edition, vote.opinion, vote.reason))
    except VigilError as error:
        return {"entry": vote.entry, "code": error.code}
    return {"entry": vote.entry, "code": "kept" if fresh else "same"}
