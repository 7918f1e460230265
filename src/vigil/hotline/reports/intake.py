"""From a draft to a report: begin, answer, submit, purge. One transaction each, with its audit row."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from django.db import IntegrityError, transaction

from vigil.base.errors import InputError
from vigil.hotline.access.clock import now
from vigil.hotline.access.people import Person, must
from vigil.hotline.access.permissions import Permission
from vigil.hotline.access.sealing import matching_digest
from vigil.hotline.audit.actions import record
from vigil.hotline.reports import codes
from vigil.hotline.reports.addresses import (
    URL_PURPOSE,
    Reading,
    read_address,
    registrable_domain,
    top_level,
)
from vigil.hotline.reports.duplicates import first_report_of, raised
from vigil.hotline.reports.enumerations import (
    URGENCY,
    AiNexus,
    Channel,
    Outcome,
    Priority,
    SourceClass,
    Status,
    SubmissionType,
    Theme,
)
from vigil.hotline.reports.lifecycle import DUPLICATE_RULE
from vigil.hotline.reports.limits import ADDRESS_CHARACTERS, DRAFT_LIFE, WORDS_CHARACTERS
from vigil.hotline.reports.models import Draft, Report, Submission, Url
from vigil.hotline.reports.references import RANDOM_BYTES, reference_of
from vigil.match.urls import CANON, CanonicalUrl

TOKEN_BYTES: Final = 24
PURGED_AT_ONCE: Final = 200
URGENT_THEMES: Final = frozenset({Theme.SEXTORTION, Theme.CSEM_GROOMING, Theme.TRAFFICKING_TOURISM})


@dataclass(frozen=True, slots=True, repr=False)
class Arrival:
    """A report as it is handed in. ``address`` and ``words`` are exactly what was received.

    ``received_at``  None means now; sample data and imports give their own instant.
    """

    address: str
    theme: Theme | None = None
    ai_nexus: tuple[AiNexus, ...] = ()
    words: str = ""
    language: str = ""
    channel: Channel = Channel.WEB_FORM
    source_class: SourceClass = SourceClass.PUBLIC
    received_at: datetime | None = field(default=None)


# ---- drafts


def token_digest(token: str) -> str:
    """What is kept of a draft's token; enough to recognise it, not to use it."""
    return hashlib.blake2b(token.encode("utf-8", "surrogatepass"), digest_size=32, person=b"vigil-draft").hexdigest()


def do_begin_draft(person: Person) -> tuple[Draft, str]:
    """A new empty draft and the token for the browser's cookie. Clears away some drafts past their time first."""
    must(person, Permission.REPORT_SUBMIT)
    do_purge_drafts(person)
    token = secrets.token_urlsafe(TOKEN_BYTES)
    draft = Draft.objects.create(token_digest=token_digest(token), created_by=person.label)
    return draft, token


def do_answer(draft: Draft, **answers: str | bool) -> Draft:
    """Keep answers as they were entered, also those that still need another look."""
    for name, value in answers.items():
        setattr(draft, name, value)
    draft.save(update_fields=[*answers])
    return draft


def do_purge_drafts(person: Person, limit: int = PURGED_AT_ONCE) -> int:
    """Delete up to ``limit`` drafts past their time: how many. A new draft calls this, so no worker is needed."""
    with transaction.atomic():
        old = Draft.objects.filter(created_at__lt=now() - DRAFT_LIFE).order_by("created_at")
        number, _ = Draft.objects.filter(pk__in=list(old.values_list("pk", flat=True)[:limit])).delete()
        if number:
            record(person, codes.DRAFTS_PURGED, "draft:all", number=number)
    return number


def do_discard_draft(draft: Draft) -> None:
    """Forget what was entered, at once."""
    Draft.objects.filter(pk=draft.pk).delete()


# ---- submitting


def check_submit(person: Person, arrival: Arrival) -> Reading:
    """How the address reads; refused where there is none, or where something is longer than anybody would look at."""
    must(person, Permission.REPORT_SUBMIT)
    if not arrival.address.strip():
        raise InputError("address_missing", "The report names no address.", where="address", mend="Give the address.")
    for name, text, limit in (
        ("address", arrival.address, ADDRESS_CHARACTERS),
        ("words", arrival.words, WORDS_CHARACTERS),
    ):
        if len(text) > limit.value:
            raise InputError("too_long", f"The text has more than {limit.value} {limit.unit}.", where=name, mend="Shorten it.")
    return read_address(arrival.address)


