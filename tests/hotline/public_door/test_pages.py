"""Status, appeal, help, language, leaving; headers and cookies; and that nothing about the visitor is kept."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date
from typing import Any

import pytest
from django.conf import settings
from django.db import connection
from django.test.utils import CaptureQueriesContext
from tests.hotline.public_door.asking import PAGE, answer_all, reference_on, text_of, title_of

from vigil.base.clock import FixedClock
from vigil.hotline.access.models import User
from vigil.hotline.access.roles import Role
from vigil.hotline.doors.public.help_lines import is_fresh, shown
from vigil.hotline.doors.public.pages import wanted_language
from vigil.hotline.lists.enumerations import AppellantType
from vigil.hotline.lists.models import Appeal
from vigil.hotline.reports.actions import do_close, do_take
from vigil.hotline.reports.enumerations import Outcome
from vigil.hotline.reports.limits import RATES, Act, Rate
from vigil.hotline.reports.models import Draft, Report
from vigil.hotline.settings.config import HelpLine

LANGUAGES = ("en", "nl", "fr", "de", "es", "pt", "pl", "ar")
PLAIN_PAGES = ("", "report/address/", "status/", "appeal/", "help/", "about/", "privacy/")
UNKNOWN = "0000-0000-0000"


def sent_reference(client: Any) -> str:
    answer_all(client)
    return reference_on(client.post("/en/report/check/", follow=True))


# ---- every page


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("path", PLAIN_PAGES)
def test_every_page_in_every_language(public_client: Any, language: str, path: str) -> None:
    page = public_client.get(f"/{language}/{path}")
    body = page.content.decode()
    assert page.status_code == 200
    assert f'<html lang="{language}" dir="{"rtl" if language == "ar" else "ltr"}">' in body
    assert body.count("<h1") == 1
    assert 'href="/leave/"' in body
    assert {f"/{other}/{path}" for other in LANGUAGES} - {f"/{language}/{path}"} == set(
        re.findall(r'<a href="([^"]+)" lang="', body)
    )
    assert not re.search(r"<(script|style)>|\sstyle=|\son\w+=", body)


@pytest.mark.parametrize("language", LANGUAGES[1:])
@pytest.mark.parametrize("path", PLAIN_PAGES)
def test_no_english_is_left_over(public_client: Any, language: str, path: str) -> None:
    english, other = (text_of(public_client.get(f"/{code}/{path}")) for code in ("en", language))
    sentences = [part.strip() for part in re.split(r"[.?!:] ", english) if len(part.split()) > 5]
    assert sentences
    assert not [sentence for sentence in sentences if sentence in other]


def test_headers_of_every_page(public_client: Any) -> None:
    for path in ("/", "/en/", "/en/report/address/", "/en/zorblat", "/leave/", "/blank/"):
        page = public_client.get(path)
        policy = page["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert page["Cache-Control"] == "no-store"
        assert page["Referrer-Policy"] == "same-origin"
        assert page["X-Content-Type-Options"] == "nosniff"
        assert page["X-Frame-Options"] == "DENY"


@pytest.mark.parametrize(("path", "tag"), [("", "all"), ("help/", "all"), ("status/", "noindex, nofollow")])
def test_search_engines_find_the_desk_and_not_its_forms(public_client: Any, path: str, tag: str) -> None:
    assert public_client.get(f"/en/{path}")["X-Robots-Tag"] == tag


@pytest.mark.parametrize("method", ["put", "delete", "patch", "options", "trace"])
def test_other_methods_are_refused(public_client: Any, method: str) -> None:
    for path in ("/en/", "/en/report/address/", "/en/status/", "/en/appeal/", "/en/report/check/"):
        assert getattr(public_client, method)(path).status_code == 405


def test_another_method_gets_a_page_too(public_client: Any) -> None:
    page = public_client.put("/nl/report/address/")
    assert (page.status_code, page["Allow"]) == (405, "GET, HEAD, POST")
    assert 'lang="nl"' in page.content.decode()
    assert "/nl/report/" in page.content.decode()


def test_a_made_up_host_is_refused(public_client: Any) -> None:
    page = public_client.get("/en/", headers={"Host": "quimber.example"})
    assert page.status_code == 400
    assert "quimber" not in page.content.decode()


def test_cookies_are_two_and_for_this_visit_only(public_client: Any) -> None:
    assert not public_client.get("/en/").cookies
    public_client.get("/en/report/address/")
    public_client.post("/en/report/address/", {"address": PAGE})
    assert set(public_client.cookies) == {"vigil_draft", "vigil_public_csrf"}
    for cookie in public_client.cookies.values():
        assert cookie["httponly"]
        assert cookie["samesite"] == "Strict"
        assert cookie["max-age"] == cookie["expires"] == ""


def test_nothing_about_the_visitor_is_kept(public_client: Any) -> None:
    visitor = {"User-Agent": "Zorblat/7", "Referer": "https://quimber.example/", "X-Forwarded-For": "203.0.113.9"}
    for path, answer in (("address", {"address": PAGE}), ("kind", {"kind": "text"}), ("words", {"words": ""}), ("check", {})):
        public_client.post(f"/en/report/{path}/", answer, headers=visitor, REMOTE_ADDR="203.0.113.9")
    assert Report.objects.exists()
    rows: list[Any] = []
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f'SELECT * FROM "{table}"')
            rows += cursor.fetchall()
    assert not [secret for secret in ("Zorblat", "quimber", "203.0.113") if secret in repr(rows)]


def test_nothing_entered_reaches_a_title_or_an_address(public_client: Any, caplog: pytest.LogCaptureFixture) -> None:
    reference = sent_reference(public_client)
    pages = [public_client.post("/en/status/", {"reference": reference})]
    pages += [public_client.post("/en/report/address/", {"address": "zorblat quimber"})]
    for page in pages:
        assert reference not in title_of(page)
        assert "zorblat" not in title_of(page)
    assert "gallery" not in caplog.text
    assert "zorblat" not in caplog.text


@pytest.mark.parametrize("path", ["/en/zorblat", "/zorblat", "/en/report/zorblat/", "/en/%ff", "/en/%00", "/xx/report/"])
def test_a_wrong_address_gets_a_page_of_the_desk(public_client: Any, path: str) -> None:
    page = public_client.get(path)
    assert page.status_code == 404
    assert "There is nothing here" in text_of(page)
    assert "zorblat" not in page.content.decode()


def test_a_broken_page_says_that_it_was_not_the_visitor(public_client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*arguments: object) -> None:
        raise RuntimeError("zorblat")

    monkeypatch.setattr("vigil.hotline.doors.public.pages.lines_for", broken)
    public_client.raise_request_exception = False
    page = public_client.get("/nl/help/")
    assert page.status_code == 500
    assert "Het lag niet aan jou" in text_of(page)
    assert "zorblat" not in page.content.decode()


@pytest.mark.parametrize("path", ["/", "/en/", "/en/report/", "/leave/", "/healthz", "/en/report/sent/"])
def test_pages_that_are_only_read_refuse_a_form(public_client: Any, path: str) -> None:
    assert public_client.post(path).status_code == 405


# ---- languages


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("nl-BE,nl;q=0.9,en;q=0.8", "nl"),
        ("sw, fr-CA;q=0.5", "fr"),
        ("AR", "ar"),
        ("sw,ja", None),
        ("", None),
        ("*", None),
        ("\x00;;q=zorblat", None),
        ("x" * 10_000, None),
    ],
)
def test_the_language_a_browser_asks_for(header: str, language: str | None) -> None:
    assert wanted_language(header) == language


def test_the_entrance(public_client: Any) -> None:
    there = public_client.get("/", headers={"Accept-Language": "fr"})
    assert there["Location"] == "/fr/"
    choice = public_client.get("/", headers={"Accept-Language": "ja"})
    assert choice.status_code == 200
    assert [f'href="/{language}/"' in choice.content.decode() for language in LANGUAGES] == [True] * len(LANGUAGES)
    assert public_client.get("/appeal/", headers={"Accept-Language": "ar"})["Location"] == "/ar/appeal/"


# ---- status


def test_the_three_states(public_client: Any, make_user: Callable[..., User]) -> None:
    reference = sent_reference(public_client)
    anna = make_user(Role.ANALYST)

    def state() -> str:
        page = public_client.post("/en/status/", {"reference": reference.lower().replace("-", " ")})
        found = re.search(r'<span class="tag \w+">([\w ]+)</span>', page.content.decode())
        assert found is not None
        return found[1]

    assert state() == "received"
    taken = do_take(anna, Report.objects.get())
    assert state() == "being looked at"
    do_close(anna, taken, Outcome.SPAM)
    assert state() == "closed"


def test_an_unknown_reference_takes_the_same_work_and_gets_the_same_page(public_client: Any) -> None:
    reference = sent_reference(public_client)
    public_client.post("/en/status/", {"reference": reference})
    answers = {}
    for asked in (reference, UNKNOWN):
        with CaptureQueriesContext(connection) as queries:
            page = public_client.post("/en/status/", {"reference": asked})
        shape = re.sub(r">[^<]*<", "><", page.content.decode())
        answers[asked] = (page.status_code, len(queries), re.sub(r'tag \w+|value="[^"]*"', "", shape))
    assert answers[reference] == answers[UNKNOWN]
    assert "We know nothing under this reference" in text_of(public_client.post("/en/status/", {"reference": UNKNOWN}))


@pytest.mark.parametrize("typed", ["", "zorblat", "0000-0000-0001", "0" * 5000, "\x00", "٠" * 13])
def test_a_slip_of_the_pen_is_noticed(public_client: Any, typed: str) -> None:
    page = public_client.post("/en/status/", {"reference": typed})
    assert page.status_code == 422
    assert '<a href="#id_reference">' in page.content.decode()


def test_asking_too_often_waits(public_client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(RATES, Act.STATUS, Rate(burst=0, per_second=1))
    page = public_client.post("/en/status/", {"reference": UNKNOWN})
    assert page.status_code == 429
    assert f'value="{UNKNOWN}"' in page.content.decode()


# ---- appeal


def appeal(**other: str) -> dict[str, str]:
    return {"address": PAGE, "block_reference": "", "who": "publisher", "reasons": "It shows quimber.", "contact": "", **other}


def test_an_appeal_ends_with_a_reference(public_client: Any) -> None:
    page = public_client.post("/en/appeal/", appeal(contact="anna@mail.example"))
    filed = Appeal.objects.get()
    assert reference_on(page) == filed.ref
    assert filed.appellant_type == AppellantType.PUBLISHER
    assert (filed.reasons.open(), filed.contact.open()) == ("It shows quimber.", "anna@mail.example")
    asked = public_client.post("/en/status/", {"reference": filed.ref})
    assert "about a blocked page" in text_of(asked)


def test_the_number_of_the_block_page_comes_along_and_stays(public_client: Any) -> None:
    body = public_client.get("/en/appeal/?ref=N7-2026.11").content.decode()
    assert 'value="N7-2026.11"' in body
    assert 'href="/nl/appeal/?ref=N7-2026.11"' in body
    public_client.post("/en/appeal/", appeal(address="", block_reference="N7-2026.11"))
    assert Appeal.objects.get().block_reference == "N7-2026.11"


def test_an_appeal_against_a_notice_needs_its_number_only(public_client: Any) -> None:
    page = public_client.post("/en/appeal/", appeal(address="", notice_serial="N-2026/0041"))
    filed = Appeal.objects.get()
    assert reference_on(page) == filed.ref and "0041" not in filed.ref
    assert (filed.notice_serial, filed.block_reference) == ("N-2026/0041", "")


@pytest.mark.parametrize("number", ["<script>", "x" * 200, "\u202e", '"><b>'])
def test_a_number_that_cannot_be_one_is_dropped(public_client: Any, number: str) -> None:
    body = public_client.get("/en/appeal/", {"ref": number}).content.decode()
    assert number not in body


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"address": "", "block_reference": ""}, "id_address"),
        ({"who": ""}, "id_who_0"),
        ({"who": "zorblat"}, "id_who_0"),
        ({"reasons": " "}, "id_reasons"),
        ({"reasons": "z" * 20_001}, "id_reasons"),
        ({"block_reference": "<b>"}, "id_block_reference"),
        ({"notice_serial": "<b>"}, "id_notice_serial"),
        ({"notice_serial": "9" * 61}, "id_notice_serial"),
        ({"contact": "z" * 301}, "id_contact"),
    ],
)
def test_a_wrong_appeal_keeps_what_was_entered(public_client: Any, wrong: dict[str, str], field: str) -> None:
    page = public_client.post("/en/appeal/", appeal(**wrong))
    assert page.status_code == 422
    assert f'<a href="#{field}">' in page.content.decode()
    assert "reasons" in wrong or "It shows quimber." in text_of(page)
    assert not Appeal.objects.exists()


def test_an_address_that_cannot_be_read_is_appealed_all_the_same(public_client: Any) -> None:
    public_client.post("/en/appeal/", appeal(address="the quimber\x00 page"))
    assert Appeal.objects.get().address.open() == "the quimber\x00 page"


def test_too_many_appeals_wait_and_keep_what_was_entered(public_client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(RATES, Act.APPEAL, Rate(burst=0, per_second=1))
    page = public_client.post("/en/appeal/", appeal())
    assert page.status_code == 429
    assert "It shows quimber." in text_of(page)


# ---- help lines and leaving


def line(name: str, checked: str, *languages: str) -> HelpLine:
    return HelpLine("NL", name, phone="0800 555 0101", languages=languages, verified_on=checked)


def test_only_numbers_checked_within_180_days_are_shown() -> None:
    today = date(2026, 11, 22)
    assert is_fresh(line("a", "2026-11-22"), today)
    assert is_fresh(line("a", "2026-05-26"), today)
    assert not is_fresh(line("a", "2026-05-25"), today)
    assert not is_fresh(line("a", "2026-11-23"), today)
    assert not is_fresh(line("a", ""), today)
    assert not is_fresh(line("a", "zorblat"), today)
    lines = [line("a", "2026-11-01", "nl"), line("b", "2026-11-01", "fr"), line("c", "2020-01-01", "fr")]
    assert [row.name for row in shown(lines, today, "fr")] == ["b", "a"]


def test_the_help_page_shows_them_as_text_and_link(
    public_client: Any, clock: FixedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "no checked numbers" in text_of(public_client.get("/en/help/"))
    lines = (line("Quimber Line", "2026-11-01"),)
    config = type("Made", (), {"help_lines": lines, "name": "Desk", "demo": True, "portals": ()})()
    monkeypatch.setitem(public_client.overrides, "CONFIG", config)
    body = public_client.get("/en/help/").content.decode()
    assert '<a class="tel" href="tel:08005550101">0800 555 0101</a>' in body


def test_leaving_forgets_what_was_entered(public_client: Any) -> None:
    public_client.post("/en/report/address/", {"address": PAGE})
    gone = public_client.get("/leave/")
    assert gone["Location"] == "/blank/"
    assert "cookies" in gone["Clear-Site-Data"]
    assert not Draft.objects.exists()
    page = public_client.get("/blank/")
    assert settings.CONFIG.name not in page.content.decode()
    assert PAGE not in text_of(public_client.get("/en/report/address/"))


def test_leaving_keeps_a_report_that_was_sent(public_client: Any) -> None:
    sent_reference(public_client)
    public_client.get("/leave/")
    assert Report.objects.exists()


def test_alive(public_client: Any) -> None:
    assert public_client.get("/healthz").content == b"ok\n"
    assert "Disallow" in public_client.get("/robots.txt").content.decode()
