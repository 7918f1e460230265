"""A canonical URL is a value of its own: a plain string is never taken in its place."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

DEFAULT_PORTS: Final[dict[str, int]] = {"http": 80, "https": 443, "ws": 80, "wss": 443}


class UrlFlag(StrEnum):
    """What was noticed on the way; no part of equality."""

    A_LABEL_INVALID = "a_label_invalid"
    QUERY_CUT = "query_cut"
    SECOND_PASS = "second_pass"  # noqa: S105  # a flag, not a secret


@dataclass(frozen=True, slots=True, repr=False)
class CanonicalUrl:
    """What an address means after parsing as a browser does and folding as Safe Browsing does.

    ``scheme``  ``http``, ``https``, ``ws`` or ``wss`` (after a second pass: whatever was there).
    ``host``    lower-case ASCII name, dotted IPv4, or IPv6 in brackets.
    ``port``    None where it is the scheme's own.
    ``path``    starts with ``/``; printable ASCII.
    ``query``   without its ``?``; None where there is none, which differs from an empty one.
    ``flags``   values of :class:`UrlFlag`.

    Printing and formatting show a mark; only :meth:`text` gives the address.
    """

    scheme: str
    host: str
    port: int | None
    path: str
    query: str | None
    flags: frozenset[str] = field(default=frozenset(), compare=False)

    def text(self) -> str:
        """``scheme://host[:port]path[?query]``. Confidential: never log it."""
        port = "" if self.port is None else f":{self.port}"
        query = "" if self.query is None else f"?{self.query}"
        return f"{self.scheme}://{self.host}{port}{self.path}{query}"

    def effective_port(self) -> int:
        """The port a client would connect to; 0 where the scheme has none."""
        return DEFAULT_PORTS.get(self.scheme, 0) if self.port is None else self.port

    def is_address(self) -> bool:
        """True where the host is an IP literal: it has no suffixes."""
        return self.host.startswith("[") or self.host.rpartition(".")[2].isdigit()

    def __repr__(self) -> str:
        return "CanonicalUrl(<sealed>)"

    __str__ = __repr__

    def __format__(self, specification: str) -> str:
        return repr(self)
