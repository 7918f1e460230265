"""Installs the `edge` extra alone, from a wheel, into a fresh environment and runs the given tests there, Django absent.

Usage: python tools/edge_alone.py [OPTION of pytest | TEST]…
"""

from __future__ import annotations

import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv-edge"
PYTHON = VENV / "bin" / "python"
UV = ROOT / ".venv" / "bin" / "uv"
WHEELS = ROOT / "build" / "wheels"


def run(*command: str | Path) -> int:
    return subprocess.run([str(part) for part in command], cwd=ROOT, check=False).returncode


def build_wheel() -> Path:
    for old in WHEELS.glob("vigil-*.whl"):
        old.unlink()
    command = [UV, "build", "--quiet", "--wheel", "--no-build-isolation", "--python", sys.executable, "--out-dir", WHEELS]
    if run(*command):
        raise SystemExit("the wheel could not be built")
    return next(WHEELS.glob("vigil-*.whl"))


def main(arguments: list[str]) -> int:
    wheel = build_wheel()
    venv.create(VENV, with_pip=False, clear=True)
    steps: list[list[str | Path]] = [
        [UV, "pip", "sync", "--quiet", "--python", PYTHON, "--require-hashes", "requirements/edge.txt"],
        [UV, "pip", "install", "--quiet", "--python", PYTHON, "--no-deps", wheel],
    ]
    if any(run(*step) for step in steps):
        return 1
    absent = "import importlib.util as u, sys; sys.exit(any(u.find_spec(n) for n in ('django', 'allauth', 'waitress')))"
    if run(PYTHON, "-c", absent):
        print("the edge environment holds parts of the hotline")
        return 1
    return run(PYTHON, "-m", "pytest", "-q", "-p", "no:cacheprovider", *(arguments or ["tests/edge"]))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
