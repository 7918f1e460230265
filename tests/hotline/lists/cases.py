"""Cases that wait for a listing decision, with pictures seen in them. All names and values are made up."""

from __future__ import annotations

import hashlib
from typing import Any

from tests.hotline.assessments.test_scheme import FINDING

from vigil.base.redaction import Sealed
from vigil.editions.model import ListKind
from vigil.hotline.access.clock import now
from vigil.hotline.access.models import User
from vigil.hotline.access.people import OPERATOR, PUBLIC, WORKER
from vigil.hotline.assessments.actions import do_assess
from vigil.hotline.lists.actions import do_create_list, do_list
from vigil.hotline.lists.models import Decision
from vigil.hotline.lists.proposals import Proposal, UrlProposal
from vigil.hotline.reports.actions import do_take
from vigil.hotline.reports.intake import Arrival, do_submit_report
from vigil.hotline.reports.models import Report
from vigil.hotline.reports.models.capture import Hash, Media, Sighting, SightingSource
from vigil.match.urls import EntryFlag, Scope

PAGE = "http://gallery.example/room/7"
DRAWN = {**FINDING, "outcome": "non_photographic", "realism": "non_photographic"}
AI = {**FINDING, "realism": "pseudo_photograph", "ai_status": "suspected", "ai_basis": ["artefact"]}

LISTS = {
    "urls": ListKind.URL,
    "urls-np": ListKind.NP_URL,
    "hashes": ListKind.HASH_CSAM,
    "hashes-ai": ListKind.HASH_AI,
    "hashes-np": ListKind.HASH_NP,
}


def make_lists() -> None:
    for name, kind in LISTS.items():
        do_create_list(OPERATOR, name, kind)


def waiting_case(analyst: User, address: str = PAGE, answers: dict[str, Any] = FINDING) -> Report:
    """A case that ``analyst`` assessed and that waits for a second person."""
    case = do_take(analyst, do_submit_report(PUBLIC, Arrival(address)))
    do_assess(analyst, case, answers, version=case.version, started_at=now())
    return Report.objects.get(pk=case.pk)


def held_case(analyst: User, second: User, address: str = PAGE, answers: dict[str, Any] = FINDING) -> Report:
    """The same, taken by the second person."""
    return do_take(second, waiting_case(analyst, address, answers))


def seen_picture(case: Report, name: str = "zorblat", quality: int = 100) -> Media:
    """A made-up picture seen in ``case``: digests of a nonsense word."""
    content = name.encode()
    media = Media.objects.create(
        sha256=hashlib.sha256(content).hexdigest(), sha1=hashlib.sha1(content).hexdigest(),
        md5=hashlib.md5(content).hexdigest(), size=len(content), mime="image/png", created_by=WORKER.label,
    )  # fmt: skip
    Hash.objects.create(
        media=media, algorithm="pdq", value=(hashlib.sha256(b"pdq" + content).hexdigest()), bits=256, quality=quality,
        software_version="0", created_by=WORKER.label,
    )  # fmt: skip
    Sighting.objects.create(media=media, report=case, source=SightingSource.UPLOAD, created_by=WORKER.label)
    return media


def page(address: str = PAGE, scope: Scope = Scope.URL, flags: EntryFlag = EntryFlag.NONE) -> UrlProposal:
    return UrlProposal(Sealed(address), scope, flags)


def listed(analyst: User, second: User, address: str = PAGE, *more: Proposal) -> Decision:
    """A page that stands on a list."""
    return do_list(second, held_case(analyst, second, address), [page(address), *more])
