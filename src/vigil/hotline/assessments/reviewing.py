"""Where a finding stands between its first look and a decision: what is pending, whether the looks agree, who sees what.

A plan (see ``reviews``) is fixed with the first assessment. Blind means: until the last planned look is done, nobody but
an assessor sees the earlier results or names. Looks that disagree go to adjudication by somebody who took no part.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from vigil.base.errors import RefusedError
from vigil.hotline.access.people import Person
from vigil.hotline.access.permissions import Permission
from vigil.hotline.assessments.models import Assessment, MediaAssessment
from vigil.hotline.assessments.scheme import Stage
from vigil.hotline.audit.actions import subject_of
from vigil.hotline.audit.models import AuditEvent
from vigil.hotline.reports.models import Media, Report
from vigil.hotline.reviews.models import ReviewPlan
from vigil.hotline.reviews.queries import plan_of, plans_of

COMPARED: Final = ("outcome", "severity", "age_youngest", "content_role", "realism", "ai_status")
"""What two looks at a page must agree on."""
COMPARED_OF_FILE: Final = ("activity", "animal", "sadism", "realism", "ai_status")
NOT_COUNTED: Final = (Stage.QA.value, Stage.APPEAL.value)


class Look(Protocol):
    """An assessment, of a page or of a file."""

    created_by: str
    stage: str
    blind: bool


@dataclass(frozen=True, slots=True)
class Review:
    """The state of one subject: its plan, the looks that count (the latest of each person), what is pending, and more."""

    plan: ReviewPlan | None
    looks: tuple[Look, ...]
    pending: str
    disagree: bool

    @property
    def open(self) -> bool:
        """True where a decision has to wait."""
        return bool(self.pending) or self.disagree

    @property
    def blind(self) -> bool:
        """True while results are hidden from who did not assess."""
        return bool(self.pending) and self.plan is not None and self.plan.blind

    def hidden_from(self, label: str) -> bool:
        """Whether the person must not see earlier results now."""
        return self.blind and label not in {look.created_by for look in self.looks}

    def blind_for(self, person: Person) -> bool:
        """Whether a planned look by this person is a blind one: who may read the audit log is told there what was found."""
        return self.plan is not None and self.plan.blind and not person.may(Permission.AUDIT_READ)

    def next_stage_for(self, label: str) -> str:
        """The planned stage that this person would do; empty where they did one already or none is planned."""
        return "" if label in {look.created_by for look in self.looks} else self.pending


Plans = Mapping[str, ReviewPlan]
"""The plans that count, by their subjects."""


def plans_around(report: Report, media: Sequence[Media]) -> Plans:
    """The plans of a case and of its files, in one question."""
    return plans_of([subject_of(each) for each in (report, *media)])


def review_of(report: Report, assessments: Iterable[Assessment] | None = None, plans: Plans | None = None) -> Review:
    """The state of a case's page-level finding. All its ``assessments``, and the ``plans`` around it, may be handed in where they
    were read already."""
    known = report.assessments.all() if assessments is None else assessments
    rows = sorted((row for row in known if row.stage not in NOT_COUNTED), key=lambda row: row.number)
    subject = subject_of(report)
    return _review(plan_of(subject) if plans is None else plans.get(subject), rows, _answers_of_page)


def files_hidden_from(label: str, media: Sequence[Media], known: Plans | None = None) -> bool:
    """Whether the person must not see what was found in one of these files, and so nothing that was computed from it. Plans that
    are ``known`` already may be handed in."""
    subjects = {subject_of(each): each.pk for each in media}
    if not subjects:
        return False
    found = plans_of(list(subjects)) if known is None else known
    plans = {subject: plan for subject, plan in found.items() if subject in subjects}
    if not any(plan.blind and plan.stages for plan in plans.values()):
        return False
    looks: dict[Any, list[Any]] = defaultdict(list)
    for row in MediaAssessment.objects.filter(media__in=media).exclude(stage__in=NOT_COUNTED).order_by("number"):
        looks[row.media_id].append(row)
    reviews = (_review(plan, looks[subjects[subject]], _answers_of_file) for subject, plan in plans.items())
    return any(review.hidden_from(label) for review in reviews)


def review_of_file(media: Media) -> Review:
    """The state of a file's grade."""
    rows = MediaAssessment.objects.filter(media=media).exclude(stage__in=NOT_COUNTED).order_by("number")
    return _review(plan_of(subject_of(media)), list(rows), _answers_of_file)


def _answers_of_page(look: Any) -> tuple[object, ...]:
    return tuple(getattr(look, name) for name in COMPARED)


def _answers_of_file(look: Any) -> tuple[object, ...]:
    return (tuple(sorted(look.activity)), *(getattr(look, name) for name in COMPARED_OF_FILE[1:]))


def _review(plan: ReviewPlan | None, rows: Sequence[Any], answers: Callable[[Any], tuple[object, ...]]) -> Review:
    since = [row for row in rows if plan is not None and row.created_at >= plan.created_at]
    latest = {row.created_by: row for row in since if row.stage != Stage.ADJUDICATION}
    looks = tuple(latest.values())
    stages = list(plan.stages) if plan else []
    pending = stages[len(looks) - 1] if 0 < len(looks) <= len(stages) else ""
    adjudicated = bool(since) and since[-1].stage == Stage.ADJUDICATION
    differ = bool(stages) and not pending and not adjudicated and len({answers(row) for row in looks}) > 1
    return Review(plan, looks, pending, differ)


def needs_new_plan(report: Report, review: Review) -> bool:
    """Whether the next assessment begins a new round: the first one, or the first after the case was opened again."""
    if review.plan is None:
        return True
    if review.open:
        return False
    reopened = AuditEvent.objects.filter(subject=subject_of(report), code="report.reopened", at__gt=review.plan.created_at)
    return reopened.exists() and not report.assessments.filter(created_at__gt=_last(reopened)).exists()


def _last(reopened: Any) -> Any:
    return reopened.order_by("-seq").values_list("at", flat=True)[0]


def require_reviews_met(report: Report, files: Iterable[Media] = ()) -> None:
    """Refuse a decision while a planned look is missing or looks disagree, of the page or of one of ``files``."""
    _require(review_of(report))
    for media in files:
        _require(review_of_file(media))


def _require(review: Review) -> None:
    if review.pending:
        raise RefusedError("review_pending", "A further look is planned before a decision.", where=review.pending,
                           mend="Somebody who did not assess it takes the case and assesses it blind.")  # fmt: skip
    if review.disagree:
        raise RefusedError("review_disagrees", "The looks do not agree.", mend="A third person adjudicates first.")
