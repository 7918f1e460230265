"""The zone as a file for resolvers that take no transfer with TSIG or none at all (Unbound, Knot Resolver), and their reload."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any, Final

from vigil.base.files import write_atomically
from vigil.edge.rpz.policy import Policy
from vigil.edge.rpz.settings import Rpz
from vigil.edge.rpz.zone import Zone, zone_text

AGAIN_SECONDS: Final = 5.0
DONE_SECONDS: Final = 3600.0
COMMENT: Final = "Written by a Vigil node; confidential. Changes made here are lost."


class ZoneFile:
    """Writes each new version to ``path``, then runs ``rpz.reload`` until it succeeds."""

    def __init__(self, path: Path, settings: Rpz, policy: Policy, log: Any) -> None:
        self._path, self._settings, self._policy, self._log = path, settings, policy, log
        self._written: int | None = None
        self._loaded: int | None = None
        self._trouble = ""

    def round(self, zone: Zone) -> float:
        """Bring file and resolver up to ``zone``; seconds to the next try."""
        if self._loaded == zone.serial:
            return DONE_SECONDS
        trouble = ""
        try:
            if self._written != zone.serial:
                text = zone_text(zone, self._policy, COMMENT)
                write_atomically(self._path, text.encode("ascii"), mode=0o640)
                self._written = zone.serial
            self._reload()
        except (OSError, subprocess.TimeoutExpired) as error:
            trouble = "reload_failed" if self._written == zone.serial else "file_unwritable"
            if trouble != self._trouble:
                self._log.error("rpz_file", code=trouble, version=zone.serial, fault=type(error).__name__)
        self._trouble = trouble
        if trouble:
            return AGAIN_SECONDS
        self._loaded = zone.serial
        self._log.info("rpz_file", version=zone.serial)
        return DONE_SECONDS

    def _reload(self) -> None:
        """The operator's command, without a shell; what it prints is not kept. Raises OSError where it fails."""
        if not self._settings.reload:
            return
        done = subprocess.run(  # noqa: S603  the command stands in the node's own file
            self._settings.reload,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=self._settings.reload_seconds,
            check=False,
        )
        if done.returncode != 0:
            raise OSError(done.returncode, "the reload command failed")
