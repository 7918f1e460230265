"""Fetching one source: claimed for a time, page by page, so that a killed run loses nothing and another goes on.

Each page is kept in one transaction with the cursor after it. A run that fails says so on the source, in words, with since when
and when it is tried again; what was kept stays. A full fetch fills a new generation; what it did not show is let go at its
end, unless that is so much that a person has to agree. A full fetch that shows nothing at all of what is in force is asked for
again until it has been so for a time: a server that answers ``{}`` by mistake looks like one that has nothing any more.
"""

from __future__ import annotations

import hashlib
import json
import logging
import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from django.conf import settings
from django.db import transaction
from django.db.models import Q, QuerySet

from vigil.base.errors import UnavailableError, VigilError
from vigil.hotline.access.clock import now
from vigil.hotline.access.people import WORKER, must
from vigil.hotline.access.permissions import Permission
from vigil.hotline.audit.actions import record
from vigil.hotline.partners.sources import codes
from vigil.hotline.partners.sources.actions import place_of
from vigil.hotline.partners.sources.ahead import Ahead, Coming, Pages, fewer_collections, shorter_turns
from vigil.hotline.partners.sources.keeping import Tally, keep, read
from vigil.hotline.partners.sources.limits import CLAIM, STUCK_RUNS
from vigil.hotline.partners.sources.models import ImportedEntry, Source, SourceKind, SourceVote, VoteState
from vigil.hotline.partners.sources.pages import at
from vigil.hotline.partners.sources.reconcile import empty_pages, is_large, mirror_of, unseen, vanished
from vigil.hotline.partners.sources.record import Cursor, Feed, Page, Vote
from vigil.hotline.partners.sources.registry import KINDS, MakeLine
from vigil.hotline.partners.sources.transport import FetchError, Line, Pacer

log = logging.getLogger(__name__)

FIRST_PAUSE: Final = timedelta(minutes=1)
LONGEST_PAUSE: Final = timedelta(hours=1)
DAMAGED_AGAIN: Final = timedelta(days=1)
VOTES_AT_ONCE: Final = 100
VOTE_ATTEMPTS: Final = 20

Opener = Callable[[Source], AbstractContextManager[Feed]]


class ClaimLost(Exception):  # noqa: N818 - not a failure: another worker has the source, or this one is asked to stop
    """This run must leave everything as it is."""


@dataclass(slots=True)
class Run:
    """One fetch of one source, and what came of it."""

    source: Source
    whole: bool
    generation: int
    tally: Tally


def state_folder(source: Source) -> Path:
    """Where a kind of source may keep files of its own (the trust in another hotline's editions)."""
    return Path(settings.EDITIONS).parent / "sources" / source.name


@contextmanager
def open_feed(source: Source, make: MakeLine | None = None) -> Iterator[Feed]:
    """The feed of a source, with its pace; its lines are let go at the end."""
    pacer = Pacer(source.requests_a_minute)

    def paced(address: str, headers: dict[str, str] | None = None, *, secret_in_query: bool = False) -> Line:
        return Line(address, headers, pacer=pacer, secret_in_query=secret_in_query)

    with ExitStack() as opened:

        def line(address: str, headers: dict[str, str] | None = None, *, secret_in_query: bool = False) -> Line:
            made = (make or paced)(address, headers, secret_in_query=secret_in_query)
            opened.callback(made.close)
            return made

        yield KINDS[SourceKind(source.kind)].open(place_of(source), line, state_folder(source))


def claim_next(moment: datetime | None = None) -> Source | None:
    """A source whose time has come, claimed for this run; None where there is none."""
    moment = moment or now()
    due = Source.objects.filter(Q(claimed_until=None) | Q(claimed_until__lt=moment), paused=False, next_try_at__lte=moment)
    return _claim(due.order_by("next_try_at"), moment)


def claim(source: Source) -> Source | None:
    """This source, claimed whether its time has come or not; None while another run has it."""
    moment = now()
    free = Q(claimed_until=None) | Q(claimed_until__lt=moment)
    return _claim(Source.objects.filter(free, pk=source.pk), moment)


def _claim(found: QuerySet[Source], moment: datetime) -> Source | None:
    must(WORKER, Permission.SOURCE_FETCH)
    with transaction.atomic():
        source = found.select_for_update(skip_locked=True).first()
        if source is None:
            return None
        source.claim, source.claimed_until, source.started_at = uuid.uuid4(), moment + CLAIM, moment
        source.save(update_fields=["claim", "claimed_until", "started_at"])
        return source


