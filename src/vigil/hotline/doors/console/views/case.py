"""The case page: facts, decision, history."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

from django.db.models import QuerySet
from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from vigil.hotline.access.permissions import Permission
from vigil.hotline.access.rules import requires
from vigil.hotline.assessments import scheme
from vigil.hotline.assessments.files import rolled_up
from vigil.hotline.assessments.models import Assessment
from vigil.hotline.assessments.queries import history as assessments_of
from vigil.hotline.assessments.reviewing import Review, files_hidden_from, plans_around, review_of
from vigil.hotline.audit.actions import subject_of
from vigil.hotline.doors.console import words
from vigil.hotline.doors.console.forms import (
    AssessmentForm,
    DeskForm,
    FileForm,
    ListingForm,
    PriorityForm,
)
from vigil.hotline.doors.console.known import known_address, known_files
from vigil.hotline.doors.console.readings import (
    HOST_CASES,
    There,
    address_of_case,
    captures_of,
    decisions_of,
    events_about,
    report_with,
    stand_at_host,
    there,
)
from vigil.hotline.doors.console.requests import Staff, allowed
from vigil.hotline.doors.console.scopes import Coverage, coverages
from vigil.hotline.doors.console.sessions import take_kept_form
from vigil.hotline.holds.gate import reaching
from vigil.hotline.lists.actions import check_decide
from vigil.hotline.lists.enumerations import ListingDecision
from vigil.hotline.lists.exchange.policies import sources_to_match
from vigil.hotline.lists.models import Decision
from vigil.hotline.lists.queries import entries_of, files_of
from vigil.hotline.lists.reach import Preview
from vigil.hotline.partners.sources.models import Source
from vigil.hotline.reports.access import visible_to
from vigil.hotline.reports.actions import (
    check_release,
    check_reopen,
    check_set_priority,
    check_take,
)
from vigil.hotline.reports.captures import (
    captures_on,
    check_request_capture,
)
from vigil.hotline.reports.enumerations import Channel, Outcome, Priority, Status, Theme
from vigil.hotline.reports.fetcher import WORDS as FAILURES
from vigil.hotline.reports.fetcher import Failure
from vigil.hotline.reports.models import Capture, Media, Report, Url
from vigil.hotline.reports.models.capture import OPEN as OPEN_CAPTURES
from vigil.hotline.triage.answering import likenesses_of
from vigil.hotline.triage.likeness import Reason
from vigil.hotline.triage.proposing import WORDS
from vigil.hotline.triage.queries import clusters_of, latest_triage, others_in
from vigil.hotline.triage.spam import RULES
from vigil.hotline.vault.queries import kept, vault_on

CLUSTER_CASES: Final = 10


@dataclass
class Shown:
    """What the case page shows beyond the facts: forms that came back, and what was revealed."""

    assessment: AssessmentForm | None = None
    listing: ListingForm | None = None
    revealed: frozenset[str] = field(default_factory=frozenset)
    near: tuple[Coverage, Preview] | None = None
    conflict: bool = False
    status: int = 200


@requires(Permission.CASE_READ)
@require_safe
def case(request: Staff, pk: UUID) -> HttpResponse:
    """The case page."""
    report = report_by(pk)
    kept = take_kept_form(request)
    if kept is not None and holds(request, report):
        return case_page(request, report, Shown(assessment=AssessmentForm(kept)))
    return case_page(request, report, Shown())


def report_by(pk: UUID) -> Report:
    report = report_with(pk)
    if report is None:
        raise Http404
    return report


def url_of(report: Report) -> Url | None:
    return address_of_case(report.pk)


def case_page(request: Staff, report: Report, shown: Shown) -> HttpResponse:
    url, kinds = url_of(report), there(report.pk)
    media, partners = files_of(report), sources_to_match()
    rows = assessments_of(report) if kinds.assessments else []
    plans = plans_around(report, media)
    review, unseen = review_of(report, rows, plans), files_hidden_from(request.person.label, media, plans)
    captures = captures_of(report.pk) if kinds.captures else []
    decisions = decisions_of(report.pk) if kinds.decisions else []
    context = {
        "report": report,
        "url": url,
        "status": words.STATUS[Status(report.status)],
        "priority": words.PRIORITY[Priority(report.priority)],
        "facts": _facts(report),
        "outcome": scheme.OUTCOMES.get(Outcome(report.outcome), report.outcome) if report.outcome else "",
        "submissions": report.submissions.all() if shown.revealed else [],
        "first": _first(request, report),
        "duplicates": _duplicates(request, report) if kinds.duplicates else [],
        **_same_host(report, url),
        **_sorting(request, report, kinds),
        "known": known_address(url, partners) if url else [],
        "files": _files(media, partners),
        "captures": _captures(captures),
        "capture_under_way": under_way(captures) if request.person.may(Permission.CAPTURE_REQUEST) else "",
        "entries": entries_of(report) if decisions else [],
        "decisions": _decisions(decisions),
        **_findings(request, report, review, rows, [*captures, *decisions], unseen=unseen),
        "rolled_up": rolled_up(report) if kinds.grades and not unseen else None,
        "files_unseen": unseen,
        "holds_here": list(reaching(report.pk)) if kinds.holds and request.person.may(Permission.HOLD_READ) else [],
        "evidence": kept(report.pk).count() if vault_on() else 0,
        "revealed": shown.revealed,
        "coverages": choices_for(request, url) if "address" in shown.revealed else [],
        **_near(shown),
        "conflict": shown.conflict,
        "captures_on": captures_on(),
        **_may(request, report, url),
        **_decision_forms(request, report, url, media, shown, review, rows, unseen=unseen),
    }
    return render(request, "console/case.html", context, status=shown.status)


def _first(request: Staff, report: Report) -> Report | None:
    """The case that this one counts on, where the person may meet it."""
    if report.dedupe_of_id is None:
        return None
    return visible_to(request.person, Report.objects.filter(pk=report.dedupe_of_id)).first()


def _near(shown: Shown) -> dict[str, Any]:
    """What a choice of the listing form would match, where somebody asked for that."""
    if shown.near is None:
        return {}
    choice, near = shown.near
    return {"near": near, "near_text": choice.text, "near_guards": [words.GUARD[each] for each in near.guards]}


def _facts(report: Report) -> list[tuple[str, str]]:
    """What is known without opening anything."""
    return [
        ("Came in by", Channel(report.channel).value.replace("_", " ")),
        ("Said to be", words.THEME[Theme(report.theme_claimed)] if report.theme_claimed else "not said"),
        ("AI, as claimed", ", ".join(nexus.value.replace("_", " ") for nexus in report.nexus) or "not said"),
        ("Language", report.language or "not said"),
        ("Reported again", f"{report.repeats} more" if report.repeats else "no"),
    ]


def _duplicates(request: Staff, report: Report) -> QuerySet[Report]:
    return visible_to(request.person, report.duplicates.only("id", "ref", "received_at"))


def _same_host(report: Report, url: Url | None) -> dict[str, Any]:
    """How other cases at the same host stand: (status in words, number); of a host of very many, that there are so many. The
    host itself is not shown."""
    states = stand_at_host(url.host, report.pk) if url else []
    if len(states) > HOST_CASES:
        return {"same_host": [], "same_host_over": HOST_CASES}
    counts = Counter(states)
    return {"same_host": [(words.STATUS[Status(status)].text, number) for status, number in counts.items()], "same_host_over": 0}


def _sorting(request: Staff, report: Report, kinds: There) -> dict[str, Any]:
    """What triage found and why, the cases it put together, and whether a reporter's contact is held; nothing is opened."""
    row = latest_triage(report) if kinds.triages else None
    asked = request.person.may(Permission.IDENTITY_RELEASE)
    return {
        "triage": row,
        "triage_reasons": [RULES[code].text for code in row.spam_reasons if code in RULES] if row else [],
        "triage_priority": words.PRIORITY[Priority(row.priority)].text if row else "",
        **_related(request, report, kinds),
        "contact_held": asked and kinds.contact,
    }


