"""Files at the console: facts first, steps of looking that are written down, image-level assessment, blind second looks."""

from __future__ import annotations

import base64
import hashlib
import io
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from PIL import Image
from tests.hotline.assessments.test_files_and_looks import GRADE
from tests.hotline.console_door.conftest import SECRET_ADDRESS, Desk, form_of
from tests.hotline.reports.test_captures import drawn

from vigil.base.clock import FixedClock
from vigil.base.limits import Limit
from vigil.hotline.access.clock import now
from vigil.hotline.access.models import User
from vigil.hotline.access.roles import Role
from vigil.hotline.approvals.actions import do_approve
from vigil.hotline.approvals.models import ApprovalRequest
from vigil.hotline.assessments import grades
from vigil.hotline.assessments.models import Assessment, CaseWarning, MediaAssessment
from vigil.hotline.assessments.reviewing import review_of
from vigil.hotline.audit.models import AuditEvent
from vigil.hotline.doors.console import sources, tiles
from vigil.hotline.lists.models import ListEntry
from vigil.hotline.reports.actions import do_take
from vigil.hotline.reports.again import picture_again
from vigil.hotline.reports.captures import do_hash_file
from vigil.hotline.reports.fetcher import Address, Fetched
from vigil.hotline.reports.models import Media, Report, Sighting
from vigil.hotline.reviews.actions import do_propose_policy
from vigil.hotline.reviews.policy import Policy, Rule
from vigil.hotline.schemes.actions import do_put_in_force
from vigil.hotline.settings.config import Vault
from vigil.hotline.vault.actions import do_put
from vigil.hotline.vault.models import CustodyEvent, EvidenceKind, EvidenceObject
from vigil.hotline.welfare.actions import do_set_policy, do_set_preferences
from vigil.hotline.welfare.limits import Policy as Limits
from vigil.hotline.welfare.models import ExposureEvent
from vigil.hotline.welfare.queries import totals
from vigil.media import Tile, hash_image

CHILD = {"child1_age_band": "7-10", "child1_appears_under_13": "yes", "child1_maturity": "prepubescent", "child1_sex": "girl"}


def text_of(answer: Any) -> str:
    return str(answer.content.decode())


def picture_in(answer: Any) -> np.ndarray | None:
    found = re.search(r'src="data:image/png;base64,([^"]+)"', text_of(answer))
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(found.group(1))))) if found else None


@pytest.fixture
def vault(tmp_path: Path, settings: Any) -> Vault:
    keys = tmp_path / "apart" / "vault.key"
    keys.parent.mkdir()
    keys.write_text(f"k1 {'11' * 32}\n")
    keys.chmod(0o600)
    return Vault(str(tmp_path / "sealed"), str(keys), "Permit 7 of the authority of Quimber")


def with_vault(client: Any, settings: Any, vault: Vault) -> Any:
    settings.CONFIG = msgspec.structs.replace(settings.CONFIG, vault=vault)
    client.overrides["CONFIG"] = settings.CONFIG
    return client


def file_in(desk: Desk, report: Report, seed: int = 1) -> Media:
    return do_hash_file(desk.anna, report, drawn(seed), hash_image)


def page(report: Report, media: Media, step: str = "") -> str:
    return f"/cases/{report.pk}/files/{media.pk}/{step}"


def grade_form(media: Media, **changes: Any) -> dict[str, Any]:
    known = MediaAssessment.objects.filter(media=media).count()
    return {"known": known, "started_at": now().isoformat(), "notes": "", **GRADE, **CHILD, **changes}


