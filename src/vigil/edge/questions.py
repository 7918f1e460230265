"""What an enforcement node can be asked. Values only; each hides what it holds from logs and tracebacks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from vigil.base.errors import InputError
from vigil.match.hashing import algorithm_named

URL: str = "url"
Values = Sequence[tuple[str, bytes]]  # of one file: names of algorithms, and what they make of it


@dataclass(frozen=True, slots=True)
class UrlQuestion:
    """Is this address listed? Bytes as they came off the wire, or text."""

    address: str | bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class HostQuestion:
    """Is a whole host listed? ``host`` or ``host:port``, from a door that sees no more: CONNECT, SNI, DNS.

    Only entries for whole hosts answer; an entry for a page never does.
    """

    authority: str | bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class NameQuestion:
    """Is a DNS name listed? Labels in small letters joined by dots, without the final one; only entries for whole hosts answer.

    A query name is not an address and takes no canonical form: every name has an answer.
    """

    name: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class HashQuestion:
    """Is this hash listed? ``value`` in the bytes of ``algorithm``; ``by_distance`` False asks for equality only."""

    algorithm: str
    value: bytes = field(repr=False)
    by_distance: bool = True


@dataclass(frozen=True, slots=True)
class MediaQuestion:
    """Is this file listed by any of its hashes? ``reasons`` name the signals that could not be had, and why."""

    hashes: tuple[HashQuestion, ...]
    reasons: tuple[str, ...] = ()


Question = UrlQuestion | HostQuestion | NameQuestion | HashQuestion | MediaQuestion


def question_of(kind: str, value: str | bytes) -> UrlQuestion | HashQuestion:
    """The question behind a ``type`` and a ``value`` of the API; InputError where there is none."""
    if kind == URL:
        return UrlQuestion(value)
    algorithm = algorithm_named(kind)
    if isinstance(value, bytes):
        try:
            value = value.decode()
        except UnicodeDecodeError as error:
            raise InputError("hash_malformed", f"This is not a {kind} value.") from error
    return HashQuestion(kind, algorithm.parse(value))
