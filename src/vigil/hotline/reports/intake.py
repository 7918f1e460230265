"""From a draft to a report: begin, answer, submit, purge. One transaction each, with its audit row.

Many reports at once take the same way (:func:`do_submit_reports`): one is a batch of one.
"""

from __future__ import annotations

import hashlib
import secrets
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from uuid import UUID

from django.db import connection, models, transaction

from vigil.base.errors import InputError
from vigil.hotline.access.clock import now
from vigil.hotline.access.entity import new_id
from vigil.hotline.access.people import Person, must
from vigil.hotline.access.permissions import Permission
from vigil.hotline.access.rows import Values, insert_or_advance, insert_with, made, update
from vigil.hotline.access.sealing import SealedText
from vigil.hotline.audit.actions import record, record_many
from vigil.hotline.audit.codes import Code
from vigil.hotline.partners.models import Sender
from vigil.hotline.reports import codes
from vigil.hotline.reports.addresses import registrable_domain, top_level
from vigil.hotline.reports.duplicates import first_reports, raised
from vigil.hotline.reports.enumerations import (
    URGENCY,
    AiNexus,
    Channel,
    HashAlgorithm,
    Outcome,
    Priority,
    SourceClass,
    Status,
    SubmissionType,
    Theme,
)
from vigil.hotline.reports.items import ITEMS, Item, Named, named
from vigil.hotline.reports.lifecycle import DUPLICATE_RULE
from vigil.hotline.reports.limits import (
    CONTACT_CHARACTERS,
    CONTACT_LIFE,
    DRAFT_LIFE,
    NOTES_CHARACTERS,
    WORDS_CHARACTERS,
)
from vigil.hotline.reports.models import Draft, Report, ReporterContact, Submission, Url
from vigil.hotline.reports.references import RANDOM_BYTES, reference_of
from vigil.match.urls import CANON, CanonicalUrl

TOKEN_BYTES: Final = 24
PURGED_AT_ONCE: Final = 200
SUBMITTERS: Final = (Permission.REPORT_SUBMIT, Permission.REPORT_SUBMIT_BULK, Permission.CHILD_HAND_OVER)
COUNTED_ON: Final = ("repeats", "priority", "urgency", "version")
CHECKED_BEFORE: Final = 50  # reports: of as many, the foreign keys take longer to check than a question takes to ask
FILE_LOCKS: Final = 64
FILE_LOCK_SPACE: Final = 0x7669  # of PostgreSQL's advisory locks; nobody else here uses any
URGENT_THEMES: Final = frozenset({Theme.SEXTORTION, Theme.CSEM_GROOMING, Theme.TRAFFICKING_TOURISM})


@dataclass(frozen=True, slots=True, repr=False)
class Arrival:
    """A report as it is handed in. ``address``, ``items`` and ``words`` are exactly what was received.

    ``address``      the page; empty where a report names only other ``items``.
    ``at_risk``      whoever reports thinks that a child is in danger now.
    ``received_at``  None means now; sample data and imports give their own instant.
    ``contact``      how to reach the reporter, where they want an answer; kept sealed and apart.
    """

    address: str = ""
    theme: Theme | None = None
    ai_nexus: tuple[AiNexus, ...] = ()
    words: str = ""
    language: str = ""
    channel: Channel = Channel.WEB_FORM
    source_class: SourceClass = SourceClass.PUBLIC
    received_at: datetime | None = field(default=None)
    items: tuple[Item, ...] = ()
    at_risk: bool = False
    sender: Sender | None = None
    portal: str = ""
    country: str = ""
    partner_ref: str = ""
    observed_at: datetime | None = None
    access_notes: str = ""
    contact: str = ""

    def everything(self) -> tuple[Item, ...]:
        """The page first, then the further items."""
        page = (Item(SubmissionType.URL, self.address),) if self.address.strip() else ()
        return page + self.items

    @property
    def priority(self) -> Priority:
        """The priority it comes in with; triage may raise it."""
        if self.at_risk:
            return Priority.CHILD_AT_RISK
        return Priority.URGENT if self.theme in URGENT_THEMES else Priority.NORMAL


@dataclass(frozen=True, slots=True, repr=False)
class Read:
    """An arrival that was checked, with what each of its items names."""

    arrival: Arrival
    named: tuple[Named, ...]

    def urls(self) -> Iterator[tuple[str, SealedText, CanonicalUrl]]:
        """Each address that can be read: its digest, as received, and in canonical form."""
        for each in self.named:
            if each.reading is not None and each.reading.url is not None:
                yield each.url_digest, each.raw, each.reading.url

    def keys(self) -> list[str] | None:
        """The digests the duplicate rule goes by, one for each item; None where it names what the rule does not judge."""
        if self.arrival.channel is Channel.CHILD_SELF_REPORT:
            return None
        keys = []
        for each in self.named:
            if each.url_digest:
                keys.append(each.url_digest)
            elif each.item.algorithm is HashAlgorithm.SHA256:
                keys.append(each.digest)
            elif each.item.algorithm is None:
                return None
        return keys or None


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


