"""One report through triage; closing by rule, and taking that back; emergencies.

Order: what is it, is it known, is it spam, how urgent, what does it belong to. Everything is written in one transaction
with its audit rows, on the report locked anew; a report that somebody has taken up meanwhile is left as it is.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final

from django.conf import settings
from django.db import transaction

from vigil.base.errors import InputError, RefusedError
from vigil.base.redaction import Sealed
from vigil.hotline.access.clock import now
from vigil.hotline.access.people import Person, must
from vigil.hotline.access.permissions import Permission
from vigil.hotline.access.sealing import matching_digest
from vigil.hotline.audit.actions import record
from vigil.hotline.lists.models import ListEntry
from vigil.hotline.lists.proposals import HashProposal
from vigil.hotline.lists.queries import entries_covering, media_of
from vigil.hotline.reports import codes as report_codes
from vigil.hotline.reports.actions import do_reopen
from vigil.hotline.reports.enumerations import URGENCY, Channel, Outcome, Priority, Status, SubmissionType
from vigil.hotline.reports.intake import URGENT_THEMES
from vigil.hotline.reports.lifecycle import ACTIONED_OUTCOMES, LISTED_RULE
from vigil.hotline.reports.models import Report, Submission, Url
from vigil.hotline.triage import codes
from vigil.hotline.triage.known import known_files
from vigil.hotline.triage.models import AutoClosing, ClosingKind, Emergency, Triage
from vigil.hotline.triage.policy import SHIPPED, Policy, policy_in
from vigil.hotline.triage.proposing import do_propose
from vigil.hotline.triage.related import bonds_of, do_join, same_host, urls_of
from vigil.hotline.triage.spam import Bounds, Facts, Score, plain, score
from vigil.match.urls import Scope

DAY: Final = timedelta(days=1)
FEWEST_LETTERS: Final = 20
"""Shorter words are not compared with those of other reports: "help" says nothing about who sent it."""
WORDS_PURPOSE: Final = "words"

Draw = Callable[[], float]
"""A random number from 0 to 1, for sampling."""


def by_chance() -> float:
    """The usual draw."""
    return secrets.randbelow(1_000_000) / 1_000_000


def policy_in_force() -> Policy:
    """The operator's policy where one is configured, else ours."""
    return policy_in(Path(settings.CONFIG.triage_policy) if settings.CONFIG.triage_policy else SHIPPED)


@dataclass(frozen=True, slots=True)
class Found:
    """What triage found out about a report. ``covered_by`` is the case that its things are listed for, all of them exactly."""

    spam: Score
    words_digest: str
    pages: tuple[int, ...]
    files: tuple[int, ...]
    covered_by: Report | None
    same_host: int
    priority: Priority


def do_triage(person: Person, report: Report, draw: Draw = by_chance) -> Triage:
    """Sort one report. Open ones that nobody has taken may be closed by rule or change their priority."""
    must(person, Permission.TRIAGE_RUN)
    policy = policy_in_force()
    urls = urls_of(report)
    found = look_into(report, urls, policy)
    with transaction.atomic():
        fresh = Report.objects.select_for_update().get(pk=report.pk)
        row = Triage(
            report=fresh, policy_version=policy.rules.version, policy_digest=policy.digest, spam_score=found.spam.value,
            spam_reasons=list(found.spam.reasons), known_pages=list(found.pages), known_files=list(found.files),
            same_host=found.same_host, words_digest=found.words_digest, priority=found.priority, created_by=person.label,
        )  # fmt: skip
        row.save()
        record(
            person, codes.TRIAGED, fresh, policy=policy.rules.version, spam=round(found.spam.value * 100),
            known=len(found.pages) + len(found.files), priority=found.priority.value,
        )  # fmt: skip
        if fresh.status in (Status.NEW, Status.TRIAGED) and fresh.taken_by_id is None:
            _settle(person, fresh, found, policy, draw)
        do_join(person, bonds_of(fresh, urls, found.words_digest))
        do_propose(person, fresh, urls)
    return row


