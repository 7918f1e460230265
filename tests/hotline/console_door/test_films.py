"""Films at the console: a contact sheet and no sound, in the same steps as a picture, logged as a look."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
from tests.hotline.console_door.conftest import Desk
from tests.hotline.console_door.test_files import page, picture_in, text_of, vault, with_vault  # noqa: F401 - a fixture

from vigil.hotline.reports.models import Report
from vigil.hotline.reports.models.capture import Media, Sighting, SightingSource
from vigil.hotline.settings.config import Vault
from vigil.hotline.vault.actions import do_put
from vigil.hotline.vault.models import EvidenceKind
from vigil.hotline.welfare.models import ExposureEvent
from vigil.media.warm_up import _filmed


def film_in(desk: Desk, report: Report) -> Media:
    """A drawn film that was seen in the case and lies in the vault."""
    film = _filmed()
    media = Media.objects.create(
        sha256=hashlib.sha256(film).hexdigest(), sha1=hashlib.sha1(film).hexdigest(), md5=hashlib.md5(film).hexdigest(),
        size=len(film), mime="video/mp4", created_by=desk.anna.label,
    )  # fmt: skip
    Sighting.objects.create(media=media, report=report, source=SightingSource.UPLOAD, created_by=desk.anna.label)
    do_put(desk.anna, report.pk, EvidenceKind.MEDIA, film, mime="video/mp4")
    return media


def test_a_film_is_a_contact_sheet_in_steps_without_sound(desk: Desk, settings: Any, vault: Vault) -> None:  # noqa: F811
    report = desk.taken()
    client = with_vault(desk.at(desk.anna), settings, vault)
    media = film_in(desk, report)
    assert picture_in(client.get(page(report, media))) is None, "nothing is shown before it is asked for"
    seen: dict[str, np.ndarray] = {}
    for mode in ("blur", "full"):
        answer = client.post(page(report, media, "look/"), {"mode": mode}, follow=True)
        shown = picture_in(answer)
        assert shown is not None and "<video" not in text_of(answer) and "<audio" not in text_of(answer)
        assert "no-store" in answer["Cache-Control"]
        seen[mode] = shown
        assert "as a contact sheet of" in text_of(answer) and "without sound" in text_of(answer)
    assert len({picture.tobytes() for picture in seen.values()}) == 2
    assert list(ExposureEvent.objects.filter(subject=f"media:{media.pk}").values_list("mode", flat=True)) == list(seen)
