"""Forms of the console. What was typed is never lost: a form that does not fit comes back with everything in it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from django import forms
from django.http import QueryDict

from vigil.hotline.access.clock import now
from vigil.hotline.assessments import scheme
from vigil.hotline.assessments.actions import NOTES_CHARACTERS
from vigil.hotline.assessments.models import Assessment
from vigil.hotline.assessments.rules import Problem, problems_of
from vigil.hotline.doors.console import words
from vigil.hotline.doors.console.limits import FILE_BYTES
from vigil.hotline.doors.console.scopes import Coverage
from vigil.hotline.lists.enumerations import AppealOutcome, ListingDecision, RemovedReason
from vigil.hotline.lists.models import ListEntry
from vigil.hotline.reports.enumerations import Outcome, Priority, Status
from vigil.hotline.reports.lifecycle import DESK_OUTCOMES
from vigil.hotline.reports.models import Media

UNREADABLE: Final = "\ufffd"
NEVER_A_FIELD: Final = frozenset({"csrfmiddlewaretoken"})


class StrictForm(forms.Form):
    """Refuses fields that are not asked for, and text that could not be read as UTF-8."""

    required_css_class = "required"

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        unknown = set(self.data) - set(self.fields) - NEVER_A_FIELD
        if unknown:
            raise forms.ValidationError("The form held something that is not asked for. Nothing was saved.", code="field_unknown")
        for name, value in list(cleaned.items()):
            if isinstance(value, str) and UNREADABLE in value:
                self.add_error(name, "Some characters could not be read. Please look at them again.")
        return cleaned


def _choices(pairs: Iterable[tuple[Any, Any]], empty: str = "–") -> list[tuple[str, str]]:
    return [("", empty), *((str(value), str(text)) for value, text in pairs)]


class AssessmentForm(StrictForm):
    """The assessment, made from the scheme. Answers about a finding count only where the outcome is one.

    ``version`` is that of the case on the page; ``started_at`` when the page was opened.
    """

    version = forms.IntegerField(widget=forms.HiddenInput, min_value=1)
    started_at = forms.DateTimeField(widget=forms.HiddenInput)
    notes = forms.CharField(
        required=False,
        max_length=NOTES_CHARACTERS.value,
        label="Notes",
        help_text="Sealed. No names, no descriptions beyond need.",
        widget=forms.Textarea(attrs={"rows": 4, "autocomplete": "off", "spellcheck": "false"}),
    )

    def __init__(self, data: QueryDict | None = None, **arguments: Any) -> None:
        super().__init__(data, **arguments)
        for question in scheme.QUESTIONS:
            self.fields[question.name] = _field_of(question)

    @classmethod
    def opened(cls, version: int, before: Assessment | None) -> AssessmentForm:
        """A fresh form: blank, or with the answers of the assessment that would be corrected."""
        initial: dict[str, Any] = {"version": version, "started_at": now().isoformat()}
        return cls(initial=initial | (before.answers() if before else {}))

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        for problem in problems_of(self.answers()):
            self._mark(problem)
        return cleaned

    def answers(self) -> dict[str, Any]:
        """The answers that count."""
        found = self.cleaned_data.get("outcome") in scheme.FOUND
        return {
            question.name: self.cleaned_data.get(question.name)
            for question in scheme.QUESTIONS
            if found or not question.finding or question.name == "site_type"
        }

    def groups(self) -> list[tuple[str, bool, list[forms.BoundField]]]:
        """(heading, asked only of a finding, fields) in the order of the scheme."""
        return [
            (group, group != scheme.RESULT, [self[q.name] for q in scheme.QUESTIONS if q.group == group])
            for group in scheme.GROUPS
        ]

    def renewed(self, version: int) -> AssessmentForm:
        """The same answers on the case as it is now, to be sent again after a conflict."""
        data = QueryDict(mutable=True)
        data.update(self.data)
        data["version"] = str(version)
        return AssessmentForm(data)

    def _mark(self, problem: Problem) -> None:
        if problem.field not in self.errors:
            self.add_error(problem.field, problem.what)


def _field_of(question: scheme.Question) -> forms.Field:
    if question.many:
        return forms.MultipleChoiceField(
            choices=question.choices, required=False, label=question.label, help_text=question.hint,
            widget=forms.CheckboxSelectMultiple,
        )  # fmt: skip
    if question.name == "outcome":
        return forms.ChoiceField(
            choices=question.choices, required=False, label=question.label, widget=forms.RadioSelect,
            error_messages={"invalid_choice": "Choose one of the answers offered."},
        )  # fmt: skip
    return forms.ChoiceField(
        choices=_choices(question.choices), required=False, label=question.label, help_text=question.hint,
        error_messages={"invalid_choice": "Choose one of the answers offered."},
    )  # fmt: skip


class DeskForm(StrictForm):
    """Closing at the front desk, without an assessment."""

    outcome = forms.ChoiceField(
        label="Close as",
        choices=_choices((outcome.value, scheme.OUTCOMES[outcome]) for outcome in Outcome if outcome in DESK_OUTCOMES),
    )


class PriorityForm(StrictForm):
    priority = forms.ChoiceField(
        label="Priority", choices=[(value.value, words.PRIORITY[value].text) for value in Priority]
    )


class FileForm(forms.Form):
    """A picture to hash. ``largest`` and ``too_large`` let the page say so before anything travels."""

    largest = FILE_BYTES.value
    too_large = f"Choose a picture of up to {FILE_BYTES.value // 1024**2} MiB."

    picture = forms.FileField(
        label="Picture",
        help_text=f"Hashed in memory and dropped; nothing of it is kept. Up to {FILE_BYTES.value // 1024**2} MiB.",
    )


class ListingForm(StrictForm):
    """The listing decision: whether, how much of the address, which files."""

    version = forms.IntegerField(widget=forms.HiddenInput, min_value=1)
    decision = forms.ChoiceField(
        label="Decision",
        choices=[(decision.value, text) for decision, text in words.DECISION.items()],
        widget=forms.RadioSelect,
    )
    scope = forms.ChoiceField(label="How much of the address", required=False, widget=forms.RadioSelect)
    pictures = forms.MultipleChoiceField(
        label="Pictures", required=False, widget=forms.CheckboxSelectMultiple,
        help_text="Their digests are listed, and their PDQ hash where its quality allows it.",
    )  # fmt: skip
    risk_reason = forms.CharField(
        label="What harm listing would do", required=False, max_length=2000,
        widget=forms.Textarea(attrs={"rows": 3}), help_text="Needed when you decide against listing because of harm. Sealed.",
    )  # fmt: skip
    wide_scope = forms.CharField(
        label="Why the whole host", required=False, max_length=2000, widget=forms.Textarea(attrs={"rows": 3}),
        help_text="Needed for a whole host or more, and a supervisor decides. Say what shows that it is dedicated. Sealed.",
    )  # fmt: skip

    def __init__(self, data: QueryDict | None, coverages: list[Coverage], pictures: list[Media], **arguments: Any) -> None:
        super().__init__(data, **arguments)
        nothing = ("", "Do not list the address, only files")
        scope, chosen = self.fields["scope"], self.fields["pictures"]
        offer(scope, [(choice.code, choice.text) for choice in coverages] + [nothing])
        offer(chosen, [(str(media.pk), media.label) for media in pictures])

    @staticmethod
    def kept(data: QueryDict) -> dict[str, Any]:
        """What somebody had filled in, for a form that is shown again before it was sent."""
        single = ("version", "decision", "scope", "risk_reason", "wide_scope")
        return {name: data.get(name, "") for name in single} | {"pictures": data.getlist("pictures")}

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        decision = cleaned.get("decision")
        if decision == ListingDecision.LIST and not cleaned.get("scope") and not cleaned.get("pictures"):
            self.add_error("scope", "Choose how much of the address, or at least one file.")
        if decision == ListingDecision.DO_NOT_LIST_RISK and not str(cleaned.get("risk_reason", "")).strip():
            self.add_error("risk_reason", "Say what harm listing would do.")
        return cleaned


def offer(field: forms.Field, choices: list[tuple[str, str]]) -> None:
    """Set what a choice field offers."""
    if not isinstance(field, forms.ChoiceField):
        raise TypeError("only a choice field offers choices")
    field.choices = choices


NOT_BY_HAND: Final = frozenset(
    {RemovedReason.APPEAL_UPHELD, RemovedReason.EXPIRED, RemovedReason.NOT_LIVE_AT_BUILD, RemovedReason.POLICY}
)
"""What no single person chooses: appeals and editions decide the first three, two people the last."""


class WithdrawalForm(StrictForm):
    reason = forms.ChoiceField(
        label="Why",
        widget=forms.RadioSelect,
        choices=[
            (reason.value, words.REMOVED[reason])
            for reason in RemovedReason
            if reason not in NOT_BY_HAND
        ],
    )


class AppealEntryForm(StrictForm):
    """Which entry an appeal is about."""

    number = forms.IntegerField(
        label="Number of an entry", min_value=1, max_value=2**31 - 1, widget=forms.TextInput(attrs={"inputmode": "numeric"}),
    )  # fmt: skip


class AppealForm(StrictForm):
    """The decision on an appeal."""

    outcome = forms.ChoiceField(
        label="Decision",
        widget=forms.RadioSelect,
        choices=[(outcome.value, text) for outcome, text in words.APPEAL_OUTCOME.items()],
    )
    entries = forms.MultipleChoiceField(
        label="Entries to withdraw", required=False, widget=forms.CheckboxSelectMultiple,
        help_text="Asked only when the appeal is partly upheld.",
    )  # fmt: skip
    police_view = forms.ChoiceField(
        label="View of the police, if there is one", required=False,
        choices=_choices((view.value, text) for view, text in words.POLICE_VIEW.items()),
    )  # fmt: skip
    notes = forms.CharField(
        label="Reasons", max_length=10_000, widget=forms.Textarea(attrs={"rows": 5}),
        help_text="Why you decided so. Sealed; the basis of the answer to who appealed.",
    )  # fmt: skip

    def __init__(self, data: Mapping[str, Any] | None, entries: Iterable[ListEntry], **arguments: Any) -> None:
        super().__init__(data, **arguments)
        offer(self.fields["entries"], [(str(entry.number), f"Entry {entry.number}") for entry in entries])

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        if cleaned.get("outcome") == AppealOutcome.PARTLY_UPHELD and not cleaned.get("entries"):
            self.add_error("entries", "Choose which entries are withdrawn.")
        return cleaned


class QueueFilter(forms.Form):
    """What the queue shows. Anything it does not know is as if it were not there."""

    VIEWS: Final = (("", "Waiting"), ("mine", "In my hands"), ("second", "For a second person"),
                    ("open", "All open cases"), ("concluded", "Concluded"))  # fmt: skip
    view = forms.ChoiceField(label="Show", choices=VIEWS, required=False)
    status = forms.ChoiceField(
        label="Status", required=False, choices=_choices(((s.value, words.STATUS[s].text) for s in Status), "any")
    )
    priority = forms.ChoiceField(
        label="Priority", required=False, choices=_choices(((p.value, words.PRIORITY[p].text) for p in Priority), "any")
    )

    def chosen(self, name: str) -> str:
        """The value chosen for ``name``; empty where none was, or a wrong one."""
        self.is_valid()
        return str(self.cleaned_data.get(name) or "")
