"""Exchanges at work: each has a source of its own, which the worker fetches as any other; what came goes into the bank.

Everything that sources can do holds here too: pages are kept one by one, a killed run goes on, a bad record is set aside by its
name, what vanished is found by full fetches, and the source says in words what failed. This loop sets up the source of an
exchange, keeps its credentials and its pause in step, and brings the bank in line with what the source has in force.
"""

from __future__ import annotations

import logging
import threading
from collections import defaultdict
from collections.abc import Iterable
from typing import Any, Final

from django.db import DatabaseError, close_old_connections, transaction
from django.db.models import F, Q

from vigil.base.errors import InputError, RefusedError, VigilError
from vigil.hotline.access.clock import now
from vigil.hotline.access.people import WORKER, must
from vigil.hotline.access.permissions import Permission
from vigil.hotline.audit.actions import record
from vigil.hotline.banks import codes
from vigil.hotline.banks.actions import next_turn, require_metadata
from vigil.hotline.banks.exchanges import credentials_of
from vigil.hotline.banks.models import Bank, BankContent, BankSignal, Exchange, ExchangeContent, ExchangeSource
from vigil.hotline.partners.sources.actions import do_add_source, do_change_source, do_remove_source, place_of
from vigil.hotline.partners.sources.models import ImportedEntry, Source, SourceKind
from vigil.hotline.partners.sources.pages import Kept
from vigil.hotline.partners.sources.queries import kept_of
from vigil.hotline.partners.sources.record import Media, Place
from vigil.match.signal_types import PHOTO, SIGNAL_TYPES, VIDEO

log = logging.getLogger(__name__)

POLL_SECONDS: Final = 2.0
AT_ONCE: Final = 500
KINDS: Final = {
    "ncmec": (SourceKind.NCMEC, {"user": "user", "password": "password"}),
    "stop_ncii": (SourceKind.STOPNCII, {"fetch_function_key": "fetch_key", "subscription_key": "subscription_key"}),
    "fb_threatexchange": (SourceKind.THREATEXCHANGE, {"api_token": "token"}),
}
"""The kind of source of each kind of exchange, and the names of its credentials there."""


def serve(stop: threading.Event, poll: float = POLL_SECONDS) -> None:
    """Look after every exchange, then wait, until ``stop`` is set."""
    while not stop.is_set():
        try:
            close_old_connections()
            step()
        except DatabaseError:
            log.warning("the database did not answer; exchanges are looked after again")
        stop.wait(poll)


def step() -> int:
    """Look after every exchange once; gives how many contents of banks came or went."""
    must(WORKER, Permission.SOURCE_FETCH)
    _remove_left()
    found = Exchange.objects.filter(bank__deleted_at=None).select_related("bank__list", "link__source")
    return sum(_look_after(each) for each in found.order_by("created_at"))


def _look_after(exchange: Exchange) -> int:
    try:
        source = _source_of(exchange)
    except VigilError as error:
        # What the curator gave does not make a source: the exchange says so until that is mended.
        _save(exchange, error_code=error.code[:60], succeeded=False, up_to_date=False)
        return 0
    if source is None:
        return 0
    seen = _seen(source)
    if seen == exchange.checkpoint:
        return 0
    number = fill(exchange, source)
    _note(exchange, source, seen)
    return number


# ---- the source of an exchange


def _source_of(exchange: Exchange) -> Source | None:
    """The source, set up or changed where it has to be; None while the exchange was never switched on."""
    link = ExchangeSource.objects.select_related("source").filter(exchange=exchange).first()
    if link is None and not exchange.enabled:
        return None
    kind, place = SourceKind(KINDS[exchange.api][0]), _place(exchange)
    if link is None:
        with transaction.atomic():
            made = do_add_source(WORKER, f"exchange-{exchange.bank_id}", kind, place)
            ExchangeSource.objects.create(exchange=exchange, source=made)
        return made
    source: Source = link.source
    fresh = place_of(source).credentials != place.credentials
    if fresh or source.paused is exchange.enabled:
        given = place.credentials if fresh else None
        return do_change_source(WORKER, source, credentials=given, paused=not exchange.enabled)
    return source


