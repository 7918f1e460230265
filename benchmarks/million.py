"""The edition of a million addresses that the benchmarks of the doors share: built once a run, linked into each one's folder."""

from __future__ import annotations

import os
import shutil
import tempfile
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Final

from vigil.base.clock import SystemClock
from vigil.editions.build import build_edition
from vigil.editions.keys import KeyRing, create_keys
from vigil.editions.model import EditionContents, ListInfo, UrlEntry
from vigil.editions.publish import publish
from vigil.match.urls import Scope, canonical

URLS: Final = 1_000_000
PATHS: Final = {Scope.URL: "page", Scope.DOMAIN: ""}


@cache
def _base() -> tuple[tempfile.TemporaryDirectory[str], KeyRing]:
    """A folder that lasts as long as the process, and the keys of all editions in it."""
    base = tempfile.TemporaryDirectory(prefix="vigil-bench-million-")
    return base, create_keys(Path(base.name) / "keys", SystemClock().now())


def keys() -> KeyRing:
    """The keys that sign the editions of this run."""
    return _base()[1]


@cache
def _published(scope: Scope) -> Path:
    """The first edition of ``siteN.example``: a page of each, or the whole domain."""
    now, folder = SystemClock().now(), Path(_base()[0].name) / scope.value
    entries = tuple(UrlEntry(n, "urls", canonical(f"http://site{n}.example/{PATHS[scope]}"), scope) for n in range(URLS))
    contents = EditionContents((ListInfo("urls", "url"),), entries, ())
    publish(folder, build_edition(contents, number=1, previous=None, issued_at=now - timedelta(seconds=1)), keys(), now)
    return folder


def put(folder: Path, scope: Scope) -> None:
    """The edition into ``folder/published``, and the root that it leads to beside it."""
    shutil.copytree(_published(scope), folder / "published", copy_function=os.link)
    (folder / "root.json").write_bytes(keys().root)
