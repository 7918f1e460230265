"""Fuzzes the matching kernel under AddressSanitizer and UndefinedBehaviorSanitizer.

Usage: python tools/fuzz_kernel.py [SECONDS]      (default 30; corpus: build/fuzz/corpus, findings: build/fuzz/findings)

Needs clang with libFuzzer (Debian: clang-14, libclang-rt-14-dev). Exit status 1 if the kernel failed. A finding is a
file; put it into tests/vectors/kernel with a line in its PROVENANCE.md, and it is tried in every later run.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
NATIVE = ROOT / "native"
FOLDER = ROOT / "build" / "fuzz"
VECTORS = ROOT / "tests" / "vectors" / "kernel"
PROGRAM = FOLDER / "kernel"
SANITIZE = "-fsanitize=fuzzer,address,undefined"
LARGEST_INPUT = 65_536  # bytes


def compiler() -> str:
    for name in ("clang++-14", "clang++", "clang-14", "clang"):
        found = shutil.which(name)
        if found:
            return found
    raise SystemExit("The fuzzer needs clang. On Debian: apt-get install clang-14 libclang-rt-14-dev")


def build() -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    sources = [*sorted((NATIVE / "kernel").glob("*.cpp")), NATIVE / "fuzz" / "kernel.cpp"]
    flags = ["-std=c++17", "-O1", "-g", "-ffp-contract=off", "-fno-sanitize-recover=all", SANITIZE]
    command = [compiler(), *flags, f"-I{NATIVE / 'kernel'}", *sources, "-o", PROGRAM, "-lstdc++", "-lm", "-lpthread"]
    subprocess.run([str(part) for part in command], check=True)


def run(seconds: int) -> int:
    corpus, findings = FOLDER / "corpus", FOLDER / "findings"
    for folder in (corpus, findings):
        folder.mkdir(parents=True, exist_ok=True)
    seeds = [VECTORS] if VECTORS.is_dir() else []
    options = [f"-max_total_time={seconds}", f"-max_len={LARGEST_INPUT}", "-len_control=0", "-timeout=20",
               "-rss_limit_mb=3000", "-print_final_stats=1", f"-artifact_prefix={findings}/"]  # fmt: skip
    command = [PROGRAM, *options, corpus, *seeds]
    environment = os.environ | {"ASAN_OPTIONS": "detect_leaks=1:allocator_may_return_null=1"}
    return subprocess.run([str(part) for part in command], env=environment, check=False).returncode


def main() -> int:
    seconds = int(sys.argv[1]) if len(sys.argv) > 1 else 30
    build()
    return 1 if run(seconds) else 0


if __name__ == "__main__":
    sys.exit(main())