def look_into(report: Report, urls: list[Url], policy: Policy) -> Found:
    """Everything the rules say about a report; changes nothing."""
    submissions = list(report.submissions.all())
    words = report.free_text.open() if report.free_text is not None else ""
    digest = words_digest(words)
    spam = policy.rules.spam
    bounds = Bounds(spam.repeated_after, spam.many_addresses, spam.own_hosts)
    facts = Facts(
        words=words,
        addresses=tuple(each.raw.open() for each in submissions if each.type == SubmissionType.URL),
        hosts=tuple(url.host for url in urls),
        files=sum(each.type == SubmissionType.HASH for each in submissions),
        services=sum(each.type in (SubmissionType.APP, SubmissionType.ACCOUNT) for each in submissions),
        repeated=_repeated(report, digest),
    )
    entries = [entry for url in urls for entry in entries_covering(url.canonical.open())]
    by_hash = _listed_hashes(submissions)
    seen = {known.entry for found in known_files(media_of(report)).values() for known in found}
    judged = score(facts, bounds, spam.weights)
    return Found(
        spam=judged,
        words_digest=digest,
        pages=tuple(sorted({entry.number for entry in entries})),
        files=tuple(sorted(seen | {entry.number for entry in by_hash.values()})),
        covered_by=_covering_case(report, submissions, entries, by_hash),
        same_host=same_host(report, urls),
        priority=_priority(report, policy, judged, bool(seen or by_hash)),
    )


def words_digest(words: str) -> str:
    """The keyed digest by which the same words are found again; empty for words that say too little."""
    text = plain(words)
    return matching_digest(WORDS_PURPOSE, text) if len(text) >= FEWEST_LETTERS else ""


def _repeated(report: Report, digest: str) -> int:
    if not digest:
        return 0
    rows = Triage.objects.filter(words_digest=digest, created_at__gte=now() - DAY).exclude(report=report)
    return int(rows.values("report").distinct().count())


def _listed_hashes(submissions: list[Submission]) -> dict[str, ListEntry]:
    """Entries in force that the hashes of a report are, exactly; by the keyed digest of the submission."""
    wanted = {
        HashProposal(each.algorithm, Sealed(each.raw.open())).digest(): each.digest
        for each in submissions
        if each.type == SubmissionType.HASH and each.algorithm != "pdq"
    }
    entries = ListEntry.objects.filter(digest__in=list(wanted), tombstone=False).select_related("decision__report")
    return {wanted[entry.digest]: entry for entry in entries}


def _covering_case(
    report: Report, submissions: list[Submission], pages: list[ListEntry], files: dict[str, ListEntry]
) -> Report | None:
    """The case of the first thing, where everything that the report names is listed exactly and by a case of ours."""
    if report.channel == Channel.CHILD_SELF_REPORT:
        return None
    exact = {entry.digest: entry for entry in pages if entry.scope == Scope.URL.value}
    cases: list[Report] = []
    for each in submissions:
        if each.url is not None:
            found = [entry for entry in exact.values() if entry in entries_covering(each.url.canonical.open())]
            entry = found[0] if found else None
        else:
            entry = files.get(each.digest) if each.digest else None
        if entry is None or entry.decision is None or entry.decision.report_id == report.pk:
            return None
        cases.append(entry.decision.report)
    first = cases[0] if cases else None
    standing = first is not None and first.dedupe_of_id is None and (first.is_open or first.outcome in ACTIONED_OUTCOMES)
    return first if standing else None


def _priority(report: Report, policy: Policy, spam: Score, files_known: bool) -> Priority:
    """The priority by rule. A child at risk stays first whatever else is said; nothing else that is urgent sinks."""
    before = Priority(report.priority)
    rules = policy.rules.priority
    if before is Priority.CHILD_AT_RISK:
        return before
    if files_known or report.theme_claimed in URGENT_THEMES or report.source_class in rules.urgent_sources:
        return Priority.URGENT
    if before is Priority.NORMAL and (spam.value >= policy.rules.spam.hold_at or report.theme_claimed in rules.low_themes):
        return Priority.LOW
    return before


def _settle(person: Person, report: Report, found: Found, policy: Policy, draw: Draw) -> None:
    report.priority, report.urgency = found.priority, URGENCY[found.priority]
    if found.priority is Priority.CHILD_AT_RISK:
        _raise_emergency(person, report)
    elif found.covered_by is not None:
        _close_on(person, report, found.covered_by, policy, draw)
    elif found.spam.value >= policy.rules.spam.close_at and found.priority is not Priority.URGENT and not found.pages:
        _conclude(person, report, Outcome.SPAM, ClosingKind.SPAM, policy, draw() < policy.rules.sampling.spam)
    if report.is_open and report.status == Status.NEW:
        report.status = Status.TRIAGED
    report.version += 1
    report.save()