def check_submit(person: Person, arrival: Arrival) -> Read:
    """What the report names; refused where it names nothing, or where something is longer than anybody would look at."""
    if not any(person.may(permission) for permission in SUBMITTERS):
        must(person, Permission.REPORT_SUBMIT)
    items = arrival.everything()
    if not items:
        raise InputError("address_missing", "The report names no address.", where="address", mend="Give the address.")
    if len(items) > ITEMS.value:
        raise InputError("too_many_items", f"One report names at most {ITEMS.value} things.", mend="Send several reports.")
    for name, text, limit in (
        ("words", arrival.words, WORDS_CHARACTERS),
        ("contact", arrival.contact, CONTACT_CHARACTERS),
        ("access_notes", arrival.access_notes, NOTES_CHARACTERS),
    ):
        if len(text) > limit.value:
            raise InputError("too_long", f"The text has more than {limit.value} {limit.unit}.", where=name, mend="Shorten it.")
    return Read(arrival, tuple(named(item) for item in items))


def do_submit_report(person: Person, arrival: Arrival) -> Report:
    """Take the report in: report, submissions, addresses and audit row in one transaction. A duplicate counts on the first."""
    return do_submit_reports(person, [check_submit(person, arrival)])[0]


def do_submit_reports(person: Person, reads: Sequence[Read]) -> list[Report]:
    """Take several reports in, in their order, in one transaction: all of them or none."""
    with transaction.atomic():
        return take_in(person, reads)


def do_submit_draft(person: Person, draft: Draft, arrival: Arrival) -> Report:
    """Turn a draft into a report, once: the second press finds the first one's report. The answers are wiped."""
    read = check_submit(person, arrival)
    with transaction.atomic():
        locked = Draft.objects.select_for_update().get(pk=draft.pk)
        if locked.report is None:
            locked.report = take_in(person, [read])[0]
            locked.address, locked.theme, locked.words = "", "", ""
            locked.save(update_fields=["report", "address", "theme", "words"])
    return locked.report


def take_in(person: Person, reads: Sequence[Read]) -> list[Report]:
    """:func:`do_submit_reports` inside the caller's transaction, all of which must end where this raises."""
    at = now()
    urls, before = _rows_of_urls(person, reads, at)
    files = {each.digest for read in reads for each in read.named if each.item.algorithm is HashAlgorithm.SHA256}
    _wait_for(files)
    firsts = first_reports(before, files)
    counted: Counter[Report] = Counter()
    claimed: dict[Report, Priority] = {}
    reports: list[Report] = []
    events: list[tuple[Code, models.Model | str, dict[str, str | int | bool | None]]] = []
    for read in reads:
        first = _first_of(read, firsts)
        report = _new_report(person, read.arrival, at, first)
        reports.append(report)
        if first is None:
            firsts |= {key: report for key in read.keys() or () if key not in firsts}
        else:
            counted[first] += 1
            claimed[first] = min(claimed.get(first, Priority.LOW), read.arrival.priority, key=URGENCY.__getitem__)
        events.append((codes.RECEIVED, report, _received(report, read)))
    events += [_count_on(first, number, claimed[first]) for first, number in counted.items()]
    earlier = [first for first in counted if not first._state.adding]
    insert_with(
        reports,
        (Submission, list(_submissions(person, at, reports, reads, urls))),
        (ReporterContact, list(_contacts(person, reports, reads, at))),
    )
    update(earlier, *COUNTED_ON)
    if len(reads) > CHECKED_BEFORE and connection.vendor == "postgresql":
        connection.check_constraints()  # now, and not at the commit, while all other writers wait for the end of the audit log
    record_many(person, events)
    return reports


def _first_of(read: Read, firsts: dict[str, Report]) -> Report | None:
    """The report on which this one counts, by the duplicate rule in force."""
    keys = read.keys()
    if keys is None or any(key not in firsts for key in keys):
        return None
    return firsts[keys[0]]