def do_submit_report(person: Person, arrival: Arrival) -> Report:
    """Take the report in: report, submission, address and audit row in one transaction. A duplicate counts on the first."""
    reading = check_submit(person, arrival)
    with transaction.atomic():
        return _take_in(person, arrival, reading)


def do_submit_draft(person: Person, draft: Draft, arrival: Arrival) -> Report:
    """Turn a draft into a report, once: the second press finds the first one's report. The answers are wiped."""
    reading = check_submit(person, arrival)
    with transaction.atomic():
        locked = Draft.objects.select_for_update().get(pk=draft.pk)
        if locked.report is None:
            locked.report = _take_in(person, arrival, reading)
            locked.address, locked.theme, locked.words = "", "", ""
            locked.save(update_fields=["report", "address", "theme", "words"])
    return locked.report


def _take_in(person: Person, arrival: Arrival, reading: Reading) -> Report:
    at = arrival.received_at or now()
    url = _known_url(person, arrival.address, reading.url, at) if reading.url else None
    priority = Priority.URGENT if arrival.theme in URGENT_THEMES else Priority.NORMAL
    first = first_report_of(url) if url else None
    report = _new_report(person, arrival, at, priority, first)
    Submission.objects.create(
        report=report, type=SubmissionType.URL, raw=arrival.address, url=url, refusal=reading.refusal,
        created_by=person.label,
    )  # fmt: skip
    record(
        person, codes.RECEIVED, report, channel=report.channel, language=report.language,
        duplicate=first is not None, readable=url is not None,
    )  # fmt: skip
    if first is not None:
        _count_on(person, first, priority)
    return report


def _new_report(person: Person, arrival: Arrival, at: datetime, priority: Priority, first: Report | None) -> Report:
    duplicate = first is not None
    return Report.objects.create(
        ref=reference_of(secrets.token_bytes(RANDOM_BYTES)),
        channel=arrival.channel,
        source_class=arrival.source_class,
        received_at=at,
        language=arrival.language,
        theme_claimed=arrival.theme or "",
        ai_nexus=[nexus.value for nexus in arrival.ai_nexus],
        free_text=arrival.words or None,
        priority=priority,
        urgency=URGENCY[priority],
        status=Status.CLOSED if duplicate else Status.NEW,
        is_open=not duplicate,
        outcome=Outcome.DUPLICATE if duplicate else "",
        concluded_at=at if duplicate else None,
        dedupe_of=first,
        duplicate_rule_version=DUPLICATE_RULE,
        created_by=person.label,
    )


def _count_on(person: Person, first: Report, claimed: Priority) -> None:
    first.repeats += 1
    priority = raised(first, claimed) if first.is_open else Priority(first.priority)
    first.priority, first.urgency, first.version = priority, URGENCY[priority], first.version + 1
    first.save(update_fields=["repeats", "priority", "urgency", "version"])
    record(person, codes.REPEATED, first, repeats=first.repeats)


def _known_url(person: Person, raw: str, url: CanonicalUrl, at: datetime) -> Url:
    """The row of this address, locked: two reports of a new address at the same instant wait for each other here."""
    digest = url_digest(url)
    try:
        with transaction.atomic():
            return Url.objects.create(
                canonical=url.text(), raw=raw, url_digest=digest, canon=CANON, scheme=url.scheme, host=url.host,
                registrable_domain=registrable_domain(url), tld=top_level(url), first_seen=at, last_seen=at,
                created_by=person.label,
            )  # fmt: skip
    except IntegrityError:
        known = Url.objects.select_for_update().get(url_digest=digest)
        known.last_seen = max(at, known.last_seen)
        known.save(update_fields=["last_seen"])
        return known


def url_digest(url: CanonicalUrl) -> str:
    """The keyed digest by which two reports of the same address meet."""
    return matching_digest(URL_PURPOSE, url.text())