def _place(exchange: Exchange) -> Place:
    names = KINDS[exchange.api][1]
    given = credentials_of(exchange.api)
    if given is None:
        raise RefusedError("exchange_credentials_missing", "Nobody has given credentials for this kind of exchange.")
    options = {"group": str(int(exchange.settings["privacy_group"]))} if exchange.api == "fb_threatexchange" else {}
    return Place(str(exchange.settings["base_url"]), {names[name]: value for name, value in given.items()}, options)


def _remove_left() -> None:
    """Remove the sources of exchanges that were deleted, with everything that came from them."""
    for link in ExchangeSource.objects.select_related("source").filter(exchange=None):
        source = link.source
        if source.is_running(now()):
            if not source.paused:
                do_change_source(WORKER, source, paused=True)
            continue
        with transaction.atomic():
            ExchangeContent.objects.filter(imported__source=source).delete()
            link.delete()
            do_remove_source(WORKER, source)


# ---- the bank of an exchange


def fill(exchange: Exchange, source: Source) -> int:
    """Bring the bank in line with what the source has in force, some at a time; gives how many contents came or went."""
    total = 0
    for change in (_let_go, _take_up):
        while (number := change(exchange, source)) is not None:
            total += number
    return total


def _let_go(exchange: Exchange, source: Source) -> int | None:
    """Erase what the source took back or changed; None where there is nothing of that kind."""
    stale = Q(imported__gone=True) | ~Q(digest=F("imported__digest"))
    rows = list(ExchangeContent.objects.filter(stale, imported__source=source)[:AT_ONCE])
    if not rows:
        return None
    with transaction.atomic():
        turn = next_turn()
        found = BankContent.objects.filter(pk__in=[row.content_id for row in rows if row.content_id], gone=False)
        numbers = list(found.values_list("pk", flat=True))
        BankSignal.objects.filter(content__in=numbers).delete()
        BankContent.objects.filter(pk__in=numbers).update(gone=True, note=None, metadata=None, changed=turn)
        ExchangeContent.objects.filter(pk__in=[row.pk for row in rows]).delete()
        if numbers:
            record(WORKER, codes.EXCHANGE_FILLED, exchange, list=exchange.bank.list.name, added=0, removed=len(numbers))
    return len(numbers)


def _take_up(exchange: Exchange, source: Source) -> int | None:
    """Bank what the source has in force and the bank does not hold yet; None where there is nothing of that kind."""
    fresh = ImportedEntry.objects.filter(source=source, gone=False, banked=None).select_related("page")
    entries = list(fresh.order_by("pk")[:AT_ONCE])
    if not entries:
        return None
    wanted = {int(each) for each in exchange.settings.get("only_esp_ids", ())}
    opened = [(entry, _groups(entry, kept) if _is_wanted(entry, wanted) else []) for entry, kept in kept_of(entries)]
    with transaction.atomic():
        turn = next_turn()
        if not Bank.objects.filter(pk=exchange.bank_id, deleted_at=None).exists():
            return None
        made = _bank(exchange, turn, opened)
        if made:
            record(WORKER, codes.EXCHANGE_FILLED, exchange, list=exchange.bank.list.name, added=made, removed=0)
    return made


def _bank(exchange: Exchange, turn: int, opened: list[tuple[ImportedEntry, list[dict[str, str]]]]) -> int:
    """A content for each group of values. Where an entry has none that banks hold, only that it was looked at is kept."""
    owners = [(entry, group) for entry, groups in opened for group in groups]
    contents = BankContent.objects.bulk_create(
        BankContent(bank=exchange.bank, changed=turn, added_by=WORKER.label, metadata=require_metadata({"content_id": entry.key}))
        for entry, _ in owners
    )
    BankSignal.objects.bulk_create(
        BankSignal(content=content, type=name, value=value)
        for content, (_, group) in zip(contents, owners, strict=True)
        for name, value in group.items()
    )
    links = [
        ExchangeContent(imported=entry, content=content, digest=bytes(entry.digest))
        for content, (entry, _) in zip(contents, owners, strict=True)
    ]
    links += [ExchangeContent(imported=entry, digest=bytes(entry.digest)) for entry, groups in opened if not groups]
    ExchangeContent.objects.bulk_create(links)
    return len(contents)


