"""The report, one question a page. Each answer is saved as it was entered, also one that needs another look."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from django.forms import Form
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import get_language
from django.views.decorators.http import require_http_methods, require_safe

from vigil.hotline.access.people import PUBLIC
from vigil.hotline.access.rules import open_to_all
from vigil.hotline.doors.public.answers import Answers, answers_of, carried, posted_text
from vigil.hotline.doors.public.cookie import draft_in, hand_out, take_back
from vigil.hotline.doors.public.forms import AddressForm, ContactForm, KindForm, WordsForm
from vigil.hotline.doors.public.mishaps import mishap_of
from vigil.hotline.doors.public.origin import origin_of
from vigil.hotline.doors.public.showing import lost, show, show_busy
from vigil.hotline.reports.bucket import wait_for
from vigil.hotline.reports.intake import do_answer, do_begin_draft, do_submit_draft
from vigil.hotline.reports.limits import Act
from vigil.hotline.reports.models import Draft, ReporterContact

CHECK: Final = "check"
questions = require_http_methods(["GET", "HEAD", "POST"])


@dataclass(frozen=True, slots=True)
class Question:
    """One page of the report: how its form is filled from answers or from what was posted, and what is saved."""

    name: str
    number: int
    form: Callable[[Answers], Form]
    posted: Callable[[HttpRequest, Answers], Form]
    saved: Callable[[HttpRequest, Form], dict[str, str | bool]]


def _address_posted(request: HttpRequest, before: Answers) -> AddressForm:
    asked_about = before.address if "as_is" in request.POST else None
    text = posted_text(request, "address")
    sent_again = text if "as_is" in request.POST and _same(text, asked_about) else None
    return AddressForm({"address": text}, as_is=sent_again)


def _same(text: str, before: str | None) -> bool:
    """Whether the text is the one we asked about; without an earlier one (a lost draft) the reporter is believed."""
    return not before or text == before


def _address_saved(request: HttpRequest, form: Form) -> dict[str, str | bool]:
    return {"address": form.data["address"], "address_as_is": form.is_valid() and "as_is" in request.POST}


ADDRESS: Final = Question(
    "address",
    1,
    lambda answers: AddressForm(initial={"address": answers.address}),
    _address_posted,
    _address_saved,
)
KIND: Final = Question(
    "kind",
    2,
    lambda answers: KindForm(initial={"kind": answers.kind}),
    lambda request, before: KindForm({"kind": request.POST.get("kind", "")}),
    lambda request, form: {"theme": form.data["kind"]} if form.is_valid() else {},
)
WORDS: Final = Question(
    "words",
    3,
    lambda answers: WordsForm(initial={"words": answers.words, "danger": answers.danger}),
    lambda request, before: WordsForm({"words": posted_text(request, "words"), "danger": request.POST.get("danger", "")}),
    lambda request, form: {"words": form.data["words"], "words_seen": form.is_valid(), "danger": bool(form.data["danger"])},
)
QUESTIONS: Final = (ADDRESS, KIND, WORDS)


def _begun(request: HttpRequest) -> Draft | None:
    """The draft that is still being written."""
    draft = draft_in(request)
    return draft if draft is not None and draft.report is None else None


def _page(question: Question, **extra: Any) -> dict[str, Any]:
    return {"question": question.name, "number": question.number, "total": len(QUESTIONS)} | extra


def _ask(request: HttpRequest, question: Question) -> HttpResponse:
    """Show a question, or handle its answer."""
    draft = _begun(request)
    answers = answers_of(draft) if draft else Answers()
    if request.method != "POST":
        if draft is None and question is not ADDRESS:
            return redirect("public:report-address")
        if "lost" in request.GET:
            lost(request)
        form = question.form(answers)
        return show(request, "public/question.html", _page(question, form=form, answers=answers), form)
    form = question.posted(request, answers)
    if mishap_of(request):
        kept = form if request.POST else question.form(answers)
        return show(request, "public/question.html", _page(question, form=kept, answers=answers), kept)
    return _keep(request, question, draft, answers, form)


def _keep(request: HttpRequest, question: Question, draft: Draft | None, answers: Answers, form: Form) -> HttpResponse:
    token = ""
    if draft is None:
        if wait := wait_for(Act.DRAFT):
            return show_busy(request, "public/question.html", _page(question, form=form, answers=answers), wait, form)
        draft, token = do_begin_draft(PUBLIC)
    draft = do_answer(draft, **question.saved(request, form))
    if form.is_valid():
        response = _onward(answers_of(draft))
    else:
        response = show(request, "public/question.html", _page(question, form=form, answers=answers), form)
    return hand_out(response, token) if token else response


def _onward(answers: Answers) -> HttpResponse:
    """To the first question that has no good answer yet, else to the check page."""
    return redirect(f"public:report-{answers.missing() or CHECK}")


@open_to_all("The way into the report form.")
@require_safe
def start(request: HttpRequest) -> HttpResponse:
    """Begin; an unfinished report goes on where it was left."""
    return redirect("public:report-address")


@open_to_all("Starting another report: the earlier one's cookie goes.")
@require_safe
def another(request: HttpRequest) -> HttpResponse:
    """Begin afresh after a report was sent; an unfinished one is not thrown away."""
    response = redirect("public:report-address")
    return response if _begun(request) else take_back(response)


@open_to_all("First question of the report.")
@questions
def address(request: HttpRequest) -> HttpResponse:
    """Where is it?"""
    return _ask(request, ADDRESS)


@open_to_all("Second question of the report.")
@questions
def kind(request: HttpRequest) -> HttpResponse:
    """What is it?"""
    return _ask(request, KIND)


@open_to_all("Third question of the report.")
@questions
def words(request: HttpRequest) -> HttpResponse:
    """Anything that helps?"""
    return _ask(request, WORDS)


@open_to_all("Looking over the answers and sending them.")
@questions
def check(request: HttpRequest) -> HttpResponse:
    """Show all answers; on POST send them."""
    draft = draft_in(request)
    if request.method == "POST":
        return _send(request, draft)
    if draft is not None and draft.report is not None:
        return redirect("public:report-sent")
    answers = answers_of(draft) if draft else Answers()
    if answers.missing():
        return _onward(answers)
    return _checked(request, answers)


def _checked(request: HttpRequest, answers: Answers) -> HttpResponse:
    form = _contact_form(request)
    return show(request, "public/check.html", {"answers": answers, "form": form}, form)


def _contact_form(request: HttpRequest) -> ContactForm:
    return ContactForm({"contact": posted_text(request, "contact")}) if "contact" in request.POST else ContactForm()


def _send(request: HttpRequest, draft: Draft | None) -> HttpResponse:
    """Send the draft; without one, the copy that the check page carries along."""
    answers = answers_of(draft) if draft is not None and draft.report is None else carried(request)
    if mishap_of(request):
        return _checked(request, answers) if not answers.missing() else _ask(request, ADDRESS)
    if draft is not None and draft.report is not None:
        return redirect("public:report-sent")
    if answers.missing():
        lost_now = draft is None
        return redirect(_lost_address()) if lost_now else _onward(answers)
    form = ContactForm({"contact": posted_text(request, "contact")})
    if not form.is_valid():
        return show(request, "public/check.html", {"answers": answers, "form": form}, form)
    if wait := wait_for(Act.SUBMIT):
        return show_busy(request, "public/check.html", {"answers": answers, "form": form}, wait, form)
    token = ""
    if draft is None:
        draft, token = do_begin_draft(PUBLIC)
    arrival = answers.arrival(get_language() or "", origin_of(request), form.cleaned_data["contact"])
    do_submit_draft(PUBLIC, draft, arrival)
    response = redirect("public:report-sent")
    return hand_out(response, token) if token else response


def _lost_address() -> str:
    from django.urls import reverse

    return f"{reverse('public:report-address')}?lost"


@open_to_all("The end of the report: thanks, and the reference.")
@require_safe
def sent(request: HttpRequest) -> HttpResponse:
    """Thanks first; then the reference and what happens next."""
    draft = draft_in(request)
    if draft is None or draft.report is None:
        return redirect("public:status")
    contact = ReporterContact.objects.filter(report=draft.report).exists()
    return show(request, "public/sent.html", {"reference": draft.report.ref, "contact": contact})
