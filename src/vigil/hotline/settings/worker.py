"""Processes without a door: captures, the list office, migrations and the command line."""

from __future__ import annotations

from vigil.hotline.settings.console import *  # noqa: F403
from vigil.hotline.settings.console import templates

DOOR = ""
ROOT_URLCONF = "vigil.hotline.doors.nowhere"
ALLOWED_HOSTS = []
TEMPLATES = templates("console")
