"""What the demonstration gate does with a verdict. Pure.

It redirects only to hosts under the configured suffixes: it is no open redirect.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import Literal

from vigil.match.urls import CanonicalUrl, UrlRefused, canonical
from vigil.match.verdict import Outcome, Verdict


class Step(Enum):
    """Steps without a value."""

    BLOCK = "block"


@dataclass(frozen=True, slots=True)
class Go:
    """On to the address, in canonical form, which is printable ASCII."""

    address: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Refused:
    """Neither page nor passage: the status and the stable code."""

    status: int
    code: str
    what: str


def step_of(
    verdict: Verdict, address: bytes, hosts: tuple[str, ...], on_unknown: Literal["refuse", "pass"]
) -> Step | Go | Refused:
    """A listed address gets the page; one that nobody can read is never passed on."""
    if verdict.verdict is Outcome.LISTED:
        return Step.BLOCK
    try:
        url = canonical(address)
    except UrlRefused as refused:
        return Refused(400, refused.code, refused.what)
    if url.scheme not in {"http", "https"} or not any(_is_under(url, suffix) for suffix in hosts):
        return Refused(403, "gate_host", "The gate does not lead to this host.")
    if verdict.verdict is Outcome.UNKNOWN and on_unknown == "refuse":
        return Refused(503, verdict.reason or "unknown", "The node cannot answer now.")
    return Go(url.text())


def _is_under(url: CanonicalUrl, suffix: str) -> bool:
    """``example`` and ``.example`` cover the name itself and all names below it."""
    bare = suffix.removeprefix(".")
    return url.host == bare or url.host.endswith("." + bare)
