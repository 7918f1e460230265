"""Creates the virtual environment and installs Vigil into it from the lock file.

Usage: python3 tools/setup.py
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
UV = VENV / "bin" / "uv"
OLDEST = (3, 11)


def say(text: str) -> None:
    print(f"setup: {text}", flush=True)


def run(*command: str | Path) -> None:
    subprocess.run([str(part) for part in command], check=True, cwd=ROOT)


def main() -> int:
    if sys.version_info < OLDEST:
        print(f"Vigil needs Python {OLDEST[0]}.{OLDEST[1]} or newer; this is {sys.version.split()[0]}.")
        return 2
    started = time.monotonic()
    if not shutil.which("g++") and not shutil.which("c++"):
        run(sys.executable, "tools/system_packages.py", "build")
    if not PYTHON.exists():
        say("creating .venv")
        venv.create(VENV, with_pip=True)
    say("installing the installer")
    run(PYTHON, "-m", "pip", "install", "--quiet", "--require-hashes", "-r", "requirements/tool.txt")
    say("installing libraries from the lock file")
    run(UV, "pip", "sync", "--quiet", "--python", PYTHON, "--require-hashes", "requirements/dev.txt")
    say("compiling the matching kernel")
    run(UV, "pip", "install", "--quiet", "--python", PYTHON, "--no-deps", "--no-build-isolation", "--editable", ".")
    say(f"ready after {time.monotonic() - started:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
