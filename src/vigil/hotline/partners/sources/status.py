"""How a source is doing, in words: what failed, since when, how often, and when it is tried again."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from vigil.base.clock import text_of
from vigil.hotline.access.clock import now
from vigil.hotline.partners.sources.models import ImportedEntry, QuarantinedRecord, Source, SourceKind, SourceVote, VoteState
from vigil.hotline.partners.sources.reconcile import counts, is_large
from vigil.hotline.partners.sources.registry import KINDS


@dataclass(frozen=True, slots=True)
class Status:
    """One source at one moment. ``state`` is one of ok, running, waiting, failing, paused, held_back."""

    source: Source
    state: str
    words: str
    in_force: int
    gone: int
    set_aside: int
    votes_waiting: int

    def document(self) -> dict[str, Any]:
        """As JSON values."""
        source = self.source
        return {
            "name": source.name, "kind": source.kind, "state": self.state, "words": self.words, "entries": self.in_force,
            "gone": self.gone, "set_aside": self.set_aside, "held_back": source.held_back, "votes_waiting": self.votes_waiting,
            "failures": source.failures, "error": source.error_code or None, "failing_since": _text(source.failing_since),
            "next_try": _text(source.next_try_at), "last_success": _text(source.succeeded_at), "last_page": _text(source.page_at),
            "last_full": _text(source.whole_at), "empty_since": _text(source.empty_since),
            "mirror": source.mirror or None, "fingerprints": counts(source),
        }  # fmt: skip


def status_of(source: Source) -> Status:
    """How ``source`` is doing now."""
    moment = now()
    entries = ImportedEntry.objects.filter(source=source)
    gone = entries.filter(gone=True).count()
    state = state_of(source, moment)
    return Status(
        source, state, words_of(source, state, moment), entries.count() - gone, gone,
        QuarantinedRecord.objects.filter(source=source, settled_at=None).count(),
        SourceVote.objects.filter(entry__source=source, state=VoteState.QUEUED).count(),
    )  # fmt: skip


def state_of(source: Source, moment: datetime) -> str:
    if source.paused:
        return "paused"
    if source.failing_since is not None:
        return "failing"
    if source.is_running(moment):
        return "running"
    if source.held_back:
        return "held_back"
    return "ok" if source.succeeded_at is not None else "waiting"


def words_of(source: Source, state: str, moment: datetime) -> str:
    """One or two plain sentences."""
    kind = KINDS[SourceKind(source.kind)].title
    if state == "paused":
        return f"Paused by the operator; {kind} is not asked."
    if state == "failing":
        times = "once" if source.failures == 1 else f"{source.failures} times"
        following = "at once" if source.next_try_at <= moment else f"at {_text(source.next_try_at)}"
        return (
            f"{source.error_text} This has happened {times} in a row since {_text(source.failing_since)}; "
            f"it is tried again {following}. What came before stays in use."
        )
    if state == "running":
        return "A full fetch is under way." if source.filling else "It is being fetched now."
    if state == "held_back" and source.damaged:
        return (
            f"Part of the last full fetch could not be read, and {source.held_back} entries were not in the rest of it, so that "
            f"nothing was let go. It is fetched whole again within a day; or accept the removals, if the source confirms them."
        )
    if state == "held_back" and source.empty_since is not None:
        believed = source.empty_since + timedelta(hours=source.empty_hours)
        return (
            f"Since {_text(source.empty_since)} the source shows none of its {source.held_back} entries, which may be a mistake "
            f"of its server: they stay in use. They go if it is still so at {_text(believed)}{_unless_large(source)}; "
            f"or accept the removals now, if the source confirms them."
        )
    if state == "held_back":
        return (
            f"In the last full fetch {source.held_back} entries were missing, which is so many that nothing was let go. "
            f"Ask the source, then accept the removals or fetch it whole again."
        )
    if state == "waiting":
        return "Set up, and not fetched yet."
    return f"Fetched without error at {_text(source.succeeded_at)}; next at {_text(source.next_try_at)}."


def _unless_large(source: Source) -> str:
    """Large losses always wait for a person."""
    return " and somebody accepts the removals, because they are so many" if is_large(source.held_back, source.held_back) else ""


def _text(moment: datetime | None) -> str | None:
    return None if moment is None else text_of(moment)