def fetch(source: Source, opener: Opener = open_feed, stopping: Callable[[], bool] = bool) -> Tally:
    """Fetch a claimed source to its end, or as far as it goes; the source says what happened. Never raises for the feed."""
    tally = Tally()
    try:
        with opener(source) as feed:
            send_votes(source, feed)
            run = _begin(source, feed, tally)
            coming_pages = Pages(_pages(run, feed), lambda page: read(page, now()), lambda: _hold(source, stopping))
            with fewer_collections(), shorter_turns(), coming_pages as pages:
                for coming in pages:
                    pages.ahead = _keep(run, coming, stopping)
        with fewer_collections():
            _finish(run)
    except ClaimLost:
        _release(source)
    except FetchError as error:
        _fail(source, error, error.retry_after)
    except VigilError as error:
        _fail(source, error, None)
    except Exception as error:
        # A mistake of ours must not end the worker: the source says so, and the log says where.
        log.exception("source not fetched", extra={"fields": {"source": source.name}})
        _fail(source, UnavailableError("source_broken_inside", f"Our own software failed ({type(error).__name__})."), None)
    return tally


def _begin(source: Source, feed: Feed, tally: Tally) -> Run:
    """Go on with the full fetch that was under way, begin one where it is due, or fetch what changed."""
    moment, cursor = now(), cursor_of(source)
    due = (
        feed.whole_each_time
        or cursor is None
        or source.whole_at is None
        or moment - source.whole_at >= timedelta(days=source.reconcile_days)
        or (not source.filling and feed.is_stale(cursor, moment))
    )
    if due and not source.filling:
        source.filling, source.cursor, source.damaged = source.generation + 1, None, False
        _save(source, "filling", "cursor", "damaged")
    return Run(source, bool(source.filling), source.filling or source.generation, tally)


def _pages(run: Run, feed: Feed) -> Iterator[Page]:
    cursor = cursor_of(run.source)
    mark = _mark(cursor)
    stuck = run.source.failures >= STUCK_RUNS.value and run.source.stuck_at == mark
    return feed.pages(cursor, now(), stuck=stuck)


def _keep(run: Run, coming: Coming, stopping: Callable[[], bool]) -> Ahead:
    """One page and the cursor after it, in one transaction; gives how much is worth doing ahead for the pages to come."""
    if stopping():
        raise ClaimLost
    source, page = run.source, coming.page
    with transaction.atomic():
        moment = now()
        if not _mine(source).update(claimed_until=moment + CLAIM):
            raise ClaimLost
        tally = keep(source, page, run.generation, moment, coming.reading, whole=run.whole)
        source.cursor, source.page_at = json.dumps(page.cursor), moment
        changed = ["cursor", "page_at"]
        if tally.altered and source.mirror:
            source.mirror, source.mirror_at = "", None
            changed += ["mirror", "mirror_at"]
        if tally.damaged and run.whole and not source.damaged:
            source.damaged = True
            changed.append("damaged")
        _save(source, *changed)
    run.tally.add(tally)
    if tally.known_pages:
        return Ahead.FETCHED
    return Ahead.SEALED if tally.records and tally.added == tally.records else Ahead.READ


def _hold(source: Source, stopping: Callable[[], bool]) -> None:
    """Keep the claim while the source lets itself be waited for; end where this worker is to stop or the claim is gone."""
    if stopping() or not _mine(source).update(claimed_until=now() + CLAIM):
        raise ClaimLost


def _finish(run: Run) -> None:
    """Everything there was is kept: settle what vanished, note the success."""
    source, moment, tally = run.source, now(), run.tally
    with transaction.atomic():
        if not _mine(source).update(claimed_until=moment + CLAIM):
            raise ClaimLost
        if tally.altered:
            source.empty_since = None  # it has something to say again
        if run.whole:
            tally.withdrawn += _reconcile(run, moment)
        if run.whole and not source.mirror:
            mirror = mirror_of(source)
            source.mirror, source.mirror_entries, source.mirror_at = mirror.hexdigest(), mirror.entries, moment
        source.claim, source.claimed_until, source.failing_since = None, None, None
        source.failures, source.stuck_at, source.error_code, source.error_text = 0, "", "", ""
        source.succeeded_at, source.next_try_at = moment, moment + timedelta(minutes=source.every_minutes)
        source.save()
        if run.whole or tally.altered or tally.set_aside:
            record(
                WORKER, codes.FETCHED, source, name=source.name, whole=run.whole, added=tally.added, changed=tally.changed,
                withdrawn=tally.withdrawn, set_aside=tally.set_aside,
            )  # fmt: skip


def _reconcile(run: Run, moment: datetime) -> int:
    """Let go of what the full fetch did not show, or leave that to a person where it is much."""
    source = run.source
    missing = unseen(source, run.generation).count()
    in_force = ImportedEntry.objects.filter(source=source, gone=False).count()
    source.generation, source.filling, source.whole_at = run.generation, 0, moment
    if source.damaged:
        # Part of it could not be read: everything is asked for again tomorrow, and till then nothing is taken for gone.
        source.whole_at = moment - timedelta(days=source.reconcile_days) + DAMAGED_AGAIN
    doubted = _doubts_the_end(source, missing, in_force, moment)
    if doubted or is_large(missing, in_force) or (source.damaged and missing):
        if source.held_back != missing:
            record(WORKER, codes.HELD_BACK, source, name=source.name, entries=missing)
        source.held_back = missing
        return 0
    source.held_back = 0
    if missing:
        source.mirror = ""
    number = vanished(source, run.generation, moment)
    empty_pages(source)
    return number


