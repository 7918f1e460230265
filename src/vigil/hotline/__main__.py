"""Django's own commands for people who build Vigil: ``python -m vigil.hotline makemigrations``.

Uses the settings for checks unless DJANGO_SETTINGS_MODULE names others.
"""

from __future__ import annotations

import os
import sys

from django.core.management import execute_from_command_line

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "vigil.hotline.settings.checks")
    execute_from_command_line(["vigil.hotline", *sys.argv[1:]])
