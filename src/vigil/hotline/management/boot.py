"""Starting Django for one process, with the settings of that process and no others."""

from __future__ import annotations

import os
from typing import Final

import django
from django.core.management import call_command
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

PROCESSES: Final = frozenset({"public", "console", "partner", "worker"})


def start(process: str) -> None:
    """Load the settings of ``process`` (a door, or ``worker`` for everything without one)."""
    if process not in PROCESSES:
        raise ValueError(f"no settings for {process!r}")
    os.environ["DJANGO_SETTINGS_MODULE"] = f"vigil.hotline.settings.{process}"
    django.setup()


def unapplied() -> list[str]:
    """Migrations the database has not had yet, as ``app.name``."""
    executor = MigrationExecutor(connection)
    plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    return [f"{migration.app_label}.{migration.name}" for migration, _ in plan]


def migrate() -> None:
    """Bring the database to the present shape. Safe to repeat."""
    call_command("migrate", interactive=False, verbosity=0)