class TestTiles:
    TILE = Tile(90, 60, np.random.default_rng(1).integers(0, 256, 90 * 60 * 3, dtype=np.uint8).tobytes())

    def pixels(self) -> np.ndarray:
        return np.frombuffer(self.TILE.rgb, np.uint8).reshape(60, 90, 3)

    def test_a_png_that_everybody_reads(self) -> None:
        read = np.asarray(Image.open(io.BytesIO(tiles.png(self.pixels()))))
        assert (read == self.pixels()).all()

    def test_blur_keeps_masses_and_loses_detail(self) -> None:
        for strength in (1, 3, 5):
            blurred = tiles.blurred(self.pixels(), strength)
            assert blurred.shape == (60, 90, 3) and blurred.std() < self.pixels().std() / 2
            assert abs(float(blurred.mean()) - float(self.pixels().mean())) < 6

    def test_a_region_is_sharp_and_the_rest_is_not(self) -> None:
        found = tiles.region(self.pixels(), 3, (50, 50))
        assert (found[25:35, 40:50] == self.pixels()[25:35, 40:50]).all()
        assert (found[:5, :5] != self.pixels()[:5, :5]).any()
        for corner in ((0, 0), (100, 100), (500, -5)):
            assert tiles.region(self.pixels(), 3, corner).shape == (60, 90, 3)

    def test_grey_and_sketch(self) -> None:
        for found in (tiles.grey(self.pixels()), tiles.sketched(self.pixels())):
            assert (found[:, :, 0] == found[:, :, 1]).all() and (found[:, :, 1] == found[:, :, 2]).all()


