"""Starting Django for one process, with the settings of that process and no others."""

from __future__ import annotations

import os
from typing import Final

import django
from django.core.management import call_command

PROCESSES: Final = frozenset({"public", "console", "partner", "worker"})


def start(process: str) -> None:
    """Load the settings of ``process`` (a door, or ``worker`` for everything without one)."""
    if process not in PROCESSES:
        raise ValueError(f"no settings for {process!r}")
    os.environ["DJANGO_SETTINGS_MODULE"] = f"vigil.hotline.settings.{process}"
    django.setup()


def migrate() -> None:
    """Bring the database to the present shape. Safe to repeat."""
    call_command("migrate", interactive=False, verbosity=0)
