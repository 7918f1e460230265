"""Forms about files: the assessment of one, made from its questions; looking at one."""

from __future__ import annotations

from typing import Any, Final

from django import forms
from django.http import QueryDict

from vigil.hotline.access.clock import now
from vigil.hotline.assessments import grades
from vigil.hotline.assessments.actions import NOTES_CHARACTERS
from vigil.hotline.assessments.grades import Child
from vigil.hotline.assessments.models import MediaAssessment
from vigil.hotline.assessments.scheme import Question
from vigil.hotline.doors.console.forms import StrictForm
from vigil.hotline.welfare.modes import ViewMode

CHILD_ROWS: Final = 5
LABELS_SHOWN: Final = 200
LADDER: Final = (ViewMode.BLUR, ViewMode.SKETCH, ViewMode.REGION, ViewMode.GREYSCALE, ViewMode.FULL)


class LookForm(StrictForm):
    """One step of looking at a file: the mode, and where the region is."""

    mode = forms.ChoiceField(choices=[(mode.value, mode.label) for mode in LADDER])
    x = forms.IntegerField(min_value=0, max_value=100, required=False)
    y = forms.IntegerField(min_value=0, max_value=100, required=False)
    warned = forms.BooleanField(required=False)


def _field(question: Question) -> forms.Field:
    refused = {"invalid_choice": "Choose one of the answers offered."}
    if question.many:
        return forms.MultipleChoiceField(
            choices=question.choices, required=False, label=question.label, help_text=question.hint,
            widget=forms.CheckboxSelectMultiple, error_messages=refused,
        )  # fmt: skip
    return forms.ChoiceField(
        choices=[("", "–"), *question.choices],
        required=False,
        label=question.label,
        help_text=question.hint,
        error_messages=refused,
    )


class GradeForm(StrictForm):
    """The assessment of one file. ``known`` is how many there were when the page was opened."""

    known = forms.IntegerField(widget=forms.HiddenInput, min_value=0)
    started_at = forms.DateTimeField(widget=forms.HiddenInput)
    notes = forms.CharField(
        required=False, max_length=NOTES_CHARACTERS.value, label="Notes",
        help_text="Sealed. No names, no descriptions beyond need.",
        widget=forms.Textarea(attrs={"rows": 3, "autocomplete": "off", "spellcheck": "false"}),
    )  # fmt: skip

    def __init__(self, data: QueryDict | None = None, labels: list[tuple[str, str]] | None = None, **arguments: Any) -> None:
        super().__init__(data, **arguments)
        for question in grades.QUESTIONS:
            self.fields[question.name] = _field(question)
        for number in range(1, CHILD_ROWS + 1):
            for question in grades.CHILD_QUESTIONS:
                self.fields[f"child{number}_{question.name}"] = _field(question)
        if labels:
            self.fields["labels"] = forms.MultipleChoiceField(
                choices=labels[:LABELS_SHOWN],
                required=False,
                label="Labels of imported schemes",
                widget=forms.CheckboxSelectMultiple,
            )

    @classmethod
    def opened(cls, known: int, before: MediaAssessment | None, labels: list[tuple[str, str]]) -> GradeForm:
        """A fresh form: blank, or with one's own earlier answers."""
        initial: dict[str, Any] = {"known": known, "started_at": now().isoformat()}
        if before is not None:
            initial |= before.answers()
            for child in list(before.depictions.all())[:CHILD_ROWS]:
                initial |= {f"child{child.child_no}_{one.name}": getattr(child, one.name) for one in grades.CHILD_QUESTIONS}
        return cls(None, labels, initial=initial)

    def answers(self) -> dict[str, Any]:
        """The answers about the file."""
        return {question.name: self.cleaned_data.get(question.name) for question in grades.QUESTIONS}

    def children(self) -> list[Child]:
        """The rows in which anything was said."""
        rows = [
            [str(self.cleaned_data.get(f"child{number}_{question.name}") or "") for question in grades.CHILD_QUESTIONS]
            for number in range(1, CHILD_ROWS + 1)
        ]
        return [Child(*row) for row in rows if any(row)]

    def imported(self) -> list[tuple[str, str, str]]:
        """Labels of imported schemes as (scheme, version, label)."""
        chosen = self.cleaned_data.get("labels") or []
        return [(name, version, label) for name, version, label in (one.split("\n", 2) for one in chosen)]

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        for problem in grades.problems_of(self.answers(), self.children()):
            field = problem.field if problem.field in self.fields else "child1_age_band"
            if field not in self.errors:
                self.add_error(field, problem.what)
        return cleaned

    def renewed(self, known: int, labels: list[tuple[str, str]]) -> GradeForm:
        """The same answers on the file as it is now, to be sent again after a conflict."""
        data = QueryDict(mutable=True)
        data.update(self.data)
        data["known"] = str(known)
        return GradeForm(data, labels)

    def groups(self) -> list[tuple[str, list[forms.BoundField]]]:
        """(heading, fields) in the order of the questions."""
        return [(group, [self[q.name] for q in grades.QUESTIONS if q.group == group]) for group in grades.GROUPS]

    def child_rows(self) -> list[tuple[int, list[forms.BoundField]]]:
        """(number, fields) of each child."""
        return [
            (number, [self[f"child{number}_{question.name}"] for question in grades.CHILD_QUESTIONS])
            for number in range(1, CHILD_ROWS + 1)
        ]