def _is_wanted(entry: ImportedEntry, members: set[int]) -> bool:
    """Whether the entry comes from one of the members that the exchange names; all count where it names none."""
    number = entry.member.partition(" ")[0]
    return not members or (number.isdecimal() and int(number) in members)


def _groups(entry: ImportedEntry, kept: Kept) -> list[dict[str, str]]:
    """The values that banks hold, by signal type; a second value of a type makes a second group, so that none is lost."""
    values: dict[str, list[str]] = defaultdict(list)
    for algorithm, text in kept.fingerprints:
        name = _type_of(algorithm, entry.media)
        if name is None:
            continue
        kind = SIGNAL_TYPES[name]
        try:
            normal = kind.text(kind.parse(text))
        except InputError:  # set aside by the source already, as a fingerprint that is none
            continue
        if normal not in values[name]:
            values[name].append(normal)
    most = max(map(len, values.values()), default=0)
    return [{name: found[place] for name, found in values.items() if place < len(found)} for place in range(most)]


def _type_of(algorithm: str, media: str) -> str | None:
    """The signal type of an algorithm for this media; one for other media where there is none, since they match alike."""
    content = VIDEO if media == Media.VIDEO else PHOTO
    found = [each for each in SIGNAL_TYPES.values() if each.algorithm.name == algorithm]
    return next((each.name for each in _first(found, content)), None)


def _first(found: Iterable[Any], content: str) -> list[Any]:
    return sorted(found, key=lambda each: each.content != content)


# ---- what the exchange says


def _seen(source: Source) -> dict[str, Any]:
    """What differs when something may have changed."""
    moments = {"page": source.page_at, "succeeded": source.succeeded_at, "whole": source.whole_at}
    texts = {name: moment.isoformat() if moment else None for name, moment in moments.items()}
    return {**texts, "failures": source.failures, "held_back": source.held_back}


def _note(exchange: Exchange, source: Source, seen: dict[str, Any]) -> None:
    before = exchange.checkpoint or {}
    ended = any(seen[name] != before.get(name) for name in ("succeeded", "failures")) and (
        source.succeeded_at is not None or source.failures > 0
    )
    failing = source.failing_since is not None
    changes: dict[str, Any] = {
        "checkpoint": seen, "error_code": source.error_code,
        "fetched": BankContent.objects.filter(bank=exchange.bank_id, gone=False).count(),
        "checkpoint_at": int(source.page_at.timestamp()) if source.page_at else None,
        "up_to_date": source.succeeded_at is not None and not failing,
    }  # fmt: skip
    if ended:
        changes |= {"completed_at": int(now().timestamp()), "succeeded": not failing}
    _save(exchange, **changes)


def _save(exchange: Exchange, **changes: Any) -> None:
    if any(getattr(exchange, name) != value for name, value in changes.items()):
        Exchange.objects.filter(pk=exchange.pk).update(**changes)


def status_of(exchange: Exchange) -> dict[str, Any]:
    """How the exchange does, as its route shows it; times are Unix seconds."""
    link = ExchangeSource.objects.select_related("source").filter(exchange=exchange).first()
    started = link.source.started_at if link is not None and link.source.is_running(now()) else None
    return {
        "checkpoint_ts": exchange.checkpoint_at,
        "running_fetch_start_ts": int(started.timestamp()) if started is not None else None,
        "last_fetch_complete_ts": exchange.completed_at,
        "last_fetch_succeeded": exchange.succeeded,
        "up_to_date": exchange.up_to_date and started is None,
        "fetched_items": exchange.fetched,
        "error": exchange.error_code or None,
    }
