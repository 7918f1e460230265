"""The forms of the public door. They judge what was entered; they never change it."""

from __future__ import annotations

import re
from typing import Any, Final

from django import forms
from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator
from django.utils.translation import gettext_lazy as _

from vigil.base.errors import InputError
from vigil.hotline.doors.public.choices import APP_KINDS, APPELLANTS, KINDS
from vigil.hotline.doors.public.entering import ADDRESS_LOOK, PLAIN, AsEntered
from vigil.hotline.lists.appeals import BLOCK_REFERENCE, NOTICE_SERIAL, TEXT_CHARACTERS
from vigil.hotline.reports.addresses import Doubt, read_address
from vigil.hotline.reports.limits import ADDRESS_CHARACTERS, CONTACT_CHARACTERS, WORDS_CHARACTERS
from vigil.hotline.reports.references import read_reference


class AddressForm(forms.Form):
    """Where is it? ``doubtful`` is true when the text is no web address and the reporter was not asked yet."""

    address = AsEntered(
        limit=ADDRESS_CHARACTERS.value,
        label=_("What is the address of the page?"),
        help_text=_(
            "Copy it from the address bar of your browser. You do not need to open the page again. If there is no web "
            "address, write where you saw it: the app, the group, the name."
        ),
        error_messages={"required": _("Enter the address of the page, or where you saw it")},
        widget=forms.Textarea(attrs=ADDRESS_LOOK),
    )
    doubtful = False

    def __init__(self, *arguments: Any, as_is: str | None = None, **named: Any) -> None:
        self.as_is = as_is
        super().__init__(*arguments, **named)

    def clean_address(self) -> str:
        """Ask once about an address that cannot be read; sent a second time unchanged, it is taken as it is."""
        address: str = self.cleaned_data["address"]
        refusal = read_address(address).refusal
        if not refusal or address == self.as_is:
            return address
        self.doubtful = True
        if refusal == Doubt.SEVERAL_LINES:
            raise ValidationError(
                _("There is more than one line. Give one address now and the next one in a new report, or send it as it is."),
                code=refusal,
            )
        raise ValidationError(_("We could not read this as a web address. Check it, or send it as it is."), code=refusal)


class KindForm(forms.Form):
    """What is it?"""

    kind = forms.ChoiceField(
        label=_("What did you see?"),
        help_text=_("Choose what comes closest. If you are wrong, nothing is lost: we look at it either way."),
        choices=[(key, kind.text) for key, kind in KINDS.items()],
        widget=forms.RadioSelect,
        error_messages={
            "required": _("Choose what comes closest, or “I am not sure”"),
            "invalid_choice": _("Choose what comes closest, or “I am not sure”"),
        },
    )


class WordsForm(forms.Form):
    """Anything that helps?"""

    words = AsEntered(
        limit=WORDS_CHARACTERS.value,
        required=False,
        label=_("Is there anything that helps us find it?"),
        help_text=_(
            "For example: where on the page it is, what to click, a password, when you saw it. You may leave this empty. "
            "Please do not write your name."
        ),
        widget=forms.Textarea(attrs={"rows": "7", "autocomplete": "off", "dir": "auto"}),
    )


    danger = forms.BooleanField(required=False, label=_("I think that a child is being abused now, or will be soon"))


class ContactForm(forms.Form):
    """May we write to you? Left empty, nothing about the reporter is kept."""

    contact = AsEntered(
        limit=CONTACT_CHARACTERS.value,
        required=False,
        label=_("Do you want to hear what became of it?"),
        help_text=_(
            "You may leave this empty. If you want an answer, write an e-mail address or a telephone number. It is kept "
            "encrypted and apart from the report, two people must agree before anyone can read it, and it is deleted 30 days "
            "after we have finished."
        ),
        widget=forms.TextInput(attrs={"autocomplete": "off", "dir": "auto"}),
    )


class AppForm(ContactForm):
    """Which app or chatbot, who in it, what happened?"""

    service = AsEntered(
        limit=200,
        label=_("Which app, game or chatbot is it?"),
        error_messages={"required": _("Enter the name of the app, the game or the chatbot")},
        widget=forms.TextInput(attrs={"autocomplete": "off", "dir": "auto"}),
    )
    character = AsEntered(
        limit=190,
        required=False,
        label=_("Which character or account is it?"),
        help_text=_("As it is written there. You may leave this empty."),
        widget=forms.TextInput(attrs={"autocomplete": "off", "dir": "auto"}),
    )
    address = AsEntered(
        limit=ADDRESS_CHARACTERS.value,
        required=False,
        label=_("Is there a web address?"),
        help_text=_("If you have it. You do not need to open it again."),
        widget=forms.Textarea(attrs=ADDRESS_LOOK | {"rows": "2"}),
    )
    what = forms.ChoiceField(
        label=_("What happens there?"),
        choices=[(key, kind.text) for key, kind in APP_KINDS.items()],
        widget=forms.RadioSelect,
        error_messages={"required": _("Choose what comes closest"), "invalid_choice": _("Choose what comes closest")},
    )
    words = AsEntered(
        limit=3000,
        required=False,
        label=_("What happened, in a few words of your own?"),
        help_text=_("You may leave this empty. Please do not write your name."),
        widget=forms.Textarea(attrs={"rows": "4", "autocomplete": "off", "dir": "auto"}),
    )
    add_text = forms.BooleanField(
        required=False, label=_("I want to add text from the app itself. You do not have to: most reports do not need it.")
    )
    text = AsEntered(
        limit=6000,
        required=False,
        label=_("Text from the app"),
        help_text=_("Taken only if you ticked the box above. No pictures, please."),
        widget=forms.Textarea(attrs={"rows": "4", "autocomplete": "off", "dir": "auto"}),
    )
    danger = forms.BooleanField(required=False, label=_("I think that a child is being abused now, or will be soon"))
    field_order = ("service", "character", "address", "what", "words", "add_text", "text", "danger", "contact")


