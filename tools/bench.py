"""Measures Vigil beside its peers, in an environment of its own that holds the peers.

Usage: python tools/bench.py [--list] [--seed N] [NAME…]      results: artifacts/bench/*.json and a table

Exit status: 0 every promise held, 1 one did not, 2 wrong usage.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv-bench"
PYTHON = VENV / "bin" / "python"
READY = VENV / ".ready"
SOURCES = [ROOT / "requirements" / "bench.txt", ROOT / "pyproject.toml", ROOT / "CMakeLists.txt"]


def installer() -> Path:
    """uv, from the development environment if there is one, else put into the new one."""
    present = ROOT / ".venv" / "bin" / "uv"
    if present.exists():
        return present
    command = [PYTHON, "-m", "pip", "install", "--quiet", "--require-hashes", "-r", "requirements/tool.txt"]
    subprocess.run(command, check=True, cwd=ROOT)
    return VENV / "bin" / "uv"


def stale() -> bool:
    """Whether the environment is missing or older than the lock or the kernel."""
    if not READY.exists():
        return True
    native = [path for path in (ROOT / "native").rglob("*") if path.is_file()]
    return max(path.stat().st_mtime for path in SOURCES + native) > READY.stat().st_mtime


def prepare() -> None:
    """Create the environment, install the peers from the lock, and compile the kernel into it."""
    print("bench: preparing .venv-bench", flush=True)
    if not PYTHON.exists():
        shutil.rmtree(VENV, ignore_errors=True)
        venv.create(VENV, with_pip=True)
    uv = installer()
    lock = ["pip", "sync", "--quiet", "--python", PYTHON, "--require-hashes", "requirements/bench.txt"]
    build = ["--no-deps", "--no-build-isolation", "--config-setting", "build-dir=build/bench"]
    package = ["pip", "install", "--quiet", "--python", PYTHON, *build, "--editable", "."]
    environment = os.environ | {"PATH": f"{VENV / 'bin'}:{os.environ['PATH']}"}
    for command in (lock, package):
        subprocess.run([uv, *command], check=True, cwd=ROOT, env=environment)
    READY.touch()


def main() -> int:
    parser = argparse.ArgumentParser(description="Measure Vigil beside its peers.")
    parser.add_argument("names", nargs="*", help="benchmarks to run; all, if none is named")
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--list", action="store_true", help="name the benchmarks and stop")
    wanted = parser.parse_args()
    if Path(sys.prefix) != VENV:
        if stale():
            prepare()
        os.execv(PYTHON, [str(PYTHON), __file__, *sys.argv[1:]])
    # One thread unless a benchmark says otherwise: the comparison is a thread against a thread.
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(name, "1")
    # Installed programs have been compiled; without this a process that is measured from its start compiles itself each time.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    sys.path.insert(0, str(ROOT))
    from benchmarks import harness

    if wanted.list:
        harness.load_all()
        for name in sorted(harness.BENCHMARKS):
            print(f"{name:34} {harness.BENCHMARKS[name].promise}")
        return 0
    return 0 if harness.run(wanted.names, harness.SEED if wanted.seed is None else wanted.seed) else 1


if __name__ == "__main__":
    sys.exit(main())
