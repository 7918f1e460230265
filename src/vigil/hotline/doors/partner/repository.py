"""Handing out the files of the edition folder: only names a TUF repository can have, never a path of the caller's making.

The hotline's own nodes get the whole edition and its lists. A node of a partner gets its partner's branch and the metadata that
lead to it, while an agreement is in force; that is asked at each request.
"""

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
from vigil.hotline.partners.agreements import require_some_agreement
from vigil.hotline.partners.models import Node

NUMBER: Final = r"[1-9][0-9]{0,17}"
SHARED: Final = re.compile(rf"timestamp\.json|{NUMBER}\.(?:root|targets|snapshot|partners)\.json")
OF_LISTS: Final = re.compile(rf"{NUMBER}\.list-[a-z0-9][a-z0-9_.:-]{{0,63}}\.json")
OF_PARTNER: Final = re.compile(rf"({NUMBER})\.partner-([a-z0-9][a-z0-9-]{{0,31}})\.json")
TARGET: Final = re.compile(r"[0-9a-f]{64}\.[a-z0-9][a-z0-9_-]{0,60}\.(?:json|parquet)")
SEALED: Final = re.compile(r"[0-9a-f]{64}\.[a-z0-9][a-z0-9_-]{0,60}\.(?:json|parquet)\.age")
BELOW: Final = {"lists": re.compile(r"[a-z0-9][a-z0-9_.:-]{0,63}"), "partners": re.compile(r"[a-z0-9][a-z0-9-]{0,31}")}
TARGETS: Final = re.compile(rf"({NUMBER})\.targets\.json")
KINDS: Final = {"json": "application/json", "parquet": "application/vnd.apache.parquet", "age": "application/octet-stream"}
FOREVER: Final = "private, max-age=31536000, immutable"


def answer_with_file(node: Node, folder: str, name: str) -> HttpResponseBase:
    """A file of ``metadata/`` or ``targets/``, streamed; 404 for names that no folder has, or that are not this node's."""
    if not _is_allowed(node, folder, name):
        return problem(404)
    return _answer(node, settings.EDITIONS / folder / name, name)


def answer_with_branch(node: Node, branch: str, owner: str, name: str) -> HttpResponseBase:
    """A file of ``targets/lists/NAME/`` or ``targets/partners/ID/``: lists for our own nodes, a partner's for its own."""
    known = BELOW.get(branch)
    mine = node.partner == owner if branch == "partners" else not node.partner
    pattern = SEALED if branch == "partners" else TARGET
    if known is None or not known.fullmatch(owner) or not mine or not pattern.fullmatch(name):
        return problem(404)
    return _answer(node, settings.EDITIONS / "targets" / branch / owner / name, name)


def _is_allowed(node: Node, folder: str, name: str) -> bool:
    if folder == "targets":
        return not node.partner and bool(TARGET.fullmatch(name))
    if folder != "metadata":
        return False
    if found := OF_PARTNER.fullmatch(name):
        return found[2] == node.partner
    return bool(SHARED.fullmatch(name)) or (not node.partner and bool(OF_LISTS.fullmatch(name)))


def _answer(node: Node, path: Path, name: str) -> HttpResponseBase:
    if node.partner:
        require_some_agreement(node.partner)
    stream = _opened(path)
    if stream is None:
        return problem(404)
    with ExitStack() as guard:
        guard.callback(stream.close)
        _note(node, name)
        guard.pop_all()
    kind = KINDS[name.rpartition(".")[2]]
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
    """The version of a description is the number of the edition: who fetches it fetches that edition."""
    found = OF_PARTNER.fullmatch(name) if node.partner else TARGETS.fullmatch(name)
    if found:
        do_note_delivery(node, int(found[1]))
