"""Forms of holds, evidence, schemes, quality and wellbeing."""

from __future__ import annotations

from typing import Any, Final

from django import forms

from vigil.hotline.access.models import User
from vigil.hotline.access.roles import Role
from vigil.hotline.doors.console.forms import StrictForm, offer
from vigil.hotline.holds.enumerations import Clearance, HoldKind, HoldScope
from vigil.hotline.reviews.calibration import QUESTIONS
from vigil.hotline.welfare.limits import DEFAULT
from vigil.hotline.welfare.models import LeadSees, ShiftPolicy, Warned

LONG: Final = {"rows": 3, "autocomplete": "off"}


class HoldForm(StrictForm):
    """Setting a hold."""

    kind = forms.ChoiceField(label="Kind", choices=HoldKind.choices)
    scope = forms.ChoiceField(label="How far", choices=HoldScope.choices)
    agency = forms.CharField(label="Agency", max_length=120)
    reason_code = forms.RegexField(r"^[a-z][a-z_]{1,38}$", label="Reason, as a code", help_text="Small letters and underscores.")
    reference = forms.CharField(label="Its file number", max_length=200, required=False, help_text="Sealed.")
    owner = forms.ChoiceField(label="Owner", help_text="Who is alerted when the time is over.")
    days = forms.IntegerField(
        label="Days", min_value=1, max_value=90, initial=14, help_text="Then it is looked at again. It never ends by itself."
    )

    def __init__(self, data: Any = None, **arguments: Any) -> None:
        super().__init__(data, **arguments)
        people = User.objects.filter(is_active=True, grants__revoked_at=None, grants__role=Role.POLICE_LIAISON.value).distinct()
        offer(self.fields["owner"], [(str(person.pk), person.display_name) for person in people.order_by("display_name")])


class DaysForm(StrictForm):
    days = forms.IntegerField(label="Days more", min_value=1, max_value=90, initial=14)


class ReasonForm(StrictForm):
    """Why: for the person who approves."""

    reason = forms.CharField(
        label="Why", max_length=2000, widget=forms.Textarea(attrs=LONG), help_text="For the second person. Sealed."
    )


class ClearanceForm(StrictForm):
    state = forms.ChoiceField(label="Clearance of the police", choices=Clearance.choices)
    agency = forms.CharField(label="Agency", max_length=120, required=False)
    reference = forms.CharField(label="Its file number", max_length=200, required=False, help_text="Sealed.")


class ExportForm(StrictForm):
    """Taking evidence out, once approved."""

    recipient = forms.CharField(label="Recipient", max_length=300, help_text="Sealed in the custody log.")
    legal_basis = forms.CharField(label="Legal basis", max_length=300)


class LabelsForm(StrictForm):
    """Importing labels of a scheme."""

    scheme = forms.RegexField(r"^[A-Za-z0-9][A-Za-z0-9._-]{0,58}$", label="Scheme")
    version = forms.RegexField(r"^[A-Za-z0-9][A-Za-z0-9._-]{0,58}$", label="Version")
    table = forms.CharField(
        label="Table", widget=forms.Textarea(attrs={"rows": 6, "spellcheck": "false"}),
        help_text="CSV with the columns label_id, section, text; or JSON. Only what your licence lets you keep.",
    )  # fmt: skip


class MappingForm(StrictForm):
    """Proposing a mapping of an axis, or a review policy."""

    kind = forms.ChoiceField(label="What", choices=[("mapping", "Mapping of an axis"), ("policy", "Review policy")])
    rules = forms.CharField(label="Rules, as JSON", widget=forms.Textarea(attrs={"rows": 10, "spellcheck": "false"}))
    reason = forms.CharField(
        label="Why", max_length=2000, widget=forms.Textarea(attrs=LONG), help_text="For the second person. Sealed."
    )


class CalibrationSetForm(StrictForm):
    name = forms.CharField(label="Name of the set", max_length=80)


class CalibrationForm(StrictForm):
    """The answer to one drawn item."""

    seed = forms.IntegerField(widget=forms.HiddenInput)
    kind = forms.ChoiceField(label="What is drawn", choices=[(one, one) for one in QUESTIONS["kind"]], widget=forms.RadioSelect)
    number = forms.ChoiceField(label="How many", choices=[(one, one) for one in QUESTIONS["number"]], widget=forms.RadioSelect)
    largest_at = forms.ChoiceField(
        label="Where the largest is", choices=[(one, one) for one in QUESTIONS["largest_at"]], widget=forms.RadioSelect
    )


class PreferencesForm(StrictForm):
    """How content is shown to oneself, and what is not routed to one."""

    greyscale = forms.BooleanField(label="Show everything in grey", required=False)
    sketch = forms.BooleanField(label="Begin with a sketch instead of a blur", required=False)
    blur = forms.IntegerField(label="Strength of blur, 1 to 5", min_value=1, max_value=5)
    tile_side = forms.IntegerField(label="Size of tiles in pixels", min_value=96, max_value=560)
    opt_outs = forms.MultipleChoiceField(
        label="Do not send me", choices=Warned.choices, required=False, widget=forms.CheckboxSelectMultiple,
        help_text="No reason needed. It goes to somebody else, and you are warned before anything is shown.",
    )  # fmt: skip
    share = forms.BooleanField(label="The welfare lead may see my totals now", required=False)


class BreakForm(StrictForm):
    minutes = forms.IntegerField(label="Minutes", min_value=1, max_value=120, initial=10)


class ShiftForm(StrictForm):
    """Limits, in minutes of unblurred content."""

    role = forms.ChoiceField(
        label="For", required=False, choices=[("", "everybody"), *((role.value, role.value.replace("_", " ")) for role in Role)]
    )
    daily_soft = forms.IntegerField(
        label="A day, say so at (minutes)", min_value=1, max_value=1440, initial=DEFAULT.daily_soft_s // 60
    )
    daily = forms.IntegerField(label="A day, at most (minutes)", min_value=1, max_value=1440, initial=DEFAULT.daily_limit_s // 60)
    weekly = forms.IntegerField(
        label="A week, at most (minutes)", min_value=1, max_value=10_000, initial=DEFAULT.weekly_limit_s // 60
    )
    break_every = forms.IntegerField(
        label="A break after (minutes)", min_value=1, max_value=1440, initial=DEFAULT.break_every_s // 60
    )
    break_length = forms.IntegerField(
        label="Length of a break (minutes)", min_value=1, max_value=120, initial=DEFAULT.break_s // 60
    )
    hard = forms.BooleanField(label="Over a limit nothing more is shown", required=False, initial=True)
    lead_sees = forms.ChoiceField(label="What the welfare lead sees", choices=LeadSees.choices)

    @classmethod
    def opened(cls, row: ShiftPolicy) -> ShiftForm:
        """The form as the policy for everybody is now, so that saving it anew changes nothing unseen."""
        limits = row.limits()
        return cls(
            initial={
                "daily_soft": limits.daily_soft_s // 60, "daily": limits.daily_limit_s // 60,
                "weekly": limits.weekly_limit_s // 60, "break_every": limits.break_every_s // 60,
                "break_length": limits.break_s // 60, "hard": limits.hard, "lead_sees": row.lead_sees,
            }
        )  # fmt: skip