def _related(request: Staff, report: Report, kinds: There) -> dict[str, Any]:
    """The other cases that belong to this one by cluster or by brand, of those that this person may meet."""
    if not (kinds.clusters or kinds.likenesses):
        return {}
    met = visible_to(request.person, Report.objects.exclude(pk=report.pk))
    clusters = {"clusters": _clusters(report, met)} if kinds.clusters else {}
    return clusters | (_brands(report, met) if kinds.likenesses else {})


def _brands(report: Report, met: QuerySet[Report]) -> dict[str, Any]:
    """Cases whose names look like the brand of this one: proposed, said to be the same, said not to be."""
    found = [
        {
            "likeness": each.likeness,
            "case": each.case,
            "why": WORDS[Reason(each.likeness.reason)],
            "state": each.state,
            "said_by": words.actor(each.answer.created_by) if each.answer else "",
            "said_at": each.answer.created_at if each.answer else None,
        }
        for each in likenesses_of(report, met)
    ]
    return {f"brands_{state}": [row for row in found if row["state"] == state] for state in ("open", "same", "apart")}


def _clusters(report: Report, met: QuerySet[Report]) -> list[dict[str, Any]]:
    """Each cluster of the case, with the newest of its other cases that this person may meet."""
    return [
        {
            "kind": member.cluster.get_kind_display(),
            "code": member.cluster.label_code,
            "cases": [other.report for other in others_in(member.cluster, met)[:CLUSTER_CASES]],
        }
        for member in clusters_of(report)
    ]


