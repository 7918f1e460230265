"""Handing out the files of the edition folder: only names a TUF repository can have, never a path of the caller's making."""

from __future__ import annotations

import os
import re
import stat
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO, Final

from django.conf import settings
from django.http import FileResponse
from django.http.response import HttpResponseBase

from vigil.hotline.doors.errors import problem
from vigil.hotline.partners.actions import do_note_delivery
from vigil.hotline.partners.models import Node

NAMES: Final = {
    "metadata": re.compile(r"timestamp\.json|[1-9][0-9]{0,17}\.(?:root|targets|snapshot)\.json"),
    "targets": re.compile(r"[0-9a-f]{64}\.[a-z0-9][a-z0-9_-]{0,60}\.(?:json|parquet)"),
}
TARGETS: Final = re.compile(r"([1-9][0-9]{0,9})\.targets\.json")
FOREVER: Final = "private, max-age=31536000, immutable"


def answer_with_file(node: Node, folder: str, name: str) -> HttpResponseBase:
    """The file, streamed; 404 for any name that no edition folder has."""
    allowed = NAMES.get(folder)
    if allowed is None or not allowed.fullmatch(name):
        return problem(404)
    stream = _opened(settings.EDITIONS / folder / name)
    if stream is None:
        return problem(404)
    with ExitStack() as guard:
        guard.callback(stream.close)
        _note(node, name)
        guard.pop_all()
    kind = "application/json" if name.endswith(".json") else "application/vnd.apache.parquet"
    answer = FileResponse(stream, content_type=kind)
    answer["Cache-Control"] = "no-store" if name == "timestamp.json" else FOREVER
    return answer


def _opened(path: Path) -> BinaryIO | None:
    """The regular file at ``path``, no links followed; None where there is none."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except (OSError, ValueError):
        return None
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        return None
    return os.fdopen(descriptor, "rb")


def _note(node: Node, name: str) -> None:
    """The version of the targets metadata is the number of the edition: who fetches it fetches that edition."""
    found = TARGETS.fullmatch(name)
    if found:
        do_note_delivery(node, int(found[1]))
