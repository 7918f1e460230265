"""Other ways to report at the public door: apps and chatbots, files by their hashes, a child with a code; portals; contact."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from django.conf import settings as django_settings
from django.utils import translation
from tests.hotline.conftest import NOON, DoorClient
from tests.hotline.public_door.asking import PAGE, answer_all, reference_on, text_of

from vigil.base.clock import FixedClock
from vigil.base.errors import InputError
from vigil.hotline.access.people import OPERATOR
from vigil.hotline.access.permissions import SCOPES
from vigil.hotline.doors.child_words import OUTCOMES
from vigil.hotline.doors.portals import Portal, PortalText
from vigil.hotline.partners.models import Sender
from vigil.hotline.partners.senders import do_enrol_sender
from vigil.hotline.reports.children import CODE_LIFE, HandOver, do_hand_over
from vigil.hotline.reports.enumerations import AgeAssurance, AgeRange, Channel, ChildOutcome, Priority, Tri
from vigil.hotline.reports.models import ChildCase, Report, ReporterContact
from vigil.hotline.settings import config as configuration
from vigil.hotline.settings.config import HelpLine

pytestmark = pytest.mark.usefixtures("clock")
DIGEST = "ab" * 32


def send(client: Any, **more: str) -> Any:
    answers = {"address": PAGE, "kind": "images", "words": ""}
    return client.post("/en/report/check/", answers | more)


# ---- danger and contact


def test_a_child_in_danger_comes_first(public_client: DoorClient) -> None:
    public_client.post("/en/report/address/", {"address": PAGE})
    public_client.post("/en/report/kind/", {"kind": "images"})
    public_client.post("/en/report/words/", {"words": "", "danger": "on"})
    assert "being abused now" in text_of(public_client.get("/en/report/check/"))
    send(public_client)
    assert Report.objects.get().priority == Priority.CHILD_AT_RISK


def test_who_wants_an_answer_leaves_a_contact_that_is_sealed_and_apart(public_client: DoorClient) -> None:
    answer_all(public_client)
    send(public_client, contact="quimber@post.example")
    contact = ReporterContact.objects.get()
    assert contact.fields is not None and contact.fields.open() == "quimber@post.example"
    assert "quimber" not in repr(ReporterContact.objects.values_list()) and "quimber" not in repr(
        list(Report.objects.values_list())
    )
    assert "in the way you chose" in text_of(public_client.get("/en/report/sent/"))


def test_who_wants_none_leaves_none(public_client: DoorClient) -> None:
    answer_all(public_client)
    send(public_client, contact="  ")
    assert Report.objects.exists() and not ReporterContact.objects.exists()
    assert "We do not know who you are" in text_of(public_client.get("/en/report/sent/"))


def test_a_contact_that_is_a_letter_is_asked_about(public_client: DoorClient) -> None:
    answer_all(public_client)
    answer = send(public_client, contact="x" * 301)
    assert answer.status_code == 422 and not Report.objects.exists()


# ---- apps and chatbots


def app_report(client: Any, **more: str) -> Any:
    answers = {"service": "Zorblat Chat", "character": "Quimber", "what": "acts", "words": "it began by itself"}
    return client.post("/en/report/app/", answers | more)


def test_a_chatbot_is_reported_by_name_and_no_text_is_taken_unasked(public_client: DoorClient) -> None:
    answer = app_report(public_client, text="pasted by mistake")
    report = Report.objects.get(ref=reference_on(answer))
    assert [each.raw.open() for each in report.submissions.all()] == ["Zorblat Chat\nQuimber"]
    assert report.free_text is not None and report.free_text.open() == "it began by itself"
    assert (report.theme_claimed, report.ai_nexus) == ("text_csam", ["chatbot_character"])


def test_text_is_taken_from_who_chooses_so(public_client: DoorClient) -> None:
    app_report(public_client, add_text="on", text="{{minor-marker}} {{sexual-marker}}", address="app.example/c/7", danger="on")
    report = Report.objects.get()
    assert report.free_text is not None and report.free_text.open().endswith("{{minor-marker}} {{sexual-marker}}")
    assert {each.type for each in report.submissions.all()} == {"url", "app"}
    assert report.priority == Priority.CHILD_AT_RISK


@pytest.mark.parametrize("missing", [{"service": " "}, {"what": "nothing"}, {"words": "x" * 3001}])
def test_an_app_report_that_needs_another_look_loses_nothing(public_client: DoorClient, missing: dict[str, str]) -> None:
    answer = app_report(public_client, **missing)
    assert answer.status_code == 422 and "Quimber" in answer.content.decode()
    assert not Report.objects.exists()


# ---- files by their hashes


def test_a_file_is_reported_by_its_hashes(public_client: DoorClient) -> None:
    answer = public_client.post("/en/report/file/", {"sha256": DIGEST, "sha1": "cd" * 20, "kind": "images", "words": "a group"})
    report = Report.objects.get(ref=reference_on(answer))
    assert [(each.algorithm, each.raw.open()) for each in report.submissions.all()] == [("sha256", DIGEST), ("sha1", "cd" * 20)]


@pytest.mark.parametrize("sha256", ["", "zz", DIGEST + "0", f"{DIGEST} {DIGEST}"])
def test_without_a_whole_hash_there_is_no_report(public_client: DoorClient, sha256: str) -> None:
    answer = public_client.post("/en/report/file/", {"sha256": sha256, "kind": "images"})
    assert answer.status_code == 422 and not Report.objects.exists()


def test_without_script_the_page_shows_another_way(public_client: DoorClient) -> None:
    page = public_client.get("/en/report/file/").content.decode()
    assert "data-needs-script hidden" in page and "needs no script" in page
    assert 'name="file"' not in page, "the file itself has no name in the form and is never sent"


# ---- a child with a code


@pytest.fixture
def service(db: None) -> Sender:
    return do_enrol_sender(OPERATOR, "harbour", "child_service", list(SCOPES))[0]


@pytest.fixture
def hand_over(service: Sender) -> Callable[..., tuple[ChildCase, str]]:
    def make(number: str = "k-0001", **more: Any) -> tuple[ChildCase, str]:
        return do_hand_over(service, HandOver(number, AgeRange.UNDER_13, AgeAssurance.NOT_REQUIRED, **more))

    return make


def test_a_child_with_a_code_says_where_it_is(public_client: DoorClient, hand_over: Callable[..., tuple[ChildCase, str]]) -> None:
    case, code = hand_over()
    told = public_client.post("/en/young/", {"code": code.lower()})
    assert "Nobody is angry with you" in text_of(told)
    body = {"code": code, "places": "gallery.example/me\n\nZorblat, someone", "sha256": f"{DIGEST} {'cd' * 32}", "threat": "yes"}
    for _ in range(2):  # pressed twice
        assert public_client.post("/en/young/tell/", body).headers["Location"].endswith("/en/young/thanks/")
    case.refresh_from_db()
    report = Report.objects.get()
    assert case.report == report and case.extortion_indicated == Tri.YES
    assert (report.channel, report.source_class, report.theme_claimed) == (
        Channel.CHILD_SELF_REPORT,
        "child_service",
        "sextortion",
    )
    assert report.priority == Priority.CHILD_AT_RISK and report.free_text is None
    assert [each.type for each in report.submissions.all()] == ["url", "url", "hash", "hash"]


def test_codes_that_open_nothing(
    public_client: DoorClient, clock: FixedClock, hand_over: Callable[..., tuple[ChildCase, str]]
) -> None:
    _, code = hand_over()
    for wrong in ("", "7K2M-9QXD-41TZ", "x" * 300, code[:-1] + ("0" if code[-1] != "0" else "1")):
        answer = public_client.post("/en/young/", {"code": wrong})
        assert answer.status_code == 422
    clock.advance(seconds=CODE_LIFE.total_seconds())
    body = {"code": code, "places": "gallery.example/me", "threat": "no"}
    answer = public_client.post("/en/young/tell/", body)
    assert answer.status_code == 422 and "gallery.example/me" in answer.content.decode(), "what was typed stays"
    assert not Report.objects.exists()


@pytest.mark.parametrize(
    "wrong", [{"places": ""}, {"threat": ""}, {"sha256": "zz"}, {"places": "a.example\n" * 21}, {"sha256": f"{DIGEST} " * 21}]
)
def test_what_needs_another_look_is_asked_again(
    public_client: DoorClient, hand_over: Callable[..., tuple[ChildCase, str]], wrong: dict[str, str]
) -> None:
    body = {"code": hand_over()[1], "places": "gallery.example/me", "sha256": "", "threat": "no"} | wrong
    assert public_client.post("/en/young/tell/", body).status_code == 422
    assert not Report.objects.exists()


def test_nothing_of_a_child_counts_as_a_duplicate(
    public_client: DoorClient, hand_over: Callable[..., tuple[ChildCase, str]]
) -> None:
    answer_all(public_client)
    send(public_client)
    _, code = hand_over()
    public_client.post("/en/young/tell/", {"code": code, "places": PAGE, "threat": "no"})
    assert not Report.objects.exclude(dedupe_of=None).exists()
    other = DoorClient("public")
    answer_all(other)
    send(other)
    duplicate = Report.objects.exclude(dedupe_of=None).get()
    assert duplicate.dedupe_of is not None and duplicate.dedupe_of.channel == Channel.WEB_FORM


def test_every_outcome_has_words_in_every_language() -> None:
    assert set(OUTCOMES) == set(ChildOutcome)
    for code, _ in django_settings.LANGUAGES:
        with translation.override(code):
            texts = [str(OUTCOMES[outcome]) for outcome in ChildOutcome]
        assert len(set(texts)) == len(texts) and all(len(text) < 400 for text in texts)


# ---- portals


PORTAL = Portal(
    id="harbour",
    country="NL",
    name="Harbour Desk",
    hosts=("report.harbour.test",),
    languages=("nl", "en"),
    texts=(
        PortalText(key="lead", language="en", text="Words <b>of</b> the harbour"),
        PortalText(key="about", language="en", text="x1"),
    ),
)
LINES = (
    HelpLine(country="BE", name="Quimber", phone="000", young=True, verified_on=NOON.date().isoformat()),
    HelpLine(country="NL", name="Zorblat", phone="000", verified_on=NOON.date().isoformat()),
)


@pytest.fixture
def portals(settings: Any, public_client: DoorClient) -> None:
    settings.CONFIG = msgspec.structs.replace(settings.CONFIG, portals=(PORTAL,), help_lines=LINES)
    settings.ALLOWED_HOSTS = [*settings.ALLOWED_HOSTS, *PORTAL.hosts]


def at(client: DoorClient, path: str, host: str = "testserver", **more: Any) -> Any:
    return client.get(path, headers={"Host": host}, **more)


@pytest.mark.usefixtures("portals")
class TestPortals:
    def test_it_has_its_own_name_texts_and_languages(self, public_client: DoorClient) -> None:
        page = at(public_client, "/at/harbour/en/").content.decode()
        assert "Harbour Desk" in page and "Words &lt;b&gt;of&lt;/b&gt; the harbour" in page
        assert 'href="/at/harbour/nl/"' in page and "/fr/" not in page and 'href="/at/harbour/en/report/"' in page
        assert at(public_client, "/at/harbour/fr/").status_code == 404
        assert "Words of" not in text_of(at(public_client, "/en/")), "the front desk itself has ours"

    def test_it_is_found_by_its_host_too(self, public_client: DoorClient) -> None:
        assert "Harbour Desk" in text_of(at(public_client, "/en/", "report.harbour.test"))

    @pytest.mark.parametrize("accept", ["fr", "nl-NL, fr"])
    def test_the_entrance_knows_its_languages(self, public_client: DoorClient, accept: str) -> None:
        answer = public_client.get("/at/harbour/", headers={"Accept-Language": accept})
        if accept == "fr":
            assert "Nederlands" in text_of(answer) and "Français" not in text_of(answer)
        else:
            assert answer.headers["Location"] == "/at/harbour/nl/"

    def test_a_report_says_where_it_came_in(self, public_client: DoorClient) -> None:
        for step, answer in (("address", {"address": PAGE}), ("kind", {"kind": "images"}), ("words", {"words": ""})):
            answered = public_client.post(f"/at/harbour/en/report/{step}/", answer)
            assert answered.headers["Location"].startswith("/at/harbour/en/")
        public_client.post("/at/harbour/en/report/check/", {"address": PAGE, "kind": "images", "words": ""})
        report = Report.objects.get()
        assert (report.channel, report.portal, report.portal_country) == (Channel.PORTAL, "harbour", "NL")

    def test_help_lines_of_its_country_come_first(self, public_client: DoorClient) -> None:
        def order(path: str) -> list[str]:
            text = text_of(at(public_client, path))
            return sorted(("Zorblat", "Quimber"), key=text.index)

        assert order("/at/harbour/en/help/") == ["Zorblat", "Quimber"]
        assert order("/at/harbour/en/help/?country=BE") == ["Quimber", "Zorblat"]
        assert order("/en/help/?country=NL") == ["Zorblat", "Quimber"]
        assert "Zorblat" not in text_of(at(public_client, "/at/harbour/en/young/")), "lines for the young, where there are some"

    @pytest.mark.parametrize(
        "path", ["/at/nowhere/en/", "/at/", "/at/harbour", "/at/%3Cscript%3E/en/", "/at/harbour/at/harbour/en/"]
    )
    def test_other_addresses_lead_nowhere(self, public_client: DoorClient, path: str) -> None:
        answer = at(public_client, path)
        assert answer.status_code in {200, 302, 404} and "script" not in text_of(answer).lower().replace("javascript", "")


@pytest.mark.parametrize(
    ("portals", "flaw"),
    [
        ((PORTAL, PORTAL), "used twice"),
        ((Portal(id="x", country="NL", name="X", languages=("xx",)),), "not on offer"),
    ],
)
def test_portals_that_do_not_fit_are_refused(settings: Any, portals: tuple[Portal, ...], flaw: str) -> None:
    with pytest.raises(InputError, match=flaw):
        configuration.checked(msgspec.structs.replace(settings.CONFIG, portals=portals))


def test_a_text_is_reviewed_by_somebody_on_a_day() -> None:
    with pytest.raises(ValueError, match="names its reader"):
        PortalText(key="lead", language="en", text="x", review="reviewed")
