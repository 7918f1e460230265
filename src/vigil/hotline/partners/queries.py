"""Questions about nodes."""

from __future__ import annotations

from typing import Final

from django.db.models import QuerySet
from django.http import HttpRequest

from vigil.base.errors import InputError
from vigil.hotline.access.clock import now
from vigil.hotline.access.prepared import Prepared
from vigil.hotline.partners.models import Node, Sender
from vigil.hotline.partners.tokens import SENDER_PREFIX, digest_of, token_in

_BY_TOKEN: Final = Prepared(Node, lambda digest: Node.objects.filter(token_digest=digest), "digest of a token")
_SENDER_BY_TOKEN: Final = Prepared(Sender, lambda digest: Sender.objects.filter(token_digest=digest), "digest of a token")


def machine_of(request: HttpRequest) -> Node | Sender | None:
    """The machine whose valid token the request carries: a node or a sender; the token itself says which."""
    token = token_in(request.headers.get("Authorization", ""))
    if token is None or not token.startswith(SENDER_PREFIX):
        return node_of(request)
    sender = _SENDER_BY_TOKEN.first(digest_of(token))
    return sender if sender is not None and sender.in_force(now()) else None


def node_of(request: HttpRequest) -> Node | None:
    """The node whose valid token the request carries; None without one, and for expired and revoked ones."""
    return node_of_header(request.headers.get("Authorization", ""))


def node_of_header(header: str) -> Node | None:
    """The same for an ``Authorization`` header by itself."""
    token = token_in(header)
    if token is None:
        return None
    node = _BY_TOKEN.first(digest_of(token))
    return node if node is not None and node.in_force(now()) else None


def node_named(name: str) -> Node:
    """The node of that name."""
    try:
        return Node.objects.get(name=name)
    except Node.DoesNotExist as error:
        raise InputError("no_such_node", "There is no node of that name.", mend="See `vigil hotline node list`.") from error


def nodes() -> QuerySet[Node]:
    """All nodes by name."""
    return Node.objects.order_by("name")
