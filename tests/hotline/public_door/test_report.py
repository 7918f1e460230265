"""The report form: in steps, saved as entered, nothing lost, sent once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import quote_plus

import pytest
from django.test import Client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.hotline.public_door.asking import PAGE, answer_all, reference_on, text_of, title_of

from vigil.base.clock import FixedClock
from vigil.hotline.doors.public.choices import KINDS
from vigil.hotline.reports.enumerations import AiNexus, Theme
from vigil.hotline.reports.limits import RATES, Act, Rate
from vigil.hotline.reports.models import Draft, Report, Submission

FORM = "application/x-www-form-urlencoded"
LANGUAGES = ("en", "nl", "fr", "de", "es", "pt", "pl", "ar")


@pytest.fixture
def strict_client(public_client: Any) -> Iterator[Client]:
    """A browser for which the check against forged forms is on."""
    public_client.handler.enforce_csrf_checks = True
    return public_client


def the_draft() -> Draft:
    return Draft.objects.get()


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_report_from_the_first_page_to_the_reference(public_client: Any, language: str) -> None:
    first = public_client.get(f"/{language}/report/", follow=True)
    assert first.redirect_chain[-1][0] == f"/{language}/report/address/"
    last = answer_all(public_client, "gallery.example/room/7", "generated", "the quimber picture", language)
    assert last["Location"] == f"/{language}/report/check/"
    check = public_client.get(f"/{language}/report/check/")
    assert "gallery.example/room/7" in text_of(check)
    assert "the quimber picture" in text_of(check)
    done = public_client.post(f"/{language}/report/check/", follow=True)
    assert done.redirect_chain[-1][0] == f"/{language}/report/sent/"
    report = Report.objects.get()
    assert reference_on(done) == report.ref
    assert report.ref not in str(done.redirect_chain)
    assert (report.language, report.theme_claimed, report.nexus) == (language, Theme.CSAM, [AiNexus.AI_GENERATED])
    assert report.free_text is not None
    assert report.free_text.open() == "the quimber picture"


def test_sending_twice_makes_one_report(public_client: Any) -> None:
    answer_all(public_client)
    first = public_client.post("/en/report/check/", follow=True)
    second = public_client.post("/en/report/check/", follow=True)
    again = public_client.get("/en/report/sent/")
    assert Report.objects.count() == 1
    assert reference_on(first) == reference_on(second) == reference_on(again)
    assert public_client.get("/en/report/check/")["Location"] == "/en/report/sent/"


def test_another_report_starts_empty_and_is_a_report_of_its_own(public_client: Any) -> None:
    answer_all(public_client)
    public_client.post("/en/report/check/")
    public_client.get("/en/report/another/")
    assert PAGE not in text_of(public_client.get("/en/report/address/"))
    answer_all(public_client, "https://other.example/")
    public_client.post("/en/report/check/")
    assert Report.objects.count() == 2


def test_going_on_after_a_sent_report_without_the_link_begins_afresh(public_client: Any) -> None:
    answer_all(public_client)
    public_client.post("/en/report/check/")
    answer_all(public_client, "https://other.example/")
    public_client.post("/en/report/check/")
    assert Report.objects.count() == 2


def test_going_back_and_changing_an_answer(public_client: Any) -> None:
    answer_all(public_client, words="zorblat")
    assert PAGE in text_of(public_client.get("/en/report/address/"))
    changed = public_client.post("/en/report/address/", {"address": "https://other.example/x"})
    assert changed["Location"] == "/en/report/check/"
    assert 'value="images"' in public_client.get("/en/report/kind/").content.decode()
    assert "zorblat" in text_of(public_client.get("/en/report/words/"))
    check = text_of(public_client.get("/en/report/check/"))
    assert "other.example" in check
    assert "gallery.example" not in check


def test_the_language_can_change_on_the_way(public_client: Any) -> None:
    public_client.post("/en/report/address/", {"address": PAGE})
    page = public_client.get("/en/report/kind/").content.decode()
    assert '<a href="/ar/report/kind/" lang="ar" hreflang="ar">' in page
    assert PAGE in text_of(public_client.get("/ar/report/address/"))


def test_questions_cannot_be_skipped(public_client: Any) -> None:
    assert public_client.get("/en/report/kind/")["Location"] == "/en/report/address/"
    assert public_client.get("/en/report/check/")["Location"] == "/en/report/address/"
    public_client.post("/en/report/address/", {"address": PAGE})
    assert public_client.get("/en/report/check/")["Location"] == "/en/report/kind/"
    assert public_client.post("/en/report/check/")["Location"] == "/en/report/kind/"
    assert public_client.get("/en/report/sent/")["Location"] == "/en/status/"
    assert not Report.objects.exists()


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_can_be_chosen(public_client: Any, kind: str) -> None:
    answer_all(public_client, kind=kind)
    public_client.post("/en/report/check/")
    assert Report.objects.get().theme_claimed == (KINDS[kind].theme or "")


# ---- what cannot be read


@pytest.mark.parametrize(
    "address",
    ["the quimber group", "zorblat", "magnet:?xt=urn:quimber", "a.example\nb.example", "x\x00y\x07", "\u202ezorblat", "http://[::1"],
)
def test_an_address_we_cannot_read_is_asked_about_once_and_taken(public_client: Any, address: str) -> None:
    asked = public_client.post("/en/report/address/", {"address": address})
    assert asked.status_code == 422
    assert title_of(asked).startswith("Please look again: ")
    assert '<a href="#id_address">' in asked.content.decode()
    assert the_draft().address.open() == address
    taken = public_client.post("/en/report/address/", {"address": address, "as_is": "yes"})
    assert taken["Location"] == "/en/report/kind/"
    public_client.post("/en/report/kind/", {"kind": "unsure"})
    public_client.post("/en/report/words/", {"words": ""})
    public_client.post("/en/report/check/")
    submission = Submission.objects.get()
    assert submission.raw.open() == address
    assert submission.url is None


def test_another_unreadable_text_is_asked_about_again(public_client: Any) -> None:
    public_client.post("/en/report/address/", {"address": "zorblat"})
    asked = public_client.post("/en/report/address/", {"address": "quimber", "as_is": "yes"})
    assert asked.status_code == 422
    assert the_draft().address_as_is is False


def test_a_text_mended_after_the_question_is_simply_taken(public_client: Any) -> None:
    public_client.post("/en/report/address/", {"address": "zorblat"})
    assert public_client.post("/en/report/address/", {"address": PAGE})["Location"] == "/en/report/kind/"


def test_stray_bytes_are_kept(public_client: Any) -> None:
    body = b"address=http%3A%2F%2Fgallery.example%2F%FF%C3%A9+b"
    public_client.post("/en/report/address/", body, content_type=FORM)
    assert the_draft().address.open() == "http://gallery.example/%FFé b"


def test_raw_stray_bytes_are_kept(public_client: Any) -> None:
    public_client.post("/en/report/address/", b"address=http://gallery.example/\xff", content_type=FORM)
    assert the_draft().address.open() == "http://gallery.example/%FF"


def test_an_empty_address_is_asked_for(public_client: Any) -> None:
    asked = public_client.post("/en/report/address/", {"address": "  "})
    assert asked.status_code == 422
    assert "Enter the address of the page" in text_of(asked)


def test_a_kind_must_be_chosen(public_client: Any) -> None:
    public_client.post("/en/report/address/", {"address": PAGE})
    for wrong in ({}, {"kind": "zorblat"}, {"kind": ""}):
        asked = public_client.post("/en/report/kind/", wrong)
        assert asked.status_code == 422
        assert '<a href="#id_kind_0">' in asked.content.decode()
    assert the_draft().theme == ""


def test_too_many_words_are_kept_and_counted(public_client: Any) -> None:
    public_client.post("/en/report/address/", {"address": PAGE})
    public_client.post("/en/report/kind/", {"kind": "text"})
    asked = public_client.post("/en/report/words/", {"words": "z" * 10_003})
    assert asked.status_code == 422
    assert "3 characters too long" in text_of(asked)
    assert len(the_draft().words.open()) == 10_003
    assert public_client.get("/en/report/check/")["Location"] == "/en/report/words/"


def test_a_long_address_is_kept_and_counted(public_client: Any) -> None:
    asked = public_client.post("/en/report/address/", {"address": PAGE + "x" * 65_536})
    assert asked.status_code == 422
    assert "too long" in text_of(asked)
    assert len(the_draft().address.open()) == len(PAGE) + 65_536


# ---- what goes wrong on the way


def test_a_ten_megabyte_paste_gets_a_message_and_loses_nothing(strict_client: Any) -> None:
    page = strict_client.get("/nl/report/address/")
    token = page.context["csrf_token"]
    strict_client.post("/nl/report/address/", {"address": PAGE, "csrfmiddlewaretoken": str(token)})
    body = f"csrfmiddlewaretoken={token}&address={'z' * 10_000_000}"
    asked = strict_client.post("/nl/report/address/", body, content_type=FORM)
    assert asked.status_code == 413
    assert title_of(asked).startswith("Kijk nog even: ")
    assert "langer dan we kunnen aannemen" in text_of(asked)
    assert PAGE in text_of(asked)
    assert the_draft().address.open() == PAGE


@pytest.mark.parametrize("path", ["report/address/", "report/kind/", "report/words/", "report/check/", "status/", "appeal/"])
@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [
        ("&".join(f"f{number}=1" for number in range(100)), FORM, 413),
        (b"--x\r\ngarbage", "multipart/form-data; boundary=x", 403),
        (b"garbage", "multipart/form-data", 400),
        (b"a=1", f"{FORM}; charset=latin-1", 400),
        (b'{"address": "zorblat"}', "application/json", 403),
        (b"", "", 403),
    ],
)
def test_garbled_forms_get_a_page(
    strict_client: Any, path: str, body: str | bytes, content_type: str, status: int
) -> None:
    asked = strict_client.post(f"/en/{path}", body, content_type=content_type)
    assert asked.status_code == status
    assert title_of(asked).startswith("Please look again: ")
    assert not Draft.objects.exists()


def test_a_file_is_not_taken(strict_client: Any) -> None:
    body = b'--x\r\nContent-Disposition: form-data; name="address"; filename="a"\r\n\r\nzorblat\r\n--x--\r\n'
    asked = strict_client.post("/en/report/address/", body, content_type="multipart/form-data; boundary=x")
    assert asked.status_code == 400
    assert not Draft.objects.exists()


def test_a_lost_form_cookie_keeps_what_was_entered(strict_client: Any) -> None:
    asked = strict_client.post("/en/report/address/", {"address": PAGE})
    assert asked.status_code == 403
    assert title_of(asked).startswith("Please look again: ")
    assert PAGE in text_of(asked)
    assert not Draft.objects.exists()
    token = str(asked.context["csrf_token"])
    retried = strict_client.post("/en/report/address/", {"address": PAGE, "csrfmiddlewaretoken": token})
    assert retried["Location"] == "/en/report/kind/"


def test_what_another_site_sends_is_not_shown(strict_client: Any) -> None:
    asked = strict_client.post("/en/report/address/", {"address": "zorblat"}, headers={"Origin": "https://evil.example"})
    assert asked.status_code == 403
    assert "zorblat" not in asked.content.decode()


def test_a_lost_form_cookie_on_the_check_page_keeps_the_answers(strict_client: Any) -> None:
    carried = {"address": PAGE, "kind": "text", "words": "quimber"}
    asked = strict_client.post("/en/report/check/", carried)
    assert asked.status_code == 403
    assert "quimber" in text_of(asked)
    assert not Report.objects.exists()
    token = str(asked.context["csrf_token"])
    done = strict_client.post("/en/report/check/", {**carried, "csrfmiddlewaretoken": token}, follow=True)
    assert reference_on(done) == Report.objects.get().ref


def test_a_lost_draft_is_sent_from_the_check_page_all_the_same(public_client: Any) -> None:
    answer_all(public_client, words="quimber")
    page = public_client.get("/en/report/check/").content.decode()
    assert f'name="address" value="{PAGE}"' in page
    public_client.cookies.clear()
    done = public_client.post("/en/report/check/", {"address": PAGE, "kind": "images", "words": "quimber"}, follow=True)
    report = Report.objects.get()
    assert reference_on(done) == report.ref
    assert report.free_text is not None
    assert report.free_text.open() == "quimber"


def test_a_lost_draft_with_nothing_carried_says_so(public_client: Any) -> None:
    asked = public_client.post("/en/report/check/", follow=True)
    assert asked.redirect_chain[-1][0] == "/en/report/address/?lost"
    assert "could not find your earlier answers" in text_of(asked)


def test_an_answer_to_a_later_question_without_a_draft_is_kept(public_client: Any) -> None:
    assert public_client.post("/en/report/words/", {"words": "quimber"})["Location"] == "/en/report/address/"
    assert the_draft().words.open() == "quimber"


def test_a_draft_past_its_time_is_begun_anew(public_client: Any, clock: FixedClock) -> None:
    public_client.post("/en/report/address/", {"address": PAGE})
    clock.advance(hours=25)
    assert PAGE not in text_of(public_client.get("/en/report/address/"))
    assert public_client.post("/en/report/address/", {"address": "https://other.example/"})["Location"] == "/en/report/kind/"


@pytest.mark.parametrize("token", ["", "zorblat", "x" * 5000, "\x00", "é"])
def test_a_made_up_cookie_is_no_draft(public_client: Any, token: str) -> None:
    public_client.cookies["vigil_draft"] = token
    assert public_client.get("/en/report/address/").status_code == 200


# ---- crowded


def full_bucket(monkeypatch: pytest.MonkeyPatch, act: Act) -> None:
    monkeypatch.setitem(RATES, act, Rate(burst=0, per_second=1 / 90))


def test_a_crowded_door_keeps_the_first_answer(public_client: Any, monkeypatch: pytest.MonkeyPatch, clock: FixedClock) -> None:
    full_bucket(monkeypatch, Act.DRAFT)
    asked = public_client.post("/en/report/address/", {"address": PAGE})
    assert asked.status_code == 429
    assert asked["Retry-After"] == "90"
    assert "in 2 minutes" in text_of(asked)
    assert PAGE in text_of(asked)


def test_a_crowded_door_keeps_the_whole_report(public_client: Any, monkeypatch: pytest.MonkeyPatch, clock: FixedClock) -> None:
    answer_all(public_client, words="quimber")
    full_bucket(monkeypatch, Act.SUBMIT)
    asked = public_client.post("/fr/report/check/")
    assert asked.status_code == 429
    assert "dans 2 minutes" in text_of(asked)
    assert "quimber" in text_of(asked)
    assert not Report.objects.exists()
    monkeypatch.setitem(RATES, Act.SUBMIT, Rate(burst=1, per_second=1))
    clock.advance(seconds=90)
    public_client.post("/fr/report/check/")
    assert Report.objects.exists()


# ---- hostile


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=300), st.booleans())
def test_no_bytes_break_the_form(public_client: Any, data: bytes, as_is: bool) -> None:
    public_client.cookies.clear()
    body = b"address=" + quote_plus(data).encode() + (b"&as_is=yes" if as_is else b"") + b"&zorblat=1"
    asked = public_client.post("/en/report/address/", body, content_type=FORM)
    assert asked.status_code in (302, 422)
    page = public_client.get("/en/report/address/")
    assert page.status_code == 200
    assert b"<script>" not in page.content


def test_signs_that_play_tricks_are_made_visible(public_client: Any) -> None:
    address = "https://gallery.example/\u202egnp.exe"
    public_client.post("/en/report/address/", {"address": address})
    public_client.post("/en/report/kind/", {"kind": "unsure"})
    public_client.post("/en/report/words/", {"words": "<script>alert(1)</script> \u2066x"})
    page = public_client.get("/en/report/check/").content.decode()
    shown = page.partition("<form")[0]
    assert "‹U+202E›" in shown
    assert "\u202e" not in shown
    assert "<script>alert" not in page
