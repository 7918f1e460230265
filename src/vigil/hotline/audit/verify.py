"""Walks the chain and says what does not fit."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from vigil.base.errors import InputError
from vigil.hotline.audit.chain import GENESIS, hash_of
from vigil.hotline.audit.merkle import Frontier
from vigil.hotline.audit.models import AuditEvent, AuditHead, AuditTreeHead
from vigil.hotline.audit.notes import opened, public_key_of

MOST_PROBLEMS: Final = 20


@dataclass(frozen=True, slots=True)
class Anchor:
    """A state of the log that left the house with an edition: number of events, hash of the last one."""

    events: int
    head: str
    source: str = "edition"


@dataclass(frozen=True, slots=True)
class Flaw:
    """``seq`` of the event where the chain does not fit, a stable ``code``, and ``what`` in words."""

    seq: int
    code: str
    what: str


@dataclass(slots=True)
class AuditReport:
    """The outcome: how many events, the hash of the last one, the flaws found (at most ``MOST_PROBLEMS``)."""

    events: int = 0
    head: str = GENESIS
    flaws: list[Flaw] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        return not self.flaws


def anchor_now() -> Anchor:
    """The present end of the chain, for an edition."""
    head = AuditHead.objects.filter(pk=AuditHead.ONLY).first()
    return Anchor(head.seq, head.hash) if head else Anchor(0, GENESIS)


def verify(anchors: Iterable[Anchor] = ()) -> AuditReport:
    """Check every event against its hash, its neighbours, the kept end of the chain, signed heads and the given anchors."""
    report = AuditReport()
    tree, heads = Frontier(), _heads_by_size()
    _compare_heads(report, heads.pop(0, []), tree)
    wanted: dict[int, list[Anchor]] = {}
    for anchor in anchors:
        wanted.setdefault(anchor.events, []).append(anchor)
    _compare_anchors(report, wanted.pop(0, []))
    for event in _events():
        report.flaws += _flaws_of(event, report)
        report.events, report.head = event.seq, event.hash
        _compare_anchors(report, wanted.pop(event.seq, []))
        tree.append(bytes.fromhex(event.hash))
        _compare_heads(report, heads.pop(event.seq, []), tree)
        if len(report.flaws) >= MOST_PROBLEMS:
            return report
    report.flaws += [
        Flaw(number, "anchor_beyond_end", f"The {anchor.source} knows {number} events; the log ends before.")
        for number, missing in wanted.items()
        for anchor in missing
    ]
    report.flaws += [
        Flaw(size, "tree_head_beyond_end", f"A signed tree head knows {size} events; the log ends before.") for size in heads
    ]
    report.flaws += _flaws_of_end(report)
    return report


def _events() -> Iterator[AuditEvent]:
    return AuditEvent.objects.order_by("seq").iterator(chunk_size=2000)


def _flaws_of(event: AuditEvent, report: AuditReport) -> Iterator[Flaw]:
    if event.seq != report.events + 1:
        yield Flaw(event.seq, "gap", f"Event {report.events + 1} is missing.")
    if event.prev_hash != report.head:
        yield Flaw(event.seq, "broken_link", "The event does not follow from the one before.")
    if event.hash != hash_of(event):
        yield Flaw(event.seq, "altered", "The event is not what was recorded.")


def _compare_anchors(report: AuditReport, anchors: list[Anchor]) -> None:
    for anchor in anchors:
        if anchor.head != report.head:
            what = f"The log is not the one that the {anchor.source} was built on."
            report.flaws.append(Flaw(report.events, "anchor_differs", what))


def _heads_by_size() -> dict[int, list[AuditTreeHead]]:
    heads: dict[int, list[AuditTreeHead]] = {}
    for head in AuditTreeHead.objects.order_by("size").iterator(chunk_size=2000):
        heads.setdefault(head.size, []).append(head)
    return heads


def _compare_heads(report: AuditReport, heads: list[AuditTreeHead], tree: Frontier) -> None:
    for head in heads:
        if head.root != tree.root.hex() or not _is_signed(head):
            what = f"The signed tree head of {head.size} events is not the root of this log."
            report.flaws.append(Flaw(head.size, "tree_head_differs", what))


def _is_signed(head: AuditTreeHead) -> bool:
    """Whether the note says what the row says and carries the signature of the key that the row names."""
    try:
        told = opened(head.note, public_key_of(head.key))
    except InputError:
        return False
    return (told.size, told.root.hex()) == (head.size, head.root)


def _flaws_of_end(report: AuditReport) -> Iterator[Flaw]:
    head = AuditHead.objects.filter(pk=AuditHead.ONLY).first()
    if head is None:
        if report.events:
            yield Flaw(report.events, "head_missing", "The kept end of the log is missing.")
    elif head.seq > report.events:
        yield Flaw(report.events, "truncated", f"The log ends at event {report.events}; it had {head.seq}.")
    elif (head.seq, head.hash) != (report.events, report.head):
        yield Flaw(report.events, "appended", "The log goes on after its kept end, or ends otherwise.")