def _new_report(person: Person, arrival: Arrival, instant: datetime, first: Report | None) -> Report:
    duplicate, at = first is not None, arrival.received_at or instant
    report = made(Report, {
        "ref": reference_of(secrets.token_bytes(RANDOM_BYTES)),
        "channel": arrival.channel,
        "source_class": arrival.source_class,
        "received_at": at,
        "language": arrival.language,
        "theme_claimed": arrival.theme or "",
        "ai_nexus": [nexus.value for nexus in arrival.ai_nexus],
        "free_text": arrival.words or None,
        "priority": arrival.priority,
        "urgency": URGENCY[arrival.priority],
        "status": Status.CLOSED if duplicate else Status.NEW,
        "is_open": not duplicate,
        "outcome": Outcome.DUPLICATE if duplicate else "",
        "concluded_at": at if duplicate else None,
        "duplicate_rule_version": DUPLICATE_RULE,
        "portal": arrival.portal,
        "portal_country": arrival.country,
        "partner_ref": arrival.partner_ref,
        "observed_at": arrival.observed_at,
        "access_notes": arrival.access_notes or None,
        "sender_id": None if arrival.sender is None else arrival.sender.pk,
        "created_at": instant,
        "created_by": person.label,
    })  # fmt: skip
    if first is not None:
        report.dedupe_of = first
    return report


def _received(report: Report, read: Read) -> dict[str, str | int | bool | None]:
    """What the audit log says about an arrival."""
    readable = any(True for _ in read.urls())
    return {
        "channel": report.channel,
        "language": report.language,
        "duplicate": report.dedupe_of_id is not None,
        "readable": readable,
    }


def _submissions(
    person: Person, at: datetime, reports: Sequence[Report], reads: Sequence[Read], urls: Mapping[str, UUID]
) -> Iterator[Values]:
    for report, read in zip(reports, reads, strict=True):
        for order, each in enumerate(read.named, start=1):
            yield {
                "report_id": report.pk,
                "type": each.item.type,
                "raw": each.raw,
                "url_id": urls[each.url_digest] if each.url_digest else None,
                "refusal": each.reading.refusal if each.reading is not None else "",
                "algorithm": each.item.algorithm or "",
                "digest": each.digest,
                "order": order,
                "created_at": at,
                "created_by": person.label,
            }


def _contacts(person: Person, reports: Sequence[Report], reads: Sequence[Read], at: datetime) -> Iterator[Values]:
    """How to reach those who asked for an answer, sealed and apart."""
    for report, read in zip(reports, reads, strict=True):
        if read.arrival.contact.strip():
            purge = at + CONTACT_LIFE
            yield {"report_id": report.pk, "fields": read.arrival.contact, "purge_at": purge, "created_by": person.label}


def _count_on(
    first: Report, number: int, claimed: Priority
) -> tuple[Code, models.Model | str, dict[str, str | int | bool | None]]:
    """Count ``number`` later reports on the first one; :data:`COUNTED_ON` are to be saved."""
    first.repeats += number
    priority = raised(first, claimed) if first.is_open else Priority(first.priority)
    first.priority, first.urgency, first.version = priority, URGENCY[priority], first.version + 1
    return codes.REPEATED, first, {"repeats": first.repeats}


def _rows_of_urls(person: Person, reads: Iterable[Read], instant: datetime) -> tuple[dict[str, UUID], dict[UUID, str]]:
    """The row of each address by digest, and the digest of each row that was there before. All of them are locked: two reports
    of one address at the same instant wait for each other, and batches cannot wait in a circle, because each takes its
    addresses in the order of their digests.
    """
    wanted: dict[str, tuple[SealedText, CanonicalUrl, datetime]] = {}
    for read in reads:
        at = read.arrival.received_at or instant
        for digest, raw, url in read.urls():
            first_raw, _, latest = wanted.get(digest, (raw, url, at))
            wanted[digest] = first_raw, url, max(at, latest)
    new = {digest: new_id() for digest in sorted(wanted)}
    rows = insert_or_advance(
        Url, [_url_values(person, instant, new[digest], digest, *wanted[digest]) for digest in new], "url_digest", "last_seen"
    )
    return rows, {key: digest for digest, key in rows.items() if key != new[digest]}


def _url_values(
    person: Person, taken_at: datetime, key: UUID, digest: str, raw: SealedText, url: CanonicalUrl, at: datetime
) -> Values:
    text = url.text()
    return {
        "id": key,
        "canonical": raw if raw.open() == text else text,  # sealed once where both are the same
        "raw": raw,
        "url_digest": digest,
        "canon": CANON,
        "scheme": url.scheme,
        "host": url.host,
        "registrable_domain": registrable_domain(url),
        "tld": top_level(url),
        "first_seen": at,
        "last_seen": at,
        "created_at": taken_at,
        "created_by": person.label,
    }


def _wait_for(files: Collection[str]) -> None:
    """Wait for others that take in the same files at this moment: a file has no row of its own that could be locked.

    Files share a few locks, always taken in one order, so that a batch needs no more of them than the server has. SQLite
    lets only one transaction write anyway.
    """
    if not files or connection.vendor != "postgresql":
        return
    keys = sorted({int(digest[:4], 16) % FILE_LOCKS for digest in files})
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s, key) FROM unnest(%s::int[]) AS key", [FILE_LOCK_SPACE, keys])