def _files(media: list[Media], partners: list[Source]) -> list[dict[str, Any]]:
    known = known_files(media, partners)
    return [
        {
            "media": row,
            "pdq": next((h for h in row.hashes.all() if h.algorithm == "pdq"), None),
            "known": known[row.pk],
        }
        for row in media
    ]


def _captures(captures: list[Capture]) -> list[dict[str, Any]]:
    return [
        {"capture": row, "tag": words.CAPTURE[row.status], "failure": FAILURES[Failure(row.failure)] if row.failure else ""}
        for row in captures
    ]


def _decisions(found: list[Decision]) -> list[dict[str, Any]]:
    return [
        {
            "decision": row,
            "text": words.DECISION.get(ListingDecision(row.decision), row.decision),
            "by": words.actor(row.created_by),
        }
        for row in found
    ]


def _findings(
    request: Staff, report: Report, review: Review, rows: list[Assessment], others: list[Capture | Decision], *, unseen: bool
) -> dict[str, Any]:
    """Assessments and history as this person may see them: while a blind look at the page or at one of its files is pending,
    without the earlier ones, whose values may come from the files."""
    label = request.person.label
    blind = review.hidden_from(label) or unseen
    shown = [row for row in rows if row.created_by == label] if review.blind or unseen else rows
    return {
        "review": review,
        "blind": blind,
        "hidden": len(rows) - len(shown),
        "assessments": shown,
        "history": _history([report, *others, *([] if blind else rows)], reader=label if blind else ""),
    }


def _history(parts: list[Report | Capture | Decision | Assessment], *, reader: str) -> list[dict[str, Any]]:
    """What happened with these parts of a case, from the audit log, the latest first. A blind ``reader`` reads no colleague's
    name in it: who opened, took or captured the case has most likely assessed it."""
    events = events_about([subject_of(part) for part in parts])

    def who(actor: str) -> str:
        return "somebody" if reader and actor.startswith("user:") and actor != reader else words.actor(actor)

    return [
        {
            "event": event,
            "who": who(event.actor),
            "text": words.act(event.code),
        }
        for event in events
    ]


def holds(request: Staff, report: Report) -> bool:
    return report.taken_by_id == request.person.pk


def _may(request: Staff, report: Report, url: Url | None) -> dict[str, bool]:
    person = request.person
    return {
        "holds": holds(request, report),
        "can_take": not holds(request, report) and allowed(check_take, person, report),
        "can_release": allowed(check_release, person, report),
        "can_reopen": allowed(check_reopen, person, report),
        "can_capture": url is not None and allowed(check_request_capture, person, report, url),
        "can_hash": report.is_open and person.may(Permission.ASSESS),
        "can_reveal": person.may(Permission.CONTENT_REVEAL),
        "can_prioritise": allowed(check_set_priority, person, report),
        "can_close": holds(request, report) and not person.may(Permission.ASSESS) and person.may(Permission.REPORT_TRIAGE),
    }


def _decision_forms(
    request: Staff, report: Report, url: Url | None, media: list[Media], shown: Shown, review: Review, rows: list[Assessment],
    *, unseen: bool,
) -> dict[str, Any]:  # fmt: skip
    """What stands on the right: the listing decision for a second person, the assessment, or what it waits for."""
    person, forms = request.person, dict[str, Any]()
    forms["priority_form"] = PriorityForm(initial={"priority": report.priority})
    forms["desk_form"], forms["file_form"] = DeskForm(), FileForm()
    forms["assessed_it"] = person.label in {row.created_by for row in rows}
    if not holds(request, report):
        return forms | ({"assessment_form": shown.assessment} if shown.assessment else {})
    if shown.listing or (not review.open and not unseen and allowed(check_decide, person, report)):
        choices = choices_for(request, url)
        forms["listing_form"] = shown.listing or ListingForm(
            None, choices, media, initial={"version": report.version, "scope": "url" if url else ""}
        )
    if person.may(Permission.ASSESS):
        own = [row for row in rows if row.created_by == person.label] if review.open or unseen else rows
        forms["assessment_form"] = shown.assessment or AssessmentForm.opened(report.version, own[0] if own else None)
    return forms


def choices_for(request: Staff, url: Url | None) -> list[Coverage]:
    """How much of the address this person may list."""
    wide = request.person.may(Permission.WIDE_SCOPE_APPROVE)
    return [choice for choice in coverages(url) if wide or not choice.wide] if url else []


def capture_under_way(report: Report) -> str:
    return under_way(report.captures.filter(status__in=OPEN_CAPTURES))


def under_way(captures: Iterable[Capture]) -> str:
    """The state of the capture that has not ended; empty where all have."""
    return next((str(row.status) for row in captures if row.status in OPEN_CAPTURES), "")
