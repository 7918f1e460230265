"""Pins all dependencies anew: versions and hashes, no addresses.

Usage: python tools/lock.py     (writes requirements/*.txt)
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
HEADER = "python tools/lock.py"
SETS = {
    "tool": ["requirements/tool.in"],
    "dev": ["pyproject.toml", "requirements/build.in", "--extra", "dev"],
    "edge": ["pyproject.toml", "requirements/test.in", "--extra", "edge"],
    "bench": ["pyproject.toml", "requirements/build.in", "--extra", "dev", "--extra", "bench"],
}


def lock(name: str, sources: list[str]) -> None:
    target = f"requirements/{name}.txt"
    command = [
        "uv", "pip", "compile", "--quiet", "--generate-hashes", "--no-emit-index-url", "--no-emit-package", "vigil",
        "--universal", "--python-version", "3.11", "--custom-compile-command", HEADER, "--output-file", target, *sources,
    ]  # fmt: skip
    if name == "edge":
        command += ["--constraint", "requirements/dev.txt"]
    subprocess.run(command, check=True, cwd=ROOT)
    print("wrote", target)


def main() -> int:
    for name, sources in SETS.items():
        lock(name, sources)
    return 0


if __name__ == "__main__":
    sys.exit(main())