class TestLooking:
    def test_without_any_stored_picture_everything_else_works(self, desk: Desk) -> None:
        report = desk.taken()
        media, client = file_in(desk, report), desk.at(desk.anna)
        answer = client.get(page(report, media))
        assert "There is no picture to show here, and none is needed" in text_of(answer) and picture_in(answer) is None
        assert "cannot be had" in text_of(client.post(page(report, media, "look/"), {"mode": "blur"}, follow=True))
        assert not ExposureEvent.objects.filter(mode="blur").exists()
        client.post(page(report, media, "assessment/"), grade_form(media))
        assert MediaAssessment.objects.get().stage == "first"

    def test_from_the_vault_in_steps_each_written_down(self, desk: Desk, settings: Any, vault: Vault) -> None:
        report = desk.taken()
        media, client = file_in(desk, report), with_vault(desk.at(desk.anna), settings, vault)
        kept = do_put(desk.anna, report.pk, EvidenceKind.MEDIA, drawn(1))
        assert picture_in(client.get(page(report, media))) is None
        shown = {mode: picture_in(client.post(page(report, media, "look/"), {"mode": mode, "x": 50, "y": 50}, follow=True))
                 for mode in ("blur", "sketch", "region", "greyscale", "full")}  # fmt: skip
        assert all(picture is not None and picture.shape == (96, 96, 3) for picture in shown.values())
        assert len({picture.tobytes() for picture in shown.values() if picture is not None}) == 5
        looks = list(ExposureEvent.objects.filter(subject=f"media:{media.pk}").values_list("mode", "region_only"))
        assert looks == [("blur", False), ("sketch", False), ("region", True), ("greyscale", False), ("full", False)]
        assert list(CustodyEvent.objects.filter(object=kept, kind="accessed").values_list("mode", flat=True)) == [
            "blur", "sketch", "region", "greyscale", "full",
        ]  # fmt: skip
        assert AuditEvent.objects.filter(code="content.looked", subject=f"media:{media.pk}").count() == 5

    def test_a_page_that_is_loaded_again_shows_nothing_and_costs_no_look(
        self, desk: Desk, settings: Any, vault: Vault
    ) -> None:
        report = desk.taken()
        media, client = file_in(desk, report), with_vault(desk.at(desk.anna), settings, vault)
        other = file_in(desk, report, 2)
        do_put(desk.anna, report.pk, EvidenceKind.MEDIA, drawn(1))
        asked = client.post(page(report, media, "look/"), {"mode": "full"})
        assert asked.status_code == 302 and not ExposureEvent.objects.exists()
        assert picture_in(client.get(page(report, media))) is not None
        assert picture_in(client.get(page(report, media))) is None
        assert ExposureEvent.objects.filter(subject=f"media:{media.pk}").count() == 1
        client.post(page(report, media, "look/"), {"mode": "full"})
        assert picture_in(client.get(page(report, other))) is None, "what was asked for one file is shown of no other"
        assert picture_in(client.get(page(report, media))) is None

    def test_fetched_anew_for_one_look_and_dropped(self, desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
        report = desk.taken()
        media, client = file_in(desk, report, 2), desk.at(desk.anna)
        Sighting(media=media, report=report, source="capture", position=2, created_by="system:worker").save()
        gallery = Gallery()
        monkeypatch.setattr(sources, "captures_on", lambda: True)
        monkeypatch.setattr(sources, "fetcher_in_service", lambda: gallery)
        assert "Fetched anew" in text_of(client.get(page(report, media))) and gallery.asked == []
        picture = picture_in(client.post(page(report, media, "look/"), {"mode": "full"}, follow=True))
        assert picture is not None and picture.shape == (96, 96, 3) and gallery.asked[-2:] == ["b.png", "closed"]
        assert not EvidenceObject.objects.exists()

    def test_how_long_it_lasted_comes_from_the_browser(self, desk: Desk, settings: Any, vault: Vault, clock: FixedClock) -> None:
        report = desk.taken()
        media, client = file_in(desk, report), with_vault(desk.at(desk.anna), settings, vault)
        do_put(desk.anna, report.pk, EvidenceKind.MEDIA, drawn(1))
        answer = client.post(page(report, media, "look/"), {"mode": "full"}, follow=True)
        end = re.search(r'data-look="([^"]+)"', text_of(answer))
        assert end and answer["Cache-Control"] == "no-store"
        clock.advance(seconds=9)
        assert client.post(end.group(1), {"seconds": "7"}).status_code == 204
        assert totals(desk.anna).unblurred_s == 7
        assert desk.at(desk.ben).post(end.group(1), {"seconds": "7"}).status_code == 404

    def test_a_break_stops_looking_and_nothing_else(
        self, desk: Desk, settings: Any, vault: Vault, make_user: Callable[..., User], clock: FixedClock
    ) -> None:
        do_set_policy(make_user(Role.WELFARE), Limits(60, 120, 300, 25, 300))
        report = desk.taken()
        media, client = file_in(desk, report), with_vault(desk.at(desk.anna), settings, vault)
        do_put(desk.anna, report.pk, EvidenceKind.MEDIA, drawn(1))
        client.post(page(report, media, "look/"), {"mode": "full"}, follow=True)
        clock.advance(seconds=31)
        answer = client.post(page(report, media, "look/"), {"mode": "full"}, follow=True)
        assert picture_in(answer) is None and "take a break first" in text_of(answer)
        assert "take a break first" in text_of(client.post("/queue/next/", follow=True))
        assert client.post(page(report, media, "assessment/"), grade_form(media)).status_code == 302

    def test_content_warnings_come_before_content(self, desk: Desk, settings: Any, vault: Vault) -> None:
        report = desk.taken()
        media, client = file_in(desk, report), with_vault(desk.at(desk.anna), settings, vault)
        do_put(desk.anna, report.pk, EvidenceKind.MEDIA, drawn(1))
        CaseWarning(report=report, kind="violence", created_by="user:ben").save(force_insert=True)
        do_set_preferences(desk.anna, greyscale=True, sketch=False, blur=5, tile_side=96, share=False, opt_outs=["violence"])
        assert "Content warning" in text_of(client.get(page(report, media)))
        assert picture_in(client.post(page(report, media, "look/"), {"mode": "full"}, follow=True)) is None
        picture = picture_in(client.post(page(report, media, "look/"), {"mode": "full", "warned": "on"}, follow=True))
        assert picture is not None and (picture[:, :, 0] == picture[:, :, 2]).all()  # grey, as preferred

    def test_who_may_not_see_content_gets_no_picture(self, desk: Desk, make_user: Callable[..., User]) -> None:
        report = desk.taken()
        media = file_in(desk, report)
        client = desk.at(make_user(Role.INTAKE))
        assert client.post(page(report, media, "look/"), {"mode": "blur"}).status_code == 403
        assert client.get(page(report, media)).status_code == 200


class Gallery:
    """A fetcher of a page with two pictures, of which the second is wanted."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def close(self) -> None:
        self.asked.append("closed")

    def fetch(self, url: Address, limit: Limit) -> Fetched:
        self.asked.append(url.text().rpartition("/")[2])
        if url.text().endswith(".png"):
            return Fetched(200, "image/png", drawn(2 if url.text().endswith("b.png") else 1), url)
        return Fetched(200, "text/html", b'<img src="/a.png"><img src="/b.png"><img src="/c.png">', url)


def test_a_picture_is_fetched_again_only_if_it_is_the_very_same(desk: Desk) -> None:
    url = desk.reported().submissions.get().url
    gallery = Gallery()
    assert picture_again(url, hashlib.sha256(drawn(2)).hexdigest(), gallery) == drawn(2)
    assert gallery.asked == ["7?quimber=1", "a.png", "b.png"]
    assert picture_again(url, hashlib.sha256(drawn(9)).hexdigest(), Gallery()) is None


class TestGrading:
    def test_a_file_is_assessed_and_its_schemes_are_explained(self, desk: Desk) -> None:
        report = desk.taken()
        media, client = file_in(desk, report), desk.at(desk.anna)
        answer = client.post(page(report, media, "assessment/"), grade_form(media, notes="quimber"), follow=True)
        assert "interpol_baseline" in text_of(answer) and "activity=exhibition" in text_of(answer)
        assert "quimber" not in text_of(answer)
        assert "Computed from 1 assessed file" in text_of(client.get(f"/cases/{report.pk}/"))
        client.post(f"/cases/{report.pk}/assessment/", form_of(report, severity="A"))
        made = Assessment.objects.get()
        assert (made.severity, made.roll_up_source) == ("C", "computed")

    def test_what_does_not_fit_comes_back_whole(self, desk: Desk) -> None:
        report = desk.taken()
        media, client = file_in(desk, report), desk.at(desk.anna)
        wrong = ({"animal": ""}, {"activity": ["zorblat"]}, {"child1_age_band": ""}, {"child1_age_band": "16-17"},
                 {"zorblat": "1"})  # fmt: skip
        for changes in wrong:
            answer = client.post(page(report, media, "assessment/"), grade_form(media, notes="quimber", **changes))
            assert answer.status_code == 422 and answer.context["form"]["realism"].value() == "photographic"
        assert not MediaAssessment.objects.exists()

    def test_the_later_of_two_sees_the_conflict_and_keeps_the_answers(self, desk: Desk) -> None:
        report = desk.taken()
        media, client = file_in(desk, report), desk.at(desk.anna)
        stale = grade_form(media, sadism="yes")
        client.post(page(report, media, "assessment/"), grade_form(media))
        answer = client.post(page(report, media, "assessment/"), stale)
        assert answer.status_code == 409 and "Somebody was there before you" in text_of(answer)
        assert answer.context["form"]["sadism"].value() == "yes"
        again = {**stale, "known": answer.context["form"]["known"].value()}
        assert client.post(page(report, media, "assessment/"), again).status_code == 302


class TestBlindLook:
    @pytest.fixture
    def planned(self, make_user: Callable[..., User], clock: FixedClock) -> None:
        owner = make_user(Role.SCHEME_OWNER)
        rule = Rule("url", ("second",), "all are seen twice")
        row, request = do_propose_policy(owner, Policy("1", (rule,)), "a try")
        do_approve(make_user(Role.SUPERVISOR), request)
        do_put_in_force(owner, row)

    def test_the_second_sees_neither_result_nor_name(self, planned: None, desk: Desk) -> None:
        report = desk.assessed()
        client = desk.at(desk.ben)
        client.post(f"/cases/{report.pk}/take/")
        seen = text_of(client.get(f"/cases/{report.pk}/"))
        assert "It is blind" in seen and "Assessment 1" not in seen and "anna" not in seen.lower().replace("savannah", "")
        assert "listing_form" not in client.get(f"/cases/{report.pk}/").context
        form = client.get(f"/cases/{report.pk}/").context["assessment_form"]
        assert form["severity"].value() in (None, "")
        assert "blind look is pending" in text_of(client.post(f"/cases/{report.pk}/show/", {"what": "notes"}, follow=True))
        client.post(f"/cases/{report.pk}/assessment/", form_of(report))
        assert not review_of(report).open
        after = text_of(client.get(f"/cases/{report.pk}/"))
        assert "Assessment 1" in after and "Anna" in after

    def test_who_looked_first_still_sees_their_own(self, planned: None, desk: Desk) -> None:
        report = desk.assessed()
        assert "Assessment 1" in text_of(desk.at(desk.anna).get(f"/cases/{report.pk}/"))

    def test_a_third_person_sees_both_and_adjudicates(self, planned: None, desk: Desk, make_user: Callable[..., User]) -> None:
        report = do_take(desk.ben, desk.assessed())
        desk.at(desk.ben).post(f"/cases/{report.pk}/assessment/", form_of(report, severity="A"))
        client = desk.at(make_user(Role.SUPERVISOR))
        client.post(f"/cases/{report.pk}/take/")
        seen = text_of(client.get(f"/cases/{report.pk}/"))
        assert "The looks differ" in seen and "Assessment 1" in seen and "Assessment 2" in seen and "Adjudicate" in seen
        client.post(f"/cases/{report.pk}/assessment/", form_of(report, severity="A"))
        assert Assessment.objects.get(number=3).stage == "adjudication"
        assert Report.objects.get(pk=report.pk).status == "second_review"


def test_the_wellbeing_page_is_ones_own(desk: Desk, make_user: Callable[..., User]) -> None:
    report = desk.taken()
    client = desk.at(desk.anna)
    client.post(f"/cases/{report.pk}/show/", {"what": "address"})
    seen = text_of(client.get("/wellbeing/"))
    assert "Only you see this page" in seen and SECRET_ADDRESS not in seen
    assert "Your break runs until" in text_of(client.post("/wellbeing/break/", {"minutes": "5"}, follow=True))
    answer = text_of(client.post("/wellbeing/swap/", follow=True))
    assert "1 cases went back" in answer and Report.objects.get(pk=report.pk).taken_by is None
    client.post("/wellbeing/back/")
    client.post("/wellbeing/buddy/")
    ben = desk.at(desk.ben)
    assert "would like company" in text_of(ben.get("/wellbeing/"))
    preferences = {"blur": "5", "tile_side": "200", "opt_outs": ["infant"], "greyscale": "on"}
    assert "Nobody else sees" in text_of(client.post("/wellbeing/preferences/", preferences, follow=True))
    assert client.post("/wellbeing/preferences/", {"blur": "9", "tile_side": "200"}).status_code == 422
    assert client.get("/wellbeing/lead/").status_code == 403
    lead = desk.at(make_user(Role.WELFARE))
    seen = text_of(lead.get("/wellbeing/lead/"))
    assert "Anna" in seen and "not shared" in seen
    assert AuditEvent.objects.filter(code="welfare.lead_read").count() == 1
    limits = {"role": "", "daily_soft": "10", "daily": "20", "weekly": "60", "break_every": "5", "break_length": "5",
              "hard": "on", "lead_sees": "nothing"}  # fmt: skip
    assert "The limits are set" in text_of(lead.post("/wellbeing/lead/limits/", limits, follow=True))
    answer = lead.get("/wellbeing/lead/")
    form = answer.context["form"]
    again = {name: form[name].value() for name in limits}
    assert {name: str(value) for name, value in again.items() if name not in ("hard", "role")} == {
        name: value for name, value in limits.items() if name not in ("hard", "role")
    }, "the form shows what counts, so that saving it anew changes nothing unseen"
    assert again["hard"] is True and [who for who, _ in answer.context["policies"]] == ["everybody"]
    assert desk.at(make_user(Role.SUPERVISOR)).get("/wellbeing/lead/").status_code == 403


def test_holds_at_the_console(desk: Desk, make_user: Callable[..., User]) -> None:
    report, lia = desk.assessed(), make_user(Role.POLICE_LIAISON, username="lia")
    client = desk.at(lia)
    form = {"kind": "deconfliction", "scope": "case", "agency": "Quimber police", "reason_code": "operation", "reference": "",
            "owner": str(lia.pk), "days": "5"}  # fmt: skip
    assert "The hold is set" in text_of(client.post(f"/cases/{report.pk}/holds/set/", form, follow=True))
    assert report.ref in text_of(client.get("/holds/")) and "On hold" in text_of(client.get(f"/cases/{report.pk}/"))
    do_take(desk.ben, report)
    listing = {"version": Report.objects.get(pk=report.pk).version, "decision": "list", "scope": "url"}
    assert "A hold stops this" in text_of(desk.at(desk.ben).post(f"/cases/{report.pk}/listing/", listing))
    hold = report.holds.get()
    asked = client.post(f"/cases/{report.pk}/holds/{hold.pk}/ask/", {"reason": "it is over"}, follow=True)
    assert "A second person is asked" in text_of(asked)
    supervisor = desk.at(make_user(Role.SUPERVISOR))
    [request] = supervisor.get("/second-person/").context["waiting"]
    supervisor.post(f"/second-person/{request['act'].pk}/approve/")
    assert "The hold is released" in text_of(client.post(f"/cases/{report.pk}/holds/{hold.pk}/release/", follow=True))
    assert client.post(f"/cases/{report.pk}/holds/set/", {**form, "days": "900"}).status_code == 422
    note = {"state": "given", "agency": "Quimber police", "reference": "12"}
    assert "noted" in text_of(client.post(f"/cases/{report.pk}/holds/clearance/", note, follow=True))
    assert desk.at(desk.anna).post(f"/cases/{report.pk}/holds/set/", form).status_code == 403


def test_evidence_leaves_by_two_people(desk: Desk, settings: Any, vault: Vault, make_user: Callable[..., User]) -> None:
    report = desk.taken()
    lia = make_user(Role.POLICE_LIAISON)
    client = with_vault(desk.at(lia), settings, vault)
    kept = do_put(desk.anna, report.pk, EvidenceKind.MEDIA, drawn(1), source=SECRET_ADDRESS)
    path = f"/cases/{report.pk}/evidence/{kept.pk}/"
    seen = text_of(client.get(f"/cases/{report.pk}/evidence/"))
    assert kept.label in seen and SECRET_ADDRESS not in seen
    form = {"recipient": "Quimber police", "legal_basis": "order 12"}
    assert "second person" in text_of(client.post(f"{path}export/", form, follow=True))
    client.post(f"{path}ask/", {"reason": "order 12"})
    supervisor = desk.at(make_user(Role.SUPERVISOR))
    [request] = supervisor.get("/second-person/").context["waiting"]
    supervisor.post(f"/second-person/{request['act'].pk}/approve/")
    answer = client.post(f"{path}export/", form)
    assert answer.content == drawn(1) and answer["Cache-Control"] == "no-store"
    checker = with_vault(desk.at(desk.anna), settings, vault)
    assert "what its digests say" in text_of(checker.post(f"{path}verify/", follow=True))


def test_schemes_and_quality_at_the_console(desk: Desk, make_user: Callable[..., User]) -> None:
    owner, supervisor = desk.at(make_user(Role.SCHEME_OWNER)), desk.at(make_user(Role.SUPERVISOR))
    assert "uk_severity" in text_of(owner.get("/schemes/"))
    assert "A second person is asked" in text_of(owner.post("/schemes/recommended/", follow=True))
    [request] = supervisor.get("/second-person/").context["waiting"]
    supervisor.post(f"/second-person/{request['act'].pk}/approve/")
    key = request["act"].subject.partition(":")[2]
    assert "It is in force" in text_of(owner.post(f"/schemes/{key}/in-force/", follow=True))
    table = {"scheme": "quimber", "version": "1", "table": "label_id,section\nq1,categorisation\n"}
    assert "1 labels are imported" in text_of(owner.post("/schemes/labels/", table, follow=True))
    assert owner.post("/schemes/labels/", {**table, "version": "2", "table": "zorblat"}).status_code == 422
    assert owner.post("/schemes/propose/", {"kind": "mapping", "rules": "{}", "reason": "x"}).status_code == 422
    qa = desk.at(make_user(Role.QA))
    assert "is made" in text_of(qa.post("/quality/sets/", {"name": "November"}, follow=True))
    anna = desk.at(desk.anna)
    form = anna.get("/calibration/").context
    reply = {"seed": form["form"]["seed"].value(), "kind": "circle", "number": "1", "largest_at": "left"}
    assert anna.post(f"/calibration/{form['set'].pk}/", reply).status_code == 302
    assert "with the key" in text_of(qa.get("/quality/"))


def test_a_quality_sample_is_assessed_blind_and_changes_nothing(desk: Desk, make_user: Callable[..., User]) -> None:
    owner = make_user(Role.SCHEME_OWNER)
    row, request = do_propose_policy(owner, Policy("1", (Rule("url", ("qa",), "sample"),)), "a try")
    do_approve(make_user(Role.SUPERVISOR), request)
    do_put_in_force(owner, row)
    report = desk.taken()
    desk.at(desk.anna).post(f"/cases/{report.pk}/assessment/", form_of(report, outcome="not_criminal"))
    qa = desk.at(make_user(Role.QA))
    assert report.ref in text_of(qa.get("/quality/"))
    assert "anna" not in text_of(qa.get(f"/quality/{report.pk}/")).lower()
    answer = qa.post(f"/quality/{report.pk}/check/", form_of(report, outcome="spam"), follow=True)
    assert "You disagree" in text_of(answer) and Report.objects.get(pk=report.pk).outcome == "not_criminal"
    assert qa.post(f"/quality/{report.pk}/check/", form_of(report)).status_code == 409
    another = desk.at(make_user(Role.QA)).post(f"/quality/{report.pk}/check/", form_of(report))
    assert another.status_code == 409 and "no sample" in text_of(another)


def test_agreement_of_blind_looks_is_shown_by_label(desk: Desk, make_user: Callable[..., User]) -> None:
    owner = make_user(Role.SCHEME_OWNER)
    row, request = do_propose_policy(owner, Policy("1", (Rule("url", ("second",), "all"),)), "a try")
    do_approve(make_user(Role.SUPERVISOR), request)
    do_put_in_force(owner, row)
    for number, severity in enumerate(("B", "A", "B")):
        report = do_take(desk.ben, desk.assessed(f"http://h{number}.example/"))
        desk.at(desk.ben).post(f"/cases/{report.pk}/assessment/", form_of(report, severity=severity))
    rows = {row.label: row for row in desk.at(make_user(Role.QA)).get("/quality/").context["tables"][0][1]}
    found = rows["Severity (UK A to C)"]
    assert (found.looks, found.agreement.subjects) == (2, 3) and round(found.agreement.observed, 2) == 0.67
    assert rows["Outcome"].agreement.kappa is None


def test_agreement_of_blind_looks_at_files_is_shown_by_label(desk: Desk, make_user: Callable[..., User]) -> None:
    owner = make_user(Role.SCHEME_OWNER)
    row, request = do_propose_policy(owner, Policy("1", (Rule("media", ("second",), "all"),)), "a try")
    do_approve(make_user(Role.SUPERVISOR), request)
    do_put_in_force(owner, row)
    for number, sadism in enumerate(("no", "yes", "no")):
        report = desk.taken(f"http://h{number}.example/")
        media = file_in(desk, report, number + 1)
        desk.at(desk.anna).post(page(report, media, "assessment/"), grade_form(media))
        desk.at(desk.anna).post(f"/cases/{report.pk}/assessment/", form_of(report))
        do_take(desk.ben, Report.objects.get(pk=report.pk))
        desk.at(desk.ben).post(page(report, media, "assessment/"), grade_form(media, sadism=sadism))
    answer = desk.at(make_user(Role.QA)).get("/quality/")
    rows = {row.label: row for row in answer.context["tables"][1][1]}
    found = rows[grades.BY_NAME["sadism"].label]
    assert (found.looks, found.agreement.subjects) == (2, 3) and round(found.agreement.observed, 2) == 0.67
    assert rows[grades.BY_NAME["activity"].label].agreement.observed == 1.0
    assert "Agreement of blind looks at files" in text_of(answer)


class TestOutOfTurn:
    def test_two_people_list_from_the_console(self, desk: Desk, make_user: Callable[..., User]) -> None:
        report, sue, pia = desk.assessed(), make_user(Role.SUPERVISOR), make_user(Role.LIST_PUBLISHER)
        here, client = f"/cases/{report.pk}/out-of-turn/", desk.at(pia)
        assert here in text_of(client.get(f"/cases/{report.pk}/"))
        client.post(here + "list/", {"page": "1"}, follow=True)
        assert not ListEntry.objects.exists()
        assert "Waits for a second person" in text_of(client.post(here + "ask/", {"reason": "quimber"}, follow=True))
        do_approve(sue, ApprovalRequest.objects.get(act="list_emergency_add"))
        shown = text_of(client.get(here))
        assert "List it now" in shown and "quimber" not in shown
        assert "1 new entry out of turn" in text_of(client.post(here + "list/", {"page": "1"}, follow=True))
        assert ListEntry.objects.get().expires_at is not None and Report.objects.get(pk=report.pk).is_open
        assert "List it now" not in text_of(client.get(here)), "an approval is used once"

    def test_before_anything_was_found_there_is_nothing_to_ask(self, desk: Desk, make_user: Callable[..., User]) -> None:
        report = desk.reported()
        client = desk.at(make_user(Role.LIST_PUBLISHER))
        assert "an assessment comes first" in text_of(client.get(f"/cases/{report.pk}/out-of-turn/"))
        assert desk.at(desk.anna).get(f"/cases/{report.pk}/out-of-turn/").status_code == 403
