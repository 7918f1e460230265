"""The Django example, under Django, against a server on loopback."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import RequestFactory, override_settings
from tests.client.liars import answer, honest, lying, says, signals_in
from tests.edge.world import drawn_picture

# Django's own values: the doors of Vigil take no uploads.
UPLOADS: dict[str, Any] = {
    "DATA_UPLOAD_MAX_NUMBER_FILES": 100,
    "FILE_UPLOAD_HANDLERS": ["django.core.files.uploadhandler.MemoryFileUploadHandler"],
}
FILE = Path(__file__).resolve().parents[3] / "examples" / "django_upload.py"
LISTED = {"verdict": "listed", "list": "pictures", "entry": 4, "edition": 3, "signal": "sha256", "distance": 0, "labels": []}


def listed(line: Any, request: bytes, over: Any) -> None:
    line.sendall(answer({"verdicts": [LISTED for _ in signals_in(request)]}))


@pytest.fixture
def example() -> Iterator[Any]:
    spec = importlib.util.spec_from_file_location("example_django_upload", FILE)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    with override_settings(**UPLOADS):
        yield module


@pytest.mark.parametrize(
    ("behaviour", "status", "state"),
    [(honest, 201, "kept"), (listed, 422, "refused"), (says(answer({}, 401)), 202, "held until it can be checked")],
    ids=["not_listed", "listed", "unknown"],
)
def test_the_view(example: Any, behaviour: Any, status: int, state: str) -> None:
    picture = SimpleUploadedFile("picture.png", drawn_picture(3), "image/png")
    request = RequestFactory().post("/upload", {"picture": picture})
    with lying(behaviour) as liar, override_settings(VIGIL_NODE=liar.url, VIGIL_TOKEN="token-zorblat"):
        reply = example.upload(request)
        assert b"Bearer token-zorblat" in liar.requests[0]
        example.vigil().close()
    assert (reply.status_code, json.loads(reply.content)["state"]) == (status, state)


def test_without_a_picture(example: Any) -> None:
    with override_settings(VIGIL_NODE="http://127.0.0.1:1", VIGIL_TOKEN=None):
        assert example.upload(RequestFactory().post("/upload")).status_code == 400
