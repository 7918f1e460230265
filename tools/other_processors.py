"""Compiles the kernel for another processor (aarch64, with NEON), runs it under emulation, and compares its results with
this machine's: the same pictures must get the same hashes, the same queries the same hits.

Usage: python tools/other_processors.py
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FLAGS = ["-std=c++17", "-O3", "-ffp-contract=off", "-pthread", "-Inative/kernel"]
NATIVE = ("g++", [], [])
ARM = ("aarch64-linux-gnu-g++", ["-static"], ["qemu-aarch64"])


def results(compiler: str, options: list[str], runner: list[str], folder: Path) -> tuple[str, str]:
    """The path the processor took, and the checksums of its results."""
    program = folder / compiler
    sources = [*sorted((ROOT / "native" / "kernel").glob("*.cpp")), ROOT / "native" / "selfcheck" / "selfcheck.cpp"]
    subprocess.run([compiler, *FLAGS, *options, *map(str, sources), "-o", str(program)], check=True, cwd=ROOT)
    said = subprocess.run([*runner, str(program)], check=True, capture_output=True, text=True, timeout=300).stdout.strip()
    path, _, checksums = said.partition(" ")
    print(f"{compiler}: {said}", flush=True)
    return path, checksums


def main() -> int:
    with tempfile.TemporaryDirectory() as name:
        (_, here), (path, there) = results(*NATIVE, Path(name)), results(*ARM, Path(name))
    if path != "neon":
        print("the other processor did not take its NEON path")
        return 1
    if here != there:
        print("the processors disagree")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
