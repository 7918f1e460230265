"""Questions to bytes, bytes to answers: the JSON of docs/reference/edge-api.md. Pure; nothing of a question reaches an error."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import msgspec

from vigil.base.limits import BATCH_ITEMS, JSON_BODY_BYTES
from vigil.client.address import NodeAddress
from vigil.client.answers import HttpAnswer
from vigil.client.questions import Signal
from vigil.client.results import Cause

JSON: Final = "application/json"
FILE: Final = "application/octet-stream"
PATH: Final = "/v1/match"
FRAME_BYTES: Final = 64  # around each signal, generously
PLACE: Final = re.compile(r"signals\[([0-9]{1,6})\]")
CODE: Final = re.compile(r"[a-z][a-z0-9_]{0,59}")
BUSY: Final = frozenset({429, 503})
AGAIN: Final = frozenset({408, 429, 500, 502, 503, 504})


class Found(msgspec.Struct, frozen=True):
    """A verdict as a node sends it. Members that are not known yet are passed over."""

    verdict: Literal["listed", "not_listed", "unknown"]
    edition: int | None
    signal: str | None
    list: str | None = None
    entry: int | None = None
    distance: int | None = None
    labels: tuple[str, ...] = ()
    reason: str | None = None

    def __post_init__(self) -> None:
        if self.verdict == "listed" and (self.list is None or self.entry is None):
            raise ValueError("a listed verdict names its entry")


class FoundMany(msgspec.Struct, frozen=True):
    """The answer to a batch."""

    verdicts: list[Found]


class Problem(msgspec.Struct, frozen=True):
    """What is read of a problem document."""

    code: str = ""
    where: str = ""


@dataclass(frozen=True, slots=True)
class Failure:
    """No verdicts, and why. ``item``: the one signal of the batch that the node could not read."""

    cause: Cause
    again: bool
    status: int | None = None
    code: str | None = None
    item: int | None = None
    after: float = 0.0
    too_long: bool = False


_many: Final = msgspec.json.Decoder(FoundMany)
_one: Final = msgspec.json.Decoder(Found)
_problem: Final = msgspec.json.Decoder(Problem)


def batches(signals: Sequence[Signal]) -> Iterator[list[Signal]]:
    """In order, each within a node's usual bounds of items and bytes."""
    batch: list[Signal] = []
    size = FRAME_BYTES
    for signal in signals:
        weight = len(msgspec.json.encode(signal.value)) + FRAME_BYTES
        if batch and (len(batch) == BATCH_ITEMS.value or size + weight > JSON_BODY_BYTES.value):
            yield batch
            batch, size = [], FRAME_BYTES
        batch.append(signal)
        size += weight
    if batch:
        yield batch


def batch_body(signals: Sequence[Signal]) -> bytes:
    """The body of a batch: types and values, nothing else."""
    return msgspec.json.encode({"signals": [{"type": signal.type, "value": signal.value} for signal in signals]})


def request_head(address: NodeAddress, kind: str, size: int) -> bytes:
    """The head of a request. Never logged: it has the token."""
    lines = [
        f"POST {address.path}{PATH} HTTP/1.1",
        f"Host: {address.authority}",
        "Accept: application/json",
        "Accept-Encoding: identity",
        f"Content-Type: {kind}",
        f"Content-Length: {size}",
    ]
    if address.token is not None:
        lines.append(f"Authorization: Bearer {address.token.open()}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("ascii")


def verdicts_of(answer: HttpAnswer, count: int | None) -> list[Found] | Failure:
    """The verdicts of an answer: exactly ``count``, or one that stands alone where ``count`` is None."""
    if answer.status != 200:
        return failure_of(answer)
    try:
        found = [_one.decode(answer.body)] if count is None else _many.decode(answer.body).verdicts
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return Failure(Cause.ANSWER_BROKEN, again=True, status=200)
    if count is not None and len(found) != count:
        return Failure(Cause.ANSWER_BROKEN, again=True, status=200)
    return found


def failure_of(answer: HttpAnswer) -> Failure:
    """What a refusal comes to."""
    status, problem = answer.status, _problem_of(answer.body)
    code = problem.code if CODE.fullmatch(problem.code) else None
    place = PLACE.fullmatch(problem.where)
    return Failure(
        _cause(status),
        again=status in AGAIN,
        status=status,
        code=code,
        item=int(place[1]) if status == 422 and place and code else None,
        after=_seconds(answer.headers.get(b"retry-after", b"")),
        too_long=status == 413,
    )


def _cause(status: int) -> Cause:
    if status in {401, 403}:
        return Cause.TOKEN_REFUSED
    if status in BUSY:
        return Cause.NODE_BUSY
    return Cause.NODE_FAULT if status >= 500 else Cause.REQUEST_REFUSED


def _problem_of(body: bytes) -> Problem:
    try:
        return _problem.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return Problem()


def _seconds(text: bytes) -> float:
    return float(text) if re.fullmatch(rb"[0-9]{1,4}", text) else 0.0
