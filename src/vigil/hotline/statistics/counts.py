"""Taking the count vectors of enforcement nodes (facts: counting, sections 2 and 3).

Sent twice counts once; the highest revision wins; other bytes under a used key are refused and leave an alarm. What
cannot be true is refused: a ceiling per second, no more seconds than the hour has had, no hour that has not begun.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Final, Literal

import msgspec

from vigil.base.errors import InputError
from vigil.base.limits import Limit
from vigil.editions import selftest
from vigil.editions.node_signatures import COUNTS
from vigil.hotline.access.clock import now
from vigil.hotline.access.people import must
from vigil.hotline.access.permissions import Permission
from vigil.hotline.lists.models import List, Publication
from vigil.hotline.partners.models import Node
from vigil.hotline.statistics.canaries import note_counted
from vigil.hotline.statistics.classes import CountClass
from vigil.hotline.statistics.keeping import keep_once
from vigil.hotline.statistics.models import CountVector
from vigil.hotline.statistics.node_keys import check_signature

VECTOR_BYTES: Final = Limit(16 * 1024, "bytes", "a vector has twelve numbers")
EVENTS_PER_SECOND: Final = Limit(200_000, "events per second", "no node answers more; a larger number is an error or a lie")
OLDEST: Final = timedelta(days=400)
SKEW: Final = timedelta(minutes=5)
NO_LIST: Final = "*"
LARGEST_K: Final = 1000
MessageName = Annotated[str, msgspec.Meta(pattern=r"^(law|harm|help)\.(displayed|help_followed)$")]


class UnprocessableError(InputError):
    """Well-formed, but it cannot be true or does not fit the contract."""

    http_status = 422


class Privacy(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the node did to the numbers before they left."""

    kind: Literal["none", "suppress", "laplace"]
    k: Annotated[int, msgspec.Meta(ge=0, le=LARGEST_K)] = 0
    epsilon: Annotated[float, msgspec.Meta(gt=0, le=10)] | None = None


