"""Finding cases. What is looked for is confidential, so it travels in the body and never in the address."""

from __future__ import annotations

from django import forms
from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_http_methods

from vigil.base.errors import VigilError
from vigil.hotline.access.permissions import Permission
from vigil.hotline.access.rules import requires
from vigil.hotline.doors.console.forms import StrictForm
from vigil.hotline.doors.console.requests import Staff
from vigil.hotline.doors.console.views.queue import rows
from vigil.hotline.reports.search import ASKED_CHARACTERS, Field, find

MOST_SHOWN = 200

FIELDS = {
    Field.REFERENCE: "Reference of a case",
    Field.ADDRESS: "Exactly this address",
    Field.HOST: "Any address at this host",
    Field.DOMAIN: "Any address below this registered domain",
    Field.DIGEST: "A file, by MD5, SHA-1 or SHA-256",
}


class SearchForm(StrictForm):
    """What to compare, and with what."""

    field = forms.ChoiceField(label="Look for", choices=[(each.value, text) for each, text in FIELDS.items()])
    asked = forms.CharField(
        label="Reference, address or digest", max_length=ASKED_CHARACTERS.value,
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false", "autocapitalize": "none", "dir": "ltr"}),
    )  # fmt: skip


@requires(Permission.CASE_SEARCH)
@require_http_methods(["GET", "HEAD", "POST"])
def search(request: Staff) -> HttpResponse:
    """The form, and after it the cases found."""
    form = SearchForm(request.POST if request.method == "POST" else None)
    context = {"form": form, "most": MOST_SHOWN}
    if form.is_valid():
        try:
            found = find(request.person, Field(form.cleaned_data["field"]), form.cleaned_data["asked"])
        except VigilError as error:
            form.add_error("asked", str(error))
        else:
            shown = list(found[: MOST_SHOWN + 1])
            context |= {"searched": True, "rows": rows(shown[:MOST_SHOWN]), "more": len(shown) > MOST_SHOWN}
    return render(request, "console/search.html", context, status=422 if form.errors else 200)