def _close_on(person: Person, report: Report, first: Report, policy: Policy, draw: Draw) -> None:
    """Close a report whose things are all listed on the case they are listed for, and count it there."""
    case = Report.objects.select_for_update().get(pk=first.pk)
    case.repeats, case.version = case.repeats + 1, case.version + 1
    case.save(update_fields=["repeats", "version"])
    record(person, report_codes.REPEATED, case, repeats=case.repeats)
    report.dedupe_of, report.duplicate_rule_version = case, LISTED_RULE
    _conclude(person, report, Outcome.DUPLICATE, ClosingKind.KNOWN, policy, draw() < policy.rules.sampling.known)


def _conclude(person: Person, report: Report, outcome: Outcome, kind: ClosingKind, policy: Policy, sampled: bool) -> None:
    report.status, report.outcome, report.is_open, report.concluded_at = Status.CLOSED, outcome, False, now()
    closing = AutoClosing(report=report, kind=kind, policy_version=policy.rules.version, sampled=sampled, created_by=person.label)
    closing.save(force_insert=True)
    record(person, codes.CLOSED, report, kind=kind.value, policy=policy.rules.version, sampled=sampled)


def _raise_emergency(person: Person, report: Report) -> None:
    _, fresh = Emergency.objects.get_or_create(report=report, defaults={"created_by": person.label})
    if fresh:
        record(person, codes.EMERGENCY, report, source=report.source_class)


# ---- what people do about it


def check_check_closing(person: Person, closing: AutoClosing) -> None:
    """By who sets priorities; each closing once."""
    must(person, Permission.REPORT_TRIAGE)
    if closing.right is not None:
        raise RefusedError("closing_checked", "Somebody has checked this already.", mend="Look at the next one.")


def do_check_closing(person: Person, closing: AutoClosing, *, right: bool) -> AutoClosing:
    """Say whether a rule closed rightly. A wrong one is opened again, and counts no more on another case."""
    with transaction.atomic():
        fresh = AutoClosing.objects.select_for_update().get(pk=closing.pk)
        check_check_closing(person, fresh)
        fresh.right, fresh.checked_at, fresh.checked_by = right, now(), person.label
        fresh.save(update_fields=["right", "checked_at", "checked_by"])
        record(person, codes.CHECKED, fresh.report, right=right)
        if not right:
            _reverse(person, fresh.report)
    return fresh


def _reverse(person: Person, report: Report) -> None:
    locked = Report.objects.select_for_update().get(pk=report.pk)
    if locked.is_open:
        return
    if locked.dedupe_of is not None:
        case = Report.objects.select_for_update().get(pk=locked.dedupe_of.pk)
        case.repeats, case.version = max(0, case.repeats - 1), case.version + 1
        case.save(update_fields=["repeats", "version"])
        locked.dedupe_of, locked.outcome = None, Outcome.INSUFFICIENT_INFORMATION
        locked.save(update_fields=["dedupe_of", "outcome"])
    do_reopen(person, locked)


def check_emergency(person: Person) -> None:
    """Anybody who works at the desk takes an emergency up."""
    must(person, Permission.REPORT_TRIAGE)


def do_see_emergency(person: Person, emergency: Emergency) -> Emergency:
    """Take an emergency up: it stands no more on everybody's pages."""
    check_emergency(person)
    with transaction.atomic():
        fresh = Emergency.objects.select_for_update().get(pk=emergency.pk)
        if fresh.seen_at is None:
            fresh.seen_at, fresh.seen_by = now(), person.label
            fresh.save(update_fields=["seen_at", "seen_by"])
            record(person, codes.EMERGENCY_SEEN, fresh.report)
    return fresh


def do_pass_on_emergency(person: Person, emergency: Emergency, to_whom: str) -> Emergency:
    """Note that the police were told, and whom (kept sealed)."""
    check_emergency(person)
    if not to_whom.strip() or len(to_whom) > 500:
        raise InputError("whom_missing", "Say in a line whom you told, and their reference.", where="to_whom")
    with transaction.atomic():
        fresh = Emergency.objects.select_for_update().get(pk=emergency.pk)
        if fresh.passed_on_at is not None:
            raise RefusedError("emergency_passed_on", "Somebody has told the police already.")
        fresh.passed_on_at, fresh.passed_on_by, fresh.passed_on_to = now(), person.label, Sealed(to_whom)
        fresh.seen_at, fresh.seen_by = fresh.seen_at or now(), fresh.seen_by or person.label
        fresh.save()
        record(person, codes.EMERGENCY_PASSED_ON, fresh.report)
    return fresh
