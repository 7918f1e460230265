"""Django's own checks, on the settings that an operator would run.

Usage: python tools/django_checks.py migrations | deploy
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

DOORS = ("public", "console", "partner")


def django(settings: str, *arguments: str, **environment: str) -> int:
    env = {**os.environ, "DJANGO_SETTINGS_MODULE": f"vigil.hotline.settings.{settings}", **environment}
    return subprocess.run([sys.executable, "-W", "error", "-m", "django", *arguments], env=env, check=False).returncode


def migrations() -> int:
    return django("checks", "makemigrations", "--check", "--dry-run")


def deploy() -> int:
    from vigil.installation.prepare import write_production_example

    with tempfile.TemporaryDirectory() as folder:
        config = write_production_example(Path(folder))
        failed = 0
        for door in DOORS:
            print(f"deploy check: {door} door", flush=True)
            failed |= django(door, "check", "--deploy", "--fail-level", "WARNING", VIGIL_HOTLINE_CONFIG=str(config))
        return failed


def main(arguments: list[str]) -> int:
    return {"migrations": migrations, "deploy": deploy}[arguments[0]]()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
