"""Feeds random bytes to the parsers: each module tests/fuzz/fuzz_*.py has a ``TestOneInput`` that raises on a broken promise.

Usage: python tools/fuzz_python.py SECONDS [MODULE…]     SECONDS for all targets together, at least two each

A finding is left in artifacts/fuzz/<module>/ and fails the run; put it under tests/vectors/, then mend.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TARGETS = ROOT / "tests" / "fuzz"
FINDINGS = ROOT / "artifacts" / "fuzz"
LONGEST_INPUT = 4096

RUN = """
import sys
sys.path[:0] = [{root!r}]
import atheris
with atheris.instrument_imports(include=["vigil.match", "vigil.media", "vigil.editions", "vigil.edge", "vigil.base"]):
    import importlib
    target = importlib.import_module("tests.fuzz." + {name!r})
atheris.Setup(sys.argv, target.TestOneInput)
atheris.Fuzz()
"""


def fuzz(name: str, seconds: int) -> bool:
    """Run one target for so long; True where nothing was found."""
    folder = FINDINGS / name
    corpus = folder / "corpus"
    corpus.mkdir(parents=True, exist_ok=True)
    limits = [f"-max_total_time={seconds}", f"-max_len={LONGEST_INPUT}", "-timeout=20", "-rss_limit_mb=2048"]
    options = [*limits, f"-artifact_prefix={folder}/", "-verbosity=0"]
    seeds = ROOT / "tests" / "vectors" / "fuzz" / name
    corpora = [str(corpus), *([str(seeds)] if seeds.is_dir() else [])]
    command = [sys.executable, "-c", RUN.format(root=str(ROOT), name=name), *options, *corpora]
    finished = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=seconds + 120)
    if finished.returncode:
        print(finished.stdout[-2000:], finished.stderr[-4000:], sep="\n")
    print(f"{name}: {'nothing found' if not finished.returncode else f'FAILED, input kept in {folder}'} ({seconds} s)")
    return not finished.returncode


def main(arguments: list[str]) -> int:
    if not arguments or not arguments[0].isdigit():
        print(__doc__)
        return 2
    known = sorted(path.stem for path in TARGETS.glob("fuzz_*.py"))
    names = arguments[1:] or known
    if unknown := set(names) - set(known):
        print(f"No fuzz target is named {', '.join(sorted(unknown))}. There are: {', '.join(known)}.")
        return 2
    share = max(2, int(arguments[0]) // len(names))
    failed = [name for name in names if not fuzz(name, share)]
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
