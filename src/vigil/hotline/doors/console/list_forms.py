"""Forms about lists, proposed entries, the allow list, partners and their agreements."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, time
from typing import Any, Final

from django import forms

from vigil.base.errors import VigilError
from vigil.base.redaction import Sealed
from vigil.editions.export import FORMATS
from vigil.editions.model import ListKind
from vigil.hotline.doors.console import words
from vigil.hotline.doors.console.forms import StrictForm, offer
from vigil.hotline.lists.actions import Policy
from vigil.hotline.lists.changing import EntryChange
from vigil.hotline.lists.enumerations import LivePolicy, Signal
from vigil.hotline.lists.models import List, ListEntry
from vigil.hotline.lists.proposals import HashProposal, UrlProposal
from vigil.hotline.lists.proposed import KeywordProposal, Proposed
from vigil.hotline.partners.agreements import Terms
from vigil.hotline.partners.enumerations import PartnerKind
from vigil.match.hashing import ALGORITHMS
from vigil.match.urls import EntryFlag, Scope

AREA: Final = {"rows": 4, "autocomplete": "off", "spellcheck": "false"}
PLAIN: Final = {"autocomplete": "off", "spellcheck": "false"}
SCOPES: Final = [(scope.value, words.SCOPE[scope]) for scope in Scope]
HASHES: Final = [(name, name) for name in ALGORITHMS]


def split(text: str) -> tuple[str, ...]:
    """The words of a field, by blanks, commas or lines."""
    return tuple(dict.fromkeys(text.replace(",", " ").split()))


class PolicyForm(StrictForm):
    """How a list is kept."""

    jurisdictions = forms.CharField(
        label="Jurisdictions", required=False, max_length=2000, help_text="ISO 3166 codes such as NL or US-CA, blanks between."
    )
    legal_basis = forms.CharField(label="Legal basis", required=False, max_length=500, help_text="The law it is kept under.")
    owner = forms.CharField(label="Who answers for it", required=False, max_length=200)
    max_distance = forms.IntegerField(
        label="Largest distance", min_value=0, max_value=31, help_text="Bits, for perceptual hashes; 0 is equality."
    )
    live_hours = forms.IntegerField(
        label="Live re-check, hours", required=False, min_value=1, max_value=2160,
        help_text="Addresses: how long ago somebody may last have seen the page. Empty: no re-check.",
    )  # fmt: skip
    live_policy = forms.ChoiceField(
        label="An entry not seen for that long", choices=[(each.value, words.LIVE_POLICY[each]) for each in LivePolicy]
    )
    default_days = forms.IntegerField(
        label="New entries expire after, days", required=False, min_value=1, max_value=3660, help_text="Empty: never."
    )
    flood_floor = forms.IntegerField(
        label="Flood from, matches an hour", min_value=1, max_value=10**9,
        help_text="One entry, all nodes together. Above it, and far above its usual, an entry is held for a person to decide.",
    )  # fmt: skip

    @classmethod
    def of(cls, target: List) -> PolicyForm:
        """The form with the policy as it is."""
        names = ("legal_basis", "owner", "max_distance", "live_hours", "live_policy", "default_days", "flood_floor")
        given = {name: getattr(target, name) for name in names}
        return cls(initial={**given, "jurisdictions": " ".join(target.jurisdictions)})

    def policy(self) -> Policy:
        """What was entered."""
        data = dict(self.cleaned_data)
        data["jurisdictions"], data["live_policy"] = split(data["jurisdictions"]), LivePolicy(data["live_policy"])
        return Policy(**data)


class NewListForm(PolicyForm):
    """A new list with its policy."""

    name = forms.RegexField(
        r"^[a-z0-9][a-z0-9_.:-]{0,59}$", label="Name", help_text="Small letters, digits and dashes. It never changes."
    )
    kind = forms.ChoiceField(
        label="Kind", choices=[(kind.value, words.LIST_KIND[kind]) for kind in ListKind if kind in words.LIST_KIND],
        help_text="What it holds, and under which kind of law. It never changes.",
    )  # fmt: skip
    field_order = ("name", "kind")

    def policy(self) -> Policy:
        data = {name: value for name, value in self.cleaned_data.items() if name not in ("name", "kind")}
        data["jurisdictions"], data["live_policy"] = split(data["jurisdictions"]), LivePolicy(data["live_policy"])
        return Policy(**data)


class SearchForm(StrictForm):
    """Find entries by what they hold. Sent in the body: what is looked for never stands in an address or a log."""

    text = forms.CharField(label="Address, host or hash", max_length=4000, widget=forms.TextInput(attrs=PLAIN))
    how = forms.ChoiceField(
        label="Find", choices=[("covers", "what covers it"), ("host", "everything on its host and below"), ("hash", "this hash")]
    )


class ProposalForm(StrictForm):
    """An entry without a case: an address, a hash or a word, as the list takes it."""

    content = forms.CharField(label="What", max_length=4000, widget=forms.Textarea(attrs={**AREA, "rows": 2}))
    scope = forms.ChoiceField(label="How much of the address", choices=SCOPES, required=False)
    algorithm = forms.ChoiceField(label="Kind of hash", choices=HASHES, required=False)
    language = forms.RegexField(r"^[a-z]{0,3}(-[A-Za-z0-9]{2,8})?$", label="Language", required=False, help_text="Such as nl.")
    group = forms.RegexField(
        r"^[a-z0-9_-]{0,30}$", label="Group", required=False, help_text="If set, it counts only beside one of another group."
    )
    inside_words = forms.BooleanField(label="Also inside other words", required=False)
    host_only = forms.BooleanField(label="Name servers, which see the host only, may enforce it", required=False)
    reason = forms.ChoiceField(label="Why")
    labels = forms.CharField(label="Labels", required=False, max_length=400, help_text="Short names, with blanks between.")
    expires = forms.DateField(label="Expires on", required=False, widget=forms.DateInput(attrs={"type": "date"}))
    evidence = forms.CharField(
        label="Evidence of need", max_length=10_000, widget=forms.Textarea(attrs=AREA),
        help_text="What shows that it is needed, and how that was checked. Sealed; read by the person who decides.",
    )  # fmt: skip

    OF_SIGNAL: Final = {
        Signal.URL: ("scope", "host_only"), Signal.HASH: ("algorithm",), Signal.KEYWORD: ("language", "group", "inside_words"),
    }  # fmt: skip

    def __init__(self, data: Mapping[str, Any] | None, signal: Signal, reasons: Iterable[Any], **arguments: Any) -> None:
        super().__init__(data, **arguments)
        self.signal = signal
        for other, names in self.OF_SIGNAL.items():
            for name in names if other is not signal else ():
                del self.fields[name]
        offer(self.fields["reason"], [(reason.value, words.REASON[reason]) for reason in reasons])

    def proposed(self) -> Proposed:
        """What was entered, as a proposal."""
        data, labels = self.cleaned_data, split(self.cleaned_data["labels"])
        content = Sealed(data["content"].strip())
        if self.signal is Signal.URL:
            flags = EntryFlag.HOST_APPROVED if data["host_only"] else EntryFlag.NONE
            return UrlProposal(content, Scope(data["scope"] or Scope.URL), flags, labels)
        if self.signal is Signal.HASH:
            return HashProposal(data["algorithm"] or "sha256", content, labels=labels)
        return KeywordProposal(content, data["language"], not data["inside_words"], True, data["group"], labels)

    def expiry(self) -> datetime | None:
        day = self.cleaned_data["expires"]
        return datetime.combine(day, time(), UTC) if day else None


class EntryChangeForm(StrictForm):
    """What an entry says beside what it covers."""

    labels = forms.CharField(label="Labels", required=False, max_length=400, help_text="Short names, with blanks between.")
    jurisdictions = forms.CharField(
        label="Jurisdictions", required=False, max_length=2000, help_text="ISO 3166 codes, blanks between. Empty: every one."
    )
    expires = forms.DateField(
        label="Expires on", required=False, widget=forms.DateInput(attrs={"type": "date"}), help_text="Empty: never."
    )

    @classmethod
    def of(cls, entry: ListEntry) -> EntryChangeForm:
        """The form as the entry is."""
        day = entry.expires_at.date() if entry.expires_at else None
        given = {"labels": " ".join(entry.labels), "jurisdictions": " ".join(entry.jurisdictions), "expires": day}
        return cls(initial=given)

    def change(self, entry: ListEntry) -> EntryChange:
        """What was entered; a day that stayed the same keeps its hour."""
        data, before = self.cleaned_data, entry.expires_at
        day = data["expires"]
        kept = before is not None and day == before.date()
        expires = before if kept else datetime.combine(day, time(), UTC) if day else None
        return EntryChange(split(data["labels"]), split(data["jurisdictions"]), expires)


class AllowForm(StrictForm):
    """Something harmless that no list may hold."""

    kind = forms.ChoiceField(label="What", choices=[("url", "an address or a host"), *((n, f"{n} hash") for n, _ in HASHES)])
    content = forms.CharField(label="Which", max_length=4000, widget=forms.TextInput(attrs=PLAIN))
    scope = forms.ChoiceField(label="How much of the address", choices=SCOPES)
    why = forms.CharField(label="Why it is harmless", max_length=300)

    def proposal(self) -> UrlProposal | HashProposal:
        """What was entered."""
        data = self.cleaned_data
        content = Sealed(data["content"].strip())
        return UrlProposal(content, Scope(data["scope"])) if data["kind"] == "url" else HashProposal(data["kind"], content)


class PartnerForm(StrictForm):
    """A partner."""

    title = forms.CharField(label="Name", max_length=200, help_text="For the console only; editions know it by a random code.")
    kind = forms.ChoiceField(label="Kind", choices=[(kind.value, words.PARTNER_KIND[kind]) for kind in PartnerKind])
    hosts = forms.CharField(
        label="Its own names", required=False, max_length=8000, widget=forms.Textarea(attrs={**AREA, "rows": 2}),
        help_text="Host names of its own space: an entry there needs a second approver.",
    )  # fmt: skip
    recipient = forms.CharField(
        label="Its public key", required=False, max_length=200, widget=forms.TextInput(attrs=PLAIN),
        help_text="age1…: its copy is encrypted to it. Without one it gets no copy.",
    )  # fmt: skip


class AgreementForm(StrictForm):
    """What a partner may have."""

    reference = forms.CharField(label="Contract", max_length=200, help_text="Its number or date.")
    lists = forms.MultipleChoiceField(label="Lists", widget=forms.CheckboxSelectMultiple)
    jurisdictions = forms.CharField(
        label="Jurisdictions", required=False, max_length=2000,
        help_text="Only entries listed for one of these, and those listed for all. Empty: every entry.",
    )  # fmt: skip
    exports = forms.MultipleChoiceField(
        label="Forms it may also have", required=False, widget=forms.CheckboxSelectMultiple,
        choices=[(name, form.title) for name, form in FORMATS.items()],
        help_text="In the clear, so that whoever gets the file can read it.",
    )  # fmt: skip
    starts = forms.DateField(label="From", widget=forms.DateInput(attrs={"type": "date"}))
    ends = forms.DateField(label="Until, exclusive", widget=forms.DateInput(attrs={"type": "date"}))
    people = forms.CharField(
        label="Who answers for the lists there", max_length=4000, widget=forms.Textarea(attrs={**AREA, "rows": 3}),
        help_text="Names and how to reach them, one a line. Sealed.",
    )  # fmt: skip

    def __init__(self, data: Mapping[str, Any] | None, lists: Iterable[List], **arguments: Any) -> None:
        super().__init__(data, **arguments)
        offer(self.fields["lists"], [(each.name, each.name) for each in lists])

    def terms(self) -> Terms:
        """What was entered."""
        data = self.cleaned_data
        starts, ends = (datetime.combine(data[name], time(), UTC) for name in ("starts", "ends"))
        return Terms(
            data["reference"], tuple(data["lists"]), starts, ends, data["people"], split(data["jurisdictions"]),
            tuple(data["exports"]),
        )  # fmt: skip


class RecipientForm(StrictForm):
    """Another public key of a partner."""

    recipient = forms.CharField(
        label="The new public key", max_length=200, widget=forms.TextInput(attrs=PLAIN),
        help_text="The line that begins with age1, from the partner itself. Compare it by telephone.",
    )  # fmt: skip
    old = forms.ChoiceField(
        label="The key it has now", widget=forms.RadioSelect,
        choices=[
            ("stop", "stops with the next edition: it may be in other hands, or it is lost"),
            ("overlap", "reads for 48 hours more, while its nodes change over"),
        ],
    )  # fmt: skip
    reason = forms.CharField(label="Why", max_length=300, help_text="In a few words, for the audit. Nothing confidential.")


class StopForm(StrictForm):
    """The kill switch."""

    reason = forms.CharField(label="Why", max_length=300, help_text="In a few words, for the audit. Nothing confidential.")


def show(form: forms.Form, error: VigilError) -> None:
    """An error of an action at the field it is about, or above the form."""
    names = {"name": "name", "address": "content", "ends_at": "ends", "labels": "labels", "evidence": "evidence"}
    field = names.get(error.where, error.where)
    form.add_error(field if field in form.fields else None, str(error))