class HashedFileForm(forms.Form):
    """Hashes that the browser computed, and what the file shows."""

    sha256 = forms.CharField(
        required=False, widget=forms.HiddenInput(attrs={"data-hash": "SHA-256", "autocomplete": "off"})
    )
    sha1 = forms.CharField(required=False, widget=forms.HiddenInput(attrs={"data-hash": "SHA-1", "autocomplete": "off"}))
    kind = forms.ChoiceField(
        label=_("What does the file show?"),
        choices=[(key, kind.text) for key, kind in KINDS.items()],
        widget=forms.RadioSelect,
        error_messages={"required": _("Choose what comes closest"), "invalid_choice": _("Choose what comes closest")},
    )
    words = AsEntered(
        limit=WORDS_CHARACTERS.value,
        required=False,
        label=_("Where did you get the file?"),
        help_text=_("For example: the site, the app or the group. You may leave this empty."),
        widget=forms.Textarea(attrs={"rows": "4", "autocomplete": "off", "dir": "auto"}),
    )

    def clean(self) -> dict[str, Any]:
        """One file, whose hash is there and whole."""
        cleaned = super().clean() or {}
        whole = re.fullmatch(r"[0-9a-f]{64}", cleaned.get("sha256", ""))
        if not whole or not re.fullmatch(r"([0-9a-f]{40})?", cleaned.get("sha1", "")):
            raise ValidationError(_("Choose the file again: its fingerprint did not reach us."), code="hash_missing")
        return cleaned


WHAT: Final = frozenset({"address", "block_reference", "notice_serial"})


class AppealForm(forms.Form):
    """What is blocked by mistake, who says so, and why?"""

    address = AsEntered(
        limit=TEXT_CHARACTERS.value,
        required=False,
        label=_("Address of the page"),
        help_text=_("If you know it. Otherwise the number on the block page is enough."),
        widget=forms.Textarea(attrs=ADDRESS_LOOK),
    )
    block_reference = forms.CharField(
        required=False,
        max_length=80,
        label=_("Number on the block page"),
        help_text=_("If there was one."),
        validators=[
            RegexValidator(
                rf"\A{BLOCK_REFERENCE.pattern}\Z",
                _("Enter the number as it stands on the block page, or leave it empty"),
            )
        ],
        error_messages={"max_length": _("Enter the number as it stands on the block page, or leave it empty")},
        widget=forms.TextInput(attrs=PLAIN | {"class": "short", "dir": "ltr"}),
    )
    notice_serial = forms.CharField(
        required=False,
        max_length=60,
        label=_("Number of our notice"),
        help_text=_("If there was one."),
        validators=[
            RegexValidator(
                rf"\A{NOTICE_SERIAL.pattern}\Z", _("Enter the number as it stands on the notice, or leave it empty")
            )
        ],
        error_messages={"max_length": _("Enter the number as it stands on the notice, or leave it empty")},
        widget=forms.TextInput(attrs=PLAIN | {"class": "short", "dir": "ltr"}),
    )
    who = forms.ChoiceField(
        label=_("Who are you?"),
        choices=[(key, text) for key, (text, _type) in APPELLANTS.items()],
        widget=forms.RadioSelect,
        error_messages={"required": _("Choose what comes closest"), "invalid_choice": _("Choose what comes closest")},
    )
    reasons = AsEntered(
        limit=TEXT_CHARACTERS.value,
        label=_("Why should the page not be blocked?"),
        help_text=_("A few sentences are enough. Please send no pictures and no links to other pages."),
        error_messages={"required": _("Tell us in a few words why the page should not be blocked")},
        widget=forms.Textarea(attrs={"rows": "6", "autocomplete": "off", "dir": "auto"}),
    )
    contact = AsEntered(
        limit=CONTACT_CHARACTERS.value,
        required=False,
        label=_("How can we reach you?"),
        help_text=_("Only if you want an answer: an e-mail address or a telephone number. You may leave this empty."),
        widget=forms.TextInput(attrs={"autocomplete": "off", "dir": "auto"}),
    )

    def clean(self) -> dict[str, Any]:
        """One of the address and the two numbers must be there."""
        cleaned = super().clean() or {}
        named = any(cleaned.get(name, "").strip() for name in WHAT)
        if not named and not WHAT & self.errors.keys():
            self.add_error("address", _("Enter the address of the page, or the number on the block page"))
        return cleaned


class StatusForm(forms.Form):
    """Which case?"""

    reference = forms.CharField(
        label=_("What is your reference?"),
        help_text=_("It has twelve letters and digits, such as 7K2M-9QXD-41TZ."),
        max_length=200,
        strip=True,
        error_messages={
            "required": _("Enter your reference"),
            "max_length": _("This is not one of our references. Compare it with your note, sign by sign."),
        },
        widget=forms.TextInput(attrs=PLAIN | {"class": "short reference", "dir": "ltr"}),
    )

    def clean_reference(self) -> str:
        """The reference in its written form; a slip of the pen is noticed here."""
        try:
            return read_reference(self.cleaned_data["reference"])
        except InputError as error:
            raise ValidationError(
                _("This is not one of our references. Compare it with your note, sign by sign."), code=error.code
            ) from error