class Vector(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The wire form."""

    v: Literal[1]
    rules: Annotated[int, msgspec.Meta(ge=1, le=1000)]
    node: Annotated[str, msgspec.Meta(min_length=1, max_length=60)]
    list: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
    edition: Annotated[int, msgspec.Meta(ge=0, le=2**31 - 1)]
    hour: Annotated[str, msgspec.Meta(pattern=r"^\d{4}-\d{2}-\d{2}T\d{2}:00Z$")]
    covered_seconds: Annotated[int, msgspec.Meta(ge=0, le=3600)]
    counts: dict[CountClass, Annotated[int, msgspec.Meta(ge=-(2**40), le=2**53)] | None]
    privacy: Privacy
    revision: Annotated[int, msgspec.Meta(ge=0, le=2**31 - 1)]
    messages: dict[MessageName, Annotated[int, msgspec.Meta(ge=-(2**40), le=2**53)] | None] | None = None

    def hour_start(self) -> datetime:
        """The hour as an instant."""
        try:
            return datetime.strptime(self.hour, "%Y-%m-%dT%H:00Z").replace(tzinfo=UTC)
        except ValueError as error:
            raise UnprocessableError("hour_malformed", "There is no such hour.", where="hour") from error


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of a vector: ``fresh`` is False where the same bytes were there already."""

    vector: CountVector
    fresh: bool


def read_vector(body: bytes) -> Vector:
    """The vector in ``body``. Raises InputError for what is not JSON, UnprocessableError for what is not a vector."""
    if len(body) > VECTOR_BYTES.value:
        raise UnprocessableError("vector_too_large", f"A vector has at most {VECTOR_BYTES.value} bytes.")
    try:
        return msgspec.json.decode(body, type=Vector)
    except msgspec.ValidationError as error:
        raise UnprocessableError("vector_wrong", "This is not a vector of counts.", where=place_of(error)) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InputError("json_malformed", "This is not JSON.") from error


def place_of(error: msgspec.ValidationError) -> str:
    """The path in a message of msgspec, such as ``$.hour``; never the value."""
    return str(error).rpartition(" - at `")[2].rstrip("`") if " - at `" in str(error) else "$"


def check_take_counts(node: Node, vector: Vector) -> None:
    """Refuse what another node should send, and what cannot be true."""
    must(node, Permission.COUNTS_SEND)
    if vector.node != node.name:
        raise UnprocessableError("node_differs", "The vector names another node than the token.", where="node")
    _check_subject(vector)
    _check_time(vector)
    _check_numbers(vector)


def _check_subject(vector: Vector) -> None:
    if vector.list == NO_LIST:
        if set(vector.counts) - {CountClass.UNKNOWN, CountClass.BYPASSED} and _any_other(vector):
            raise UnprocessableError("class_without_list", "Only unchecked requests belong to no list.", where="counts")
    elif vector.list != selftest.LIST and not List.objects.filter(name=vector.list).exists():
        raise UnprocessableError("list_unknown", "There is no list of that name.", where="list")
    if vector.edition and not Publication.objects.filter(number=vector.edition).exists():
        raise UnprocessableError("edition_unknown", "There is no edition of that number.", where="edition")


def _any_other(vector: Vector) -> bool:
    allowed = {CountClass.UNKNOWN, CountClass.BYPASSED}
    return any(number for kind, number in vector.counts.items() if kind not in allowed)


def _check_time(vector: Vector) -> None:
    hour, present = vector.hour_start(), now()
    if hour > present + SKEW or hour < present - OLDEST:
        raise UnprocessableError("hour_implausible", "The hour is in the future or too long ago.", where="hour")
    elapsed = (present - hour + SKEW).total_seconds()
    if vector.covered_seconds > elapsed:
        raise UnprocessableError("covered_implausible", "More seconds than have passed.", where="covered_seconds")


def _check_numbers(vector: Vector) -> None:
    noisy = vector.privacy.kind == "laplace"
    # What belongs to no edition (unchecked requests, hits of banks) is in force for no time that could be noted.
    seconds = 3600 if vector.list == NO_LIST or not vector.edition else vector.covered_seconds + 1
    ceiling = EVENTS_PER_SECOND.value * seconds
    shown = (*vector.counts.values(), *(vector.messages or {}).values())
    numbers = [number for number in shown if number is not None]
    if any(number > ceiling or (number < 0 and not noisy) for number in numbers):
        raise UnprocessableError("count_implausible", "A number is below zero or beyond what a node can count.", where="counts")
    if vector.privacy.kind == "suppress" and any(number < vector.privacy.k for number in numbers):
        raise UnprocessableError("count_not_suppressed", "A number below k was sent as a number.", where="counts")


def do_take_counts(node: Node, body: bytes, signature: str = "") -> Taken:
    """Keep a vector. Raises InputError, UnprocessableError, SignatureRefusedError, or ConflictError after leaving an alarm."""
    signed = check_signature(node, signature, COUNTS, body)
    vector = read_vector(body)
    check_take_counts(node, vector)

    def keep(digest: str) -> CountVector:
        kept = _keep(node, vector, digest, signed=signed)
        note_counted(node, kept)
        return kept

    mend = "Send a higher revision."
    return Taken(*keep_once(node, body, lambda: _same_key(node, vector), keep, where="revision", mend=mend))


def _same_key(node: Node, vector: Vector) -> CountVector | None:
    return CountVector.objects.filter(
        node=node, list=vector.list, edition=vector.edition, hour=vector.hour_start(), revision=vector.revision
    ).first()


def _keep(node: Node, vector: Vector, digest: str, *, signed: bool) -> CountVector:
    same = CountVector.objects.filter(node=node, list=vector.list, edition=vector.edition, hour=vector.hour_start())
    newest = same.order_by("-revision").first()
    in_force = newest is None or newest.revision < vector.revision
    if in_force:
        same.filter(in_force=True).update(in_force=False)
    return CountVector.objects.create(
        node=node,
        list=vector.list,
        edition=vector.edition,
        hour=vector.hour_start(),
        revision=vector.revision,
        rules=vector.rules,
        covered_seconds=vector.covered_seconds,
        counts={kind.value: number for kind, number in vector.counts.items()},
        privacy=vector.privacy.kind,
        k=vector.privacy.k,
        messages=vector.messages or {},
        signed=signed,
        body_digest=digest,
        in_force=in_force,
        created_by=node.label,
    )