def _doubts_the_end(source: Source, missing: int, in_force: int, moment: datetime) -> bool:
    """Whether a source that showed nothing of what is in force is to be asked again before that is believed."""
    if not missing or missing != in_force or source.damaged or KINDS[SourceKind(source.kind)].signed:
        source.empty_since = None
        return False
    source.empty_since = source.empty_since or moment
    believed_at = source.empty_since + timedelta(hours=source.empty_hours)
    if moment >= believed_at:
        source.empty_since = None
        return False
    source.whole_at = moment - timedelta(days=source.reconcile_days) + min(DAMAGED_AGAIN, believed_at - moment)
    return True


def _fail(source: Source, error: VigilError, retry_after: float | None) -> None:
    """Note on the source what failed, since when, how often, and when it is tried again."""
    moment = now()
    with transaction.atomic():
        held = _mine(source).select_for_update().first()
        if held is None:
            return
        first = held.failing_since is None
        mark = _mark(cursor_of(held))
        held.failures = held.failures + 1
        held.stuck_at = mark
        held.failing_since = held.failing_since or moment
        held.error_code, held.error_text = error.code[:60], f"{error.what} {error.mend}".strip()[:500]
        pause = min(FIRST_PAUSE * 2 ** min(held.failures - 1, 6), LONGEST_PAUSE)
        if retry_after is not None:
            pause = max(pause, timedelta(seconds=min(retry_after, 24 * 3600)))
        held.next_try_at = moment + pause
        held.claim, held.claimed_until = None, None
        held.save()
        if first:
            record(WORKER, codes.FAILED, held, name=held.name, reason=error.code[:100])
    log.warning("source failed", extra={"fields": {"source": source.name, "code": error.code}})


def _release(source: Source) -> None:
    _mine(source).update(claim=None, claimed_until=None)


def _mine(source: Source) -> QuerySet[Source]:
    return Source.objects.filter(pk=source.pk, claim=source.claim)


def _save(source: Source, *fields: str) -> None:
    source.save(update_fields=list(fields))


def cursor_of(source: Source) -> Cursor | None:
    """Where the feed goes on; None at the very beginning."""
    sealed = source.cursor
    if sealed is None:
        return None
    cursor: Cursor = json.loads(sealed.open() if hasattr(sealed, "open") else str(sealed))
    return cursor


def _mark(cursor: Cursor | None) -> str:
    return hashlib.sha256(json.dumps(cursor, sort_keys=True).encode()).hexdigest()


def send_votes(source: Source, feed: Feed) -> int:
    """Send the opinions that wait; gives how many the source took. What it refuses is noted on the vote."""
    sent = 0
    waiting = SourceVote.objects.filter(entry__source=source, state=VoteState.QUEUED).select_related("entry")
    for vote in waiting.order_by("created_at")[:VOTES_AT_ONCE]:
        try:
            feed.vote(_vote_of(vote))
        except FetchError as error:
            if not _is_final(error) and vote.attempts + 1 < VOTE_ATTEMPTS:
                vote.attempts += 1
                vote.answer = error.what[:300]
                vote.save(update_fields=["attempts", "answer"])
                return sent
            _settle_vote(source, vote, error)
        except VigilError as error:
            _settle_vote(source, vote, error)
        else:
            _settle_vote(source, vote, None)
            sent += 1
    return sent


def _is_final(error: FetchError) -> bool:
    return 400 <= error.status < 500 and error.status not in (401, 403, 408, 429)


def _settle_vote(source: Source, vote: SourceVote, error: VigilError | None) -> None:
    with transaction.atomic():
        vote.attempts += 1
        vote.state = VoteState.SENT.value if error is None else VoteState.REFUSED.value
        vote.sent_at = now() if error is None else None
        vote.answer = "" if error is None else f"{error.what} {error.mend}".strip()[:300]
        vote.save(update_fields=["attempts", "state", "sent_at", "answer"])
        if error is None:
            record(WORKER, codes.VOTE_SENT, vote, name=source.name)
        else:
            record(WORKER, codes.VOTE_REFUSED, vote, name=source.name, reason=error.code[:100])


def _vote_of(vote: SourceVote) -> Vote:
    """The vote as the source's module needs it, with the entry's record opened."""
    entry = vote.entry
    kept = next(at(entry.page.content, [entry.position]))
    value = next((text for name, text in kept.fingerprints if name == vote.algorithm), "")
    return Vote(entry.key, vote.algorithm, value, vote.agrees, vote.reason, kept.raw)
